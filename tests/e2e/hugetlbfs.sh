#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# A file on hugetlbfs, where every fault is one of 2M.

. "${top_srcdir:-.}/tests/functions.sh"
requires_root
requires_uffd
mapper=$top_builddir/mapper
pool=/proc/sys/vm/nr_hugepages

# add N: huge pages of the machine; other tests may do so at the same time.
add () {
	echo $(($(cat $pool) + $1)) >$pool
}
test -w $pool || skip "no huge pages in this kernel"
leave () {
	umount "$scratch/huge" 2>/dev/null
	add -8
}
cleanup_fn leave
before=$(cat $pool)
add 8
test "$(cat $pool)" -ge $((before + 8)) || skip "the machine has no 8 huge pages"
mkdir "$scratch/huge"
mount -t hugetlbfs -o pagesize=2M,size=16M udax-test "$scratch/huge" ||
	skip "cannot mount hugetlbfs"

# The file cannot be written by write(2): what the mapping shows is compared.
f=$scratch/huge/f
udax_run "$scratch/huge" -- "$mapper" "$f" size 8m map 0 8m rw zero 2m 8 \
	fill 0 4m 1 check 0 4m 1 zero 4m 2m fork check 0 4m 1 put 6m 9 \
	</dev/null || fail "the program"
expect_pmd
expect faults.pte -eq 0
"$mapper" "$f" map 0 8m rw check 0 4m 1 zero 4m 2m || fail "wrong data"
test "$("$mapper" "$f" map 0 8m r get 6m)" = 9 || fail "the child's store is lost"
udax_run "$scratch/huge" -- "$mapper" "$f" map 0 8m rw check 0 4m 1 fill 0 2m 2 \
	private 0 8m rw check 0 2m 2 fill 0 2m 3 check 0 2m 3 </dev/null ||
	fail "private"
expect_pmd
"$mapper" "$f" map 0 8m r check 0 2m 2 || fail "a private store reached the file"
