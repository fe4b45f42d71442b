#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The checker finds what is planted in the model, and nothing in the model as it
# is. tests/check/Makefile.inc has the mutations.

. "${top_srcdir:-.}/tests/functions.sh"

# finds NAME WORD: one of the lines begins with WORD.
finds () {
	"$top_builddir/tests/check/mutant-$1" >"$scratch/out" ||
		fail "mutant-$1: exit status $?"
	tail -n 1 "$scratch/out" | grep -q -x end || fail "mutant-$1 has no end"
	grep -q -e "^$2" "$scratch/out" ||
		fail "mutant-$1: no '$2' in: $(cat "$scratch/out")"
	echo "$1: $(head -n 1 "$scratch/out")"
}

# planted NAME FILE: it is not the model's own.
planted () {
	cmp -s "$top_builddir/tests/check/mutant-$1.c" "$top_srcdir/src/dax/$2" &&
		fail "mutant-$1: nothing was changed in $2"
}

finds none end
test "$(wc -l <"$scratch/out")" = 1 || fail "not clean: $(cat "$scratch/out")"

planted downgrade-wake dax.c
finds downgrade-wake lost
planted unlock-wake fault.c
finds unlock-wake lost
planted key dax.c
finds key lost
planted null dax.c
finds null no2m
planted inval-next dax.c
finds inval-next lost
planted put dax.c
finds put lost
planted scan dax.c
finds scan missed
planted count table.c
finds count broken
