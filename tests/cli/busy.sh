#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The control socket is asked about sessions, files and mappings all the time
# that programs come, fault and go.

. "${top_srcdir:-.}/tests/functions.sh"
. "${top_srcdir:-.}/tests/daemon.sh"
requires_uffd
requires_cmd fio
# fio leaves the state of a verification where it runs.
cd "$scratch" || exit 1
daemon_start

(daemon_run -- fio --name=v --ioengine=mmap --directory="$pmem" --size=4m \
	--bs=4k --rw=randrw --numjobs=3 --loops=3 --verify=crc32c \
	>"$scratch/out" 2>&1; echo $? >"$scratch/status") &
run=$!
asked=0
seen=0
until test -s "$scratch/status"; do
	udax list --socket "$socket" -v >"$scratch/list" || fail "udax list"
	udax status --socket "$socket" >"$scratch/now" || fail "udax status"
	grep -q "$pmem/v" "$scratch/list" && seen=$((seen + 1))
	asked=$((asked + 1))
done
wait $run
expect_status "$(cat "$scratch/status")" 0 "$(cat "$scratch/out")"
expect faults.total -gt 0
expect files -eq 3
echo "asked $asked times, saw files $seen times"

# All is gone, and the sum stays.
"$python" - "$scratch/summary.json" <<-END || fail "the sums"
	import json, subprocess, sys
	udax = ["$top_builddir/udax"]
	end = ["--socket", "$socket"]
	all = json.loads(subprocess.check_output(udax + ["list"] + end))
	assert not any(all.values()), all
	status = json.loads(subprocess.check_output(udax + ["status"] + end))
	run = json.load(open(sys.argv[1]))
	assert status["counters"]["faults"] == run["faults"], (status, run)
END
daemon_stop
