#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# --track exact: two threads fault on a page, one to read and one to write, which waits
# for the first one's entry. That one's page wakes both, and is read-only: the writer
# faults again while its fault is in service. To the kernel that is one fault.

. "${top_srcdir:-.}/tests/functions.sh"
requires_uffd
track=exact
. "$top_srcdir/tests/daemon.sh"
trace=$scratch/trace
mkdir "$pmem"
head -c 4096 /dev/zero >"$pmem/f"
mkfifo "$scratch/orders"

# list_has WHAT N: so many faults are held by the medium, or wait for an entry.
list_has () {
	udax list --socket "$socket" --waiters >"$scratch/list" &&
		"$python" - "$scratch/list" "$1" "$2" <<-'EOF'
		import json, sys
		found = json.load(open(sys.argv[1]))[sys.argv[2]]
		sys.exit(len(found) != int(sys.argv[3]))
		EOF
}

# The thread whose fault is held, of the last list.
held () {
	"$python" - "$scratch/list" <<-'EOF'
	import json, sys
	print(*(h["tid"] for h in json.load(open(sys.argv[1]))["holds"]))
	EOF
}

next_at_gate () {
	list_has holds 1 && test "$(held)" != "$reader"
}

busy () {
	udax script "$trace" >"$scratch/script" &&
		grep -q 'udax_page_fault_drop.*busy' "$scratch/script"
}

daemon_start --trace "$trace" --hold read=gate
daemon_run -- "$python" "$top_srcdir/tests/e2e/woken.py" "$pmem/f" \
	<"$scratch/orders" &
run=$!
exec 4>"$scratch/orders"
echo read >&4
wait_for list_has holds 1
reader=$(held)
echo write >&4
wait_for list_has waiters 1
udax set --socket "$socket" --hold read=gate || fail "the reader's gate"
wait_for next_at_gate
wait_for busy
udax set --socket "$socket" --no-hold || fail "the writer's gate"
exec 4>&-
wait $run
expect_status $? 0 "the program"
expect faults.read -eq 1
expect faults.write -eq 1
expect refill -eq 0
test "$(head -c 1 "$pmem/f" | od -An -tu1)" -eq 8 || fail "what was written is not there"
daemon_stop
