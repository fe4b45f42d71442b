#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Directories that cannot be served: each a line that names it, and the program
# is not run.

. "${top_srcdir:-.}/tests/functions.sh"
requires_uffd

# refused WORD DIR
refused () {
	udax run --pmem "$2" -- touch "$scratch/ran" \
		>"$scratch/out" 2>"$scratch/err" </dev/null
	is=$?
	cat "$scratch/err"
	test $is != 0 || fail "$2 was accepted"
	test $is -lt 124 || fail "exit status $is for $2"
	grep -q -F "$2" "$scratch/err" || fail "the message does not name $2"
	test ! -e "$scratch/ran" || fail "the program ran all the same"
	echo "$1: status $is"
}

refused missing "$scratch/missing"
: >"$scratch/file"
refused 'not a directory' "$scratch/file"
refused 'cannot be served' /proc
refused 'cannot be served' /sys/kernel
