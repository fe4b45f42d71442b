#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# codespell finds no misspelt word; those of spelling.words are meant.

. "${top_srcdir:-.}/tests/functions.sh"
requires_cmd codespell
cd "$top_srcdir" || exit 1
set --
for path in README.md HACKING.md ChangeLog configure.ac Makefile.am src include \
		bench scripts tests doc .ci; do
	test ! -e "$path" || set -- "$@" "$path"
done
codespell -q 3 -I tests/lint/spelling.words \
	--skip '*/corpus/*,*.log,*.trs,*.[178]' "$@" || fail "misspelt, see above"
