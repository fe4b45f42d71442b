#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# A program is killed in the middle of its faults, again and again: the daemon
# holds nothing of it afterwards, and the next program finds its data.

. "${top_srcdir:-.}/tests/functions.sh"
requires_uffd
requires_cmd fio
mapper=$top_builddir/mapper
mkdir "$scratch/p"
daemon=
stop_daemon () {
	test -z "$daemon" || kill -9 "$daemon" 2>/dev/null
}
cleanup_fn stop_daemon
"$top_builddir/udaxd" --socket "$scratch/sock" --pmem "$scratch/p" &
daemon=$!
wait_for test -S "$scratch/sock"

fds () {
	find "/proc/$daemon/fd" -mindepth 1 | wc -l
}
fds_are () {
	test "$(fds)" -le "$1"
}
udax_run "$scratch/p" --daemon "$scratch/sock" -- true </dev/null
expect_status $? 0
before=$(fds)

# The daemon has served 200 faults more than $1.
more_faults () {
	udax status --socket "$scratch/sock" >"$scratch/status" || return 1
	now=$(field "$scratch/status" counters.faults.total)
	test "$now" -gt $(($1 + 200))
}

for round in 1 2 3 4 5; do
	"$mapper" "$scratch/p/f" size 16m map 0 16m rw fill 0 16m "$round" ||
		fail "native fill"
	rm -f "$scratch/p/g" "$scratch/pid"
	udax status --socket "$scratch/sock" >"$scratch/status" ||
		fail "udax status"
	faults=$(field "$scratch/status" counters.faults.total)
	udax_run "$scratch/p" --daemon "$scratch/sock" -- sh -c \
		'echo $$ >"$1"; exec fio --name=k --ioengine=mmap --thread \
			--filename="$2" --size=1g --bs=4k --rw=randwrite \
			--time_based --runtime=100 --fallocate=none \
			--output=/dev/null' sh \
		"$scratch/pid" "$scratch/p/g" </dev/null >"$scratch/out" 2>&1 &
	run=$!
	wait_for more_faults "$faults"
	kill -9 "$(cat "$scratch/pid")"
	wait $run
	is=$?
	test $is = 137 || { cat "$scratch/out"; fail "exit status $is"; }
	expect_faults
	wait_for fds_are "$before"
	udax_run "$scratch/p" --daemon "$scratch/sock" -- "$mapper" "$scratch/p/f" \
		map 0 16m rw check 0 16m "$round" put 0 1 </dev/null ||
		fail "the next program, after round $round"
	expect_faults
done
kill -0 "$daemon" || fail "the daemon died"
udax shutdown --socket "$scratch/sock" || fail "udax shutdown"
wait "$daemon"
is=$?
daemon=
expect_status $is 0 "udaxd"
