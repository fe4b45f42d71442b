#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# stress.sh with fault-around, on a tmpfs and on a disk.
# UDAX_STRESS_SECONDS (10), UDAX_STRESS_SEED, UDAX_STRESS_OPTIONS.
. "${top_srcdir:-.}/tests/functions.sh"
requires_uffd
image_scratch

seconds=${UDAX_STRESS_SECONDS:-10}
UDAX_TEST_TIMEOUT=$((seconds + 120))
for dir in "$scratch" "$disk"; do
	by_map=
	test "$dir" = "$scratch" || by_map=--by-map
	# shellcheck disable=SC2086 # options are words
	udax_run "$dir" --fault-around 16 -- "$top_builddir/stress" $by_map \
		--file "$dir/file" --seconds "$seconds" \
		${UDAX_STRESS_SEED:+--seed "$UDAX_STRESS_SEED"} \
		${UDAX_STRESS_OPTIONS:-} 2>"$scratch/err" </dev/null
	status=$?
	cat "$scratch/err"
	expect_status $status 0
	test ! -s "$scratch/err" || fail "something was said on standard error"
	expect_pmd
	expect around -gt 0
done
