#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Python's mmap: stores, flush, resize, a forked child's stores, pread compared
# with the mapping, copy-on-write and read-only mappings, an unlinked file.

. "${top_srcdir:-.}/tests/functions.sh"
test -x "$python" || skip "$python is not installed"
requires_uffd
base=$scratch
medium=${medium:-direct}
if test "$medium" = image; then
	image_scratch
	base=$disk
fi
script=$(cd "$top_srcdir" && pwd)/tests/e2e/mapping.py
native_and_udax "$base" "$python -B '$script' $medium"
cat "$scratch/udax.out"
expect_status "$status" 0
expect_faults
expect processes -ge 2
test "$medium" = image || expect_pmd
