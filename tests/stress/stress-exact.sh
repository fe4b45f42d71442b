#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# stress.sh with --track exact: the oracle sees each byte that a zap, a write
# protection or a zero page would lose. UDAX_STRESS_SECONDS (20).
track=exact
UDAX_STRESS_SECONDS=${UDAX_STRESS_SECONDS:-20}
. "${top_srcdir:-.}/tests/stress/stress.sh"
