# SPDX-License-Identifier: BSD-3-Clause
"""The litmus tests of the wait protocols on real page faults: threads of
tests/e2e/litmus.c touch real memory, a gate in the medium (udaxd's --hold
alloc=gate) keeps one of them in the middle of its fault for as long as it takes,
and what waits for what is read from the daemon's tables. No clock decides: each
wait is for an event that the protocol makes sure of, and "it hangs" is what the
tables say when nobody has anything left to do.

	litmus.py BUILD PMEM WORK"""
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

build, pmem, work = sys.argv[1:]
udax = os.path.join(build, "udax")
SIZE = 2 << 20

# What each protocol does; doc/protocols.md.
ALL = ("616 615 513 61 6370 61c3 23c8 willy-v1 dan dan-all dan-conflict jan-idx "
       "jan-nx jan-nx-all buggy radix").split()
# A 2M fault that meets a locked page entry waits.
WAITS = {"buggy", "dan", "dan-all", "jan-idx", "jan-nx", "jan-nx-all"}
# An invalidation wakes all who slept on the entry.
INVAL_ALL = {"616", "615", "513", "61", "dan-all", "dan-conflict", "jan-nx-all"}
# No 2M entry is ever made.
NO_PMD = {"23c8", "61c3"}


def check(what, ok, *context):
    if not ok:
        raise AssertionError(": ".join([what] + [str(c) for c in context]))


