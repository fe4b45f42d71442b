#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The entry stays locked while the medium works: for 4K on a worker, for 2M and for
# a write-back on a helper. It is the medium of the files that are named, and no
# other.

. "${top_srcdir:-.}/tests/functions.sh"
requires_uffd
mapper=$top_builddir/mapper
mkdir "$scratch/p"
f=$scratch/p/f

# Two faults of 2M at 30 ms each.
udax_run "$scratch/p" --hold alloc=30ms -- "$mapper" "$f" size 4m map 0 4m rw \
	fill 0 4k 1 fill 2m 4k 1 || fail "2M"
expect faults.pmd -eq 2
expect latency_ns.pmd.p50 -ge 29000000
rm "$f"

# Windows that a private mapping's page or the end of file cuts are 4K faults.
udax_run "$scratch/p" --hold alloc=20ms-30ms,seed=3 -- "$mapper" "$f" size 16k \
	map 0 16k rw fill 0 16k 1 || fail "4K"
expect faults.pte -eq 4
expect latency_ns.pte.p50 -ge 19000000

# The pages are there: nothing is allocated any more.
udax_run "$scratch/p" --hold alloc=30s,read=0 -- "$mapper" "$f" \
	map 0 16k rw check 0 16k 1 || fail "read"
expect faults.pte -eq 4
expect latency_ns.pte.max -lt 30000000000
udax_run "$scratch/p" --hold 'read=exp:10ms,seed=5' -- "$mapper" "$f" \
	map 0 16k rw check 0 16k 1 || fail "read, held"
expect latency_ns.pte.max -ge 1000000

# The last rule that matches counts; others' files are not held.
rm "$f"
udax_run "$scratch/p" --hold alloc=30s --hold 'f:read=1us' --hold 'g:alloc=30s' \
	-- "$mapper" "$f" size 16k map 0 16k rw fill 0 16k 1 || fail "rules"
expect latency_ns.pte.max -lt 30000000000

# What is wrong with a rule is said.
for rule in alloc alloc=fast f:alloc=1; do
	udax run --pmem "$scratch/p" --hold "$rule" -- true 2>"$scratch/err"
	expect_status $? 2 "--hold $rule"
	grep -q -e "--hold $rule: ." "$scratch/err" ||
		fail "--hold $rule: $(cat "$scratch/err")"
done

# Four entries are written back, one after the other.
image_scratch
before=$(date +%s%N)
udax_run "$disk" --hold flush=100ms -- "$mapper" "$disk/f" size 16k \
	map 0 16k rw fill 0 16k 1 sync || fail "flush"
took=$(($(date +%s%N) - before))
expect writeback_bytes -eq 16384
test $took -ge 400000000 || fail "flush: it took $took ns"
