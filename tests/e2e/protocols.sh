#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Programs whose faults conflict end under every protocol, with the right data, as
# what a protocol loses is kicked; under the safe ones there is nothing to kick.

. "${top_srcdir:-.}/tests/functions.sh"
test -x "$python" || skip "$python is not installed"
requires_uffd
mkdir "$scratch/p"
script=$(cd "$top_srcdir" && pwd)/tests/e2e/mapping.py

# Every name that udaxd knows.
"$top_builddir/udaxd" --socket /s --protocol no-such 2>"$scratch/err"
protocols=$(sed -n 's/.*known are: *//p' "$scratch/err")
test -n "$protocols" || fail "no protocols: $(cat "$scratch/err")"

# run PROTOCOL CMD...
run () {
	protocol=$1
	shift
	udax_run "$scratch/p" --protocol "$protocol" \
		--hold alloc=exp:300us,read=exp:30us -- "$@" \
		>"$scratch/out" 2>"$scratch/err" ||
		fail "$protocol: $*: $(cat "$scratch/out" "$scratch/err")"
	expect faults.total -gt 0
	expect unknown -eq 0
	case $protocol in
	616|615|513|61|dan-all|dan-conflict|jan-nx-all)
		expect lost_wakeups -eq 0;;
	esac
	echo "$protocol: $(summary waits) waits, $(summary lost_wakeups) lost," \
		"$(summary kicked) kicked"
}
cd "$scratch/p" || exit 1
top_builddir=$(cd "$OLDPWD" && cd "$top_builddir" && pwd)
for protocol in $protocols; do
	run "$protocol" "$top_builddir/conflict" "$scratch/p/f" 8
	rm -f "$scratch/p/f"
done
# A longer story, whose data is compared: one of each kind.
for protocol in 616 buggy dan jan-idx 23c8 giant; do
	run "$protocol" "$python" -B "$script"
	cp "$scratch/out" "$scratch/out.$protocol"
	cmp "$scratch/out.$protocol" "$scratch/out.616" ||
		fail "$protocol: other data than under 616"
	rm -f "$scratch/p/"*
done

# Conflicts that last: the wakes that are lost are counted, and kicks end them.
udax_run "$scratch/p" --protocol buggy --hold alloc=5ms -- \
	"$top_builddir/conflict" "$scratch/p/f" 64 2>"$scratch/err" ||
	fail "buggy: $(cat "$scratch/err")"
expect lost_wakeups -gt 0
expect kicked -gt 0
grep -q 'fs/dax wait entries: ' "$scratch/err" || fail "buggy: no dump"
udax_run "$scratch/p" --protocol 616 --hold alloc=5ms -- \
	"$top_builddir/conflict" "$scratch/p/f" 64 2>"$scratch/err" ||
	fail "616: $(cat "$scratch/err")"
expect lost_wakeups -eq 0
test ! -s "$scratch/err" || fail "616: $(cat "$scratch/err")"
