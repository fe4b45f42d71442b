#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The daemon of a program on an image is killed: pages that were not loaded must
# not read as zeros, so `udax run` ends the program, says so, and exits with a
# status of its own (125).

. "${top_srcdir:-.}/tests/functions.sh"
. "${top_srcdir:-.}/tests/daemon.sh"
requires_uffd
image_scratch
pmem=$disk
mapper=$top_builddir/mapper
mkfifo "$scratch/in" "$scratch/out"
"$mapper" "$disk/f" size 8m map 0 8m rw fill 0 8m 1 || fail "native fill"

daemon_start

udax run --daemon "$socket" --pmem "$disk" -- "$mapper" "$disk/f" \
	map 0 8m rw check 0 64k 1 put 0 5 sync wait ready \
	check 64k 8128k 1 say survived <"$scratch/in" >"$scratch/out" 2>"$scratch/err" &
run=$!
exec 3>"$scratch/in" 4<"$scratch/out"
told 4 ready
daemon_kill
echo go >&3
wait $run
is=$?
exec 3>&-
said=$(cat <&4)
cat "$scratch/err"
grep -q 'wrong word' "$scratch/err" && fail "a page that was not loaded was read"
test -z "$said" || fail "the program went on, and said $said"
expect_status $is 125
grep -qi 'daemon\|udaxd' "$scratch/err" || fail "nothing said on stderr"
"$mapper" "$disk/f" map 0 8m r check 8 8388600 1 || fail "the file is wrong"
