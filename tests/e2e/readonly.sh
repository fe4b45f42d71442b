#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# A read-only mount and a descriptor that is O_RDONLY: reads are served, a store
# is the error it is natively.

. "${top_srcdir:-.}/tests/functions.sh"
requires_root
requires_uffd
mapper=$top_builddir/mapper
tmpfs_mount "$scratch/ro" size=32m
f=$scratch/ro/f
"$mapper" "$f" size 8m map 0 8m rw fill 0 8m 1 || fail "native fill"

# Read-only by its descriptor, then by its mount too.
# A program that could map nothing is told so.
filter='/^udax: no mapping/d'
for mode in rw ro; do
	mount -o "remount,$mode" "$scratch/ro" || fail "remount,$mode"
	udax_run "$scratch/ro" -- "$mapper" "$f" rdonly map 0 8m r check 0 8m 1 \
		private 0 8m rw fill 0 1m 2 check 0 1m 2 check 1m 7m 1 \
		</dev/null || fail "reading, mounted $mode"
	expect_faults
	for runner in native udax; do
		set -- "$mapper" "$f" rdonly map 0 8m rw put 0 1
		test $runner = native ||
			set -- udax_run "$scratch/ro" -- "$@"
		"$@" >"$scratch/$runner.out" 2>"$scratch/$runner.err" </dev/null
		expect_status $? 1 "PROT_WRITE of an O_RDONLY descriptor"
	done
	same_output err
	for runner in native udax; do
		set -- "$mapper" "$f" rdonly map 0 8m r put 0 1
		test $runner = native ||
			set -- udax_run "$scratch/ro" -- "$@"
		"$@" >"$scratch/$runner.out" 2>"$scratch/$runner.err" </dev/null
		expect_status $? 139 "a store to a read-only mapping"
	done
done
"$mapper" "$f" rdonly map 0 8m r check 0 8m 1 || fail "the file has changed"
