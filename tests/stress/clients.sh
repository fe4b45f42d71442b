#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# One daemon, hard clients: killed in the middle of 1000 faults a hundred times
# over, 1000 mappings, 200 processes at once, fork and exec in the middle of
# faults, mappings longer than their file. Nothing of them may stay.
. "${top_srcdir:-.}/tests/functions.sh"
. "${top_srcdir:-.}/tests/daemon.sh"
requires_uffd
daemon_start
daemon_warm

for verb in eof many forks fork-faults exec kill; do
	"$top_builddir/clients" $verb "$scratch/native" ||
		fail "$verb fails without udax"
	daemon_run -- \
		"$top_builddir/clients" $verb "$pmem/$verb" </dev/null
	expect_status $? 0 $verb
	expect faults.total -gt 0
	daemon_idle
	rm -f "$scratch/native"
done
daemon_stop_quiet
