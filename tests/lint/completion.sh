#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Completion offers the verbs, options, experiments and protocols that the programs
# have, and programs after "--"; what the script says of itself is in their help.

. "${top_srcdir:-.}/tests/functions.sh"
requires_cmd bash
script=$top_srcdir/scripts/udax-completion.bash

# tab WORD...: what is offered for the last word, if the first one is $program.
program=udax
tab () {
	bash -c '. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
		how=$(complete -p "${1##*/}"); how=${how% *}; "${how##* }"
		printf "%s\n" "${COMPREPLY[@]}"' bash \
		"$script" "$top_builddir/$program" \
		"$@" | sort -u >"$scratch/offered"
}
offers () {
	for word in "$@"; do
		grep -q -x -e "$word" "$scratch/offered" ||
			{ cat "$scratch/offered"; fail "$word is not offered"; }
	done
}
offers_not () {
	grep -x -e "$1" "$scratch/offered" && fail "$1 is offered"
}
# offers_exactly FILE: its lines, and nothing else.
offers_exactly () {
	sort -u "$1" | diff - "$scratch/offered" || fail "$program: not what $1 has"
}
# options_of COMMAND...: a line each, as its help has them.
options_of () {
	"$@" --help | tr -c 'a-z-' '\n' | grep -x -E -e '--[a-z][a-z-]+' | sort -u
}

tab ''
"$top_builddir/udax" --list-cmds >"$scratch/verbs" || fail "--list-cmds"
# shellcheck disable=SC2046
offers $(cat "$scratch/verbs")
tab sh
offers shutdown
grep -v shutdown "$scratch/offered" && fail "more than shutdown"
while read -r verb; do
	test "$verb" != help || continue
	options_of "$top_builddir/udax" "$verb" >"$scratch/options"
	test -s "$scratch/options" || fail "udax $verb --help has no option"
	echo -- >>"$scratch/options"
	tab "$verb" --
	offers_exactly "$scratch/options"
done <"$scratch/verbs"
tab run --
offers --pmem --json --daemon
tab sim --json --
offers --cpus
mkdir "$scratch/directory"
: >"$scratch/file"
tab run --pmem "$scratch/"
offers "$scratch/directory"
offers_not "$scratch/file"
tab run --pmem "$scratch" -- bas
offers bash

"$top_builddir/udax" --list-protocols >"$scratch/protocols" ||
	fail "--list-protocols"
for program in udax udaxd udax-bench; do
	case $program in
	udax) set -- run;;
	udaxd) set --;;
	udax-bench) set -- run e3;;
	esac
	tab "$@" --protocol ''
	offers_exactly "$scratch/protocols"
	tab "$@" --protocol 616,dan-a
	offers 616,dan-all
	offers_not 616,dan
done

program=udaxd
options_of "$top_builddir/udaxd" >"$scratch/options"
tab ''
offers_exactly "$scratch/options"
tab --on-lost-wakeup ''
offers report kick kill
tab --socket "$scratch/fi"
offers "$scratch/file"

# Values that are written down in the script are known to a program's help, each.
options_of "$top_builddir/udaxd" >"$scratch/valued"
options_of "$top_builddir/udax" run >>"$scratch/valued"
options_of "$top_builddir/udax" script >>"$scratch/valued"
{
	"$top_builddir/udaxd" --help
	"$top_builddir/udax" run --help
	"$top_builddir/udax" script --help
} >"$scratch/helps"
program=udax
for option in --track --media --on-lost-wakeup --mmap-lock --format; do
	grep -q -x -e "$option" "$scratch/valued" || fail "no program has $option"
	tab run "$option" ''
	test "$(wc -l <"$scratch/offered")" -ge 2 || fail "$option: no values"
	while read -r value; do
		grep -q -w -e "$value" "$scratch/helps" ||
			fail "$option $value: no help has it"
	done <"$scratch/offered"
done

program=udax-bench
# The verbs, as the usage has them: "udax-bench VERB ...", a line each.
"$top_builddir/udax-bench" --help |
	sed -n 's/^\(usage:\|      \) udax-bench \([a-z]*\).*/\2/p' >"$scratch/words"
test "$(wc -l <"$scratch/words")" -ge 3 || fail "the usage of udax-bench"
printf '%s\n' --help --version >>"$scratch/words"
tab ''
offers_exactly "$scratch/words"
"$top_builddir/udax-bench" list | sed 's/ .*//' >"$scratch/words"
echo all >>"$scratch/words"
tab run ''
offers_exactly "$scratch/words"
tab run all --only ''
offers_exactly "$scratch/words"
options_of "$top_builddir/udax-bench" >"$scratch/options"
for word in '' --; do
	tab run e3 "$word"
	offers_exactly "$scratch/options"
done
tab run e3 --quick --js
offers --json --json-dir
for option in --dir --json-dir; do
	tab run e3 "$option" "$scratch/"
	offers "$scratch/directory"
	offers_not "$scratch/file"
done
tab run e3 --json "$scratch/"
offers "$scratch/file"
tab report "$scratch/"
offers "$scratch/directory"
offers_not "$scratch/file"
tab list ''
test -z "$(cat "$scratch/offered")" || fail "list has arguments"

# Installed, each program has a file of its name.
for program in udax udaxd udax-bench; do
	cmp -s "$script" "$top_builddir/scripts/$program" ||
		fail "scripts/$program is not the script"
done
