#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# db_bench with RocksDB's mapped writer (windows of a growing file) and reader
# (mappings of O_RDONLY descriptors). Its files carry times and identities, so
# what they hold is compared: every key and value.

. "${top_srcdir:-.}/tests/functions.sh"
requires_cmd db_bench sst_dump ldb
requires_uffd

bench () {
	"$@" --benchmarks=fillrandom,flush,readrandom --num=50000 \
		--value_size=200 --compression_type=none --seed=1 \
		--write_buffer_size=1048576 --mmap_read=1 --mmap_write=1 \
		--verify_checksum=1 >"$scratch/bench.out" 2>&1 ||
		{ cat "$scratch/bench.out"; fail "db_bench"; }
	grep 'found' "$scratch/bench.out"
}
mkdir "$scratch/p" "$scratch/n"
bench db_bench --db="$scratch/n/r" >"$scratch/native.found"
bench udax_run "$scratch/p" -- db_bench --db="$scratch/p/r" \
	>"$scratch/udax.found"
expect_faults
grep -o '(.*found)' "$scratch/native.found" >"$scratch/native.out"
grep -o '(.*found)' "$scratch/udax.found" >"$scratch/udax.out"
same_output out

for sst in "$scratch"/p/r/*.sst; do
	sst_dump --command=verify --file="$sst" >"$scratch/sst.out" 2>&1
	grep -q 'The file is ok' "$scratch/sst.out" ||
		{ cat "$scratch/sst.out"; fail "sst_dump of $sst"; }
done
ldb --db="$scratch/n/r" scan >"$scratch/native.out" || fail "ldb, native"
ldb --db="$scratch/p/r" scan >"$scratch/udax.out" || fail "ldb"
test -s "$scratch/native.out" || fail "the database is empty"
cmp "$scratch/native.out" "$scratch/udax.out" || fail "the databases differ"
