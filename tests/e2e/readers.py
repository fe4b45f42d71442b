# SPDX-License-Identifier: BSD-3-Clause
"""readers.py FILE: touches pages of FILE, each of which faults, from a thread for
each CPU that the last line of standard input names; an empty one ends it."""
import mmap
import os
import sys
import threading

SIZE = 4 << 20
fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT, 0o600)
os.ftruncate(fd, SIZE)
view = mmap.mmap(fd, SIZE)
view.madvise(mmap.MADV_NOHUGEPAGE)
round_ = 0


def touch(cpu, place, mine):
    os.sched_setaffinity(0, {cpu})
    start = place * SIZE // 2
    while mine == round_:
        for at in range(start, start + SIZE // 2, 4096):
            view[at] = 1
        view.madvise(mmap.MADV_DONTNEED, start, SIZE // 2)


threads = []
for line in sys.stdin:
    round_ += 1
    for t in threads:
        t.join()
    if not line.strip():
        break
    threads = [threading.Thread(target=touch, args=(int(cpu), i, round_))
               for i, cpu in enumerate(line.split())]
    for t in threads:
        t.start()
