#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# 0e40de0338d0 and 23c84eb78375 live: a 2M fault that meets a locked page entry
# sleeps for ever under buggy. Under the mending, and today, it falls back.

. "${top_srcdir:-.}/tests/functions.sh"
requires_uffd
. "$top_srcdir/tests/regress/live.sh"

lost_under buggy
safe_under 23c8 616 dan-all jan-nx-all
