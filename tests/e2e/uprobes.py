#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# The probes of udaxd in the language of the kernel's uprobe_events.
#
#	uprobes.py list GROUP UDAXD	a definition for each place of each probe
#	uprobes.py count TRACE		counts what a trace has of them, as JSON
import collections
import json
import re
import subprocess
import sys

ARG = re.compile(r"(-?)(\d+)@(\S+)$")
REGISTER = re.compile(r"^[er]?(ax|bx|cx|dx|si|di|bp|sp)l?$|^([abcd])l$|^(r\d+)[dwb]?$")


def readelf(option, binary):
    return subprocess.run(["readelf", option, binary], check=True, text=True,
                          capture_output=True).stdout


def register(name):
    match = REGISTER.match(name.removeprefix("%"))
    if not match:
        sys.exit(f"a register named {name}")
    full, byte, numbered = match.groups()
    return "%" + (numbered or full or byte + "x")


def fetch(arg):
    sign, size, place = ARG.match(arg).groups()
    kind = ("s" if sign else "u") + str(int(size) * 8)
    memory = re.match(r"(-?)(\d*)\((%\w+)\)$", place)
    if place.startswith("$"):
        return f"\\{place[1:]}:{kind}"
    if memory:
        minus, offset, base = memory.groups()
        return f"{minus or '+'}{offset or 0}({register(base)}):{kind}"
    return f"{register(place)}:{kind}"


def offsets(binary):
    """Where in the file an address is."""
    loads = [[int(n, 16) for n in line.split()[1:5]]
             for line in readelf("-lW", binary).splitlines()
             if line.split()[:1] == ["LOAD"]]

    def offset(address):
        for start, at, _, length in loads:
            if at <= address < at + length:
                return start + address - at
        sys.exit(f"{address:x} is not in {binary}")
    return offset


def definitions(group, binary):
    offset = offsets(binary)
    notes = re.findall(r"Provider: udax\s+Name: (\w+)\s+Location: 0x(\w+), .*"
                       r"Semaphore: 0x(\w+)\s+Arguments: (.*)",
                       readelf("-nW", binary))
    places = collections.Counter()
    for name, location, semaphore, args in notes:
        places[name] += 1
        words = " ".join(f"a{i}={fetch(arg)}"
                         for i, arg in enumerate(args.split()))
        yield (f"p:{group}/{name}_{places[name]} {binary}:"
               f"{offset(int(location, 16)):#x}"
               f"({offset(int(semaphore, 16)):#x}) {words}")


def hits(trace):
    for line in open(trace):
        match = re.search(r": (\w+)_\d+: \(\w+\)((?: a\d+=-?\w+)*)$", line)
        if match:
            yield match[1], [int(word.split("=")[1], 0)
                             for word in match[2].split()]


FALLBACK = 0x800


def count(trace):
    n = collections.Counter()
    for name, args in hits(trace):
        # The summary is of the programs' faults, not of what udaxd does itself.
        if name.startswith("wa") and not args[1]:
            continue
        n[name] += 1
        if name == "fault_begin":
            n["begin-write"] += args[2] and not args[3]
            n["begin-refill"] += args[3]
            n["begin-page"] += args[0] % 4096 == 0
        elif name == "attempt_done":
            order, result, reason = args[2:]
            n["done-fallback"] += bool(result & FALLBACK)
            n["done-conflict"] += bool(result & FALLBACK) and reason == 5
            if not (order and result & FALLBACK):
                n["done-pmd" if order else "done-pte"] += 1
        elif name in ("entry_lock", "entry_unlock"):
            n[name + "-fault"] += args[1] != 0
        elif name == "wait_end":
            n["end-stranded"] += args[3]
            n["end-kicked"] += args[4]
        elif name == "wake":
            n["wake-woken"] += args[5]
            if args[5]:
                n["wake-next" if args[3] else "wake-all"] += 1
        elif name == "install_end":
            n["install-failed"] += args[3] != 0
    return n


if sys.argv[1] == "list":
    print("\n".join(definitions(sys.argv[2], sys.argv[3])))
else:
    print(json.dumps(count(sys.argv[2])))
