#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# A traced run: what udax script prints is what the summary counted, in each format
# and with each filter; traces that are full, cut short, damaged, none, or still
# being written.

. "${top_srcdir:-.}/tests/functions.sh"
requires_uffd
mkdir "$scratch/p"
trace=$scratch/trace

# script OPTION...: of $trace, to $scratch/out; nothing on stderr.
script () {
	udax script "$@" "$trace" >"$scratch/out" 2>"$scratch/err" ||
		fail "script $*: $? $(cat "$scratch/err")"
	test ! -s "$scratch/err" || fail "script $*: $(cat "$scratch/err")"
}
# lines N PATTERN: so many of the output match.
lines () {
	n=$(grep -c -E -e "$2" "$scratch/out")
	test "$n" = "$1" || { head -n 20 "$scratch/out"
		fail "$n lines with $2, wanted $1"; }
}

# Every kind of fault: 2M and 4K, into holes, conflict, private copies; processes that
# meet in one window, whose holder is slow; write-back.
cat >"$scratch/faults.py" <<'END'
import mmap, multiprocessing, sys
f = open(sys.argv[1] + "/f", "w+b")
f.truncate(16 << 20)
m = mmap.mmap(f.fileno(), 0)
fork = multiprocessing.get_context("fork")
gate = fork.Barrier(4)
def touch(i):
    for window in range(4):
        gate.wait()
        m[(window << 21) + (i << 12)] = i + 1
children = [fork.Process(target=touch, args=(i,)) for i in range(4)]
for c in children: c.start()
for c in children: c.join()
assert not any(c.exitcode for c in children)
assert m[8 << 20] == 0
m[(8 << 20) + 4096] = 1
m.flush()
n = mmap.mmap(f.fileno(), 4 << 20, access=mmap.ACCESS_COPY)
assert n[0] == 1
n[0] = 2
half = mmap.mmap(f.fileno(), 1 << 20, offset=10 << 20)
half[4096] = 1
assert half[8192] == 0
half[8192] = 1
m[(10 << 20) + 12288] = 1
END
# traced MODE: the run, and is the trace what the summary says?
traced () {
	udax_run "$scratch/p" --hold alloc=20ms --track "$1" --trace "$trace" \
		-- "$python" "$scratch/faults.py" "$scratch/p" ||
		fail "the program, --track $1: $?"
	expect_pmd
	for format in json chrome; do
		script --format $format
		cp "$scratch/out" "$scratch/trace.$format"
	done
	"$python" "$top_srcdir/tests/cli/trace-check.py" "$scratch/trace.json" \
		"$scratch/summary.json" "$scratch/trace.chrome" ||
		fail "the trace is not the run's, --track $1"
}
traced exact
script -e dax_pte_fault_done
lines 1 ' shared WRITE\|MKWRITE\|USER address .* (MAJOR\|)?NOPAGE$'
traced fast
expect faults.pte -gt 0
expect waits -gt 0
expect wakes.next -gt 0
expect fallback.conflict -gt 0
expect result.cow -gt 0

# The kernel's own text: the result where other people's scripts look for it.
script
awk '/dax_pmd_fault_done:/ { n[$21]++ }
	END { for (result in n) print result, n[result] }' "$scratch/out" |
	sort >"$scratch/results"
printf 'FALLBACK %d\nNOPAGE %d\n' "$(summary result.fallback)" \
	"$(summary faults.pmd)" | diff "$scratch/results" - || fail "field 21"
inode=$(stat -c %i "$scratch/p/f")
pmd=$(printf '^ *python3-[0-9]+ +\[[0-9]{3}\] +[0-9]+\.[0-9]{6}: %s%s%s' \
	'dax_pmd_fault_done: +dev [0-9]+:[0-9]+ ino '"$(printf '%#x' "$inode")" \
	' shared WRITE\|USER address 0x[0-9a-f]+ vm_start 0x[0-9a-f]+' \
	' vm_end 0x[0-9a-f]+ pgoff 0x[0-9a-f]+ max_pgoff 0x1000 NOPAGE$')
