#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# stress-ng's stressors that map files: unlinked, populated, at fixed addresses,
# 32768 mappings of one file, punched holes, every kind of madvise. Its own
# --verify is the judge; its processes leave by _exit.

. "${top_srcdir:-.}/tests/functions.sh"
requires_cmd stress-ng
requires_uffd
mkdir "$scratch/p"
cd "$scratch/p" || exit 1

# stressor FAULTS-EXPECTED NAME OPTION...
stressor () {
	faults=$1
	name=$2
	shift 2
	set -- stress-ng --temp-path . --"$name" 1 --"$name"-ops 2 --verify \
		--timeout 120 "$@"
	echo "$*"
	"$@" >"$scratch/native.out" 2>&1
	native=$?
	udax_run "$scratch/p" -- "$@" >"$scratch/udax.out" 2>&1
	under=$?
	if test $under != $native || grep -i 'fail' "$scratch/udax.out"; then
		cat "$scratch/udax.out"
		fail "--$name: status $under, native $native"
	fi
	test "$faults" = no || expect_faults
	rmdir ./* 2>/dev/null
	test -z "$(ls)" || fail "--$name left $(ls)"
}

stressor yes mmap --mmap-file --mmap-bytes 2m
stressor yes msync
stressor yes msyncmany
stressor yes fault
# Maps memory that no directory holds: udax has to leave it alone.
stressor no memfd
