#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The live driver reproduces the same logs: real threads, mappings and page faults.
# And it does so each time.

. "${top_srcdir:-.}/tests/functions.sh"
requires_root
requires_uffd

driver=live
. "$top_srcdir/tests/corpus/corpus.sh"

for log in "$corpus"/data/scripted/618/xfs/*.log; do
	script=$corpus/data/scripted/$(basename "$log" .log).script
	for run in 1 2 3; do
		udax replay --driver live --extents "$log" "$script" \
			>"$scratch/$run" || fail "udax replay: $script"
	done
	cmp -s "$scratch/1" "$scratch/2" && cmp -s "$scratch/1" "$scratch/3" ||
		fail "$script: not the same log each time"
done
