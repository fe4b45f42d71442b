#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The workers that read a program's faults are those of the CPUs where its threads
# fault: they follow a thread that moves, and there is one for each of two.

. "${top_srcdir:-.}/tests/functions.sh"
. "${top_srcdir:-.}/tests/daemon.sh"
requires_uffd
cpus=$("$python" -c 'import os; print(*sorted(os.sched_getaffinity(0))[:2])')
# shellcheck disable=SC2086 # words
set -- $cpus
test $# = 2 || skip "needs two CPUs"
mkfifo "$scratch/in"
program=
end_program () {
	test -z "$program" || kill -9 "$program" 2>/dev/null
}
cleanup_fn end_program
daemon_start

"$top_builddir/udax" run --daemon "$socket" --pmem "$pmem" -q -- \
	"$python" "$top_srcdir/tests/e2e/readers.py" "$pmem/f" \
	<"$scratch/in" &
program=$!
exec 3>"$scratch/in"

# read_by CPUS: they are the readers, no more and no less.
read_by () {
	udax list -S --socket "$socket" >"$scratch/list" || return 1
	test "$("$python" -c 'import json, sys
print(*sorted(json.load(open(sys.argv[1]))["sessions"][0]["readers"]))' \
		"$scratch/list" 2>/dev/null)" = "$1"
}

for where in "$1" "$2" "$1" "$1 $2" "$2"; do
	echo "$where" >&3
	wait_for read_by "$where"
done
echo >&3
wait "$program"
expect_status $? 0 "the program"
program=
daemon_stop
