#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# fio writes and verifies files, traced: the trace says of each fault what the
# summary counted, and fio still finds what it wrote.

. "${top_srcdir:-.}/tests/functions.sh"
requires_cmd fio
requires_uffd
mkdir "$scratch/p"

# traced FILE OPTION...
traced () {
	file=$1
	shift
	udax_run "$scratch/p" --trace "$scratch/trace" -- fio --name=v \
		--ioengine=mmap --size=16m --output="$scratch/fio.out" \
		--filename="$scratch/p/$file" "$@" ||
		{ cat "$scratch/fio.out"; fail "fio: $*"; }
	expect_faults
	for format in json chrome; do
		udax script --format $format "$scratch/trace" \
			>"$scratch/trace.$format" || fail "--format $format"
	done
	"$python" "$top_srcdir/tests/cli/trace-check.py" "$scratch/trace.json" \
		"$scratch/summary.json" "$scratch/trace.chrome" ||
		fail "the trace of $file is not the run's"
}
traced pages --bs=4k --rw=randwrite --verify=crc32c --fsync=64 --thread
traced windows --bs=2m --rw=write --verify=md5 --thread
# Jobs that meet in one file.
traced shared --bs=64k --rw=randread --numjobs=4 --thread --norandommap
