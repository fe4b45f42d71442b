#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# GDBM: a mapped hash file that grows by mremap and is written by its mapping.

. "${top_srcdir:-.}/tests/functions.sh"
requires_cmd gdbmtool
requires_uffd

awk 'BEGIN {
	for (i = 0; i < 4000; i++)
		printf "store k%d v%d-%0100d\n", i, i * 7919 % 65537, i
	for (i = 0; i < 4000; i += 3)
		print "delete k" i
	print "count\nfetch k1\nsync\nreorganize\ncount"
}' >"$scratch/commands"
native_and_udax "$scratch" 'gdbmtool --newdb g.db <../commands &&
	gdbmtool --read-only g.db count && gdbmtool --read-only g.db list | sort'
expect_status "$status" 0
expect_faults
