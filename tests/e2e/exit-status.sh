#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The exit status of `udax run` is the program's; a program that cannot be run
# has those of env(1).

. "${top_srcdir:-.}/tests/functions.sh"
requires_uffd
mapper=$top_builddir/mapper
mkdir "$scratch/p"

# status WANTED CMD...
status () {
	want=$1
	shift
	udax_run "$scratch/p" -- "$@" >"$scratch/out" 2>"$scratch/err" </dev/null
	is=$?
	cat "$scratch/err"
	expect_status $is "$want" "$*"
}

status 0 true
status 1 false
status 42 sh -c 'exit 42'
status 3 "$mapper" "$scratch/p/f" size 4m map 0 4m rw fill 0 1m 1 exit 3
expect_faults

# Death by a signal: 128 + its number, as a shell has it.
status 143 sh -c 'kill -TERM $$'
status 137 sh -c 'kill -KILL $$'
status 135 "$mapper" "$scratch/p/f" map 0 8m rw get 6m
status 138 "$mapper" "$scratch/p/f" map 0 4m rw put 0 5 kill 10
expect_faults

status 127 "$scratch/no-such-program"
grep -q no-such-program "$scratch/err" || fail "the message does not name it"
status 127 no-such-program-in-path
: >"$scratch/not-executable"
status 126 "$scratch/not-executable"
status 126 "$scratch/p"

# Wrong usage is 2, before anything is run.
udax run --pmem "$scratch/p" >"$scratch/out" 2>"$scratch/err"
expect_status $? 2 "no command"
udax run --no-such-option -- true >"$scratch/out" 2>"$scratch/err"
expect_status $? 2 "an unknown option"
udax no-such-verb >"$scratch/out" 2>"$scratch/err"
expect_status $? 2 "an unknown verb"
test ! -s "$scratch/out" || fail "diagnostics on stdout"
