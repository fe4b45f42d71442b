# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh
#
# For tests of a udaxd of its own right: daemon_start, daemon_idle, daemon_stop.
# Sourced after functions.sh. $socket is its socket, $pmem what it serves.
socket=$scratch/sock
pmem=$scratch/pmem
daemon=

daemon_kill () {
	test -z "$daemon" || kill -9 "$daemon" 2>/dev/null
}

daemon_start () {
	mkdir -p "$pmem"
	cleanup_fn daemon_kill
	"$top_builddir/udaxd" --socket "$socket" --pmem "$pmem" \
		${track:+--track "$track"} \
		2>"$scratch/udaxd.err" &
	daemon=$!
	wait_for test -S "$socket"
	# The first program may leave what stays: libraries, a spare thread.
	udax run -q --pmem "$pmem" --daemon "$socket" -- true </dev/null
	daemon_fds=$(daemon_count_fds)
}

daemon_count_fds () {
	find "/proc/$daemon/fd" -mindepth 1 | wc -l
}

# A field of `udax status`.
daemon_status () {
	udax status --socket "$socket" |
		"$python" -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"
}

daemon_holds_nothing () {
	test "$(daemon_status sessions)" = 0 &&
		test "$(daemon_status files)" = 0 &&
		test "$(daemon_count_fds)" -le "$daemon_fds"
}

# No session, no file, no descriptor of a client is left.
daemon_idle () {
	kill -0 "$daemon" || fail "the daemon died: $(cat "$scratch/udaxd.err")"
	wait_for daemon_holds_nothing
}

daemon_stop () {
	udax shutdown --socket "$socket" || fail "udax shutdown"
	wait "$daemon"
	is=$?
	daemon=
	expect_status $is 0 "udaxd"
	test ! -s "$scratch/udaxd.err" || fail "$(cat "$scratch/udaxd.err")"
}
