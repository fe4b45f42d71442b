#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# udax run is killed: its daemon ends, and the directory of the sockets goes.

. "${top_srcdir:-.}/tests/functions.sh"
requires_uffd
mkdir "$scratch/p" "$scratch/run"
mkfifo "$scratch/up" "$scratch/go"
XDG_RUNTIME_DIR=$scratch/run
export XDG_RUNTIME_DIR

"$top_builddir/udax" run --pmem "$scratch/p" -- sh -c \
	"echo up >$scratch/up; read -r x <$scratch/go; echo \$x >$scratch/got" &
pid=$!
read -r line <"$scratch/up"
test "$line" = up || fail "the program does not run"
test -n "$(ls "$scratch/run")" || fail "no directory for the sockets"
kill -9 $pid
wait $pid
wait_for rmdir "$scratch/run" 2>/dev/null
# The program was on no image: it goes on.
echo word >"$scratch/go"
wait_line "$scratch/got" word -x
