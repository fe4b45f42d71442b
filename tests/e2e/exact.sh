#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# --track exact: real programs on real memory have the faults that the kernel has.
# Each story is told twice, to a program under udax and to the model, which
# reproduces what kernels were recorded to do; the counts must be the same, and
# what they must be is written down as well.

. "${top_srcdir:-.}/tests/functions.sh"
requires_uffd
mapper=$top_builddir/mapper
pmem=$scratch/p
mkdir "$pmem"

# counts LOG: page faults that ended by 4K, by 2M; reads, writes; attempts that
# fell back, that had to sync first. In a log of the model an attempt is an f line.
counts () {
	sed -n 's/^ *f .* try=\([^ ]*\) acc=\([^ ]*\) .* res=\([^ ]*\).*/\1 \2 \3/p' "$1" |
	awk '/FALLBACK/ { fallback++; next }
		/NEEDDSYNC/ { sync++ }
		$1 == "PTE" { pte++ }
		$1 == "PMD" { pmd++ }
		$2 ~ /^w/ { write++; next }
		{ read++ }
		END { print pte+0, pmd+0, read+0, write+0, fallback+0, sync+0 }'
}

# story WHAT COUNTS SCRIPT OP...: operations of the script are separated by ';'.
story () {
	what=$1
	want=$2
	echo "$3" | tr ';' '\n' >"$scratch/story.script"
	shift 3
	udax replay --driver model --kernel 6.18 --fs xfs "$scratch/story.script" \
		>"$scratch/story.log" || fail "$what: udax replay"
	model=$(counts "$scratch/story.log")
	test "$model" = "$want" ||
		fail "$what: the model has $model, not $want: $(cat "$scratch/story.log")"
	rm -f "$pmem/f"
	udax_run "$pmem" --track exact -- "$mapper" "$pmem/f" "$@" \
		>"$scratch/out" </dev/null || fail "$what: exit status $?"
	live="$(summary faults.pte) $(summary faults.pmd) $(summary faults.read)"
	live="$live $(summary faults.write) $(summary result.fallback)"
	live="$live $(summary result.needdsync)"
	echo "$what: $live"
	test "$live" = "$want" || {
		cat "$scratch/summary.json"
		fail "$what: $live, not $want"
	}
	test "$(summary track)" = exact || fail "the summary does not say exact"
	expect unknown -eq 0
}

#                                     pte pmd read write fallback sync
story "4K: read, then write"          "2 0 1 1 1 0" \
	"create A 8K; map A A shared rw 0 4K; touch 0 A 0 r; touch 0 A 0 w; touch 0 A 0 r" \
	size 8k map 0 4k rw get 0 put 0 5 get 0
story "4K: msync, then write"         "2 0 0 2 1 0" \
	"create A 8K; map A A shared rw 0 4K; touch 0 A 0 w; msync A 0 4K; touch 0 A 0 r; touch 0 A 0 w; touch 0 A 0 w" \
	size 8k map 0 4k rw put 0 1 sync get 0 put 0 2 put 0 3
story "2M: a hole is read, then written" "0 2 1 1 0 0" \
	"create A 4M; map A A shared rw 0 4M; touch 0 A 0 r; touch 0 A 4K r; touch 0 A 8K w; touch 0 A 0 w" \
	size 4m map 0 4m rw get 0 get 4k put 8k 1 put 0 1
story "2M: fsync, then write"         "0 3 0 3 0 0" \
	"create A 4M; map A A shared rw 0 4M; touch 0 A 0 w; touch 0 A 2M w; fsync A; touch 0 A 4K r; touch 0 A 4K w; touch 0 A 0 w" \
	size 4m map 0 4m rw put 0 1 put 2m 1 fsync get 4k put 4k 2 put 0 2
story "a zero page is replaced in another mapping" "3 0 2 1 2 0" \
	"create A 3M; map A A shared rw 0 3M; map B A shared rw 0 3M; touch 0 A 2M r; touch 0 B 2M w; touch 0 A 2M r" \
	size 3m map 0 3m rw map 0 3m rw use 1 get 2m use 2 put 2m 7 use 1 get 2m
story "2M zero, taken apart by another colour" "2 1 3 0 2 0" \
	"create A 4M; map A A shared r 0 4M; map B A shared r 0 4M 1; touch 0 A 0 r; touch 0 B 0 r; touch 0 A 0 r" \
	size 4m map 0 4m r get 0 colour 0 4m r get 0 use 1 get 0
story "munmap of a part"              "2 1 2 1 1 0" \
	"create A 4M; map A A shared rw 0 4M; touch 0 A 0 w; munmap A 4K 4K; touch 0 A 0 r; touch 0 A 8K r" \
	size 4m map 0 4m rw put 0 5 unmappart 4k 4k get 0 get 8k
