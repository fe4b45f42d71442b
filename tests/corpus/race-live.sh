#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Races with real threads and page faults: no run hangs, and whatever the outcomes
# are, the model allows each of them on real memory.

. "${top_srcdir:-.}/tests/functions.sh"
requires_root
requires_uffd

runs=${UDAX_TEST_RACE_RUNS:-12}
for script in "$top_srcdir"/tests/corpus/data/race/*.script; do
	name=$(basename "$script" .script)
	timeout 300 "$top_builddir/udax" replay --driver live --runs "$runs" \
		"$script" >"$scratch/$name" ||
		fail "udax replay --runs $runs $name: $?"
	grep -q "^# race $name .* runs $runs distinct" "$scratch/$name" ||
		fail "$name: $(head -n 1 "$scratch/$name")"
	udax check --race "$script" --live --against "$scratch/$name" \
		>"$scratch/missing" || fail "$name: $(cat "$scratch/missing")"
done
