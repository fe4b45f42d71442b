# SPDX-License-Identifier: BSD-3-Clause
"""Maps files of the directory it runs in again and again, and changes them while
nobody maps them, by system calls that udax does not see; every mapping must show
what the file holds. Prints one line, the same on any medium."""
import ctypes
import mmap
import os
import random
import sys

PAGE, PMD = 4096, 2 << 20
SIZE = 3 * PMD
KEEP_SIZE, PUNCH_HOLE = 1, 2
NR_PWRITE, NR_FTRUNCATE, NR_UNLINK, NR_FALLOCATE = 18, 77, 87, 285

libc = ctypes.CDLL(None, use_errno=True)


def raw(nr, *args):
    args = [ctypes.c_long(a) if isinstance(a, int) else a for a in args]
    if libc.syscall(ctypes.c_long(nr), *args) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


class File:
    """A file, and what it must hold."""

    def __init__(self, name):
        self.name = name
        self.make()

    def make(self):
        self.fd = os.open(self.name, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        raw(NR_FTRUNCATE, self.fd, SIZE)
        self.holds = bytearray(SIZE)

    def store(self, rng, m):
        at = rng.randrange(SIZE // PAGE) * PAGE
        size = rng.choice((8, PAGE, PMD))
        data = rng.randbytes(8) * (min(size, SIZE - at) // 8)
        m[at:at + len(data)] = data
        self.holds[at:at + len(data)] = data

    def mapped(self, rng):
        with mmap.mmap(self.fd, SIZE) as m:
            if m[:] != self.holds:
                bad = next(i for i in range(SIZE) if m[i] != self.holds[i])
                sys.exit(f"{self.name}: wrong byte at {bad:#x}")
            for _ in range(rng.randrange(3)):
                self.store(rng, m)

    def nothing(self, rng):
        pass

    def shorter_and_longer(self, rng):
        cut = rng.randrange(SIZE)
        raw(NR_FTRUNCATE, self.fd, cut)
        raw(NR_FTRUNCATE, self.fd, SIZE)
        self.holds[cut:] = bytes(SIZE - cut)

    def zero(self, at, size):
        raw(NR_FALLOCATE, self.fd, KEEP_SIZE | PUNCH_HOLE, at, size)
        self.holds[at:at + size] = bytes(size)

    def punch(self, rng):
        at = rng.randrange(SIZE // PAGE) * PAGE
        self.zero(at, min(rng.choice((PAGE, 16 * PAGE, PMD)), SIZE - at))

    def make_window_anew(self, rng):
        """The memory of a huge folio that nobody has touched is not cleared."""
        at = rng.randrange(3) * PMD
        self.zero(at, PMD)
        raw(NR_FALLOCATE, self.fd, KEEP_SIZE, at, PMD)

    def allocate(self, rng):
        raw(NR_FALLOCATE, self.fd, KEEP_SIZE, 0, SIZE)

    def write(self, rng):
        at = rng.randrange(SIZE // PAGE) * PAGE
        raw(NR_PWRITE, self.fd, rng.randbytes(8) * 512, PAGE, at)
        self.holds[at:at + PAGE] = os.pread(self.fd, PAGE, at)

    def anew(self, rng):
        """Another file of that name."""
        raw(NR_UNLINK, self.name.encode())
        os.close(self.fd)
        self.make()

    CHANGES = (nothing, nothing, allocate, shorter_and_longer, punch,
               make_window_anew, write, anew)


def main():
    rng = random.Random(4711)
    files = [File("a"), File("b")]
    for _ in range(150):
        f = rng.choice(files)
        f.mapped(rng)
        rng.choice(File.CHANGES)(f, rng)
    for f in files:
        f.mapped(rng)
    print("all right")


main()
