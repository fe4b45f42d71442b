#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Another user, who owns the directory. Where the machine lets everybody have a
# userfaultfd the program is served. Where it has them for the faults of programs
# only, it is served and udax says what is missing. Else `udax run` says why not,
# and exits 77 without running it.

. "${top_srcdir:-.}/tests/functions.sh"
requires_root
requires_cmd setpriv

nobody () {
	setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
}
# The build directory may be closed to others.
mkdir "$scratch/p" "$scratch/bin"
for program in udax udaxd libudax-preload.so mapper; do
	cp "$top_builddir/$program" "$scratch/bin/" || exit 1
done
chown 65534:65534 "$scratch" "$scratch/p"

nobody env HOME="$scratch" "$scratch/bin/udax" run --pmem "$scratch/p" -q \
	--json "$scratch/summary.json" -- \
	"$scratch/bin/mapper" "$scratch/p/f" size 4m map 0 4m rw fill 0 4m 1 \
	>"$scratch/out" 2>"$scratch/err" </dev/null
is=$?
cat "$scratch/err"
if test $is = 0; then
	expect_faults
	nobody test -w /dev/userfaultfd && exit 0
	test "$(cat /proc/sys/vm/unprivileged_userfaultfd)" = 1 && exit 0
else
	expect_status $is 77
	test ! -e "$scratch/p/f" || fail "the program ran"
fi
grep -q /dev/userfaultfd "$scratch/err" || fail "it does not say what is missing"
