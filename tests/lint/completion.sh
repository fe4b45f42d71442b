#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Completion offers the verbs that udax has, the options that a verb has, and
# programs after "--".

. "${top_srcdir:-.}/tests/functions.sh"
requires_cmd bash

# tab WORD...: what is offered for the last word.
tab () {
	bash -c '. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
		_udax; printf "%s\n" "${COMPREPLY[@]}"' bash \
		"$top_srcdir/scripts/udax-completion.bash" "$top_builddir/udax" \
		"$@" | sort -u >"$scratch/offered"
}
offers () {
	for word in "$@"; do
		grep -q -x -e "$word" "$scratch/offered" ||
			{ cat "$scratch/offered"; fail "$word is not offered"; }
	done
}

tab ''
"$top_builddir/udax" --list-cmds >"$scratch/verbs" || fail "--list-cmds"
# shellcheck disable=SC2046
offers $(cat "$scratch/verbs")
tab sh
offers shutdown
grep -v shutdown "$scratch/offered" && fail "more than shutdown"
tab run --
offers --pmem --json --daemon
tab run --media ''
offers auto direct image
tab script --format ''
offers text json chrome
tab run --on-lost-wakeup ''
offers report kick kill
tab run --track ''
offers fast
mkdir "$scratch/directory"
: >"$scratch/file"
tab run --pmem "$scratch/"
offers "$scratch/directory"
grep "$scratch/file" "$scratch/offered" && fail "a file is offered for --pmem"
tab run --pmem "$scratch" -- bas
offers bash
