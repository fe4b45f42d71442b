#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# sqlite3 with mmap_size, in both kinds of journal: read-only mappings that grow
# by mremap while the file is written with pwrite, and in WAL mode a shared
# mapping of the -shm file under POSIX locks.

. "${top_srcdir:-.}/tests/functions.sh"
requires_cmd sqlite3
requires_uffd

for mode in wal delete; do
	cat >"$scratch/$mode.sql" <<-EOF
	PRAGMA journal_mode=$mode;
	PRAGMA mmap_size=268435456;
	CREATE TABLE t(id INTEGER PRIMARY KEY, k INTEGER, v TEXT);
	WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n
		WHERE i < 20000)
	INSERT INTO t SELECT i, (i*7919)%65537, printf('%0200d', i) FROM n;
	CREATE INDEX tk ON t(k);
	UPDATE t SET v = 'x'||v WHERE k%5 = 0;
	DELETE FROM t WHERE id%3 = 0;
	SELECT count(*), sum(k), sum(length(v)) FROM t;
	PRAGMA integrity_check;
	VACUUM;
	SELECT count(*), sum(k), sum(length(v)) FROM t;
	PRAGMA integrity_check;
	EOF
	native_and_udax "$scratch/$mode" "sqlite3 s.db <../../$mode.sql &&
		sqlite3 s.db 'PRAGMA mmap_size=268435456' \
			'SELECT sum(k) FROM t WHERE k > 60000'"
	expect_status "$status" 0
	test "$(grep -c '^ok$' "$scratch/udax.out")" = 2 || fail "integrity_check"
	expect_faults
done
