#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Scripts that no kernel was recorded with: real memory and the simulated one give
# the same log, each time. Where only a rule tells them apart it is in the script.

. "${top_srcdir:-.}/tests/functions.sh"
requires_root
requires_uffd

corpus=$top_srcdir/tests/corpus
for kernel in 6.18 6.1; do
	for fs in xfs ext4; do
		for script in "$corpus"/data/drivers/*.script; do
			set -- --kernel $kernel --fs $fs "$script"
			udax replay "$@" >"$scratch/model" || fail "$*"
			udax replay --driver live "$@" >"$scratch/live" ||
				fail "live: $*"
			"$corpus/compare" "$scratch/model" "$scratch/live" ||
				fail "$*: the model (<) and live (>) differ"
			udax replay --driver live "$@" >"$scratch/again" ||
				fail "live: $*"
			cmp "$scratch/live" "$scratch/again" ||
				fail "$*: not the same log each time"
		done
	done
done
