#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# An aligned 2M fault on allocated data is one PMD in the program's page table,
# on a tmpfs with any huge= option.

. "${top_srcdir:-.}/tests/functions.sh"
requires_root
requires_uffd
mapper=$top_builddir/mapper

for huge in never always within_size advise; do
	tmpfs_mount "$scratch/$huge" "size=64m,huge=$huge"
	f=$scratch/$huge/f
	# Allocated, and written: blocks that were only allocated read as a hole.
	"$mapper" "$f" size 8m map 0 6m rw fill 0 6m 1 put 2m 8 ||
		fail "native fill"
	udax_run "$scratch/$huge" -- "$mapper" "$f" alloc 0 8m map 0 8m rw \
		put 0 7 put 4m 9 smaps ShmemPmdMapped get 0 get 2m get 4m \
		smaps ShmemPmdMapped put 6m 5 smaps ShmemPmdMapped \
		check 4194312 2097144 1 zero 6291464 2097144 \
		</dev/null >"$scratch/out" || fail "the program, huge=$huge"
	tr '\n' ' ' <"$scratch/out"
	echo "(huge=$huge)"
	expect_pmd
	expect faults.pmd -eq 4
	expect huge_bytes -gt 0
	printf '%s\n' 4096 7 8 9 6144 8192 >"$scratch/want"
	diff -u "$scratch/want" "$scratch/out" || fail "huge=$huge"
	test "$("$mapper" "$f" map 0 8m r get 4m)" = 9 || fail "wrong word"
done
