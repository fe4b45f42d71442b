#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The daemon is killed: a program on a direct medium goes on with the right data
# and one line on stderr says so.

. "${top_srcdir:-.}/tests/functions.sh"
. "${top_srcdir:-.}/tests/daemon.sh"
requires_uffd
mapper=$top_builddir/mapper
mkfifo "$scratch/in" "$scratch/out"
daemon_start

udax run --daemon "$socket" --pmem "$pmem" -- "$mapper" "$pmem/f" \
	size 8m map 0 8m rw fill 0 3m 1 wait ready check 0 3m 1 zero 3m 5m \
	fill 2m 6m 2 check 0 2m 1 check 2m 6m 2 \
	fork check 2m 6m 2 put 0 77 \
	<"$scratch/in" >"$scratch/out" 2>"$scratch/err" &
run=$!
exec 3>"$scratch/in" 4<"$scratch/out"
told 4 ready
daemon_kill
echo go >&3
exec 3>&-
wait $run
is=$?
cat "$scratch/err"
expect_status $is 0
"$mapper" "$pmem/f" map 0 8m r check 8 8184 1 check 2m 6m 2 ||
	fail "the file is wrong"
test "$(grep -c 'udaxd.*without emulation' "$scratch/err")" = 1 ||
	fail "not one line about it on stderr"
