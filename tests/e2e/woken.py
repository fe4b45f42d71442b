# SPDX-License-Identifier: BSD-3-Clause
"""woken.py FILE: a thread for each of `read` and `write` on standard input, which
does so to the first page of FILE; the end of the input waits for them."""
import ctypes
import mmap
import os
import sys
import threading

fd = os.open(sys.argv[1], os.O_RDWR)
page = mmap.mmap(fd, 4096)
at = ctypes.addressof(ctypes.c_char.from_buffer(page))
# Calls of the C library do not keep Python's other threads waiting.
libc = ctypes.CDLL(None)
calls = {
    "read": lambda: libc.memchr(ctypes.c_void_p(at), 7, 1),
    "write": lambda: libc.memset(ctypes.c_void_p(at), 8, 1),
}

threads = []
for line in sys.stdin:
    threads.append(threading.Thread(target=calls[line.strip()]))
    threads[-1].start()
for thread in threads:
    thread.join()
