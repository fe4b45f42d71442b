#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Clients that break the wire protocol get errors, and others do not notice: a
# program with an oracle runs on the same daemon meanwhile.
# UDAX_WIRE_SECONDS (10) of noise, from UDAX_WIRE_SEED.
. "${top_srcdir:-.}/tests/functions.sh"
. "${top_srcdir:-.}/tests/daemon.sh"
requires_uffd
test "$(id -u)" = 0 || skip "makes userfaultfds without the daemon's help: needs root"
seconds=${UDAX_WIRE_SECONDS:-10}
daemon_start
daemon_warm

daemon_run -- "$top_builddir/stress" \
	--file "$pmem/stress" --seconds "$seconds" --processes 2 --threads 2 \
	</dev/null >"$scratch/stress.out" 2>&1 &
beside=$!
timeout 120 "$top_builddir/wire" "$socket" "$pmem/wire" "$seconds" \
	${UDAX_WIRE_SEED:+"$UDAX_WIRE_SEED"}
wire=$?
wait $beside
is=$?
cat "$scratch/stress.out"
expect_status $wire 0 "wire"
expect_status $is 0 "the program beside it"
expect_faults
rm -f "$pmem/wire"
daemon_idle
daemon_stop
