#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# udax sim: what it prints, refuses, and that a seed is all that decides.

. "${top_srcdir:-.}/tests/functions.sh"
requires_cmd "$python"

refused () {
	udax sim "$@" >"$scratch/out" 2>"$scratch/err"
	expect_status $? 2 "sim $*"
	test -s "$scratch/err" || fail "sim $*: nothing on stderr"
	test ! -s "$scratch/out" || fail "sim $*: $(cat "$scratch/out")"
}

refused --protocol nosuch
refused --protocol 616,
refused --cpus 0
refused --tasks 1000000
refused --files 17
refused --pages 513
refused --pages 1 --conflict 0.5
refused --pmd 1.5
refused --pmd -1
refused --arrivals poisson
refused --arrivals poisson:0
refused --arrivals poisson:10/cpu
refused --hold alloc=fast
refused --hold alloc=50us,sleep=1us
refused --cost walk=5ns
refused --cost lookup
refused --think 5
refused --faults 0
refused --seed x
refused --hold file:/nowhere/f
refused --hold trace:/dev/null
refused --hold '*.db:alloc=5us'
refused argument

same='d = json.load(sys.stdin)
for r in d["results"]:
    del r["wall_ns"]
print(json.dumps(d))'
sim () {
	udax sim --faults 3000 --tasks 64 --hold alloc=50us,read=exp:5us \
		--invalidates 20000 --json "$@" >"$scratch/json" ||
		fail "sim $*"
	"$python" -c "import json, sys
$same" <"$scratch/json"
}

# Two runs differ in nothing but the time they took.
sim --protocol all --seed 3 >"$scratch/one"
sim --protocol all --seed 3 >"$scratch/two"
cmp "$scratch/one" "$scratch/two" || fail "one seed, two results"
sim --protocol all --seed 4 >"$scratch/two"
cmp -s "$scratch/one" "$scratch/two" && fail "two seeds, one result"

# A protocol's result does not depend on its company.
sim --protocol dan-all,616 >"$scratch/both"
sim --protocol 616 >"$scratch/alone"
"$python" - "$scratch/both" "$scratch/alone" <<'EOT' || fail "not what 616 does alone"
import json, sys
both, alone = (json.load(open(f)) for f in sys.argv[1:])
assert both["config"] == alone["config"]
assert [r["protocol"] for r in both["results"]] == ["dan-all", "616"]
assert both["results"][1] == alone["results"][0]
EOT

# The question: waiting for another page's entry.
udax sim --protocol dan-all,616 --tasks 256 --cpus 64 --hold alloc=50us --seed 1 \
	--faults 20000 --json --cdf >"$scratch/json" || fail "dan-all, 616"
"$python" - "$scratch/json" <<'EOT' || fail "dan-all, 616: $(cat "$scratch/json")"
import json, sys
dan, now = json.load(open(sys.argv[1]))["results"]
for r in dan, now:
    assert r["faults"]["total"] == 20000
    assert r["lost_wakeups"] == r["stranded"] == 0
    assert r["faults"]["pte"] + r["faults"]["pmd"] == 20000
    stall = r["stall_ns"]["pte_on_pte"]
    assert len(stall["cdf"]) == 101 and stall["cdf"] == sorted(stall["cdf"])
    assert stall["cdf"][100] == stall["max"] and stall["cdf"][50] == stall["p50"]
assert dan["stall_ns"]["pmd_on_other_pte"]["count"] > 100
assert dan["stall_ns"]["avoidable"] > 0 and dan["wakes"]["misdirected"] > 100
assert now["stall_ns"]["avoidable"] == now["wakes"]["misdirected"] == 0
EOT

# Recorded times.
printf '50us\nread 10us\n' >"$scratch/times"
udax sim --faults 2000 --hold "file:$scratch/times" --json >"$scratch/json" ||
	fail "--hold file:"
"$python" - "$scratch/json" <<'EOT' || fail "$(cat "$scratch/json")"
import json, sys
hold = json.load(open(sys.argv[1]))["config"]["hold"]
assert hold["alloc"] == {"kind": "recorded", "mean_ns": 50000}
assert hold["read"] == {"kind": "recorded", "mean_ns": 10000}
EOT

# For people.
udax sim --faults 2000 --protocol buggy,616 --conflict 0.5 --hold alloc=50us \
	>"$scratch/table" || fail "table"
grep -q -E '^ +buggy +616$' "$scratch/table" || fail "$(cat "$scratch/table")"
grep -q -E '^lost +[1-9][0-9]* +0$' "$scratch/table" || fail "$(cat "$scratch/table")"
