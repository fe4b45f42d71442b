#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Two runs at the same time on one daemon share a file: each sees the other's
# stores, each has a summary of its own, the daemon shows both and outlives them.

. "${top_srcdir:-.}/tests/functions.sh"
requires_uffd
mapper=$top_builddir/mapper
mkdir "$scratch/p"
mkfifo "$scratch/in1" "$scratch/in2"
daemon=
stop_daemon () {
	test -z "$daemon" || kill -9 "$daemon" 2>/dev/null
}
cleanup_fn stop_daemon
"$top_builddir/udaxd" --socket "$scratch/sock" --pmem "$scratch/p" &
daemon=$!
wait_for test -S "$scratch/sock"

# run N OP...: in the background, its summary in N.json.
run () {
	n=$1
	shift
	udax run --daemon "$scratch/sock" --pmem "$scratch/p" -q \
		--json "$scratch/$n.json" -- "$mapper" "$scratch/p/f" "$@" \
		<"$scratch/in$n" >"$scratch/out$n" 2>&1 &
}
run 1 size 8m map 0 8m rw fill 0 1m 1 wait one check 4m 1m 2 wait three
first=$!
exec 3>"$scratch/in1"
wait_for grep -q one "$scratch/out1"
run 2 map 0 8m rw check 0 1m 1 fill 4m 1m 2 wait two check 0 1m 1
second=$!
exec 4>"$scratch/in2"
wait_for grep -q two "$scratch/out2"
echo go >&3
wait_for grep -q three "$scratch/out1"

udax list --socket "$scratch/sock" >"$scratch/list" || fail "udax list"
cat "$scratch/list"
grep -q -F "$scratch/p/f" "$scratch/list" || fail "the file is not listed"
udax status --socket "$scratch/sock" >"$scratch/status" || fail "udax status"
cat "$scratch/status"

echo go >&4
wait $second
expect_status $? 0 "the second run: $(cat "$scratch/out2")"
kill -0 $first || fail "the first run ended with the second"
echo go >&3
wait $first
expect_status $? 0 "the first run: $(cat "$scratch/out1")"
for n in 1 2; do
	cp "$scratch/$n.json" "$scratch/summary.json"
	expect_faults
	expect processes -eq 1
	expect files -eq 1
done
kill -0 "$daemon" || fail "the daemon ended with its clients"
udax shutdown --socket "$scratch/sock" || fail "udax shutdown"
wait "$daemon"
is=$?
daemon=
expect_status $is 0 "udaxd"
test ! -e "$scratch/sock" || fail "the socket was left behind"
