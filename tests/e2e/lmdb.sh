#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# LMDB maps its file read-only, writes it with pwrite and takes POSIX locks on a
# second, mapped file. Load, statistics, copy, dump; then the dump is loaded
# again.

. "${top_srcdir:-.}/tests/functions.sh"
requires_cmd mdb_load mdb_dump mdb_stat mdb_copy
requires_uffd

{
	printf '%s\n' VERSION=3 format=print type=btree mapsize=16777216 \
		maxreaders=126 HEADER=END
	awk 'BEGIN { for (i = 1; i <= 3000; i++)
		printf " key%06d\n value-%d-%060d\n", i, i * 7919 % 65537, i }'
	echo DATA=END
} >"$scratch/kv.dump"

# The lock file holds process ids and the state of a mutex.
ignore=lock.mdb
native_and_udax "$scratch" '
	mkdir lm lm2 lm3 &&
	mdb_load -f ../kv.dump lm && mdb_stat -e lm && mdb_dump -p lm &&
	mdb_copy lm lm2 && mdb_dump lm2 >dump && mdb_load -f dump lm3 &&
	mdb_stat -a lm3'
expect_status "$status" 0
expect_faults
expect processes -ge 7
