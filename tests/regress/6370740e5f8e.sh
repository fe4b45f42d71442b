#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# 6370740e5f8e live: under 61c3 and 23c8 an empty window is a conflict, and a program
# that could be mapped by 2M takes 512 times the faults.

. "${top_srcdir:-.}/tests/functions.sh"
requires_uffd
mapper=$top_builddir/mapper
mkdir "$scratch/p"

for proto in 61c3 23c8 6370 616; do
	rm -f "$scratch/p/f"
	udax_run "$scratch/p" --protocol $proto -- "$mapper" "$scratch/p/f" \
		size 8m map 0 8m rw fill 0 8m 1 || fail "$proto"
	case $proto in
	61c3|23c8)
		expect faults.pmd -eq 0
		expect faults.pte -eq 2048
		expect fallback.conflict -ge 4;;
	*)
		expect faults.pmd -eq 4
		expect faults.pte -eq 0;;
	esac
done
