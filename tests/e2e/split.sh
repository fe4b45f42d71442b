#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# A boundary of the kernel's inside a 2M window, of which udaxd is not told: the
# window cannot be installed by one call, and the faults must still end.

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

for alloc in "alloc 0 4m" ""; do
	rm -f "$f"
	# shellcheck disable=SC2086 # words
	udax_run "$base/p" -- "$mapper" "$f" size 4m $alloc map 0 4m rw \
		advise random 1m 4k put 4k 1 put 1m 2 put 2040k 3 put 3m 4 sync \
		</dev/null || fail "the program"
	expect_faults
	native=$("$mapper" "$f" map 0 4m r get 4k get 1m get 2040k get 3m |
		tr '\n' ' ')
	test "$native" = "1 2 3 4 " ||
		fail "the file holds $native"
done

# In two halves, each of a VMA that has windows of its own: MADV_COLLAPSE says that all
# went well, and maps nothing.
rm -f "$f"
udax_run "$base/p" -- "$mapper" "$f" size 8m alloc 0 8m map 0 8m rw \
	advise random 3m 5m put 2m 1 put 3m 2 put 4092k 3 put 6m 4 sync \
	</dev/null || fail "the program, two halves"
expect_faults
expect faults.pmd -gt 0
native=$("$mapper" "$f" map 0 8m r get 2m get 3m get 4092k get 6m | tr '\n' ' ')
test "$native" = "1 2 3 4 " || fail "the file holds $native"
