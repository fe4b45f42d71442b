#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# xfs_io: stores, msync, holes, punched ranges, a mapping of odd length, a
# file that grows and shrinks under its mapping, a remapped range.

. "${top_srcdir:-.}/tests/functions.sh"
requires_cmd xfs_io
requires_uffd
base=$scratch
if test "${medium:-direct}" = image; then
	image_scratch
	base=$disk
fi

# Addresses and speeds differ from run to run.
filter='s/0x[0-9a-f]*/ADDRESS/g; s/(.* ops\/sec)//; s/[0-9.]* sec/TIME/'

# stage NAME COMMAND...: one xfs_io run with these commands on $W/NAME.
stage () {
	file=$1
	shift
	cmd="xfs_io -f"
	for c in "$@"; do
		cmd="$cmd -c '$c'"
	done
	echo "$cmd"
	# The file's name is the same in both directories: cwd is $W.
	native_and_udax "$base/$file" "$cmd $file"
	expect_faults
}

stage stores 'truncate 4m' 'mmap -rw 0 4m' 'mwrite -S 0x11 0 2m' 'msync -s' \
	'mread -v 0 4' 'mread -v 2097150 4' 'mread -v 3m 4'
stage odd 'truncate 1000001' 'mmap -rw 0 1000001' 'mwrite -S 0x22 999990 11' \
	'mread -v 999980 21' 'msync -a' 'munmap'
stage hole_then_data 'truncate 4m' 'mmap -rw 0 4m' 'mread -v 2m 8' \
	'mwrite -S 0x33 2m 4k' 'mread -v 2m 8' 'mread -v 2101248 8' 'msync -s'
stage offset 'truncate 8m' 'mmap -rw 4k 4m' 'mwrite -S 0x44 1m 1m' \
	'msync -i' 'mread -v 1m 8'
stage two 'truncate 4m' 'mmap -rw 0 4m' 'mmap -rw 4k 1m' \
	'mwrite -S 0x55 8k 4k' 'mmap 0' 'mread -v 8k 8' 'msync -s'
stage grow 'truncate 1m' 'mmap -rw 0 1m' 'mwrite -S 0x66 0 1m' 'munmap' \
	'truncate 6m' 'mmap -rw 0 6m' 'mwrite -S 0x67 5m 4k' 'mread -v 5m 8' \
	'mread -v 1044480 8' 'msync -s'
stage remap 'truncate 8m' 'mmap -rw -s 8m 0 1m' 'mwrite -S 0x77 0 1m' \
	'mremap 4m' 'mwrite -S 0x78 3m 4k' 'mread -v 3m 4' 'mremap 2m' \
	'mread -v 1m 4' 'msync -s'
stage allocated 'falloc 0 4m' 'mmap -rw 0 4m' 'mwrite -S 0x88 0 4m' \
	'msync -s' 'mread -v 2m 4'
if test "${medium:-direct}" = direct; then
	# read(2), write(2) and punched holes beside a mapping of the file.
	expect_pmd
	stage mixed 'truncate 4m' 'mmap -rw 0 4m' 'mread -v 2m 8' \
		'pwrite -S 0x99 2m 4k' 'mread -v 2m 8' 'mwrite -S 0x9a 3m 4k' \
		'pread -v 3m 16' 'fpunch 3m 4k' 'mread -v 3m 8' \
		'mwrite -S 0x9b 3m 8' 'mread -v 3m 16'
	stage cut 'truncate 4m' 'mmap -rw 0 4m' 'mwrite -S 0xaa 0 4m' \
		'truncate 1m' 'mread -v 0 4' 'truncate 4m' 'mread -v 2m 4' \
		'mwrite -S 0xab 2m 4k' 'mread -v 2m 4' 'msync -s'
	# Past the end of the file is SIGBUS.
	stage past_end 'truncate 4m' 'mmap -rw 0 4m' 'mwrite -S 0xbb 0 4m' \
		'truncate 1m' 'mread -v 2m 4'
	expect_status "$status" 135 SIGBUS
fi
