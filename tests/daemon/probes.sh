#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The probes that udaxd has, and how many arguments they take, are those of
# udaxd(8), PROBES.

. "${top_srcdir:-.}/tests/functions.sh"
requires_cmd readelf
udaxd=$top_builddir/udaxd
readelf -nW "$udaxd" >"$scratch/notes" || fail "readelf -n"
"$udaxd" --dump-config >"$scratch/config" || fail "--dump-config"
if ! grep -q '^usdt=yes$' "$scratch/config"; then
	grep 'Provider: udax' "$scratch/notes" && fail "probes, with usdt=no"
	skip "built without USDT probes (sys/sdt.h was missing, or --disable-usdt)"
fi

# name arguments: in the binary, each place of a probe; an argument is SIZE@PLACE.
awk '/Provider:/ { ours = /Provider: udax$/ } /^ *Name:/ { name = $2 }
	/^ *Arguments:/ && ours { print name, gsub(/@/, "") }' \
	"$scratch/notes" | sort -u >"$scratch/has"
# On the page: *name*(_argument_, ...)
sed -n '/^# PROBES/,/^# [^P]/p' "$top_srcdir/doc/udaxd.8.scd" |
	sed -n 's/^\*\([a-z_]*\)\*(\(.*\))$/\1 \2/p' |
	awk '{ print $1, NF - 1 }' | sort >"$scratch/documented"
test -s "$scratch/documented" || fail "the page has no probes"
diff -u "$scratch/documented" "$scratch/has" ||
	fail "udaxd's probes (+) are not those of udaxd(8) (-)"

# A tracer counts up the semaphore, which must be data that lies in the file.
section=$(readelf -SW "$udaxd" | sed -n 's/^ *\[ *[0-9]*\] //; /^\.probes /p')
test -n "$section" || fail "udaxd has no section .probes"
# shellcheck disable=SC2086
set -- $section
test "$2" = PROGBITS || fail "the semaphores are $2"
semaphores=$(sed -n 's/.*Semaphore: 0x\([0-9a-f]*\).*/\1/p' "$scratch/notes")
for semaphore in $semaphores; do
	offset=$((0x$semaphore - 0x$3))
	test $offset -ge 0 -a $offset -lt $((0x$5)) ||
		fail "the semaphore at $semaphore is not in .probes: $section"
done