grep -q -E -e "$pmd" "$scratch/out" || fail "no line like $pmd"
for event in dax_pmd_load_hole dax_insert_mapping dax_pmd_insert_mapping \
		dax_entry_wait_begin dax_entry_wait_end dax_entry_wake \
		dax_entry_lock dax_entry_unlock dax_entry_conflict \
		dax_writeback_range dax_writeback_range_done \
		udax_page_fault udax_install udax_unmap; do
	grep -q " $event: " "$scratch/out" || fail "no $event"
done

# Filters.
script -e dax_pmd_fault_done,dax_pte_fault_done
lines "$(summary faults.total)" 'fault_done: .* (MAJOR\|)?(NOPAGE|DONE_COW)$'
lines 0 udax_
script -e 'dax_entry_wait_*'
lines $(($(summary waits) * 2)) 'dax_entry_wait_(begin|end): '
tid=$(sed -n 's/^ *python3-\([0-9]*\) .*dax_entry_wait_begin:.*/\1/p' \
	"$scratch/out" | head -n 1)
script --tid "$tid"
test "$(grep -c " python3-$tid " "$scratch/out")" -gt 2 || fail "thread $tid"
grep -v " python3-$tid " "$scratch/out" && fail "more than thread $tid"
udax script -e 'dax_pte_*,dax_no_such' "$trace" >"$scratch/out" 2>"$scratch/err"
expect_status $? 0 "an event that is not there"
test -s "$scratch/out" || fail "what is there is not printed"
grep -q 'no event dax_no_such in it' "$scratch/err" || fail "$(cat "$scratch/err")"
test "$(wc -l <"$scratch/err")" = 1 || fail "$(cat "$scratch/err")"
script --pid 1
test ! -s "$scratch/out" || fail "events of process 1"

# A protocol that loses wakeups: who is left asleep, and is kicked.
udax_run "$scratch/p" --protocol buggy --hold alloc=20ms --trace "$trace" -- \
	"$python" "$top_srcdir/tests/e2e/lost.py" "$scratch/p" 2>"$scratch/err" ||
	fail "lost wakeups: $? $(cat "$scratch/err")"
expect lost_wakeups -gt 0
script --format json -e 'dax_entry_*'
lines "$(summary lost_wakeups)" '"dax_entry_stranded"'
lines "$(summary lost_wakeups)" '"dax_entry_wait_end".*"stranded":true'
lines "$(summary lost_wakeups)" '"kicked":true'

# A trace that is full keeps its beginning, and everybody says what is missing.
udax_run "$scratch/p" --trace "$trace" --trace-size 64k -- "$python" -c "
import mmap, sys
f = open('$scratch/p/full', 'w+b')
f.truncate(16 << 20)
for i in range(16):
    m = mmap.mmap(f.fileno(), 1 << 20, offset=i << 20)
    for j in range(256): m[j << 12] = 1
" || fail "a small trace"
expect trace_dropped -gt 0
udax script "$trace" >"$scratch/out" 2>"$scratch/err"
expect_status $? 0 "a trace with drops"
grep -q -F "$trace: $(summary trace_dropped) records were dropped" \
	"$scratch/err" || fail "drops: $(cat "$scratch/err")"
grep -q udax_page_fault "$scratch/out" || fail "nothing was kept"

# complains STATUS WORDS FILE: one line on stderr that names the file.
complains () {
	udax script "$3" >"$scratch/out" 2>"$scratch/err"
	expect_status $? "$1" "$3: $(cat "$scratch/err")"
	grep -q -F "udax: $3: $2" "$scratch/err" || fail "$(cat "$scratch/err")"
	test "$(wc -l <"$scratch/err")" = 1 || fail "$(cat "$scratch/err")"
}
traced fast
complains 2 'No such file' "$scratch/nothing"
complains 2 'not a trace' "$scratch/faults.py"
complains 2 'not a trace' "$scratch"
: >"$scratch/empty"
complains 2 'not a trace' "$scratch/empty"
head -c 100 "$trace" >"$scratch/header"
complains 2 'cut short in its header' "$scratch/header"
# Without its last ring, which tells who is who.
udax_run "$scratch/p" --trace "$scratch/whole" --trace-size 64K \
	-- "$python" "$scratch/faults.py" "$scratch/p" || fail "a small trace"
