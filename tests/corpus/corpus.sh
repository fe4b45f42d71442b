#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# A driver reproduces what real kernels recorded: for each kernel and file system,
# every scripted and every random scenario, less those that the file `deviations`
# names with a reason. A deviation that agrees is an error, too: the list stays
# short and true.

# live.sh has a driver of its own, and has made a place for its files.
if test -z "${driver:-}"; then
	. "${top_srcdir:-.}/tests/functions.sh"
	driver=model
fi

corpus=$top_srcdir/tests/corpus
compare=$corpus/compare
differ=0
agree=0

# deviates KERNEL FS NAME
deviates () {
	grep -v '^#' "$corpus/deviations" | grep -q "^$driver $1 $2 $3 "
}

# scenario KIND DIR KERNEL FS NAME
scenario () {
	log=$corpus/data/$1/$2/$4/$5.log
	udax replay --driver $driver --kernel "$3" --fs "$4" --extents "$log" \
		"$corpus/data/$1/$5.script" >"$scratch/log" ||
		fail "udax replay: $1/$5"
	"$compare" "$log" "$scratch/log" >"$scratch/diff"
	same=$?
	if deviates "$3" "$4" "$5"; then
		test $same != 0 || fail "$3 $4 $5 agrees, but is a deviation"
	elif test $same = 0; then
		agree=$((agree + 1))
	else
		echo "$3 $4 $5: recorded (<) and replayed (>) differ"
		cat "$scratch/diff"
		differ=$((differ + 1))
	fi
}

for kind in scripted random; do
	for kernel in 6.18 6.1; do
		dir=$(echo $kernel | tr -d .)
		for fs in xfs ext4; do
			for log in "$corpus/data/$kind/$dir/$fs"/*.log; do
				name=$(basename "$log" .log)
				scenario $kind "$dir" $kernel $fs "$name"
			done
		done
	done
done
echo "$agree agree, $differ differ"
test $agree -gt 300 || fail "the corpus is not all there"
test $differ = 0 || fail "$differ logs differ"
