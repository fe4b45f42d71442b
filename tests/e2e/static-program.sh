#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# A static program does not load the shim: udax says that it saw no mapping, and
# the program's result is its own.

. "${top_srcdir:-.}/tests/functions.sh"
requires_uffd
mapper=$top_builddir/mapper-static
test -x "$mapper" || skip "mapper-static was not built (no static C library)"
mkdir "$scratch/p"

udax run --pmem "$scratch/p" --json "$scratch/summary.json" -- \
	"$mapper" "$scratch/p/f" size 4m map 0 4m rw fill 0 4m 1 check 0 4m 1 \
	exit 5 2>"$scratch/err" </dev/null
expect_status $? 5
cat "$scratch/err"
grep -qi 'no mapping' "$scratch/err" || fail "it does not say so"
expect mappings -eq 0
expect faults.total -eq 0

# The same words are not said of a program that did map.
udax run --pmem "$scratch/p" --json "$scratch/summary.json" -- \
	"$top_builddir/mapper" "$scratch/p/f" map 0 4m r check 0 4m 1 \
	2>"$scratch/err" </dev/null
expect_status $? 0
expect_faults
grep -qi 'no mapping' "$scratch/err" && fail "it says so of a served program"
exit 0
