/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The programs of the experiment: X(name, commands that it needs, shell command).
 * Each runs in an empty directory of its own, some tenths of a second to a second
 * natively. No include guard: define X and include.
 */
X("sqlite3", "sqlite3",
  "sqlite3 s.db \"PRAGMA journal_mode=wal; PRAGMA mmap_size=268435456;"
  " CREATE TABLE t(id INTEGER PRIMARY KEY, k INTEGER, v TEXT);"
  " WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 60000)"
  " INSERT INTO t SELECT i, (i*7919)%65537, printf('%0200d', i) FROM n;"
  " CREATE INDEX tk ON t(k); UPDATE t SET v = 'x'||v WHERE k%5 = 0;"
  " DELETE FROM t WHERE id%3 = 0; PRAGMA integrity_check; VACUUM;\"")
X("lmdb", "mdb_load mdb_dump mdb_copy awk",
  "awk 'BEGIN { print \"VERSION=3\\nformat=print\\ntype=btree\\nmapsize=268435456\\n"
  "maxreaders=126\\nHEADER=END\"; for (i = 1; i <= 60000; i++)"
  " printf \" key%06d\\n value-%d-%060d\\n\", i, i * 7919 % 65537, i; print \"DATA=END\" }'"
  " >kv && mkdir a b && mdb_load -f kv a && mdb_dump a >d && mdb_copy a b")
X("lmdb-writemap", "/usr/bin/python3",
  "/usr/bin/python3 -c 'import lmdb\n"
  "env = lmdb.open(\"db\", map_size=256 << 20, writemap=True)\n"
  "value = b\"value\" * 200\n"
  "for r in range(40):\n"
  "    with env.begin(write=True) as txn:\n"
  "        for i in range(2000):\n"
  "            txn.put(b\"%08d\" % ((r * 2000 + i) * 7919 % 100003), value)\n"
  "env.sync(True)'")
X("fio", "fio",
  "fio --name=v --ioengine=mmap --size=64m --filename=f --bs=4k --rw=randwrite"
  " --verify=crc32c --fsync=64 --thread --loops=2 --output=o")
X("fio-2m", "fio",
  "fio --name=v --ioengine=mmap --size=128m --filename=f --bs=2m --rw=write"
  " --verify=md5 --thread --output=o")
X("db_bench", "db_bench",
  "db_bench --db=r --benchmarks=fillrandom,flush,readrandom --num=50000"
  " --value_size=200 --compression_type=none --seed=1 --write_buffer_size=4194304"
  " --mmap_read=1 --mmap_write=1")
X("python", "/usr/bin/python3",
  "/usr/bin/python3 -c 'import mmap, os, zlib\n"
  "f = os.open(\"f\", os.O_RDWR | os.O_CREAT)\n"
  "os.ftruncate(f, 64 << 20)\n"
  "m = mmap.mmap(f, 64 << 20)\n"
  "for i in range(0, 64 << 20, 4096): m[i:i+8] = i.to_bytes(8, \"little\")\n"
  "for r in range(4): zlib.crc32(m)\n"
  "m.flush()\n"
  "for r in range(30):\n"
  "    n = mmap.mmap(f, 1 << 20)\n"
  "    sum(n[i] for i in range(0, 1 << 20, 4096))\n"
  "    n.close()'")
X("rrdtool", "rrdtool",
  "rrdtool create r.rrd --start 1000000000 --step 60 DS:a:GAUGE:120:U:U"
  " RRA:AVERAGE:0.5:1:1000 RRA:MAX:0.5:10:1000 &&"
  " i=1 && while test $i -le 60; do"
  " rrdtool update r.rrd $((1000000000 + i * 60)):$((i * 7919 % 101)) || exit 1;"
  " i=$((i + 1)); done && rrdtool fetch r.rrd MAX -s 1000000000 -e 1000003000 >o")
X("gdbm", "gdbmtool awk",
  "awk 'BEGIN { for (i = 0; i < 20000; i++) printf \"store k%d v%d-%0100d\\n\", i,"
  " i * 7919 % 65537, i; print \"count\\nsync\\nreorganize\\ncount\" }' >c &&"
  " gdbmtool --newdb g.db <c")
X("tdb", "tdbtool tdbdump tdbbackup awk",
  "awk 'BEGIN { print \"create t.tdb\"; for (i = 0; i < 15000; i++)"
  " printf \"insert k%d v%d-%0100d\\n\", i, i * 7919 % 65537, i; print \"quit\" }' >c &&"
  " tdbtool <c && tdbdump t.tdb >d && tdbbackup -s .bak t.tdb")
X("pmempool", "pmempool",
  "for i in 1 2 3; do pmempool create obj --layout=x --size=64M o$i &&"
  " pmempool create blk --size=64M 512 b$i && pmempool check -q o$i &&"
  " pmempool check -q b$i && pmempool info o$i >i || exit 1; done")
X("xfs_io", "xfs_io",
  "xfs_io -f -c 'truncate 256m' -c 'mmap -rw 0 256m' -c 'mwrite -S 0x11 0 256m'"
  " -c 'msync -s' -c 'mread 0 8m' -c 'fpunch 8m 8m' -c 'mread 8m 8m'"
  " -c 'mwrite -S 0x22 0 256m' f >o")
