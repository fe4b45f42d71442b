# SPDX-License-Identifier: BSD-3-Clause
"""control-client.py SERVER SOCK: the control socket against bad clients."""

import json
import os
import signal
import socket
import subprocess
import sys

MAX = 1 << 20
server = subprocess.Popen([sys.argv[1], sys.argv[2]], stdout=subprocess.PIPE)
assert server.stdout.readline() == b"ready\n"
path = sys.argv[2] + ".ctl"


class Client:
    def __init__(self, greet=True):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(60)
        self.sock.connect(path)
        self.file = self.sock.makefile("rb")
        self.nr = 0
        if greet:
            hello = self.read()
            assert hello["udax"]["version"], hello
            assert "get_summary.wait" in hello["udax"]["capabilities"]

    def send(self, data):
        self.sock.sendall(data)

    def read(self):
        line = self.file.readline()
        return json.loads(line) if line else None

    def request(self, method, params=None, **more):
        self.nr += 1
        r = {"jsonrpc": "2.0", "id": self.nr, "method": method, **more}
        if params is not None:
            r["params"] = params
        self.send(json.dumps(r).encode() + b"\n")
        return self.nr

    def call(self, *args, **more):
        nr = self.request(*args, **more)
        answer = self.read()
        assert answer["jsonrpc"] == "2.0" and answer["id"] == nr, answer
        return answer

    def result(self, *args):
        return self.call(*args)["result"]

    def error(self, *args, **more):
        return self.call(*args, **more)["error"]["code"]

    def close(self):
        self.file.close()
        self.sock.close()


def refused(client, line, code, nr=None):
    client.send(line + b"\n")
    answer = client.read()
    assert answer["error"]["code"] == code, (line[:60], answer)
    assert answer["error"]["message"], answer
    assert answer["id"] == nr, answer


def works():
    c = Client()
    assert c.result("get_status")["pid"] == server.pid
    c.close()


def test_methods():
    c = Client()
    names = [m["name"] for m in c.result("rpc_get_methods")]
    for name in ("rpc_get_methods", "get_status", "list_sessions",
                 "list_files", "list_mappings", "get_summary", "shutdown"):
        assert name in names, names
    status = c.result("get_status")
    assert status["sessions"] == 1 and status["protocol"] == "616", status
    assert status["counters"]["faults"]["pte"] == 7, status
    [session] = c.result("list_sessions")
    assert sorted(session["readers"]) == [2, 5], session
    assert session["comm"] == "caf?" and session["token"] == "%016x" % 0x1234
    assert "counters" not in session
    [session] = c.result("list_sessions", {"counters": True})
    assert session["counters"]["faults"]["pte"] == 7, session
    [f] = c.result("list_files")
    assert f["path"] == "/dev/null" and f["media"] == "direct", f
    [m] = c.result("list_mappings")
    assert m["length"] == 2 << 20 and m["prot"] == "rw-", m
    assert c.result("list_mappings", {"session": 4}) == [m]
    assert c.result("list_mappings", {"session": 5}) == []
    run = c.result("get_summary", {"token": "1234"})
    assert run["known"] and run["pids"] == [server.pid], run
    assert run["summary"]["mappings"] == 1, run
    assert run["summary"]["media"] == "image", run
    assert c.result("get_summary", {"token": "1234", "wait": True}) == run
    run = c.result("get_summary", {"token": "99"})
    assert not run["known"] and run["pids"] == [], run
    assert "media" not in run["summary"], run
    assert run["summary"]["faults"]["total"] == 0, run
    c.close()


def test_bad_requests():
    c = Client()
    refused(c, b"garbage", -32700)
    refused(c, b"", -32700)
    refused(c, b"{", -32700)
    refused(c, b"\xff\xfe\x00", -32700)
    refused(c, b'{"a":1,"a":2}', -32700)
    refused(c, b"[" * 100000, -32700)
    refused(c, b"[]", -32600)
    refused(c, b'[{"jsonrpc":"2.0","id":1,"method":"get_status"}]', -32600)
    refused(c, b"{}", -32600)
    refused(c, b'{"jsonrpc":"2.0","method":"get_status"}', -32600)
    refused(c, b'{"jsonrpc":"2.0","id":{},"method":"get_status"}', -32600)
    refused(c, b'{"jsonrpc":"1.0","id":5,"method":"get_status"}', -32600, 5)
    refused(c, b'{"jsonrpc":"2.0","id":"x","method":7}', -32600, "x")
    refused(c, b'{"jsonrpc":"2.0","id":6}', -32600, 6)
    assert c.error("get_status", extra=1) == -32600
    assert c.error("no_such_method") == -32601
    assert c.error("get_status", []) == -32602
    assert c.error("get_status", {"unknown": 1}) == -32602
    assert c.error("list_mappings", {"session": "4"}) == -32602
    assert c.error("get_summary") == -32602
    assert c.error("get_summary", {"token": 1234}) == -32602
    for token in ("", "xyz", "0x1234", "-1", "1" * 17, " 1"):
        assert c.error("get_summary", {"token": token}) == -32602, token
    assert c.error("get_summary", {"token": "1", "wait": 1}) == -32602
    # The connection has survived all that.
    assert c.result("get_status")["pid"] == server.pid
    c.close()


