#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Many threads that fault at the same time: each touch is one fault, however they
# are read and woken: on one CPU and on all, at once and while media work.

. "${top_srcdir:-.}/tests/functions.sh"
requires_uffd
crowd=$top_builddir/crowd
mkdir "$scratch/p"
cpu=$("$python" -c 'import os; print(min(os.sched_getaffinity(0)))')

# one_each THREADS PAGES ROUNDS COMMAND...: COMMAND is what comes before the program.
one_each () {
	threads=$1 pages=$2 rounds=$3
	shift 3
	udax_run "$scratch/p" "$@" "$crowd" "$scratch/p/f" "$threads" "$pages" \
		"$rounds" || fail "$*"
	expect faults.total -eq $((threads * pages * rounds))
	expect lost_wakeups -eq 0
}

for threads in 3 16 31 40; do
	one_each $threads 64 4 -- taskset -c "$cpu"
	one_each $threads 64 4 --
done
one_each 16 32 2 --hold read=200us -- taskset -c "$cpu"
one_each 16 32 2 --hold read=200us --
