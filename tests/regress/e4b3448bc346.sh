#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# e4b3448bc346 live: a store to byte 0 of 2M, and msync() of a later page. The whole
# entry is written back, byte 0 with it.

. "${top_srcdir:-.}/tests/functions.sh"
requires_uffd
requires_cmd "$python"
image_scratch
head -c 2097152 /dev/zero >"$disk/f"
udax_run "$disk" -- "$python" - "$disk/f" <<'END' || fail "byte 0 was not written back"
import mmap, os, sys
f = open(sys.argv[1], "r+b")
m = mmap.mmap(f.fileno(), 2 << 20)
m[0] = 7
m.flush(4096, 4096)
sys.exit(os.pread(f.fileno(), 1, 0) != b"\x07")
END
expect faults.pmd -gt 0
