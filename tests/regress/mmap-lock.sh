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
wait_for said mapped
go touch
wait_for said touched
end_hang
test -z "$(summary mmap_lock)" || fail "mmap_lock: $(summary mmap_lock)"

# one_more KIND LINE: after it one more of that kind waits for the lock.
one_more () {
	before=$(counter "mmap_lock.waits.$1")
	go "$2"
	wait_for counts "mmap_lock.waits.$1" $((before + 1))
}

hang --mmap-lock kernel
one_more write map
one_more read touch
# The fault came after the writer. Neither has gone on.
! said mapped && ! said touched || fail "$(cat "$scratch/out")"
counts mmap_lock.max_queue 2 || fail "max_queue: $(counter mmap_lock)"
kill -TERM "$program" || fail "SIGTERM"
wait "$run"
expect_status $? 143 "a thread that sleeps in its fault takes the signal"
program=
expect mmap_lock.waits.write -ge 1
served

# A dead daemon ends it, and the program goes on natively.
serve buggy report
hang --mmap-lock kernel
one_more write map
kill -9 "$daemon"
wait "$daemon" 2>/dev/null
daemon=
wait "$run"
expect_status $? 0 "without its daemon"
said mapped && said "done" || fail "without its daemon: $(cat "$scratch/out")"
rm -f "$scratch/sock" "$scratch/sock.ctl"

# A kick gets through.
serve buggy kick
race --mmap-lock kernel || fail "kicked"
said "done" || fail "kicked: $(cat "$scratch/out")"
expect lost_wakeups -gt 0
expect mmap_lock.writes -gt 0
served
