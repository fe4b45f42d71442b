#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Real threads that touch real memory hang under the protocols that lose wakeups,
# and under no others; the daemon says so at once, and does what it was told to.

. "${top_srcdir:-.}/tests/functions.sh"
test -x "$python" || skip "$python is not installed"
requires_uffd
mkdir "$scratch/p" "$scratch/w"
timeout -k 10 "${UDAX_TEST_TIMEOUT:-300}" "$python" -B \
	"$top_srcdir/tests/e2e/litmus.py" "$top_builddir" "$scratch/p" \
	"$scratch/w" || { tail -n 40 "$scratch/w/log"; fail "see above"; }
