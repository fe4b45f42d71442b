#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# udax replay on the command line: the same log each time, errors with file,
# line and reason and status 2, and races, which the model driver runs one
# thread after the other.

. "${top_srcdir:-.}/tests/functions.sh"

corpus=$top_srcdir/tests/corpus/data
script=$scratch/s.script

# refuses TEXT LINE WORDS: a script of that text, an error there.
refuses () {
	printf '%b' "$1" >"$script"
	udax replay "$script" >"$scratch/out" 2>"$scratch/err"
	expect_status $? 2 "udax replay of '$1'"
	test ! -s "$scratch/out" || fail "'$1': something was run"
	grep -q "^udax: $script:$2: .*$3" "$scratch/err" ||
		fail "'$1': $(cat "$scratch/err")"
}
refuses 'creat A 4K\n' 1 "unknown operation 'creat'"
refuses '# one\n\ncreate A 4X\n' 3 "length '4X' is not a number"
refuses 'create A 4K-8K\n' 1 "out of range"
refuses 'create A 99999999999999999999\n' 1 "out of range"
refuses 'fsync A\n' 1 "file A is not defined"
refuses 'create A 4K\nmsync M 0 4K\n' 2 "mapping M is not defined"
refuses 'create A 4K\nmap M A shared rw 0 1024G 1\n' 2 "past the 1T slot"
refuses 'create A 4K\nmap M A shared rw 0 4K\ntouch 0 M 1024G r\n' 3 "1T slot"
refuses 'create A\n' 1 "too few arguments"
refuses 'create A 4K 8K\n' 1 "unexpected '8K'"
refuses 'create a 4K\n' 1 "'a' is no name of a file"
refuses 'create A 4K\npwrite A 0 1 256\n' 2 "byte '256' is above 255"

# What the kernel answers with an errno is a result.
cat >"$script" <<'END'
create A 4K
map M A shared rw 0 4K
msync M 0 8K	# past its end
END
udax replay "$script" >"$scratch/out" || fail "msync past a mapping"
grep -q '^ret 3 ENOMEM$' "$scratch/out" || fail "msync: $(cat "$scratch/out")"

# says WORDS OPTION...: a wrong command line.
says () {
	words=$1
	shift
	udax replay "$@" >"$scratch/out" 2>"$scratch/err"
	expect_status $? 2 "udax replay $*"
	grep -q "$words" "$scratch/err" || fail "$*: $(cat "$scratch/err")"
}
says 'no script'
says 'No such file' "$scratch/none"
says 'no such driver' --driver none "$script"
says 'no --kernel 5.0' --kernel 5.0 "$script"
says 'no --kernel 6.18 with --fs btrfs' --fs btrfs "$script"
says 'goes with one script' --extents "$script" "$script" "$script"
printf 'op 1 extents A\nret 1 n=1 [0P+0P written colour-ok]\n' >"$scratch/l"
says "$scratch/l:2: not an extent" --extents "$scratch/l" "$script"

for race in "$corpus"/race/*.script; do
	udax replay "$race" >"$scratch/1" || fail "$race"
	udax replay "$race" >"$scratch/2"
	cmp -s "$scratch/1" "$scratch/2" || fail "$race: two logs"
	grep -q '^op .* go$' "$scratch/1" || fail "$race: no go"
	! grep -E '^ret [0-9]+ (SIG|E[A-Z])' "$scratch/1" ||
		fail "$race: an operation failed"
done
