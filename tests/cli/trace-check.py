#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# trace-check.py EVENTS.json SUMMARY.json CHROME.json: what a trace says of a run is
# what its summary counted, and the chrome format is well formed. The summary
# counts what the daemon's workers do by themselves, the trace what it is told.
import collections
import json
import sys

events = [json.loads(line) for line in open(sys.argv[1])]
summary = json.load(open(sys.argv[2]))
chrome = json.load(open(sys.argv[3]))["traceEvents"]
failed = False


def equal(what, trace, counted):
    global failed
    if trace != counted:
        print(f"{what}: {trace} in the trace, {counted} wanted")
        failed = True


def check_order():
    seqs = []
    for e in events:
        if not seqs or e["seq"] != seqs[-1]:    # some are two events
            seqs.append(e["seq"])
    equal("sequence", seqs, list(range(1, len(seqs) + 1)))


def check_counts():
    count = collections.Counter(e["event"] for e in events)
    done = [e for e in events if e["event"] in
            ("dax_pte_fault_done", "dax_pmd_fault_done")]
    last = [e for e in done if not (e["order"] and
                                    "FALLBACK" in e["result_names"])]
    begun = [e for e in events if e["event"] == "udax_page_fault"]
    equal("faults.pmd", sum(e["order"] > 0 for e in last),
          summary["faults"]["pmd"])
    equal("faults.pte", sum(e["order"] == 0 for e in last),
          summary["faults"]["pte"])
    served = {e["cause"] for e in done}
    equal("faults.write", sum(e["write"] for e in begun
                              if e["cause"] in served),
          summary["faults"]["write"])
    equal("refill", count["udax_refill"], summary["refill"])
    ended = served | {e["cause"] for e in events if e["event"] in
                      ("udax_refill", "udax_page_fault_drop")}
    equal("messages without an end",
          [e["seq"] for e in begun if e["cause"] not in ended], [])
    equal("attempts", count["dax_pte_fault"] + count["dax_pmd_fault"], len(done))
    for reason, n in summary["fallback"].items():
        if reason != "nohuge":
            equal(f"fallback.{reason}",
                  sum(e["reason"] == reason for e in done), n)
    for name, bit in (("nopage", 0x100), ("cow", 0x1000), ("fallback", 0x800)):
        equal(f"result.{name}", sum(bool(e["result"] & bit) for e in done),
              summary["result"][name])
    equal("conflicts", count["dax_entry_conflict"],
          summary["fallback"]["conflict"])
    # The summary is of the programs: of their faults, and what they ask for.
    asked = {e["cause"] for e in events if e.get("session") and not e["tid"]}
    mine = [e for e in events if e["tid"] or e["cause"] in asked]
    equal("waits", sum(e["event"] == "dax_entry_wait_begin" for e in mine),
          summary["waits"])
    for mode in "next", "all":
        equal(f"wakes.{mode}",
              sum(e["event"] == "dax_entry_wake" and e["woken"] > 0 and
                  e["mode"] == mode for e in mine), summary["wakes"][mode])
    equal("lost_wakeups", count["dax_entry_stranded"],
          summary["lost_wakeups"])
    equal("trace_dropped", summary["trace_dropped"], 0)


def check_locks():
    """Who locks an entry is the next to unlock or to remove it."""
    held = {}
    for e in events:
        key = (e.get("ino"), e.get("index"))
        if e["event"] == "dax_entry_lock":
            equal(f"seq {e['seq']}: holder before", held.get(key), None)
            held[key] = e["cause"]
        elif e["event"] == "dax_entry_unlock":
            equal(f"seq {e['seq']}: holder", held.pop(key, None), e["cause"])
        elif e["event"] == "dax_entry_remove":
            equal(f"seq {e['seq']}: remover", held.pop(key, e["cause"]),
                  e["cause"])
    equal("entries held at the end", held, {})


def check_waits():
    """A wait ends by the wake that its number says, of its key."""
    wakes = {e["seq"]: e for e in events if e["event"] == "dax_entry_wake"}
    woken = collections.Counter()
    for e in events:
        if e["event"] != "dax_entry_wait_end":
            continue
        wake = wakes.get(e["wake"])
        equal(f"seq {e['seq']}: key of its wake", wake and wake["key"], e["key"])
        woken[e["wake"]] += 1
    for seq, wake in wakes.items():
        equal(f"woken by {seq}", woken[seq], wake["woken"])


def check_chrome():
    open_slices = collections.defaultdict(list)
    dots = set()
    starts, ends = {}, {}
    for e in chrome:
        row = (e["pid"], e["tid"])
        if e["ph"] == "B":
            open_slices[row].append(e)
        elif e["ph"] == "E":
            begin = open_slices[row].pop()
            equal("a slice's name", e["name"], begin["name"])
            equal("a slice's length", e["ts"] >= begin["ts"], True)
        elif e["ph"] == "X":
            dots.add((row, e["ts"]))
        elif e["ph"] == "s":
            equal(f"arrow {e['id']} begun before", e["id"] in starts, False)
            starts[e["id"]] = (row, e["ts"])
        elif e["ph"] == "f":
            equal("arrow binds to what encloses it", e.get("bp"), "e")
            ends[e["id"]] = e["ts"]
            equal("arrow ends in a slice",
                  bool(open_slices[row]) or (row, e["ts"]) in dots, True)
    equal("open slices", [s for s in open_slices.values() if s], [])
    equal("arrows", sorted(starts), sorted(ends))
    for i, (row, ts) in starts.items():
        equal(f"arrow {i} leaves a wake", (row, ts) in dots, True)
        equal(f"arrow {i} leads forward", ts <= ends[i], True)
    equal("arrows and waits", len(starts),
          sum(e["event"] == "dax_entry_wait_end" for e in events))


check_order()
check_counts()
check_locks()
check_waits()
check_chrome()
sys.exit(failed)
