#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# A running udaxd: directories that it does not serve, and being given up when it
# does not answer.

. "${top_srcdir:-.}/tests/functions.sh"
. "${top_srcdir:-.}/tests/daemon.sh"
requires_uffd
mkdir -p "$pmem/sub" "$scratch/other"
daemon_start

# run STATUS DIR: with a directory; the socket's path may be relative.
run () {
	(cd "$scratch" && exec "$top_builddir/udax" run --daemon sock --pmem "$2" \
		-q -- sh -c 'echo "$UDAX_SOCKET" >&2') 2>"$scratch/err" </dev/null
	expect_status $? "$1" "$(cat "$scratch/err")"
}
run 0 "$pmem"
grep -q -x "$socket" "$scratch/err" || fail "UDAX_SOCKET: $(cat "$scratch/err")"
run 0 "$pmem/sub"
run 77 "$scratch/other"
grep -q -F "$scratch/other: not served" "$scratch/err" || fail "why?"
run 77 "$scratch"

# While it is stopped nothing answers; a signal ends the wait.
kill -STOP "$daemon"
"$top_builddir/udax" run --daemon "$socket" --pmem "$pmem" -- \
	touch "$scratch/ran" &
pid=$!
connected () {
	grep -q -e poll -e skb_wait "/proc/$pid/wchan" 2>/dev/null
}
wait_for connected
kill $pid
wait $pid
expect_status $? 143 "a daemon that does not answer"
kill -CONT "$daemon"
test ! -e "$scratch/ran" || fail "the program ran"

udax status --socket "$socket" | grep -q -F "\"$scratch/p\"" || fail "status"
daemon_stop
