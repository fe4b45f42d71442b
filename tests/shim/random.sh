#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Random changes of the address space and of the file: what a program sees, and
# what is in its file in the end, is what it is natively. More seeds: SEEDS.

. "${top_srcdir:-.}/tests/functions.sh"
requires_uffd
random=$top_builddir/tests/shim/shim-random

# compare DIRECTORY STEPS [noio]
compare () {
	dir=$1 steps=$2 noio=${3-}
	for seed in ${SEEDS:-1 2 3 4 5}; do
		for runner in native udax; do
			rm -f "$dir/f"
			set -- "$random" "$seed" "$steps" "$dir/f" ${noio:+noio}
			test $runner = native || set -- udax_run "$dir" -- "$@"
			"$@" >"$scratch/$runner.out" 2>"$scratch/$runner.err" </dev/null
			echo "exit status $?" >>"$scratch/$runner.out"
			sha256sum <"$dir/f" >>"$scratch/$runner.out"
		done
		cmp "$scratch/native.out" "$scratch/udax.out" || {
			diff "$scratch/native.out" "$scratch/udax.out" | head -n 20
			cat "$scratch/udax.err"
			fail "seed $seed in $dir"
		}
		expect_faults
	done
}

if test "${medium-}" = image; then
	image_scratch
	compare "$disk" 500 noio
else
	mkdir "$scratch/p"
	compare "$scratch/p" 800
fi
