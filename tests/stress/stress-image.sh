#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# stress.sh for a file on a disk, less read() and write() of it.
# UDAX_STRESS_SECONDS (10), UDAX_STRESS_SEED, UDAX_STRESS_OPTIONS.
. "${top_srcdir:-.}/tests/functions.sh"
requires_uffd
image_scratch

seconds=${UDAX_STRESS_SECONDS:-10}
UDAX_TEST_TIMEOUT=$((seconds + 120))
# shellcheck disable=SC2086 # options are words
udax_run "$disk" -- "$top_builddir/stress" --by-map --file "$disk/file" \
	--seconds "$seconds" \
	${UDAX_STRESS_SEED:+--seed "$UDAX_STRESS_SEED"} ${UDAX_STRESS_OPTIONS:-} \
	2>"$scratch/err" </dev/null
status=$?
cat "$scratch/err"
expect_status $status 0
test ! -s "$scratch/err" || fail "something was said on standard error"
expect_pmd
expect faults.pte -gt 0
