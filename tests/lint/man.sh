#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# mandoc has nothing to say about the man pages but style, and every option that
# a program's help names is on its page.

. "${top_srcdir:-.}/tests/functions.sh"
requires_cmd mandoc

pages=0
for scd in "$top_srcdir"/doc/*.scd; do
	name=$(basename "$scd" .scd)
	for dir in "$top_builddir" "$top_srcdir"; do
		page=$dir/doc/$name
		test ! -f "$page" || break
	done
	test -f "$page" || skip "the man pages were not built: scdoc is missing"
	# scdoc always begins with a paragraph.
	mandoc -Tlint -W warning "$page" |
		grep -v 'skipping paragraph macro' >"$scratch/lint"
	test ! -s "$scratch/lint" || { cat "$scratch/lint"; fail "$name"; }
	pages=$((pages + 1))
done
test $pages -gt 0 || fail "no pages in $top_srcdir/doc"

# documented PAGE PROGRAM [VERB]
documented () {
	page=$top_srcdir/doc/$1.scd
	shift
	"$top_builddir/$1" ${2:+"$2"} --help >"$scratch/help" ||
		fail "$* --help"
	options=$(grep -o -E -e '--[a-z][a-z-]+' "$scratch/help" | sort -u)
	test -n "$options" || fail "$* --help names no option"
	for option in $options; do
		grep -q -F -e "*$option*" "$page" ||
			fail "$option of $* is not in $page"
	done
}
documented udaxd.8 udaxd
documented udax-run.1 udax run
for verb in status list set shutdown; do
	documented udax-control.1 udax $verb
done
documented udax-bench.1 udax-bench
documented udax-check.1 udax check
documented udax-doctor.1 udax doctor
documented udax-replay.1 udax replay
documented udax-script.1 udax script
documented udax-sim.1 udax sim
for verb in $("$top_builddir/udax" --list-cmds); do
	grep -q -w -e "$verb" "$top_srcdir/doc/udax.1.scd" ||
		fail "udax $verb is not in udax(1)"
done
