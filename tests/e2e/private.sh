#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# MAP_PRIVATE of a managed file: reads see the file, stores stay private, in the
# program and in its child.

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

"$mapper" "$f" size 8m map 0 4m rw fill 0 4m 1 || fail "native fill"
sha256sum "$f" >"$scratch/before"
udax_run "$base/p" -- "$mapper" "$f" private 0 8m rw check 0 4m 1 zero 4m 4m \
	fill 1m 2m 2 fill 6m 1m 3 check 0 1m 1 check 1m 2m 2 check 3m 1m 1 \
	zero 4m 2m check 6m 1m 3 fork check 1m 2m 2 fill 0 1m 4 check 0 1m 4 \
	</dev/null || fail "the program"
expect_faults
sha256sum -c --quiet "$scratch/before" || fail "a private store reached the file"

# A store through a shared mapping is seen by a private one that has no copy.
udax_run "$base/p" -- "$mapper" "$f" private 0 8m rw check 0 4k 1 \
	map 0 8m rw fill 0 64k 5 private 0 8m rw check 0 64k 5 check 64k 64k 1 \
	</dev/null || fail "shared and private"
expect_faults

# What only reads is mapped privately by the preload library.
udax_run "$base/p" -- "$mapper" "$f" rdonly map 0 8m r check 0 64k 5 \
	check 64k 4032k 1 zero 4m 4m </dev/null || fail "an O_RDONLY descriptor"
expect_faults
test "$(summary eagain)" -le 10 || fail "$(summary eagain) installs failed"