def until(what, cond):
    """The first true value of cond(). The event is sure to come; a minute is
    the bound for a test that failed."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        value = cond()
        if value:
            return value
        time.sleep(0.002)
    raise AssertionError("waited in vain: " + what)


class Daemon:
    def __init__(self):
        self.sock = os.path.join(work, "sock")
        self.log = os.path.join(work, "log")
        options = []
        for name in ALL:
            options += ["--protocol", f"*.{name}:{name}"]
        self.process = subprocess.Popen(
            [os.path.join(build, "udaxd"), "--socket", self.sock,
             "--pmem", pmem] + options, stderr=open(self.log, "w"))
        until("the control socket", lambda: os.path.exists(self.sock + ".ctl")
              or self.process.poll() is not None)
        s = socket.socket(socket.AF_UNIX)
        until("a connection", lambda: not s.connect_ex(self.sock + ".ctl"))
        self.lines = s.makefile("rw")
        self.lines.readline()
        self.id = 0

    def call(self, method, **params):
        self.id += 1
        self.lines.write(json.dumps({"jsonrpc": "2.0", "id": self.id,
                                     "method": method, "params": params}) + "\n")
        self.lines.flush()
        answer = json.loads(self.lines.readline())
        check(method, "result" in answer, answer)
        return answer["result"]

    def hold(self, *rules):
        self.call("set", hold=list(rules))

    def waiters(self):
        return self.call("list_waiters")

    def held(self, index):
        return [h for h in self.call("list_holds") if h["index"] == index]

    def said(self):
        return open(self.log).read()

    def stop(self):
        subprocess.run([udax, "shutdown", "--socket", self.sock], check=True)
        check("udaxd's status", self.process.wait(60) == 0)
        check("sanitizers", "SUMMARY" not in self.said(), self.said())


class Program:
    """litmus.c on a file of its own, whose protocol its name chooses."""

    def __init__(self, daemon, story, protocol, action):
        self.daemon = daemon
        self.path = os.path.join(pmem, f"{story}-{action}.{protocol}")
        self.json = os.path.join(work, "summary")
        daemon.hold()
        daemon.call("set", on_lost_wakeup=action)
        self.process = subprocess.Popen(
            [udax, "run", "--daemon", daemon.sock, "--pmem", pmem, "-q",
             "--json", self.json, "--", os.path.join(build, "litmus"),
             self.path, str(SIZE)], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True)
        check("ready", self.process.stdout.readline() == "ready\n")
        self.words = {}
        self.news = threading.Condition()
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            name, done, word = line.split()
            with self.news:
                self.words[name] = int(word)
                self.news.notify_all()

    def touch(self, name, how, where, page):
        self.process.stdin.write(f"{name} {how} {where} {page}\n")
        self.process.stdin.flush()

    def done(self, *names):
        with self.news:
            check("waited in vain for threads", self.news.wait_for(
                lambda: all(n in self.words for n in names), 60), names,
                self.words, self.daemon.waiters())

    def file_id(self):
        ino = os.stat(self.path).st_ino
        return next(f["id"] for f in self.daemon.call("list_files")
                    if f["ino"] == ino)

    def operation(self, name, page):
        self.daemon.call("run_operation", file=self.file_id(), operation=name,
                         first=page, last=page)

    def entries(self):
        return self.daemon.call("list_entries", file=self.file_id())["entries"]

    def hangs(self, *names):
        """Only these are left, for ever: they sleep, nothing is locked, held or
        on its way, and no key that they sleep on has anybody to wake it."""
        left = until("all others are through", lambda: [
            w for w in [self.daemon.waiters()]
            if len(w) == len(names) and all(x["stranded"] for x in w)
            and not any(e["locked"] for e in self.entries())])[0]
        check("asleep", all(w["state"] == "asleep" for w in left), left)
        check("held", not self.daemon.call("list_holds"))
        check("through", not any(n in self.words for n in names), self.words)

    def end(self, status=0):
        self.process.stdin.write("quit\n")
        self.process.stdin.flush()
        return self.ended(status)

    def ended(self, status):
        check("exit status", self.process.wait(60) == status,
              self.process.returncode)
        self.reader.join()
        self.process.stdin.close()
        self.process.stdout.close()
        # Whoever still slept is gone with the program.
        until("no session", lambda: not self.daemon.call("get_status")["sessions"])
        check("waiters", not self.daemon.waiters())
        os.unlink(self.path)
        return json.load(open(self.json))


def waiting(daemon, nr):
    return until(f"{nr} wait", lambda: [
        w for w in [daemon.waiters()] if len(w) == nr])[0]


def expect(summary, **numbers):
    for name, value in numbers.items():
        check(name, summary[name] == value, summary[name], summary)
    # What took how long is said of what happened, and of nothing else.
    took = summary.get("lost_ns", {})
    check("lost_ns", set(took) == {
        name for name, n in (("detect", "lost_wakeups"), ("rescued", "rescued"),
                             ("kicked", "kicked")) if summary[n]}, summary)
    check("order", all(0 < t["p50"] <= t["p99"] <= t["max"]
                       for t in took.values()), took)


def p1_held(p, how="write"):
    """A page fault has page 1's entry locked and stays in the medium."""
    p.daemon.hold("alloc=gate" if how == "write" else "read=gate")
    p.touch("p1", how, "small", 1)
    held = until("page 1 is held", lambda: p.daemon.held(1))
    check("gate", held[0]["gate"] and held[0]["order"] == 0, held)


def look(p):
    """What people see while p1 is held and m0 is stranded."""
    d = p.daemon
    said = until("the dump", lambda: [
        s for s in [d.said()] if "STRANDED" in s and p.path.split("/")[-1] in s])[0]
    name = d.waiters()[0]["name"]
    for words in (f"protocol buggy: {name} sleeps on key 0x0",
                  "fs/dax locked entries: 1\n", "fs/dax wait entries: 1\n",
                  f"{name} index: 0x0 shift: 6 order: 9 page: 0x0 key: 0x0",
                  "index 0x1 order 0 is in its way, whose release wakes key 0x1"):
        check("the dump", words in said, words, said)

    def cli(*words):
        return subprocess.run([udax, *words, "--socket", d.sock], check=True,
                              stdout=subprocess.PIPE, text=True).stdout
    table = cli("list", "--waiters", "-u")
    check("list --waiters -u", name in table and "STRANDED" in table and
          " gate" in table, table)
    both = json.loads(cli("list", "--waiters"))
    check("list --waiters", both["waiters"][0]["blocker"]["index"] == 1 and
          both["holds"][0]["index"] == 1, both)
    entries = json.loads(cli("list", "--entries", p.path))["entries"]
    check("list --entries", len(entries) == 1 and entries[0]["locked"] and
          entries[0]["index"] == 1 and entries[0]["kind"] == "empty", entries)
    check("list --entries -u", "locked" in cli("list", "-u", "-E", p.path))
    check("status", "1 of them stranded" in cli("status", "-u"))


