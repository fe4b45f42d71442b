#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# udax check --race allows every outcome that a real kernel was seen to have, for
# each recorded race, kernel and file system; and exactly what was reasoned out
# for the small ones beside this script.

. "${top_srcdir:-.}/tests/functions.sh"
requires_cmd "$python"

corpus=$top_srcdir/tests/corpus/data/race
own=$top_srcdir/tests/race

# allows SCRIPT FILE OPTION...: all outcomes of FILE.
allows () {
	script=$1 file=$2
	shift 2
	udax check --race "$script" --against "$file" "$@" >"$scratch/missing" \
		2>"$scratch/err" ||
		fail "$file $*: $(cat "$scratch/err" "$scratch/missing")"
	test ! -s "$scratch/missing" || fail "$file: $(cat "$scratch/missing")"
}

checked=0
for kernel in 6.18 6.1; do
	for fs in xfs ext4; do
		dir=$corpus/$(echo $kernel | tr -d .)/$fs
		for file in "$dir"/*.outcomes; do
			allows "$corpus/$(basename "$file" .outcomes).script" \
				"$file" --kernel $kernel --fs $fs
			checked=$((checked + 1))
		done
	done
done
test $checked -ge 24 || fail "the corpus is not all there: $checked"

# No more than was reasoned out, and no less; each step of its own gives the same.
for expected in "$own"/*.outcomes; do
	script=${expected%.outcomes}.script
	udax check --race "$script" >"$scratch/set" || fail "$script"
	allows "$script" "$expected"
	allows "$script" "$scratch/set" --no-por
	test "$(grep -c '^outcome' "$scratch/set")" = \
		"$(grep -c '^outcome' "$expected")" ||
		fail "$script: more outcomes: $(cat "$scratch/set")"
done

# What may come of a script on standard input with OPTION...: NUMBER outcomes.
has () {
	number=$1
	shift
	cat >"$scratch/has.script"
	udax check --race "$scratch/has.script" "$@" >"$scratch/set" ||
		fail "$*: $(cat "$scratch/has.script")"
	test "$(grep -c '^outcome' "$scratch/set")" = "$number" ||
		fail "$*: $(cat "$scratch/has.script" "$scratch/set")"
}

# A walk of page tables that had skipped an empty window was taken for one that had
# just left it.
has 10 <<'END'
create A 4M
pwrite A 0 4M 7
map N A private rw 0 4M
touch 5 N 2M r
arm 0 N 0 r
arm 2 N 2M w 3
go
madvise N 0 4M dontneed
join 0
join 2
END

# The attempt that slept is the script's, not the one of the thread it speaks for.
has 4 --live --protocol radix --kernel 6.1 --fs ext4 <<'END'
create A 4M
map M A sync rw 0 4M
arm 0 M 1M r
go
touch 0 M 4K r
touch 0 M 1M w 1
join 0
END
grep -q 'res=NEEDDSYNC WAITED' "$scratch/set" || fail "$(cat "$scratch/set")"
! grep -q 'res=NOPAGE WAITED' "$scratch/set" || fail "$(cat "$scratch/set")"

# One after the other: a truncate that has nothing to unmap was taken for one that
# has not begun to, and whatever comes after it was not looked at.
cat >"$scratch/serial.script" <<'END'
create A 2M
map M A shared rw 0 2M
arm 0 M 0 w 1
arm 1 M 1M r
go
truncate A 4K
join 0
join 1
END
cat >"$scratch/serial.outcomes" <<'END'
outcome x1
  T0: p M+0P user w np
  T0: f M+0P pg=0 try=PMD acc=w grab=- ins=- unl=- res=FALLBACK
  T0: f M+0P pg=0 try=PTE acc=w grab=PTE.EMPTY ins=PTE unl=PTE res=MAJOR|NOPAGE
  T1: p M+256P user r np
  T1: f M+256P pg=256 try=PTE acc=r grab=- ins=- unl=- res=SIGBUS
  = truncate A 4K -> ok
  = join 0 -> ok
  = join 1 -> SIGBUS
END
allows "$scratch/serial.script" "$scratch/serial.outcomes"
allows "$scratch/serial.script" "$scratch/serial.outcomes" --no-por

# same_set SCRIPT OPTION...: with and without reduction.
same_set () {
	udax check --race "$@" 2>"$scratch/err" >"$scratch/set" || fail "$*"
	udax check --race "$@" --no-por 2>"$scratch/err" >"$scratch/all" ||
		fail "$* --no-por"
	sed 1d "$scratch/set" >"$scratch/1"
	sed 1d "$scratch/all" >"$scratch/2"
	cmp "$scratch/1" "$scratch/2" || fail "$*: --no-por has another set"
}

# What is merged, or not looked at apart, changes no set.
for script in "$corpus"/*.script "$own"/*.script; do
	same_set "$script" --fs xfs
	same_set "$script" --fs ext4
done
for expected in "$own"/*.outcomes; do
	same_set "${expected%.outcomes}.script" --live
	same_set "${expected%.outcomes}.script" --kernel 6.1 --fs ext4
done
# A 2M attempt that falls back by its extent holds its entry for a while.
cat >"$scratch/extent.script" <<'END'
create A 2M+8K
pwrite A 64K 4K 9
map M A shared rw 0 4M
arm 0 M 64K r
arm 1 M 64K r
go
join 0
join 1
END
same_set "$scratch/extent.script"
grep -q 'res=FALLBACK WAITED' "$scratch/1" || fail "nobody waits for its entry"
for protocol in buggy dan; do
	same_set "$corpus/r02-hole-pmd-vs-pte.script" --protocol $protocol
	same_set "$own/zero.script" --protocol $protocol --live
done

# threads N FROM OPERATION: N stores to pages of one window, from FROM K on,
# against the operation.
threads () {
	for i in $(seq 0 $(($1 - 1))); do
		echo "arm $i M $(($2 + i * 64))K w $((i + 1))"
	done
	echo go
	test -z "$3" || echo "$3"
	for i in $(seq 0 $(($1 - 1))); do
		echo "join $i"
	done
}

# fits STATES DISTINCT OPTION...: the script $scratch/big has no more states.
fits () {
	states=$1 distinct=$2
	shift 2
	udax check --race "$scratch/big" --max-states "$states" "$@" \
		>"$scratch/out" 2>"$scratch/err" ||
		fail "$*: $(cat "$scratch/big" "$scratch/err")"
	grep -q "^# .* distinct $distinct " "$scratch/out" ||
		fail "$*: $(cat "$scratch/big"; head -n 1 "$scratch/out")"
}

# Threads more make more states, but not as many as they may say things.
{ echo 'create A 4M'; echo 'map M A shared rw 0 4M'; threads 3 0 ''; } \
	>"$scratch/big"
fits 10000 48 --live
{ echo 'create A 4M'; echo 'pwrite A 0 4M 7'; echo 'map M A shared rw 0 4M'
	threads 2 1024 'truncate A 1M'; } >"$scratch/big"
fits 3000 33
{ echo 'create A 4M'; echo 'pwrite A 0 4M 7'; echo 'map M A private rw 0 4M'
	threads 2 0 'munmap M 0 2M'; } >"$scratch/big"
fits 1500 17 --live
{ echo 'create A 4M'; echo 'map M A sync rw 0 4M'; threads 1 0 'fsync A'; } \
	>"$scratch/big"
fits 250 7

# ^C while it runs: what is known is told, and the status says so.
{ echo 'create A 4M'; echo 'map M A sync rw 0 4M'; threads 6 0 'fsync A'; } \
	>"$scratch/big"
"$top_builddir/udax" check --race "$scratch/big" --json >"$scratch/json" \
	2>"$scratch/err" &
pid=$!
until grep -q '^SigCgt:.*[2367abef]$' /proc/$pid/status; do
	kill -0 $pid || fail "it has ended: $(cat "$scratch/err")"
done
kill -INT $pid
wait $pid
expect_status $? 130 "interrupted"
test "$(field "$scratch/json" complete)" = false || fail "$(cat "$scratch/json")"
grep -q interrupted "$scratch/err" || fail "no word of the interruption"

# The same text each time.
udax check --race "$own/zero.script" >"$scratch/1" || fail "zero"
udax check --race "$own/zero.script" >"$scratch/2" || fail "zero"
cmp "$scratch/1" "$scratch/2" || fail "two different texts"

# An outcome that is not allowed is told, with status 1.
sed 's/val=02/val=00/' "$own/msync.outcomes" >"$scratch/wrong"
udax check --race "$own/msync.script" --against "$scratch/wrong" \
	>"$scratch/out" 2>"$scratch/err"
expect_status $? 1 "a wrong value"
grep -q 'touch 2 M 1M r -> val=00' "$scratch/out" || fail "not shown"
grep -q '7 of 7 outcomes are not allowed' "$scratch/err" ||
	fail "$(cat "$scratch/err")"

udax check --race "$own/zero.script" --json >"$scratch/json" || fail "--json"
"$python" - "$scratch/json" <<'END' || fail "--json: $(cat "$scratch/json")"
import json, sys
x = json.load(open(sys.argv[1]))
assert x["race"] == "zero" and x["kernel"] == "6.18" and x["fs"] == "xfs"
assert x["protocol"] == "616" and x["complete"] and not x["live"]
assert x["states"] > 0 and x["hangs"] == 0 and x["cut"] == 0
assert len(x["outcomes"]) == 3
assert all(o["count"] == 1 for o in x["outcomes"]) and x["runs"] > 0
assert all(l[0] in "T=" for o in x["outcomes"] for l in o["lines"])
END

# The bug of 2019 hangs a race, too: 2M against a locked page entry.
udax check --race "$corpus/r02-hole-pmd-vs-pte.script" --protocol buggy \
	>"$scratch/out" 2>"$scratch/err" || fail "buggy"
grep -q 'sleeps for ever' "$scratch/err" || fail "buggy: nobody hangs"
grep -q -e '-> HANG$' "$scratch/out" || fail "buggy: no HANG"

# Two threads that pull a page away from each other may do so for ever.
udax check --race "$own/pull.script" --faults 2 >"$scratch/out" \
	2>"$scratch/err" || fail "pull"
grep -q 'more than 2 faults are left out' "$scratch/err" ||
	fail "nothing was cut: $(cat "$scratch/err")"

# refused STATUS WORDS ARG...
refused () {
	status=$1 words=$2
	shift 2
	udax check "$@" >"$scratch/out" 2>"$scratch/err"
	expect_status $? "$status" "check $*"
	grep -q -e "$words" "$scratch/err" || fail "$*: $(cat "$scratch/err")"
}
refused 125 'more than 5 states' --race "$own/zero.script" --max-states 5
grep -q incomplete "$scratch/out" || fail "not told as incomplete"
refused 2 'No such file' --race "$scratch/none.script"
refused 2 'No such file' --race "$own/zero.script" --against "$scratch/none"
refused 2 'no --kernel 5.0' --race "$own/zero.script" --kernel 5.0
refused 2 'no such protocol' --race "$own/zero.script" --protocol none
refused 2 '1 to 64' --race "$own/zero.script" --faults 0
refused 2 'go with --race' --live
refused 2 'goes with none of' --race "$own/zero.script" --litmus L1
refused 2 'one script' --race "$own/zero.script" "$own/zero.script"
echo 'outcome 3' >"$scratch/bad"
refused 2 "$scratch/bad:1: not 'outcome xN'" --race "$own/zero.script" \
	--against "$scratch/bad"
