#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# A sparse file of a terabyte: reading it here and there allocates nothing,
# a store allocates its page or, as DAX file systems do, the 2M hole around it. So on
# any huge= option of the tmpfs.

. "${top_srcdir:-.}/tests/functions.sh"
requires_uffd
mapper=$top_builddir/mapper
mkdir "$scratch/p"

blocks () {
	stat -c %b "$1"
}

# story DIR BLOCKS-PER-READ BLOCKS-PER-STORE: at most so many 512-byte blocks
# for each of 100 words read and 100 words stored.
story () {
	truncate -s 1T "$1/f"
	udax_run "$1" -- "$mapper" "$1/f" map 0 1t r step 0 1000g 10g \
		</dev/null >"$scratch/out" || fail "reading in $1"
	expect_faults
	test "$(cat "$scratch/out")" = 0 || fail "a hole is not zeros"
	is=$(blocks "$1/f")
	echo "$1: $is blocks after 100 reads"
	test "$is" -le $((100 * $2)) || fail "reading allocated $is blocks"
	set -- "$1" "$2" "$3" "$is"
	ops=
	i=0
	while test $i -lt 100; do
		ops="$ops put $((5 + i * 10))g $((i + 1))"
		i=$((i + 1))
	done
	# shellcheck disable=SC2086
	udax_run "$1" -- "$mapper" "$1/f" map 0 1t rw $ops </dev/null ||
		fail "storing in $1"
	expect_faults
	is=$(($(blocks "$1/f") - $4))
	echo "$1: $is blocks more after 100 stores"
	test "$is" -le $((100 * $3)) || fail "storing allocated $is blocks"
	test "$("$mapper" "$1/f" map 0 1t r get 995g)" = 100 || fail "wrong word"
	rm "$1/f"
}

story "$scratch/p" 8 4096
if test "$(id -u)" = 0; then
	for huge in never always within_size advise; do
		tmpfs_mount "$scratch/$huge" "size=1g,huge=$huge"
		story "$scratch/$huge" 8 4096
	done
fi
