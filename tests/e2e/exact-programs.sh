#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Programs of others with --track exact: the tests that they have, once more. One
# that the machine cannot run is passed over.

. "${top_srcdir:-.}/tests/functions.sh"
requires_uffd

UDAX_TEST_TRACK=exact
export UDAX_TEST_TRACK top_srcdir top_builddir
ran=0
for name in fio gdbm lmdb lmdb-writemap private python readonly rocksdb \
	rrdtool split sqlite stress-ng tdb xfs_io; do
	sh "$top_srcdir/tests/e2e/$name.sh" >"$scratch/log" 2>&1
	case $? in
	0)
		echo "$name: ok"
		ran=$((ran + 1));;
	77)
		echo "$name: $(tail -n 1 "$scratch/log")";;
	*)
		cat "$scratch/log"
		fail "$name";;
	esac
done
test "$ran" -gt 0 || skip "none of the programs is there"
