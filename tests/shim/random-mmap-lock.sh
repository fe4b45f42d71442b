#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# random.sh with the kernel's mmap_lock emulated, fewer seeds.
mmap_lock=kernel
SEEDS=${SEEDS:-6 7}
. "${top_srcdir:-.}/tests/shim/random.sh"
test "$(summary mmap_lock.writes)" -gt 0 || fail "nothing took it"
