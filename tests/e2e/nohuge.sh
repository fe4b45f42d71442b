#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# A 2M entry, MADV_NOHUGEPAGE, a write-back and a store: the store finds a huge
# pmd that may not be made any more, and must end all the same.

. "${top_srcdir:-.}/tests/functions.sh"
requires_uffd
mapper=$top_builddir/mapper
base=$scratch
if test "${medium:-direct}" = image; then
	image_scratch
	base=$disk
fi
mkdir "$base/p"
f=$base/p/f

udax_run "$base/p" -- "$mapper" "$f" size 4m alloc 0 4m map 0 4m rw \
	put 0 1 put 4k 1 sync advise nohuge 0 4m put 0 2 put 4k 2 put 8k 3 \
	put 3m 4 sync </dev/null || fail "the program"
expect_faults
expect_pmd
native=$("$mapper" "$f" map 0 4m r get 0 get 4k get 8k get 3m | tr '\n' ' ')
test "$native" = "2 2 3 4 " || fail "the file holds $native"
