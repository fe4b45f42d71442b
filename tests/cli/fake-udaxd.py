#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""A udaxd for tests of `udax run`: it serves no fault, and does what FAKE says.

FAKE is JSON: "exit": N, end before being ready; "signal": N, die so; "keep":
give the keeper two descriptors of an image session; "mappings": N in the
summary; "straggler": FILE, with a process id that get_summary reports for as
long as it lives; "mute": do not answer get_summary, create the file "asked".
$FAKE_DIR gets "pid", and the arguments in "argv"."""

import array
import json
import os
import socket
import struct
import sys

fake = json.loads(os.environ.get("FAKE", "{}"))
where = os.environ["FAKE_DIR"]
HELLO, KEEP, REPLY = 1, 9, 0x8000
hello_token = None


def put(name, text):
    with open(os.path.join(where, name), "w") as f:
        f.write(text)


def message(op, seq, flags=0, nfds=0, body=b""):
    return (struct.pack("<IHHIIiI", 0x58414455, 1, op, seq, flags, 0, nfds) +
            body).ljust(128, b"\0")


def listen(path, kind):
    s = socket.socket(socket.AF_UNIX, kind)
    s.bind(path)
    s.listen()
    return s


def send_fds(sock, data, fds):
    sock.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
                           array.array("i", fds))])


def keeper(sock):
    global hello_token
    data = sock.recv(1000)
    magic, version, op, seq, flags = struct.unpack_from("<IHHII", data)
    kind, _, token = struct.unpack_from("<IIQ", data, 24)
    assert (magic, version, op, flags, kind) == (0x58414455, 1, HELLO, 1, 4)
    hello_token = "%016x" % token
    sock.send(message(HELLO | REPLY, seq))
    if not fake.get("keep"):
        return
    # A session that ends, and one that does not.
    for session in (8, 7):
        body = struct.pack("<QQ", session, 0)
        send_fds(sock, message(KEEP, session, 1, 2, body), os.pipe())
        answer = sock.recv(1000)
        assert struct.unpack_from("<HII", answer, 6) == (KEEP | REPLY, session, 0)
    sock.send(message(KEEP, 9, 0, 0, struct.pack("<QQ", 8, 0)))


def alive(pid):
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def pids():
    if "straggler" not in fake:
        return []
    with open(fake["straggler"]) as f:
        pid = int(f.read())
    return [pid] if alive(pid) else []


def answer(request):
    if request["method"] == "shutdown":
        return True
    assert request["method"] == "get_summary", request
    assert request["params"] == {"token": hello_token, "wait": True}, request
    if fake.get("mute"):
        put("asked", "yes\n")
        return None
    return {"known": True, "pids": pids(), "summary": {
        "faults": {"total": 3, "pte": 2, "pmd": 1, "read": 1, "write": 2},
        "fallback": {"colour": 1, "vma": 0}, "huge_bytes": 2 << 20,
        "wakes": {"next": 4, "all": 2, "woken": 5, "scanned": 9},
        "latency_ns": {"pte": {"p50": 4200, "p99": 11000, "max": 90000}},
        "files": 1, "mappings": fake.get("mappings", 1), "processes": 2,
        "protocol": "616", "token": hello_token}}


def serve(control):
    for line in control.makefile("r"):
        request = json.loads(line)
        result = answer(request)
        if result is None:
            continue
        control.sendall(json.dumps({"jsonrpc": "2.0", "id": request["id"],
                                    "result": result}).encode() + b"\n")
        if request["method"] == "shutdown":
            return


def main():
    put("pid", "%d" % os.getpid())
    put("argv", "\n".join(sys.argv[1:]) + "\n")
    if "exit" in fake:
        print("udaxd: told to", file=sys.stderr)
        sys.exit(fake["exit"])
    if "signal" in fake:
        os.kill(os.getpid(), fake["signal"])
    path = sys.argv[sys.argv.index("--socket") + 1]
    ready = int(sys.argv[sys.argv.index("--ready-fd") + 1])
    data = listen(path, socket.SOCK_SEQPACKET)
    control = listen(path + ".ctl", socket.SOCK_STREAM)
    os.write(ready, b"x")
    os.close(ready)
    client = control.accept()[0]
    client.sendall(b'{"udax":{"version":"0","capabilities":[]}}\n')
    program = data.accept()[0]
    keeper(program)
    serve(client)
    os.unlink(path)
    os.unlink(path + ".ctl")


main()
