#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Samba's TDB: a mapped file under POSIX locks, dumped, backed up and checked.

. "${top_srcdir:-.}/tests/functions.sh"
requires_cmd tdbtool tdbdump tdbbackup
requires_uffd

awk 'BEGIN {
	print "create t.tdb"
	for (i = 0; i < 2000; i++)
		printf "insert k%d v%d-%0100d\n", i, i * 7919 % 65537, i
	for (i = 0; i < 2000; i += 3)
		print "delete k" i
	print "show k1\nquit"
}' >"$scratch/commands"
native_and_udax "$scratch" 'tdbtool <../commands && tdbdump t.tdb | sort &&
	tdbbackup -s .bak t.tdb && tdbbackup -v t.tdb && echo check | tdbtool t.tdb'
expect_status "$status" 0
expect_faults
