#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The programs of shim-test on emulated DAX: what they do is what they do natively.

. "${top_srcdir:-.}/tests/functions.sh"
requires_uffd
# Not by exec: what functions.sh made is removed at the end.
"$top_builddir/tests/shim/shim-test" --real