story "mprotect and back: pages"      "1 0 0 1 1 0" \
	"create A 1M; map A A shared rw 0 1M; touch 0 A 0 w; mprotect A 0 1M r; touch 0 A 0 r; mprotect A 0 1M rw; touch 0 A 0 w" \
	size 1m map 0 1m rw put 0 1 protect 0 1m r get 0 protect 0 1m rw put 0 2
story "mprotect and back: 2M"         "0 2 0 2 0 0" \
	"create A 4M; map A A shared rw 0 4M; touch 0 A 0 w; mprotect A 0 4M r; touch 0 A 0 r; mprotect A 0 4M rw; touch 0 A 4K w" \
	size 4m map 0 4m rw put 0 1 protect 0 4m r get 0 protect 0 4m rw put 4k 2
story "mprotect of a part of 2M"      "1 1 1 1 1 0" \
	"create A 4M; map A A shared rw 0 4M; touch 0 A 0 w; mprotect A 4K 4K r; touch 0 A 0 r" \
	size 4m map 0 4m rw put 0 1 protect 4k 4k r get 0
story "MADV_DONTNEED frees the page table" "3 1 4 0 2 0" \
	"create A 4M; map A A shared r 0 4M; map B A shared r 0 4M 1; touch 0 B 0 r; touch 0 A 4K r; truncate A 4M; touch 0 A 0 r; madvise A 0 2M dontneed; truncate A 4M; touch 0 A 0 r" \
	size 4m map 0 4m r colour 0 4m r get 0 use 1 get 4k size 4m get 0 \
	advise dontneed 0 2m size 4m get 0
story "a punch elsewhere"             "1 3 2 2 1 0" \
	"create A 4M; map A A shared rw 0 4M; touch 0 A 0 w; touch 0 A 2M w; punch A 2M 4K; touch 0 A 0 r; touch 0 A 2M r" \
	size 4m map 0 4m rw put 0 5 put 2m 6 punch 2m 4k get 0 get 2m
story "MADV_REMOVE"                   "1 3 2 2 1 0" \
	"create A 4M; map A A shared rw 0 4M; touch 0 A 0 w; touch 0 A 2M w; madvise A 2M 4K remove; touch 0 A 0 r; touch 0 A 2M r" \
	size 4m map 0 4m rw put 0 5 put 2m 6 advise remove 2m 4k get 0 get 2m
story "truncate to more"              "0 2 1 1 0 0" \
	"create A 4M; map A A shared rw 0 4M; touch 0 A 0 w; truncate A 8M; touch 0 A 0 r" \
	size 4m map 0 4m rw put 0 5 size 8m get 0
story "pwrite into a hole"            "1 1 2 0 1 0" \
	"create A 4M; map A A shared rw 0 4M; touch 0 A 0 r; pwrite A 0 4K 7; touch 0 A 0 r; touch 0 A 0 r" \
	size 4m map 0 4m rw get 0 pwrite 0 7 get 0 get 0
story "pwrite to blocks"              "0 1 0 1 0 0" \
	"create A 4M; map A A shared rw 0 4M; touch 0 A 0 w; pwrite A 0 4K 7; touch 0 A 0 r; touch 0 A 4K w" \
	size 4m map 0 4m rw put 0 1 pwrite 0 7 get 0 put 4k 1
story "MAP_SYNC"                      "0 2 0 2 0 1" \
	"create A 4M; map A A sync rw 0 4M; touch 0 A 0 w; touch 0 A 4K w; msync A 0 4M; touch 0 A 0 w" \
	size 4m syncmap 0 4m rw put 0 5 put 4k 6 sync put 0 7
story "a forked child"                "0 2 1 1 0 0" \
	"create A 4M; map A A shared rw 0 4M; touch 0 A 0 w; child A 0 r" \
	size 4m map 0 4m rw put 0 5 fork get 0
story "mremap"                        "0 1 0 1 0 0" \
	"create A 4M; map A A shared rw 0 4M; touch 0 A 0 w; mremap A 0 4M B; touch 0 B 0 w; touch 0 B 4K r" \
	size 4m map 0 4m rw put 0 5 move put 0 6 get 4k
story "entries are the file's"        "2 1 2 1 2 0" \
	"create A 4M; map A A shared rw 0 4K; touch 0 A 0 w; munmap A 0 4K; map B A shared rw 0 4M; touch 0 B 2M r; touch 0 B 0 r" \
	size 4m map 0 4k rw put 0 5 unmap map 0 4m rw get 2m get 0
story "private: a store in a 2M mapping" "1 1 1 1 0 0" \
	"create A 4M; map A A private rw 0 4M; touch 0 A 0 r; touch 0 A 8K w; touch 0 A 8K r" \
	size 4m private 0 4m rw get 0 put 8k 5 get 8k
