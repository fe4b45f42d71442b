#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Two runs at the same time on one daemon share a file: each sees the other's
# stores, each has a summary of its own, the daemon shows both and outlives them.

. "${top_srcdir:-.}/tests/functions.sh"
. "${top_srcdir:-.}/tests/daemon.sh"
requires_uffd
mapper=$top_builddir/mapper
mkfifo "$scratch/in1" "$scratch/in2" "$scratch/out1" "$scratch/out2"
daemon_start

# run N OP...: in the background, its summary in N.json.
run () {
	n=$1
	shift
	udax run --daemon "$socket" --pmem "$pmem" -q \
		--json "$scratch/$n.json" -- "$mapper" "$pmem/f" "$@" \
		<"$scratch/in$n" >"$scratch/out$n" &
}
run 1 size 8m map 0 8m rw fill 0 1m 1 wait one check 4m 1m 2 wait three
first=$!
exec 3>"$scratch/in1" 5<"$scratch/out1"
told 5 one
run 2 map 0 8m rw check 0 1m 1 fill 4m 1m 2 wait two check 0 1m 1
second=$!
exec 4>"$scratch/in2" 6<"$scratch/out2"
told 6 two
echo go >&3
told 5 three

udax list --socket "$socket" >"$scratch/list" || fail "udax list"
cat "$scratch/list"
grep -q -F "$pmem/f" "$scratch/list" || fail "the file is not listed"
udax status --socket "$socket" >"$scratch/status" || fail "udax status"
cat "$scratch/status"

echo go >&4
wait $second
expect_status $? 0 "the second run"
kill -0 $first || fail "the first run ended with the second"
echo go >&3
wait $first
expect_status $? 0 "the first run"
for n in 1 2; do
	cp "$scratch/$n.json" "$scratch/summary.json"
	expect_faults
	expect processes -eq 1
	expect files -eq 1
done
daemon_alive
daemon_stop
