#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# fio's mmap engine writes files and verifies them, in threads and in forked
# processes, with 4K and 2M blocks. What it wrote under udax is verified
# natively, what it wrote natively is verified under udax.

. "${top_srcdir:-.}/tests/functions.sh"
requires_cmd fio
requires_uffd
base=$scratch
if test "${medium:-direct}" = image; then
	image_scratch
	base=$disk
fi
mkdir "$base/p" "$base/n"
# fio leaves the state of a verification where it runs.
cd "$scratch" || exit 1

# job DIR RUNNER OPTION...: fio on files of DIR.
job () {
	where=$1
	runner=$2
	shift 2
	$runner fio --name=v --ioengine=mmap --size=16m --output="$scratch/fio.out" \
		"$@" || { cat "$scratch/fio.out"; fail "fio in $where: $*"; }
	grep -q 'err= 0' "$scratch/fio.out" || fail "no err= 0 from fio: $*"
}
under () {
	udax_run "$base/p" -- "$@"
}
native () {
	"$@"
}

# both FILE OPTION...
both () {
	file=$1
	shift
	echo "$file: $*"
	job p under --filename="$base/p/$file" "$@"
	expect_faults
	job p native --filename="$base/p/$file" --rw=read --verify="$verify" \
		--bs="$bs"
	job n native --filename="$base/n/$file" "$@"
	cp "$base/n/$file" "$base/p/$file.native"
	job p under --filename="$base/p/$file.native" --rw=read \
		--verify="$verify" --bs="$bs"
	expect_faults
}

verify=crc32c bs=4k
both thread --bs=4k --rw=randwrite --verify=crc32c --fsync=64 --thread
both fork --bs=4k --rw=randwrite --verify=crc32c --fsync=64
verify=md5 bs=2m
both large --bs=2m --rw=write --verify=md5 --thread

# Four processes, a file each.
job p under --directory="$base/p" --numjobs=4 --bs=4k --rw=randwrite \
	--verify=crc32c --fsync=64
expect_faults
expect processes -ge 4

# Without verify the files do not depend on the time of day.
native_and_udax "$base/same" 'fio --name=s --ioengine=mmap --filename=$W/f \
	--size=16m --bs=4k --rw=randwrite --number_ios=500 --fallocate=none \
	--buffer_pattern=0x6461780a --output=/dev/null'
expect_faults