def l1(daemon, protocol, action):
    p = Program(daemon, "l1", protocol, action)
    p1_held(p)
    begin = time.monotonic()
    p.touch("m0", "read", "huge", 0)
    if protocol not in WAITS:
        # It falls back at once, and is through while page 1 is still held.
        p.done("m0")
        check("held still", daemon.held(1) and "p1" not in p.words)
        daemon.hold()
        p.done("p1")
        expect(p.end(), lost_wakeups=0, rescued=0, kicked=0, waits=0)
        return
    bug = protocol == "buggy"
    if action == "kill":
        expect(p.ended(137), lost_wakeups=1, kicked=0)
        return
    w = waiting(daemon, 1)[0]
    check("who waits", w["order"] == 9 and w["index"] == 0 and
          w["blocker"] == {"index": 1, "order": 0, "released": False,
                           "wakes": 0 if "dan" in protocol else 1}, w)
    check("its key", w["key"] == (1 if "jan" in protocol else 0), w)
    check("stranded", w["stranded"] == bug, w)
    if bug:
        look(p)
        if action == "kick":
            print(f"l1: found and read of in {time.monotonic() - begin:.3f} s")
    check("held still", daemon.held(1) and not p.words)
    daemon.hold()
    p.done("p1")
    if bug and action == "report":
        p.hangs("m0")
        expect(p.end(), lost_wakeups=1, rescued=0, kicked=0)
        return
    p.done("m0")
    expect(p.end(), lost_wakeups=int(bug), rescued=0, kicked=int(bug), waits=1)


def l4(daemon, protocol):
    """As l1, and a fault of page 0 happens to wake the head's key."""
    p = Program(daemon, "l4", protocol, "report")
    p1_held(p)
    p.touch("m0", "read", "huge", 0)
    check("stranded", waiting(daemon, 1)[0]["stranded"])
    p.touch("p0", "write", "small", 0)
    until("page 0 is held", lambda: daemon.held(0))
    daemon.hold()
    p.done("p1", "p0", "m0")
    expect(p.end(), lost_wakeups=1, rescued=1, kicked=0)


def l5(daemon, protocol, action):
    p = Program(daemon, "l5", protocol, action)
    p1_held(p)
    names = ["m0", "m1", "m2"]
    for i, name in enumerate(names):
        p.touch(name, "read", "huge", i)
        if protocol in WAITS:
            waiting(daemon, i + 1)
        elif i != 1:
            p.done(name)
        else:
            # After its fallback it wants page 1 itself.
            waiting(daemon, 1)
    if protocol == "buggy":
        check("all stranded", all(w["stranded"] for w in daemon.waiters()))
    daemon.hold()
    p.done("p1")
    if protocol == "buggy" and action == "report":
        p.hangs(*names)
        expect(p.end(), lost_wakeups=3, kicked=0)
        return
    p.done(*names)
    summary = p.end()
    check("lost", protocol in ("buggy", "jan-idx") or
          summary["lost_wakeups"] == 0, summary)
    check("kicked", summary["kicked"] == summary["lost_wakeups"], summary)


