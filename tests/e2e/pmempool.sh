#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# pmempool creates, describes and checks pools of PMDK's three kinds. Pools have
# a time and random identities, so each kind of run checks the other's.

. "${top_srcdir:-.}/tests/functions.sh"
requires_cmd pmempool
requires_uffd
mkdir "$scratch/p" "$scratch/n"

# What of `pmempool info` does not depend on when the pool was made.
info () {
	grep -v -E 'UUID|Creation Time|Checksum|^path|uuid' |
		sed 's/  *$//'
}
create () {
	pool=$1
	shift
	"$@" create obj --layout=x --size=16M "$pool.obj" || fail "obj: $*"
	"$@" create log --size=17M "$pool.log" || fail "log: $*"
	"$@" create blk --size=17M 512 "$pool.blk" || fail "blk: $*"
}
check () {
	pool=$1
	shift
	for kind in obj log blk; do
		"$@" check -v "$pool.$kind" || fail "check $kind: $*"
	done
}

cd "$scratch/n" || exit 1
create "$scratch/n/o" pmempool
create "$scratch/p/o" udax_run "$scratch/p" -- pmempool
expect_faults
check "$scratch/p/o" pmempool
cp "$scratch/n/o.obj" "$scratch/p/n.obj"
for kind in log blk; do
	cp "$scratch/n/o.$kind" "$scratch/p/n.$kind"
done
check "$scratch/p/n" udax_run "$scratch/p" -- pmempool
expect_faults

for kind in obj log blk; do
	pmempool info "$scratch/n/o.$kind" >"$scratch/info" || fail "info"
	info <"$scratch/info" >"$scratch/native.out"
	udax_run "$scratch/p" -- pmempool info "$scratch/p/o.$kind" \
		>"$scratch/info" || fail "info under udax"
	expect_faults
	info <"$scratch/info" >"$scratch/udax.out"
	same_output out
done
# An identical copy of one pool gives identical words, to the byte.
pmempool info "$scratch/p/o.obj" >"$scratch/native.out"
udax_run "$scratch/p" -- pmempool info "$scratch/p/o.obj" >"$scratch/udax.out"
same_output out
