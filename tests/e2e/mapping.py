# SPDX-License-Identifier: BSD-3-Clause
"""What a Python program does with mapped files, on files of the directory it
runs in; prints hashes, the same on any medium. Argument "image": leaves out what
reads a file by read(2) while it is mapped."""
import hashlib
import mmap
import os
import sys
import threading

MB = 1 << 20
image = sys.argv[1:] == ["image"]


def digest(data):
    return hashlib.sha256(data).hexdigest()[:16]


def pattern(seed, size):
    """Bytes that depend on their place, no page like another."""
    block = hashlib.sha512(b"%d" % seed).digest() * 63
    return b"".join(b"%064d" % (seed * 4096 + i) + block
                    for i in range(size // 4096))


def show(what, data):
    print(f"{what}: {len(data)} {digest(data)}", flush=True)


def check_file(fd, m):
    if image:
        return
    size = len(m)
    assert os.pread(fd, size, 0) == m[:], "pread and the mapping differ"


def large():
    fd = os.open("large", os.O_RDWR | os.O_CREAT, 0o600)
    os.truncate(fd, 16 * MB)
    m = mmap.mmap(fd, 16 * MB)
    assert m[5 * MB:5 * MB + 8] == bytes(8)
    m[:] = pattern(1, 16 * MB)
    m.flush()
    show("stored", m[:])
    check_file(fd, m)

    m.resize(20 * MB)
    assert m[16 * MB:] == bytes(4 * MB)
    m[16 * MB:17 * MB] = pattern(2, MB)
    show("grown", m[:])

    pid = os.fork()
    if pid == 0:
        ok = m[0:MB] == pattern(1, 16 * MB)[0:MB]
        m[3 * MB:4 * MB] = pattern(3, MB)
        m[18 * MB:19 * MB] = pattern(4, MB)
        os._exit(0 if ok else 1)
    assert os.waitpid(pid, 0)[1] == 0, "the child saw other data"
    assert m[18 * MB:19 * MB] == pattern(4, MB), "the child's stores are lost"
    show("after the child", m[:])
    m.flush()
    check_file(fd, m)

    m.resize(8 * MB)
    show("shrunk", m[:])
    m.flush(2 * MB, 4 * MB)
    check_file(fd, m)
    m.close()
    os.close(fd)


def allocated():
    """A file that has its blocks before it is mapped."""
    fd = os.open("allocated", os.O_RDWR | os.O_CREAT, 0o600)
    os.posix_fallocate(fd, 0, 8 * MB)
    with mmap.mmap(fd, 8 * MB) as m:
        for at in range(0, 8 * MB, 2 * MB):
            m[at:at + 64] = b"%064d" % at
        m.flush()
        show("allocated", m[:])
        check_file(fd, m)
    with mmap.mmap(fd, 2 * MB, offset=4 * MB) as m:
        show("at an offset", m[:])
    os.close(fd)


def views():
    """Copies and read-only mappings of a file, then one with no name."""
    with open("views", "w+b") as f:
        f.write(pattern(5, 4 * MB))
        f.flush()
        with mmap.mmap(f.fileno(), 0) as m, \
                mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_COPY) as copy:
            show("copy", copy[:])
            copy[MB:MB + 4096] = bytes(4096)
            m[2 * MB:2 * MB + 64] = b"%064d" % 6
            assert m[MB:MB + 4096] != bytes(4096), "a copy's store escaped"
            assert copy[MB:MB + 4096] == bytes(4096)
            show("copy, changed", copy[:2 * MB])
            show("shared", m[:])
    fd = os.open("views", os.O_RDONLY)
    with mmap.mmap(fd, 0, access=mmap.ACCESS_READ) as m:
        show("read-only", m[:])
        os.rename("views", "renamed")
        show("renamed", m[MB:])
    os.close(fd)

    fd = os.open("nameless", os.O_RDWR | os.O_CREAT, 0o600)
    os.truncate(fd, 2 * MB)
    os.unlink("nameless")
    with mmap.mmap(fd, 2 * MB) as m:
        m[:] = pattern(7, 2 * MB)
        show("nameless", m[:])
        check_file(fd, m)
    os.close(fd)


def threads():
    """Four threads store to pages of the same 2M ranges; then the page tables
    are dropped, the file is cut and grows again."""
    fd = os.open("threads", os.O_RDWR | os.O_CREAT, 0o600)
    os.truncate(fd, 8 * MB)
    m = mmap.mmap(fd, 8 * MB)

    def store(first):
        for page in range(first, 2048, 4):
            m[page * 4096:page * 4096 + 4] = b"%04d" % page

    running = [threading.Thread(target=store, args=(i,)) for i in range(4)]
    for t in running:
        t.start()
    for t in running:
        t.join()
    show("threads", m[:])
    m.madvise(mmap.MADV_DONTNEED)
    show("dropped", m[:])
    with mmap.mmap(fd, 4 * MB, offset=MB) as part:
        part.move(0, MB, MB)
        show("moved", part[:])
    os.truncate(fd, 2 * MB)
    show("cut", m[:2 * MB])
    os.truncate(fd, 8 * MB)
    show("grown again", m[:])
    check_file(fd, m)
    m.close()
    os.close(fd)


large()
allocated()
views()
threads()
