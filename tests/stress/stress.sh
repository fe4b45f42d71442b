#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# 3 processes of 4 threads touch one file at random, 4K and 2M, while it and its
# mappings change in every way; each byte has an oracle. UDAX_STRESS_SECONDS
# (60), UDAX_STRESS_SEED and UDAX_STRESS_OPTIONS change the run.
. "${top_srcdir:-.}/tests/functions.sh"
requires_uffd

seconds=${UDAX_STRESS_SECONDS:-60}
UDAX_TEST_TIMEOUT=$((seconds + 120))

# First without udax: what fails there is the machine's, or the test's own.
# shellcheck disable=SC2086 # options are words
"$top_builddir/stress" --file "$scratch/native" --seconds 3 \
	${UDAX_STRESS_SEED:+--seed "$UDAX_STRESS_SEED"} ${UDAX_STRESS_OPTIONS:-} ||
	fail "it fails without udax"

# shellcheck disable=SC2086
udax_run "$scratch" -- "$top_builddir/stress" --file "$scratch/file" \
	--seconds "$seconds" \
	${UDAX_STRESS_SEED:+--seed "$UDAX_STRESS_SEED"} ${UDAX_STRESS_OPTIONS:-} \
	2>"$scratch/err"
status=$?
cat "$scratch/err"
expect_status $status 0
# The daemon and the shim say nothing when all is well.
test ! -s "$scratch/err" || fail "something was said on standard error"
expect_pmd
expect faults.pte -gt 0
expect processes -gt 3
expect result.sigbus -ge 0
