# SPDX-License-Identifier: BSD-3-Clause
"""lost.py DIR: two processes meet 32 times in a 2M window, one with a fault of 4K, one
with one of 2M: under a protocol that loses wakeups and with holds, some are lost."""
import mmap, multiprocessing, sys
f = open(sys.argv[1] + "/lost", "w+b")
f.truncate(64 << 20)
fork = multiprocessing.get_context("fork")
gate = fork.Barrier(2)
def touch(i):
    # The first's window is too small for 2M, the second's is not.
    for window in range(32):
        m = mmap.mmap(f.fileno(), (1 << 20) << i, offset=window << 21)
        gate.wait()
        m[4096] = 1
children = [fork.Process(target=touch, args=(i,)) for i in range(2)]
for c in children: c.start()
for c in children: c.join()
assert not any(c.exitcode for c in children)
