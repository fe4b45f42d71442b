#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# sqlite.sh with the kernel's mmap_lock emulated.

mmap_lock=kernel
. "${top_srcdir:-.}/tests/e2e/sqlite.sh"
test "$(summary mmap_lock.writes)" -gt 0 || fail "nothing took it"
