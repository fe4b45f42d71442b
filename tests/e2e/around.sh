#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# --fault-around: fewer faults, the same bytes; what is not there is not made.

. "${top_srcdir:-.}/tests/functions.sh"
requires_uffd
mapper=$top_builddir/mapper
mkdir "$scratch/p"
f=$scratch/p/f

# The 1M of the file is less than a window of 2M: faults of 4K.
around () {
	n=$1
	shift
	udax_run "$scratch/p" --fault-around "$n" -- "$mapper" "$f" "$@" </dev/null
}

# A page that was there is mapped by its own fault or by a neighbour's, once.
all_pages () {
	expect_faults
	expect faults.pmd -eq 0
	expect refill -eq 0
	pages=$(($(summary faults.total) + $(summary around)))
	test $pages -eq 256 || fail "$pages pages, not 256, with $1"
}

"$mapper" "$f" size 1m alloc 0 1m map 0 1m rw fill 0 1m 7 || fail "the file"
for n in 1 2 16 512; do
	around $n map 0 1m r check 0 1m 7 || fail "reading with $n"
	all_pages $n
	around $n map 0 1m rw check 0 1m 7 fill 0 1m 8 check 0 1m 8 sync ||
		fail "storing with $n"
	all_pages $n
	"$mapper" "$f" map 0 1m r check 0 1m 8 || fail "what $n stored"
	around $n private 0 1m rw check 0 1m 8 fill 0 1m 9 check 0 1m 9 ||
		fail "private with $n"
	"$mapper" "$f" map 0 1m rw check 0 1m 8 fill 0 1m 7 ||
		fail "private stores with $n are in the file"
	test $n = 1 || test "$(summary around)" -gt 0 || fail "nothing around"
done
# 16 windows at whatever address, one more if it is not aligned.
around 16 map 0 1m r check 0 1m 7
expect faults.total -le 17
expect around -ge 239
around 1 map 0 1m r check 0 1m 7
expect around -eq 0

# One page in sixteen is there: its neighbours stay holes.
rm "$f"
set -- size 1m map 0 1m rw
i=0
while test $i -lt 16; do
	set -- "$@" put $((i * 64))k 5
	i=$((i + 1))
done
"$mapper" "$f" "$@" || fail "the sparse file"
before=$(stat -c %b "$f")
around 16 map 0 1m r step 0 1m 64k >"$scratch/out" || fail "reading the sparse file"
test "$(cat "$scratch/out")" = 80 || fail "the sparse file's words"
test "$(stat -c %b "$f")" -eq "$before" || fail "a neighbour was allocated"

# Beside a mapping that ends, and one that was split, in the window.
rm "$f"
"$mapper" "$f" size 1m alloc 0 1m map 0 1m rw fill 0 1m 3
around 64 map 0 1m rw advise random 20k 4k check 0 1m 3 fill 0 1m 4 sync \
	map 8k 12k r check 8k 12k 4 || fail "split mappings"
expect_faults

udax run --pmem "$scratch/p" --track exact --fault-around 16 -- true 2>"$scratch/err"
expect_status $? 2
grep -q 'exact' "$scratch/err" || fail "no reason for exact"
udax run --pmem "$scratch/p" --fault-around 3 -- true 2>"$scratch/err"
expect_status $? 2
grep -q 'power of two' "$scratch/err" || fail "no reason for 3"

# An image loads no neighbour; what another mapping has loaded is mapped.
image_scratch
mkdir "$disk/p"
f=$disk/p/f
"$mapper" "$f" size 1m map 0 1m rw fill 0 1m 7 || fail "the file on a disk"
udax_run "$disk/p" --fault-around 16 -- "$mapper" "$f" map 0 1m r check 0 1m 7 \
	map 0 1m rw check 0 1m 7 fill 0 1m 8 check 0 1m 8 sync </dev/null ||
	fail "an image"
expect_faults
expect around -gt 0
"$mapper" "$f" map 0 1m r check 0 1m 8 || fail "what the image stored"
