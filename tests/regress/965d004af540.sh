#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# 965d004af540 live: three read one page of a hole. The first gets the zero page and
# wakes one of the others; up to 4.9 nobody was left to wake the third.

. "${top_srcdir:-.}/tests/functions.sh"
requires_uffd
. "$top_srcdir/tests/regress/live.sh"

mode=readers
lost_under 47
safe_under 410 616
