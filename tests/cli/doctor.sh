#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The doctor has a line for each question, and ends with 77 when one that is
# needed fails.

. "${top_srcdir:-.}/tests/functions.sh"

udax doctor >"$scratch/text"
is=$?
cat "$scratch/text"
udax doctor --json >"$scratch/json"
expect_status $? $is "--json"
"$python" - "$scratch/json" "$scratch/text" $is <<-'END' || fail "the findings"
	import json, sys
	found = json.load(open(sys.argv[1]))
	lines = open(sys.argv[2]).read().splitlines()
	assert len(lines) == len(found)
	for name in ("kernel", "userfaultfd", "minor", "served", "collapse",
	             "event_fork", "hugetlb", "max_map_count"):
	    assert found[name]["detail"], name
	needed = [n for n, f in found.items() if f["verdict"] == "needed"]
	assert int(sys.argv[3]) == (77 if needed else 0), needed
END

# Without a descriptor to spare no fault can be served.
sh -c 'ulimit -n 4 && exec "$0" doctor' "$top_builddir/udax" >"$scratch/text"
expect_status $? 77 "four descriptors"
grep -q '^needed.*served.*Too many open files' "$scratch/text" ||
	fail "it does not say why: $(cat "$scratch/text")"

test "$(id -u)" = 0 || exit 0
expect_status $is 0 "root"
test "$(cat /proc/sys/vm/unprivileged_userfaultfd)" = 0 || exit 0
setpriv --reuid=65534 --regid=65534 --clear-groups test -w /dev/userfaultfd &&
	exit 0
setpriv --reuid=65534 --regid=65534 --clear-groups \
	test -x "$top_builddir/udax" || exit 0
setpriv --reuid=65534 --regid=65534 --clear-groups "$top_builddir/udax" doctor \
	>"$scratch/text"
expect_status $? 0 "another user"
grep -q '^lacks.*userfaultfd.*EFAULT.*setfacl' "$scratch/text" ||
	fail "how to enable it is not said: $(cat "$scratch/text")"