def l6(daemon, protocol, action):
    p = Program(daemon, "l6", protocol, action)
    # What is dirty would not be invalidated.
    p1_held(p, "read")
    for i in range(3):
        p.operation("invalidate", 1)
        waiting(daemon, i + 1)
    check("a source", not any(w["stranded"] for w in daemon.waiters()))
    daemon.hold()
    p.done("p1")
    lost = 0 if protocol in INVAL_ALL else 2 if protocol == "23c8" else 1
    if lost and action == "report":
        p.hangs(*["i"] * lost)
        expect(p.end(), lost_wakeups=lost, kicked=0)
        return
    until("all are through", lambda: not daemon.waiters())
    expect(p.end(), lost_wakeups=lost, kicked=lost)


def l8(daemon, protocol, action):
    p = Program(daemon, "l8", protocol, action)
    p.touch("w", "write", "huge", 0)
    p.done("w")
    p.operation("writeback", 0)
    until("a clean 2M entry", lambda: [
        e for e in p.entries() if e["order"] == 9 and not e["dirty"] and
        not e["locked"]])
    daemon.hold("read=gate")
    p.touch("p0", "read", "small", 0)
    until("the entry is held", lambda: daemon.held(0))
    p.operation("invalidate", 0)
    waiting(daemon, 1)
    p.touch("p1", "read", "small", 1)
    waiting(daemon, 2)
    p.touch("p2", "read", "small", 2)
    waiting(daemon, 3)
    daemon.hold()
    p.done("p0", "p1")
    # In this order; converged keys hide it, for p1's release wakes p2 too.
    lost = 0 if protocol in INVAL_ALL | {"dan"} else 1
    if lost and action == "report":
        p.hangs("p2")
        expect(p.end(), lost_wakeups=1, kicked=0)
        return
    p.done("p2")
    check("words", p.words == {"w": 1, "p0": 1, "p1": 0, "p2": 0}, p.words)
    expect(p.end(), lost_wakeups=lost, kicked=lost)


def changed_mind(daemon):
    """A sleeper that was only reported is kicked when kicking is asked for."""
    p = Program(daemon, "set", "buggy", "report")
    p1_held(p)
    p.touch("m0", "read", "huge", 0)
    waiting(daemon, 1)
    daemon.hold()
    p.done("p1")
    p.hangs("m0")
    subprocess.run([udax, "set", "--socket", daemon.sock, "--on-lost-wakeup",
                    "kick"], check=True)
    p.done("m0")
    expect(p.end(), lost_wakeups=1, kicked=1)


def killed_at_a_gate(daemon):
    """Nobody stays at a gate whose program has ended, nor who waits for him."""
    p = Program(daemon, "gate", "616", "report")
    p1_held(p)
    p.touch("q", "read", "small", 1)
    waiting(daemon, 1)
    expect(p.end(), lost_wakeups=0)


def stories(daemon):
    for protocol in ALL:
        l1(daemon, protocol, "kick")
        l6(daemon, protocol, "kick")
        if protocol not in NO_PMD:
            l8(daemon, protocol, "kick")
    for action in "report", "kill":
        l1(daemon, "buggy", action)
    for protocol in "616", "buggy", "dan", "jan-idx":
        l5(daemon, protocol, "kick")
    for protocol in "616", "dan", "jan-nx":
        l1(daemon, protocol, "report")
    l4(daemon, "buggy")
    l5(daemon, "buggy", "report")
    l5(daemon, "616", "report")
    for protocol in "6370", "23c8", "buggy", "dan", "513", "616":
        l6(daemon, protocol, "report")
    for protocol in "6370", "buggy", "dan", "513", "616":
        l8(daemon, protocol, "report")
    changed_mind(daemon)
    killed_at_a_gate(daemon)
    daemon.stop()


def main():
    # The end of a test that takes too long is an end like others.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    daemon = Daemon()
    try:
        stories(daemon)
    finally:
        # Its programs end with us: they read their orders from a pipe.
        daemon.process.kill()


main()
