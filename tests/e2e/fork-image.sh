#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# A forked child of a program on an image inherits no translation: its pages fault
# again, as in the kernel, and so udaxd knows of its stores, whatever a write-back
# protects before the child is known.

. "${top_srcdir:-.}/tests/functions.sh"
requires_uffd
image_scratch
mapper=$top_builddir/mapper

# 16 faults of the parent, 16 of the child that reads what is there, and one more
# for its store.
udax_run "$disk" -- "$mapper" "$disk/f" size 1m colour 0 1m rw fill 0 64k 1 \
	fork check 0 64k 1 put 0 77 </dev/null || fail "mapper"
expect_faults
expect faults.pte -eq 33
test "$("$mapper" "$disk/f" map 0 1m r get 0)" = 77 ||
	fail "a store of the child was not written back"
