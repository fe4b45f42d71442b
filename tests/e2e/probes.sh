#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The kernel counts the hits of udaxd's probes, and reads their arguments: they
# are what the summary says. Needs no tracer but the kernel's own, tracefs.

. "${top_srcdir:-.}/tests/functions.sh"
requires_cmd readelf
requires_root
requires_uffd
test -x "$python" || skip "$python is not installed"
test "$(uname -m)" = x86_64 || skip "knows the registers of x86_64 only"
"$top_builddir/udaxd" --dump-config | grep -q '^usdt=yes$' ||
	skip "built without USDT probes"

track=fast
tracing=$scratch/tracing
group=udax_test_$$
instance=$tracing/instances/$group
mkdir "$tracing" "$scratch/p"
mount -t tracefs udax-test "$tracing" 2>/dev/null || skip "cannot mount tracefs"
remove_probes () {
	if test -d "$instance"; then
		echo 0 >"$instance/events/$group/enable"
		rmdir "$instance"
	fi
	sed -n "s/^p:\($group\/[a-z_0-9]*\) .*/-:\1/p" "$tracing/uprobe_events" |
		while read -r probe; do
			echo "$probe" >>"$tracing/uprobe_events"
		done
	umount "$tracing"
}
cleanup_fn remove_probes
test -w "$tracing/uprobe_events" || skip "the kernel has no uprobe events"
mkdir "$instance" || skip "cannot make an instance of tracefs"

# A udaxd of our own: the probes are a file's, and other tests run the other one.
own=$(mktemp -d "$(realpath "$top_builddir")/udax-test.XXXXXX") || exit 1
remove_own () {
	rm -rf "$own"
}
cleanup_fn remove_own
cp "$top_builddir/udax" "$top_builddir/udaxd" "$top_builddir/libudax-preload.so" \
	"$own" || fail "cp"
udax () {
	timeout -k 10 "${UDAX_TEST_TIMEOUT:-180}" "$own/udax" "$@"
}

"$python" -B "$top_srcdir/tests/e2e/uprobes.py" list "$group" "$own/udaxd" \
	>"$scratch/probes" ||
	fail "$(cat "$scratch/probes")"
while read -r probe; do
	echo "$probe" >>"$tracing/uprobe_events" ||
		fail "the kernel does not take: $probe"
done <"$scratch/probes"
echo 16384 >"$instance/buffer_size_kb"

# probed OPTION... -- CMD...: under udax, with the probes on.
probed () {
	: >"$instance/trace"
	echo 1 >"$instance/events/$group/enable" || fail "cannot turn them on"
	udax_run "$scratch/p" "$@" 2>"$scratch/err" || fail "$*: $(cat "$scratch/err")"
	echo 0 >"$instance/events/$group/enable"
	cat "$instance/trace" >"$scratch/trace"
	"$python" -B "$top_srcdir/tests/e2e/uprobes.py" count "$scratch/trace" \
		>"$scratch/hits" || fail "count"
}
hits () {
	n=$(field "$scratch/hits" "$1" 2>/dev/null) || n=
	echo "${n:-0}"
}
# same WHAT SUMMARY-FIELD [SUMMARY-FIELD]: the hits are their sum.
same () {
	want=$(($(summary "$2") + ${3:+$(summary "$3")}+0))
	test "$(hits "$1")" = $want ||
		fail "$1: $(hits "$1") by the probes, $want wanted: $(cat "$scratch/hits")"
}
same_hits () {
	test "$(hits "$1")" = "$(hits "$2")" ||
		fail "$1 and $2 are not as many: $(cat "$scratch/hits")"
}

# One thread: no message is another's business. 2M and 4K, and the zeros of a hole of
# 2M, which are one fault and filled page by page.
probed -- "$top_builddir/mapper" "$scratch/p/f" size 9m map 0 9m rw \
	fill 0 6m 1 zero 6m 2m fill 8m 1m 2
expect faults.pmd -eq 4
expect faults.pte -eq 256
expect refill -gt 0
same fault_begin faults.total refill
same begin-refill refill
same begin-write faults.write
same_hits begin-page fault_begin
same done-pmd faults.pmd
same done-pte faults.pte
same done-fallback result.fallback
same install_begin faults.total refill
same install_end faults.total refill
same entry_lock-fault faults.total
same_hits entry_lock entry_unlock
test "$(hits wait_begin)" = 0 || fail "one thread waited"

# Two that meet, by a protocol that loses wakeups.
probed --protocol buggy --hold alloc=20ms --on-lost-wakeup kick -- \
	"$python" "$top_srcdir/tests/e2e/lost.py" "$scratch/p"
expect lost_wakeups -gt 0
same stranded lost_wakeups
same end-stranded lost_wakeups
same end-kicked kicked
same wait_begin waits
same wait_end waits
same wake-next wakes.next
same wake-all wakes.all
same wake-woken wakes.woken
same done-conflict fallback.conflict
