#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Races that no kernel was recorded with: on real memory they come to what the model
# allows, for each kernel and file system.

. "${top_srcdir:-.}/tests/functions.sh"
requires_root
requires_uffd

runs=${UDAX_TEST_RACE_RUNS:-12}

# race SCRIPT KERNEL FS
race () {
	name=$(basename "$1" .script)
	timeout 300 "$top_builddir/udax" replay --driver live --runs "$runs" \
		--kernel "$2" --fs "$3" "$1" >"$scratch/$name" ||
		fail "udax replay --runs $runs $*: $?"
	udax check --race "$1" --live --kernel "$2" --fs "$3" \
		--against "$scratch/$name" >"$scratch/missing" ||
		fail "$*: $(cat "$scratch/missing")"
}

for script in "$top_srcdir"/tests/corpus/data/drivers/race/*.script; do
	for kernel in 6.18 6.1; do
		race "$script" $kernel xfs
		race "$script" $kernel ext4
	done
done
