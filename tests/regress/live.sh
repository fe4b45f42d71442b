# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh
# What the live tests of lost wakeups share, with functions.sh: a program in which
# 2M faults meet locked page entries, and a udaxd to look at while it hangs.

racer=$top_builddir/tests/regress/racer
. "$top_srcdir/tests/daemon.sh"
mkfifo "$scratch/map" "$scratch/touch"
program=
end_program () {
	test -z "$program" || kill -9 "$program" 2>/dev/null
}
cleanup_fn end_program

# serve PROTOCOL ACTION: a udaxd; ACTION is its --on-lost-wakeup.
serve () {
	daemon_start --protocol "$1" --on-lost-wakeup "$2" \
		--hold alloc=50ms,read=50ms
}

# race OPTION...: 16 rounds of $mode, beside two threads that wait for `go map` and
# `go touch`. How often a round makes them meet is the machine's affair.
mode=page
race () {
	# shellcheck disable=SC2016 # the inner shell's
	daemon_run "$@" -- sh -c \
		'echo $$ >"$1/pid"; exec "$2" "$1/p/f" 16 "$3" <>"$1/map" 3<>"$1/touch"' \
		sh "$scratch" "$racer" "$mode" >"$scratch/out"
}

# hang OPTION...: in the background, until somebody is stranded, for the first time
# on this udaxd. It decides that from its tables, at the moment when it happens.
# shellcheck disable=SC2120
hang () {
	race "$@" &
	run=$!
	wait_line "$daemon_err" 'lost wakeup'
	program=$(cat "$scratch/pid")
	! said "done" || fail "it has ended all the same"
}

# lost_under PROTOCOL...: the program hangs, and ends when the sleepers are kicked.
lost_under () {
	for proto in "$@"; do
		serve "$proto" report
		hang
		end_hang
		expect lost_wakeups -gt 0
		daemon_stop
		serve "$proto" kick
		race || fail "$proto, kicked"
		said "done" || fail "$proto, kicked: $(cat "$scratch/out")"
		expect lost_wakeups -gt 0
		daemon_stop
	done
}

# safe_under PROTOCOL...: it ends, and nobody was ever stranded.
safe_under () {
	for proto in "$@"; do
		serve "$proto" report
		race || fail "$proto"
		said "done" || fail "$proto: $(cat "$scratch/out")"
		expect lost_wakeups -eq 0
		daemon_stop
	done
}

go () {
	echo go >"$scratch/$1"
}

said () {
	grep -q -x "$1" "$scratch/out"
}

# The program is killed: the run ends with that, and with its summary.
end_hang () {
	kill -9 "$program" || fail "the program is gone"
	program=
	wait "$run"
	expect_status $? 137 "the run"
}
