#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# A running udaxd: directories that it does not serve, and being given up when it
# does not answer.

. "${top_srcdir:-.}/tests/functions.sh"
requires_uffd
mkdir "$scratch/p" "$scratch/p/sub" "$scratch/other"
sock=$scratch/sock

daemon=
stop_daemon () {
	test -z "$daemon" || kill -9 "$daemon" 2>/dev/null
}
cleanup_fn stop_daemon
mkfifo "$scratch/ready"
"$top_builddir/udaxd" --socket "$sock" --pmem "$scratch/p" --ready-fd 7 \
	7>"$scratch/ready" &
daemon=$!
test "$(wc -c <"$scratch/ready")" = 1 || fail "--ready-fd"

# run STATUS DIR: with a directory; the socket's path may be relative.
run () {
	(cd "$scratch" && exec "$top_builddir/udax" run --daemon sock --pmem "$2" \
		-q -- sh -c 'echo "$UDAX_SOCKET" >&2') 2>"$scratch/err" </dev/null
	expect_status $? "$1" "$(cat "$scratch/err")"
}
run 0 "$scratch/p"
grep -q -x "$sock" "$scratch/err" || fail "UDAX_SOCKET: $(cat "$scratch/err")"
run 0 "$scratch/p/sub"
run 77 "$scratch/other"
grep -q -F "$scratch/other: not served" "$scratch/err" || fail "why?"
run 77 "$scratch"

# While it is stopped nothing answers; a signal ends the wait.
kill -STOP "$daemon"
"$top_builddir/udax" run --daemon "$sock" --pmem "$scratch/p" -- \
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

udax status --socket "$sock" | grep -q -F "\"$scratch/p\"" || fail "status"
udax shutdown --socket "$sock" || fail "shutdown"
wait "$daemon"
is=$?
daemon=
expect_status $is 0 udaxd
