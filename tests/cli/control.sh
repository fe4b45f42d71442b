#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The control socket against garbage, long lines, half requests, clients that do
# not read, and many of them; then the verbs of udax that speak to it.

. "${top_srcdir:-.}/tests/functions.sh"
server=$top_builddir/tests/cli/control-server
sock=$scratch/sock

"$python" "$top_srcdir/tests/cli/control-client.py" "$server" "$sock" ||
	fail "the client"

pid=
stop_server () {
	test -z "$pid" || kill "$pid" 2>/dev/null
}
cleanup_fn stop_server
mkfifo "$scratch/ready"
"$server" "$sock" >"$scratch/ready" &
pid=$!
read -r line <"$scratch/ready"
test "$line" = ready || fail "the server said: $line"

udax status --socket "$sock" >"$scratch/out" || fail "udax status"
"$python" - "$scratch/out" $pid <<-'END' || fail "status: $(cat "$scratch/out")"
	import json, sys
	status = json.load(open(sys.argv[1]))
	assert status["pid"] == int(sys.argv[2])
	assert status["counters"]["faults"]["pte"] == 7
END
UDAX_SOCKET=$sock udax status -u >"$scratch/out" || fail "udax status -u"
grep -q "process $pid" "$scratch/out" || fail "-u: $(cat "$scratch/out")"

udax list --socket "$sock" >"$scratch/out" || fail "udax list"
"$python" - "$scratch/out" <<-'END' || fail "list: $(cat "$scratch/out")"
	import json, sys
	all = json.load(open(sys.argv[1]))
	assert [len(all[k]) for k in ("sessions", "files", "mappings")] == [1, 1, 1]
END
udax list --socket "$sock" -F >"$scratch/out" || fail "udax list -F"
grep -q '"files"' "$scratch/out" || fail "no files: $(cat "$scratch/out")"
grep -q '"sessions"' "$scratch/out" && fail "sessions: $(cat "$scratch/out")"
udax list --socket "$sock" -S -v >"$scratch/out" || fail "udax list -S -v"
grep -q '"counters"' "$scratch/out" || fail "no counters: $(cat "$scratch/out")"
udax list --socket "$sock" -u >"$scratch/out" || fail "udax list -u"
grep -q '/dev/null' "$scratch/out" || fail "-u: $(cat "$scratch/out")"

udax shutdown --socket "$sock" || fail "udax shutdown"
wait $pid
is=$?
pid=
expect_status $is 0 "the server"
for verb in status list shutdown; do
	udax $verb --socket "$sock" >"$scratch/out" 2>"$scratch/err"
	expect_status $? 125 "$verb without a daemon"
	test ! -s "$scratch/out" || fail "$verb: stdout"
	grep -q -F "$sock" "$scratch/err" || fail "$verb does not name the socket"
done
