#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The pile-up of 2019: behind one stranded fault, which holds the mmap_lock, stand
# an mmap() of the same process and then every fault. A userfaultfd drops the lock:
# without --mmap-lock kernel the others go on.

. "${top_srcdir:-.}/tests/functions.sh"
requires_uffd
. "$top_srcdir/tests/regress/live.sh"

serve buggy report
hang
go map
wait_line "$scratch/out" mapped -x
go touch
wait_line "$scratch/out" touched -x
end_hang
test -z "$(summary mmap_lock)" || fail "mmap_lock: $(summary mmap_lock)"
daemon_stop

# counts COUNTER N: of the lock.
counts () {
	test "$(daemon_status "counters.mmap_lock.$1")" -ge "$2"
}

# one_more KIND LINE: after it one more of that kind waits for the lock.
one_more () {
	before=$(daemon_status "counters.mmap_lock.waits.$1")
	go "$2"
	wait_for counts "waits.$1" $((before + 1))
}

serve buggy report
hang --mmap-lock kernel
one_more write map
one_more read touch
# The fault came after the writer. Neither has gone on.
! said mapped && ! said touched || fail "$(cat "$scratch/out")"
counts max_queue 2 || fail "max_queue: $(daemon_status counters.mmap_lock)"
kill -TERM "$program" || fail "SIGTERM"
wait "$run"
expect_status $? 143 "a thread that sleeps in its fault takes the signal"
program=
expect mmap_lock.waits.write -ge 1
daemon_stop

# A dead daemon ends it, and the program goes on natively.
serve buggy report
hang --mmap-lock kernel
one_more write map
daemon_kill
wait "$run"
expect_status $? 0 "without its daemon"
said mapped && said "done" || fail "without its daemon: $(cat "$scratch/out")"

# A kick gets through.
serve buggy kick
race --mmap-lock kernel || fail "kicked"
said "done" || fail "kicked: $(cat "$scratch/out")"
expect lost_wakeups -gt 0
expect mmap_lock.writes -gt 0
daemon_stop
