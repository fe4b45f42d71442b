#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# What README.md and HACKING.md tell people to type exists: scripts, verbs of
# udax and their options, files that they point to.

. "${top_srcdir:-.}/tests/functions.sh"

# The indented and fenced examples.
sed -n -e 's/^    *[$#]* *//p' -e '/^```/,/^```/p' "$top_srcdir/README.md" \
	"$top_srcdir/HACKING.md" >"$scratch/examples"
test -s "$scratch/examples" || fail "no examples found"

for script in $(grep -o -h -E '(scripts|\.ci|bench|tests)/[a-z0-9_./-]*[a-z]' \
		"$top_srcdir/README.md" "$top_srcdir/HACKING.md" | sort -u); do
	test -e "$top_srcdir/$script" || fail "there is no $script"
done
for file in $(grep -o -h -E '\]\([A-Za-z][A-Za-z0-9_./-]*\)' \
		"$top_srcdir/README.md" "$top_srcdir/HACKING.md" |
		tr -d '()]' | sort -u); do
	test -e "$top_srcdir/$file" || fail "there is no $file"
done

verbs=$("$top_builddir/udax" --list-cmds) || fail "udax --list-cmds"
used=$(grep -o -E '\budax [a-z]+' "$scratch/examples" | cut -d ' ' -f 2 | sort -u)
test -n "$used" || fail "no example of udax"
for verb in $used; do
	echo "$verbs" | grep -q -x -e "$verb" || fail "udax has no verb $verb"
	for option in $(grep -E "\\budax $verb\\b" "$scratch/examples" |
			sed 's/ -- .*//' | grep -o -E -e ' --[a-z-]+' | sort -u); do
		"$top_builddir/udax" "$verb" --help | grep -q -e "$option" ||
			fail "udax $verb has no option $option"
	done
done
