#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# A store into a hole of a full tmpfs is SIGBUS, as it is natively; what was
# stored before is there, and room that is made can be used.

. "${top_srcdir:-.}/tests/functions.sh"
requires_root
requires_uffd
mapper=$top_builddir/mapper
tmpfs_mount "$scratch/small" size=4m,huge=never

ops='size 16m map 0 16m rw fill 0 2m 1 check 0 2m 1 say stored fill 2m 8m 2'
# shellcheck disable=SC2086
"$mapper" "$scratch/small/f" $ops >"$scratch/native.out"
native=$?
expect_status $native 135 "native"
rm "$scratch/small/f"
# shellcheck disable=SC2086
udax_run "$scratch/small" -- "$mapper" "$scratch/small/f" $ops \
	>"$scratch/udax.out" </dev/null
expect_status $? $native
same_output out
expect_faults
expect result.sigbus -gt 0
"$mapper" "$scratch/small/f" map 0 16m r check 0 2m 1 ||
	fail "the data stored before is wrong"

# Room again: no page stays poisoned.
truncate -s 0 "$scratch/small/f"
udax_run "$scratch/small" -- "$mapper" "$scratch/small/f" size 2m map 0 2m rw \
	fill 0 2m 3 check 0 2m 3 </dev/null
expect_status $? 0
expect_faults
