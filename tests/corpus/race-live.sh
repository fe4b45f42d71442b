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

# ^C: what is known is told. It takes the signal from before its first child on.
"$top_builddir/udax" replay --driver live --runs 100000 "$script" \
	>"$scratch/out" 2>"$scratch/err" &
pid=$!
has_child () {
	test -n "$(cat "/proc/$pid/task/$pid/children")"
}
wait_for has_child
kill -INT $pid
wait $pid
expect_status $? 130 "interrupted"
grep -q '^# race ' "$scratch/out" || fail "nothing is told of the runs so far"
grep -q 'interrupted after [0-9]* of 100000' "$scratch/err" ||
	fail "$(cat "$scratch/err")"
