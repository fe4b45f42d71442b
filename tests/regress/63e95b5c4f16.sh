#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# 63e95b5c4f16 live: a page fault that meets a locked 2M entry sleeps on its page,
# and the 2M fault wakes its own. Both mean the head since 4.10.

. "${top_srcdir:-.}/tests/functions.sh"
requires_uffd
. "$top_srcdir/tests/regress/live.sh"

mode=2m
lost_under 47
safe_under 410 616
