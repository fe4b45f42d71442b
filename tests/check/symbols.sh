#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The checker's model and the daemon's can be linked into one program: no name of
# one is a name of the other's (src/mm/check_geometry.h).

. "${top_srcdir:-.}/tests/functions.sh"
requires_cmd nm

defined () {
	nm -g --defined-only "$top_builddir/$1" 2>/dev/null |
		sed -n 's/^[0-9a-f]* [A-Z] //p' | sort -u
}

defined libudax-check.a >"$scratch/check"
defined libudax-dax.a >"$scratch/dax"
test -s "$scratch/check" || fail "libudax-check.a defines nothing"
test -s "$scratch/dax" || fail "libudax-dax.a defines nothing"
comm -12 "$scratch/check" "$scratch/dax" >"$scratch/both"
# Sanitizers define names in every object.
grep -v '^__' "$scratch/both" >"$scratch/clash"
test ! -s "$scratch/clash" ||
	fail "not renamed by check_geometry.h: $(cat "$scratch/clash")"
# And of the daemon's model it needs nothing.
nm -g "$top_builddir/libudax-check.a" 2>/dev/null | sed -n 's/^ *U //p' |
	sort -u >"$scratch/needs"
comm -12 "$scratch/needs" "$scratch/dax" >"$scratch/mixed"
test ! -s "$scratch/mixed" || fail "of two geometries: $(cat "$scratch/mixed")"
