# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh
#
# For tests of a udaxd of its own right, sourced after functions.sh.
#	$socket, $pmem	its socket, and the directory that it serves: $scratch/p,
#			unless the test sets another one before it starts udaxd
#	$daemon		its pid, while it runs
#	daemon_err	what it said on stderr
socket=$scratch/sock
pmem=$scratch/p
daemon=
daemon_err=$scratch/udaxd.err

# At once; nothing is left of it that could be found in the way.
daemon_kill () {
	test -n "$daemon" || return 0
	kill -9 "$daemon" 2>/dev/null
	wait "$daemon" 2>/dev/null
	daemon=
	rm -f "$socket" "$socket.ctl"
}
cleanup_fn daemon_kill

# daemon_start OPTION...
daemon_start () {
	mkdir -p "$pmem"
	rm -f "$scratch/ready"
	mkfifo "$scratch/ready"
	"$top_builddir/udaxd" --socket "$socket" --pmem "$pmem" --ready-fd 7 \
		${track:+--track "$track"} "$@" \
		7>"$scratch/ready" 2>"$daemon_err" &
	daemon=$!
	test "$(wc -c <"$scratch/ready")" = 1 ||
		fail "udaxd does not start: $(cat "$daemon_err")"
}

# daemon_run OPTION... -- CMD...: udax_run with it, its status is CMD's.
daemon_run () {
	udax_run "$pmem" --daemon "$socket" "$@"
}

daemon_alive () {
	kill -0 "$daemon" || fail "the daemon died: $(cat "$daemon_err")"
}

# daemon_status FIELD: of `udax status`, as in `daemon_status counters.faults.pmd`.
daemon_status () {
	udax status --socket "$socket" >"$scratch/daemon-status" || fail "udax status"
	field "$scratch/daemon-status" "$1"
}

daemon_count_fds () {
	find "/proc/$daemon/fd" -mindepth 1 | wc -l
}

# The first program may leave what stays: libraries, a spare thread.
daemon_warm () {
	daemon_run -- true </dev/null 2>/dev/null || fail "udax run"
	daemon_fds=$(daemon_count_fds)
}

daemon_holds_nothing () {
	test "$(daemon_status sessions)" = 0 &&
		test "$(daemon_status files)" = 0 &&
		test "$(daemon_count_fds)" -le "$daemon_fds"
}

# After daemon_warm: no session, no file, no descriptor of a client is left.
daemon_idle () {
	daemon_alive
	wait_for daemon_holds_nothing
}

daemon_stop () {
	udax shutdown --socket "$socket" || fail "udax shutdown"
	wait "$daemon"
	is=$?
	daemon=
	expect_status $is 0 "udaxd: $(cat "$daemon_err")"
	test ! -e "$socket" || fail "the socket was left behind"
}

# So it ends when nothing was out of the ordinary.
daemon_stop_quiet () {
	daemon_stop
	test ! -s "$daemon_err" || fail "$(cat "$daemon_err")"
}