def test_long_lines():
    c = Client()
    line = b'{"jsonrpc":"2.0","id":1,"method":"get_status"}'
    c.send(line + b" " * (MAX - len(line)) + b"\n")
    assert c.read()["result"]["pid"] == server.pid
    refused(c, line + b" " * (MAX - len(line) + 1), -32600)
    assert c.read() is None
    c.close()
    # Without an end: told before it comes, and hung up on.
    c = Client()
    try:
        while True:
            c.send(b"x" * 65536)
    except (BrokenPipeError, ConnectionResetError):
        pass
    assert c.read()["error"]["code"] == -32600
    c.close()


def test_pieces():
    c = Client()
    for byte in b'{"jsonrpc":"2.0","id":1,"method":"list_files"}\n':
        c.send(bytes([byte]))
    assert c.read()["result"]
    # Two requests and a half, the answer to the half when it is whole.
    one = b'{"jsonrpc":"2.0","id":1,"method":"list_files"}\n'
    c.send(one + one + one[:20])
    assert c.read()["result"] and c.read()["result"]
    c.send(one[20:])
    assert c.read()["result"]
    c.close()


def test_half_and_gone():
    for part in (b"", b'{"jsonrpc":', b'{"jsonrpc":"2.0","id":1,"method":"x"}'):
        c = Client()
        c.send(part)
        c.close()
        c = Client(greet=False)
        c.send(part)
        c.close()
    works()
    # Half a close: what was asked for is answered.
    c = Client()
    nr = c.request("get_status")
    waiting = c.request("get_summary", {"token": "1234", "wait": True})
    c.sock.shutdown(socket.SHUT_WR)
    assert {c.read()["id"], c.read()["id"]} == {nr, waiting}
    assert c.read() is None
    c.close()


def test_does_not_read():
    """A client that asks and never reads holds up nobody, itself apart."""
    c = Client()
    c.sock.setblocking(False)
    line = b'{"jsonrpc":"2.0","id":1,"method":"rpc_get_methods"}\n'
    sent = 0
    try:
        while sent < 64 << 20:
            sent += c.sock.send(line * 100)
    except BlockingIOError:
        pass
    assert sent < 64 << 20, "requests are taken without end"
    for _ in range(10):
        works()
    c.sock.setblocking(True)
    # Every request that went out whole is answered.
    for _ in range(sent // len(line)):
        assert c.read()["result"]
    c.send(line[sent % len(line):])
    assert c.read()["result"]
    c.close()


def test_many():
    clients = [Client() for _ in range(200)]
    for c in clients:
        c.request("get_status")
    for c in clients:
        assert c.read()["result"]["pid"] == server.pid
    refusals = []
    for _ in range(100):
        c = Client(greet=False)
        first = c.read()
        if "error" in first:
            assert first["error"]["code"] == -32000 and c.read() is None
            refusals.append(c)
        else:
            clients.append(c)
    # Those of the tests before may not all have been seen off yet.
    assert 250 <= len(clients) <= 256, len(clients)
    assert len(clients) + len(refusals) == 300
    for c in clients + refusals:
        c.close()
    # The server sees them off in its own time.
    while "error" in Client(greet=False).read():
        pass


def test_wait():
    c = Client()
    nr = c.request("get_summary", {"token": "beef", "wait": True})
    # Overtaken by what does not wait; then it is known to be waiting.
    assert c.result("get_status")["pid"] == server.pid
    gone = Client()
    gone.request("get_summary", {"token": "beef", "wait": True})
    assert gone.result("list_files")
    gone.close()
    works()
    server.send_signal(signal.SIGUSR1)
    answer = c.read()
    assert answer["id"] == nr and not answer["result"]["known"], answer
    # A bound on what one client may have waiting.
    wait = {"token": "beef", "wait": True}
    asked = [c.request("get_summary", wait) for _ in range(17)]
    answer = c.read()
    assert answer["id"] == asked[-1] and answer["error"]["code"] == -32000
    server.send_signal(signal.SIGUSR1)
    assert [c.read()["id"] for _ in asked[:-1]] == asked[:-1]
    c.close()


def test_peer():
    """Only root and the same user, whatever the mode of the socket is."""
    assert os.stat(path).st_mode & 0o777 == 0o600
    if os.getuid() != 0:
        return
    os.chmod(path, 0o666)
    os.chmod(os.path.dirname(path), 0o755)
    pid = os.fork()
    if not pid:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
        c = Client(greet=False)
        answer = c.read()
        os._exit(0 if answer and "error" in answer and c.read() is None
                 else 1)
    assert os.waitpid(pid, 0)[1] == 0


def test_shutdown():
    waiting = Client()
    waiting.request("get_summary", {"token": "beef", "wait": True})
    assert waiting.result("list_files")
    hung = Client()
    c = Client()
    assert c.result("shutdown") is True
    assert c.read() is None and hung.read() is None
    assert waiting.read() is None
    assert server.wait(60) == 0
    assert not os.path.exists(path)


try:
    for name, test in list(globals().items()):
        if name.startswith("test_"):
            print(name, flush=True)
            test()
            if name != "test_shutdown":
                works()
finally:
    server.kill()
    server.wait()
