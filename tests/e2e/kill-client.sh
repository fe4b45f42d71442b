#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# A program is killed in the middle of its faults, again and again: the daemon
# holds nothing of it afterwards, and the next program finds its data.

. "${top_srcdir:-.}/tests/functions.sh"
. "${top_srcdir:-.}/tests/daemon.sh"
requires_uffd
requires_cmd fio
mapper=$top_builddir/mapper
daemon_start
daemon_warm

# The daemon has served 200 faults more than $1.
more_faults () {
	test "$(daemon_status counters.faults.total)" -gt $(($1 + 200))
}

for round in 1 2 3 4 5; do
	"$mapper" "$pmem/f" size 16m map 0 16m rw fill 0 16m "$round" ||
		fail "native fill"
	rm -f "$pmem/g" "$scratch/pid"
	faults=$(daemon_status counters.faults.total)
	daemon_run -- sh -c \
		'echo $$ >"$1"; exec fio --name=k --ioengine=mmap --thread \
			--filename="$2" --size=1g --bs=4k --rw=randwrite \
			--time_based --runtime=100 --fallocate=none \
			--output=/dev/null' sh \
		"$scratch/pid" "$pmem/g" </dev/null >"$scratch/out" 2>&1 &
	run=$!
	wait_for more_faults "$faults"
	kill -9 "$(cat "$scratch/pid")"
	wait $run
	is=$?
	test $is = 137 || { cat "$scratch/out"; fail "exit status $is"; }
	expect_faults
	daemon_idle
	daemon_run -- "$mapper" "$pmem/f" \
		map 0 16m rw check 0 16m "$round" put 0 1 </dev/null ||
		fail "the next program, after round $round"
	expect_faults
done
daemon_stop