head -c $(($(stat -c %s "$scratch/whole") - 65536)) "$scratch/whole" \
	>"$scratch/cut"
complains 1 'cut short' "$scratch/cut"
grep -q ': ' "$scratch/out" || fail "nothing of a trace that is cut short"
# The first record of that ring: the others need not have any.
last=$(($(stat -c %s "$scratch/whole") - 65536))
cp --sparse=always "$scratch/whole" "$scratch/bad"
printf '\377\377\377\377\377\377\377\377' |
	dd of="$scratch/bad" bs=1 seek=$((last + 24)) conv=notrunc 2>/dev/null
complains 1 damaged "$scratch/bad"

# Whatever stands in a trace: an end, and a line that says so.
"$python" - "$trace" "$scratch/bad" "$top_builddir/udax" <<'END' || fail "damage"
import random, subprocess, sys
whole = open(sys.argv[1], "rb").read(1 << 20)
random.seed(1)
for n in range(20):
    bad = bytearray(whole[:random.choice((4096, 9000, 1 << 20))])
    for i in range(random.choice((1, 10, 100))):
        at = random.choice((random.randrange(4096),
                            4096 + random.randrange(4096)))
        if at < len(bad):
            bad[at] = random.choice((0, 255, bad[at] ^ 1 << random.randrange(8)))
    open(sys.argv[2], "wb").write(bad)
    for form in "text", "json", "chrome":
        p = subprocess.run([sys.argv[3], "script", "--format", form, sys.argv[2]],
                           stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        if p.returncode not in (0, 1, 2) or p.stderr.count(b"\n") > 2:
            sys.exit(f"round {n}, {form}: {p.returncode} {p.stderr}")
END

# A trace that cannot be written is an error before the program starts.
for bad in "$scratch/no/where" /dev/null "$scratch"; do
	udax run --pmem "$scratch/p" --trace "$bad" -- touch "$scratch/ran" \
		2>"$scratch/err"
	expect_status $? 125 "--trace $bad"
	test "$(wc -l <"$scratch/err")" = 1 || fail "$(cat "$scratch/err")"
	grep -q -F -e "--trace $bad: " "$scratch/err" || fail "$(cat "$scratch/err")"
	test ! -e "$scratch/ran" || fail "the program ran"
done
udax run --pmem "$scratch/p" --trace-size 1 -- true 2>"$scratch/err"
expect_status $? 0 "the least size"
udax run --pmem "$scratch/p" --trace-size many -- true 2>"$scratch/err"
expect_status $? 2 "no size"

# While it is being written: the fault that has happened is there; nobody else may
# write a trace there.
mkfifo "$scratch/in" "$scratch/told"
udax run --pmem "$scratch/p" -q --trace "$trace" -- "$python" -c "
import mmap
f = open('$scratch/p/live', 'w+b')
f.truncate(4 << 20)
m = mmap.mmap(f.fileno(), 0)
m[0] = 1
print('touched', flush=True)
input()
m[2 << 20] = 1
" <"$scratch/in" >"$scratch/told" &
run=$!
exec 9>"$scratch/in"
read -r word <"$scratch/told"
test "$word" = touched || fail "the program said $word"
fault_of_live () {
	udax script -e dax_pmd_fault_done --format json "$trace" >"$scratch/out" ||
		fail "script of a live trace"
	grep -q '"name":"live"' "$scratch/out"
}
wait_for fault_of_live	# it runs on before its fault is through with its entry
udax script --format chrome "$trace" | "$python" -m json.tool >/dev/null ||
	fail "chrome of a live trace"
udax run --pmem "$scratch/p" --trace "$trace" -- true 2>"$scratch/err"
expect_status $? 125 "two writers"
grep -q 'another udaxd writes' "$scratch/err" || fail "$(cat "$scratch/err")"
echo >&9
exec 9>&-
wait $run
expect_status $? 0 "the traced run"
script -e dax_pmd_fault_done
lines 2 NOPAGE
