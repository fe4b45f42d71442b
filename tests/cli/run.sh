#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# What udax run owes its program and its daemon, with a daemon that does what it
# is told to: statuses, signals, processes left behind, a daemon that dies.

. "${top_srcdir:-.}/tests/functions.sh"
bin=$scratch/bin
run=$scratch/run
p=$scratch/p
mkdir "$bin" "$run" "$p"
cp "$top_builddir/udax" "$top_builddir/libudax-preload.so" "$bin" || exit 1
cp "$top_srcdir/tests/cli/fake-udaxd.py" "$bin/udaxd" || exit 1
chmod +x "$bin/udaxd"
FAKE_DIR=$scratch
XDG_RUNTIME_DIR=$run
export FAKE_DIR XDG_RUNTIME_DIR

# what JSON: the daemon of the runs that follow.
what () {
	FAKE=$1
	export FAKE
}

# run STATUS [OPTION]... -- CMD...; nothing may be left behind.
run () {
	want=$1
	shift
	timeout -k 10 60 "$bin/udax" run --pmem "$p" "$@" \
		>"$scratch/out" 2>"$scratch/err" </dev/null
	expect_status $? "$want" "$*: $(cat "$scratch/err")"
	nothing_left
}

nothing_left () {
	rmdir "$run" || fail "left behind: $(ls -R "$run")"
	mkdir "$run"
	kill -0 "$(cat "$scratch/pid")" 2>/dev/null &&
		fail "the daemon was left behind"
}

# A background process is given a while: a test that fails must end too.
pid=
stop_pid () {
	test -z "$pid" || kill -9 "$pid" 2>/dev/null
}
cleanup_fn stop_pid
ends_with () {
	wait_end "$pid"
	wait "$pid"
	expect_status $? "$1" "$(cat "$scratch/err")"
	pid=
	nothing_left
}

says () {
	grep -q -e "$1" "$scratch/err" || fail "no '$1' in: $(cat "$scratch/err")"
}

lines () {
	test "$(wc -l <"$scratch/err")" = "$1" ||
		fail "not $1 lines on stderr: $(cat "$scratch/err")"
}

# ------------------------------------------------- a daemon that works
what '{}'
run 0 -- true
says '1 file, 1 mapping, 2 processes, protocol 616'
says ' 3  faults .*2 of 4K, 1 of 2M; 1 reads, 2 writes'
says 'colour 1$'
says ' 6  wakes .*next 4, all 2, woken 5, scanned 9'
says '4.20us  4K latency *p99 11.0us, max 90.0us'
grep -q vma "$scratch/err" && fail "a zero is shown"
test ! -s "$scratch/out" || fail "the summary is on stdout"
grep -q -x -e --exit-with-keeper "$scratch/argv" || fail "no --exit-with-keeper"
grep -q -x -e "$p" "$scratch/argv" || fail "no --pmem"
run 3 -q -- sh -c 'exit 3'
lines 0
run 143 -q -- sh -c 'kill $$'
run 0 -q --json - -- true
"$python" -c 'import json, sys; assert json.load(sys.stdin)["faults"]["pmd"] == 1' \
	<"$scratch/out" || fail "--json -"
run 0 -q --json "$scratch/j" --protocol 616 --track fast --media direct -v -- true
"$python" -c 'import json, sys; assert json.load(sys.stdin)["faults"]["pmd"] == 1' \
	<"$scratch/j" || fail "--json FILE"
tr '\n' ' ' <"$scratch/argv" |
	grep -q -e '--protocol 616 --on-lost-wakeup kick --track fast --media direct --verbose' ||
	fail "options: $(cat "$scratch/argv")"
run 125 -q --json /dev/full -- sh -c 'exit 9'
says 'cannot write'

# The program's environment, and its signals.
run 0 -q -- env
for word in "^LD_PRELOAD=$bin/libudax-preload.so$" "^UDAX_PMEM=$p$" \
		"^UDAX_SOCKET=$run/udax-.*/sock$" '^UDAX_TOKEN=[0-9a-f]\{16\}$'; do
	grep -q "$word" "$scratch/out" || fail "no $word in the environment"
done
grep -q UDAX_REQUIRE "$scratch/out" && fail "UDAX_REQUIRE"
# A sanitizer insists on being the first library; its builds have no such case.
other=libc.so.6
ldd "$bin/udax" | grep -q 'lib[at]san' && other=
LD_PRELOAD=$other run 0 -q --require -- env
grep -q "^LD_PRELOAD=$bin/libudax-preload.so${other:+:$other}$" "$scratch/out" ||
	fail "LD_PRELOAD is not kept"
grep -q '^UDAX_REQUIRE=1$' "$scratch/out" || fail "no UDAX_REQUIRE"
timeout -k 10 60 "$python" -c 'for l in open("/proc/self/status"):
	if l[:6] in ("SigBlk", "SigIgn", "SigCgt"): print(l, end="")' >"$scratch/native"
run 0 -q -- "$python" -c 'for l in open("/proc/self/status"):
	if l[:6] in ("SigBlk", "SigIgn", "SigCgt"): print(l, end="")'
diff "$scratch/native" "$scratch/out" || fail "signals are not as they were"

# ------------------------------------------ programs that cannot be run
run 127 -- no-such-program
says '^udax: no-such-program: not found$'
lines 1
: >"$scratch/file"
run 126 -- "$scratch/file"
says "^udax: $scratch/file: Permission denied"
lines 1

