#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# udax check: what it prints, refuses and does when it is interrupted.

. "${top_srcdir:-.}/tests/functions.sh"
requires_cmd "$python"

refused () {
	udax check "$@" >"$scratch/out" 2>"$scratch/err"
	expect_status $? 2 "check $*"
	test -s "$scratch/err" || fail "check $*: nothing on stderr"
	test ! -s "$scratch/out" || fail "check $*: $(cat "$scratch/out")"
}

refused --protocol nosuch
refused --litmus L14
refused --exhaustive 0
refused --exhaustive 9
refused --exhaustive 4x
refused --litmus L1 --exhaustive 3
refused --replay 616
refused --replay 616:empty:P1
refused --replay nosuch:empty:P1:0
refused --replay 616:nosuch:P1:0
refused --replay 616:empty:P9:0
refused --replay 616:empty:P1:x
refused --replay 616:empty+nothing:P1:0
refused --replay 616:empty:P1:0 --json
refused argument

# What is wrong with a schedule is said.
wrong () {
	refused --replay "$2"
	grep -q -e "$1" "$scratch/err" || fail "$2: $(cat "$scratch/err")"
}
wrong 'no such protocol' nobody:empty:P1:0
wrong 'no such table' 616:full:P1:0
wrong 'no such operations' 616:empty:P9:0
wrong 'its steps' 616:empty:P1:x
wrong 'PROTOCOL:TABLE:' 616:empty
refused --replay 616:empty:P1:0 --protocol buggy

# The bug of 2019, as a schedule, the printed way and again.
udax check --protocol buggy --litmus L1 >"$scratch/l1" || fail "L1"
schedule=$(sed -n 's/^  \(buggy:empty:P1,M0:[01]*\)$/\1/p' "$scratch/l1")
test -n "$schedule" || fail "no schedule: $(cat "$scratch/l1")"
udax check --replay "$schedule" >"$scratch/again" || fail "--replay"
tail -n +3 "$scratch/l1" | cmp -s - "$scratch/again" ||
	fail "not the same again: $(cat "$scratch/again")"
for line in 'sleeps on key 0, for the locked 4K entry at 1' \
		'wakes the next of key 1: nobody' 'stranded: 1:M0 on key 0' \
		'LOST: 1:M0 sleeps on key 0'; do
	grep -q -e "$line" "$scratch/again" || fail "no '$line'"
done
udax check --replay 616:empty:P1:000000 >"$scratch/out" 2>"$scratch/err"
expect_status $? 2 "more steps than there are"
grep -q 'cannot run then' "$scratch/err" || fail "$(cat "$scratch/err")"
udax check --replay "616${schedule#buggy}" >"$scratch/out" 2>"$scratch/err"
case $? in
0)
	! grep -q LOST "$scratch/out" || fail "616 loses by $schedule";;
2)
	grep -q 'cannot run then' "$scratch/err" || fail "$(cat "$scratch/err")";;
*)
	fail "616 by $schedule";;
esac

udax check --litmus all --json >"$scratch/litmus" || fail "--litmus all"
"$python" - "$scratch/litmus" <<'END' || fail "--litmus all --json"
import json, sys
tests = json.load(open(sys.argv[1]))
assert [t["litmus"] for t in tests] == ["L%d" % i for i in range(1, 14)]
for t in tests:
    assert t["protocol"] == "616" and t["states"] > 0 and t["invariants"] == {}
    assert t["lost"] == t["stranded"] == t["missed"] == 0
    assert t["verdict"] in ("clean", "delayed", "misdirected"), t
END

# exhaustive PROTOCOL PYTHON-EXPRESSION
exhaustive () {
	udax check --exhaustive 3 --protocol "$1" --json >"$scratch/x" \
		2>"$scratch/err" || fail "--exhaustive 3 --protocol $1"
	grep -q 'of 480 cases' "$scratch/err" || fail "no progress on stderr"
	"$python" - "$scratch/x" "$1" "$2" <<-'END' || fail "$1: $(cat "$scratch/x")"
	import json, sys
	x = json.load(open(sys.argv[1]))
	assert x["protocol"] == sys.argv[2] and x["operations"] == 3
	assert x["cases"] == 480 and x["complete"] and x["states"] > 480
	assert x["lost_without_invalidate"] <= x["lost"]
	assert eval(sys.argv[3]), sys.argv[3]
	END
}
exhaustive 616 'x["lost"] == 0 and x["first"] is None'
exhaustive buggy 'x["lost"] > 0 and x["first"].startswith("buggy:")'

# ^C while it runs: what is known is told, and the status says so.
# It takes the signal from before the first line of progress on.
"$top_builddir/udax" check --exhaustive 8 --json >"$scratch/x" 2>"$scratch/begun" &
pid=$!
wait_line "$scratch/begun" .
kill -INT $pid
wait $pid
expect_status $? 130 "interrupted"
test "$(field "$scratch/x" complete)" = false || fail "$(cat "$scratch/x")"
grep -q interrupted "$scratch/begun" || fail "no word of the interruption"
