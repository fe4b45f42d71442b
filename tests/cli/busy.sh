#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The control socket is asked about sessions, files and mappings all the time
# that programs come, fault and go.

. "${top_srcdir:-.}/tests/functions.sh"
requires_uffd
requires_cmd fio
mkdir "$scratch/p"
# fio leaves the state of a verification where it runs.
cd "$scratch" || exit 1
sock=$scratch/sock

daemon=
stop_daemon () {
	test -z "$daemon" || kill -9 "$daemon" 2>/dev/null
}
cleanup_fn stop_daemon
mkfifo "$scratch/ready"
"$top_builddir/udaxd" --socket "$sock" --pmem "$scratch/p" --ready-fd 7 \
	7>"$scratch/ready" &
daemon=$!
test "$(wc -c <"$scratch/ready")" = 1 || fail "--ready-fd"

(udax run --daemon "$sock" --pmem "$scratch/p" -q --json "$scratch/summary.json" \
	-- fio --name=v --ioengine=mmap --directory="$scratch/p" --size=4m \
	--bs=4k --rw=randrw --numjobs=3 --loops=3 --verify=crc32c \
	>"$scratch/out" 2>&1; echo $? >"$scratch/status") &
run=$!
asked=0
seen=0
until test -s "$scratch/status"; do
	udax list --socket "$sock" -v >"$scratch/list" || fail "udax list"
	udax status --socket "$sock" >"$scratch/now" || fail "udax status"
	grep -q "$scratch/p/v" "$scratch/list" && seen=$((seen + 1))
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
	end = ["--socket", "$sock"]
	all = json.loads(subprocess.check_output(udax + ["list"] + end))
	assert not any(all.values()), all
	status = json.loads(subprocess.check_output(udax + ["status"] + end))
	run = json.load(open(sys.argv[1]))
	assert status["counters"]["faults"] == run["faults"], (status, run)
END
udax shutdown --socket "$sock" || fail "shutdown"
wait "$daemon"
is=$?
daemon=
expect_status $is 0 udaxd