# ------------------------------------------------------ nothing mapped
what '{"mappings": 0}'
run 4 -- sh -c 'exit 4'
says '^udax: no mapping of a file in'
lines 1
run 125 --require -- true

# -------------------------------------------- a daemon that cannot start
what '{"exit": 77}'
run 77 -- touch "$scratch/ran"
what '{"exit": 2}'
run 2 -- touch "$scratch/ran"
what '{"exit": 0}'
run 125 -- touch "$scratch/ran"
what '{"signal": 9}'
run 125 -- touch "$scratch/ran"
says 'udaxd died while it started (signal 9)'
test ! -e "$scratch/ran" || fail "the program ran all the same"

# ----------------------------------------------------- a daemon that dies
# shellcheck disable=SC2016
kill_daemon='kill -9 $(cat $FAKE_DIR/pid)'
# A program that sees its daemon gone, by the directory that goes with it.
what '{}'
run 6 -- sh -c "$kill_daemon; while kill -0 \$(cat \$FAKE_DIR/pid); do :; done 2>/dev/null; exit 6"
says '^udax: udaxd died (signal 9): sh goes on without emulation$'
lines 1
run 125 --require -- sh -c "$kill_daemon"
run 0 --json "$scratch/j" -- sh -c "$kill_daemon"
test "$(cat "$scratch/j")" = '{}' || fail "a summary from nowhere"

# With an image: all of the program's processes end, wherever they hid.
what '{"keep": true}'
mkfifo "$scratch/never" "$scratch/hidden"
run 125 -- sh -c "setsid sh -c 'echo \$\$ >\$FAKE_DIR/hidden; read x <\$FAKE_DIR/never' &
	(read -r pid <\$FAKE_DIR/hidden; echo \$pid >\$FAKE_DIR/child)
	(sh -c 'read x <\$FAKE_DIR/never' &)
	$kill_daemon; read x <\$FAKE_DIR/never; touch $scratch/survived"
says 'udaxd died (signal 9).*killing it'
lines 1
test ! -e "$scratch/survived" || fail "the program went on"
kill -0 "$(cat "$scratch/child")" 2>/dev/null && fail "a child went on"
# Its descriptors are of no account once the program has ended well.
run 0 -q -- true

# -------------------------------------------------- processes left behind
what "{\"straggler\": \"$scratch/straggler\"}"
mkfifo "$scratch/go"
"$bin/udax" run --pmem "$p" -- sh -c '
	sh -c "echo \$\$ >$FAKE_DIR/straggler; echo up >$FAKE_DIR/hidden
		read x <$FAKE_DIR/go; touch $FAKE_DIR/straggled" &
	read -r up <$FAKE_DIR/hidden; exit 8' \
	2>"$scratch/err" </dev/null &
pid=$!
wait_line "$scratch/err" 'left processes behind'
echo >"$scratch/go"
ends_with 8
test -e "$scratch/straggled" || fail "nobody waited for it"
says '3  faults'

# ---------------------------------------------------------------- signals
# One that a process sends to udax alone is passed on.
what '{}'
"$bin/udax" run --pmem "$p" -q -- "$python" -c 'import os, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
open(os.environ["FAKE_DIR"] + "/hidden", "w").write("up\n")
sys.exit(5 if signal.sigwait([signal.SIGTERM]) else 0)' \
	2>"$scratch/err" </dev/null &
pid=$!
read -r up <"$scratch/hidden"
test "$up" = up || fail "the program does not run"
kill -TERM $pid
ends_with 5

# The terminal's goes to the program by itself: once.
what '{}'
timeout -k 10 60 "$python" - "$bin/udax" "$p" >"$scratch/out" <<'END'
import os, pty, sys
pid, fd = pty.fork()
if not pid:
    os.execv(sys.argv[1], ["udax", "run", "--pmem", sys.argv[2], "-q", "--",
                           sys.executable, "-c", """
import signal
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
print("up", flush=True)
signal.sigwait([signal.SIGINT])
print("again" if signal.sigtimedwait([signal.SIGINT], 0) else "once")
"""])
said = b""
try:
    while b"once" not in said and b"again" not in said:
        had_up = b"up" in said
        said += os.read(fd, 1000)
        if b"up" in said and not had_up:
            os.write(fd, b"\3")
except OSError:
    pass
print(said)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
END
expect_status $? 0 "the terminal: $(cat "$scratch/out")"
grep -q once "$scratch/out" || fail "the terminal: $(cat "$scratch/out")"
nothing_left

# A summary that does not come can be given up.
what '{"mute": true}'
"$bin/udax" run --pmem "$p" -- sh -c 'exit 5' 2>"$scratch/err" </dev/null &
pid=$!
wait_line "$scratch/asked" yes
kill -TERM $pid
wait_line "$scratch/err" 'no summary'
kill -TERM $pid
ends_with 5

# Without udax the daemon does not stay.
what '{}'
"$bin/udax" run --pmem "$p" -q -- sh -c 'echo up >$FAKE_DIR/hidden
	read x <$FAKE_DIR/never' </dev/null &
pid=$!
read -r up <"$scratch/hidden"
daemon=$(cat "$scratch/pid")
kill -9 $pid
wait $pid
pid=
wait_end "$daemon"
echo >"$scratch/never"
