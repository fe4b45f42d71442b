#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# What is planted in the model changes the outcomes of some race: an outcome that
# was recorded or reasoned out is gone, or there is one that hangs or should not
# be. tests/race/Makefile.inc has the mutations.

. "${top_srcdir:-.}/tests/functions.sh"

corpus=$top_srcdir/tests/corpus/data/race
own=$top_srcdir/tests/race

# outcomes NAME SCRIPT: of the mutant, sorted, without counts.
outcomes () {
	"$top_builddir/tests/race/mutant-$1" "$2" >"$scratch/raw" ||
		fail "mutant-$1 $2: exit status $?"
	sed -e '/^#/d' -e 's/^outcome x.*/outcome/' "$scratch/raw" |
		awk -v RS='outcome\n' -v ORS='' '{ gsub(/\n/, ";"); print $0 "\n" }' |
		sort -u
}

# differs NAME FILE SCRIPT: the mutant is one, and the race shows it.
differs () {
	! cmp -s "$top_builddir/tests/race/mutant-$1.c" \
		"$top_srcdir/src/$2" || fail "mutant-$1: nothing was changed"
	outcomes none "$3" >"$scratch/none"
	outcomes "$1" "$3" >"$scratch/mutant"
	! cmp -s "$scratch/none" "$scratch/mutant" ||
		fail "mutant-$1: the same outcomes of $3"
}

differs recheck dax/fault.c "$own/pull.script"
differs wake dax/fault.c "$corpus/r01-hole-pmd-two-pages.script"
grep -q HANG "$scratch/mutant" || fail "nobody sleeps for ever"
differs downgrade dax/dax.c "$own/zero.script"
grep -q HANG "$scratch/mutant" || fail "nobody sleeps for ever"
differs hide mm/replay_dax.c "$own/msync.script"
