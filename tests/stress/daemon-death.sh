#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# kill -9 of the daemon under a program that does everything at once: it goes on
# without emulation, no thread stays asleep and no byte is wrong.
. "${top_srcdir:-.}/tests/functions.sh"
. "${top_srcdir:-.}/tests/daemon.sh"
requires_uffd

served () {
	test "$(daemon_status counters.faults.total)" -ge 2000
}

for round in 1 2 3; do
	daemon_start
	daemon_run -- "$top_builddir/stress" \
		--file "$pmem/f" --seconds 6 >"$scratch/out" 2>"$scratch/err" \
		</dev/null &
	run=$!
	wait_for served
	daemon_kill
	wait $run
	is=$?
	cat "$scratch/out"
	test $is = 0 || cat "$scratch/err"
	expect_status $is 0 "round $round"
	grep -q 'without emulation' "$scratch/err" ||
		fail "nobody said that the daemon is gone"
done
