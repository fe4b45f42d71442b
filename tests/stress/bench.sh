#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# udax-bench: its command line, and one short round of everything. What is
# judged is that it measures and reports, never how fast anything is.
. "${top_srcdir:-.}/tests/functions.sh"

bench () {
	timeout -k 10 170 "$top_builddir/udax-bench" "$@"
}

status_of () {
	bench "$@" >"$scratch/out" 2>"$scratch/err"
	is=$?
}

status_of list
expect_status $is 0
grep -q '^floor ' "$scratch/out" || fail "list has no floor"
for wrong in '' nosuch 'list more' 'run' 'run nosuch' 'run floor more' \
	'run all --json x' \
	'run floor --seed -1' 'run floor --protocol 616,nosuch' \
	'run floor --repeat 0' 'run floor --repeat x' 'run floor --nosuch'; do
	# shellcheck disable=SC2086 # words
	status_of $wrong
	expect_status $is 2 "udax-bench $wrong"
	grep -q '^usage:' "$scratch/err" || fail "no usage for: $wrong"
done
status_of run floor --dir /proc
expect_status $is 77
test -s "$scratch/err" || fail "no reason"

requires_uffd
status_of run floor --repeat 1 --quick --dir "$scratch" \
	--only 4k,4k-read,4k-random,around,2m,procs-4 --json "$scratch/floor.json"
test $is = 77 && skip "$(cat "$scratch/err")"
cat "$scratch/out"
expect_status $is 0
status_of run all --only idle --repeat 1 --seed 7 --dir "$scratch" \
	--json-dir "$scratch"
expect_status $is 0
"$python" - "$scratch/floor.json" "$scratch/idle.json" <<-'EOF2' ||
	import json, sys
	floor, idle = [json.load(open(f)) for f in sys.argv[1:]]
	for report in floor, idle:
	    assert report["udax_bench"] == 1 and report["exit"] == 0
	    assert report["udaxd"]["version"] and report["host"]["affinity"]
	assert idle["seed"] == 7
	assert idle["command"] == "udax-bench run idle --seed 7 --repeat 1"
	assert floor["host"]["kernel"] and floor["host"]["command"][1] == "run"
	groups = {g["name"]: g for g in floor["groups"]}
	assert len(groups) == 6 and {"4k", "2m", "around"} <= set(groups)
	for group in groups.values():
	    names = [v["name"] for v in group["variants"]]
	    assert "native" in names, names
	    assert any(name.startswith("udax") for name in names), names
	    for variant in group["variants"]:
	        assert len(variant["rounds"]) == 1
	        assert variant["rounds"][0]["touches"] > 0
	        assert variant["rounds"][0]["ns"] > 0
	udax = [v for v in groups["2m"]["variants"] if v["name"] == "udax"][0]
	assert udax["rounds"][0]["huge_bytes"] > 0
	assert udax["daemon_private_kb"] > 0
	assert {"floor-4k", "floor-4k-ratios"} <= {t["name"] for t in floor["tables"]}
	assert floor["read"] and floor["not"]
	assert idle["seconds"][0]["cpu_ns"] >= 0
EOF2
	fail "the reports: see above"

# e3, one cell of each kind.
status_of run e3 --quick --repeat 1 --only hold,pages,load --protocol 616,dan-all \
	--dir "$scratch" --json "$scratch/e3.json"
cat "$scratch/out" "$scratch/err"
expect_status $is 0
"$python" - "$scratch/e3.json" <<-'EOF3' || fail "e3's report: see above"
	import json, sys
	e3 = json.load(open(sys.argv[1]))
	assert e3["rule"] and len(e3["answer"]) == 3
	assert e3["verdict"]["converging"] == "not measured", "one round decides"
	cells = {(c["group"], c["name"]): c for c in e3["cells"]}
	held = cells["hold", "500us"]
	for variant in held["variants"]:
	    assert variant["protocol"] in ("616", "dan-all") and not variant["hung"]
	    (round,) = variant["rounds"]
	    # Half of the faults are large, and a good part of these meet a small one.
	    assert round["large"]["n"] + round["large_shared"]["n"] == 	        round["small"]["n"] + round["small_shared"]["n"]
	    assert round["large_shared"]["p50"] > 500000
	    waits = round["counters"]["stalls"]["pmd_on_pte"]["n"]
	    if variant["protocol"] == "616":
	        assert waits == 0
	        assert round["counters"]["conflicts"] > 0
	    else:
	        assert round["counters"]["useful_waits"] == 0
EOF3

# The simulated load that arranges nothing: 2M attempts meet 4K entries all the same,
# and none waits for one under 616.
status_of run e3 --quick --only sim --protocol 616,dan-all --dir "$scratch" \
	--json "$scratch/e3sim.json"
expect_status $is 0
"$python" - "$scratch/e3sim.json" <<-'EOF7' || fail "e3, simulated: see above"
	import json, sys
	e3 = json.load(open(sys.argv[1]))
	(natural,) = [c for c in e3["cells"] if c["group"] == "natural"]
	assert "--conflict" not in natural["options"]
	for variant in natural["variants"]:
	    for round in variant["rounds"]:
	        assert round["counters"]["conflicts"] > 0
	        waits = round["counters"]["stalls"]["pmd_on_pte"]["n"]
	        assert variant["name"] != "616" or waits == 0
	assert "natural" in [t["name"] for t in e3["tables"]]
EOF7

# What is simulated is a function of the seed: twice the same.
for nr in 1 2; do
	status_of run e7 --quick --only sim --seed 5 --json "$scratch/e7.$nr"
	expect_status $is 0
	status_of run e6 --quick --only sim --seed 5 --json "$scratch/e6.$nr"
	expect_status $is 0
done
"$python" - "$scratch" <<-'EOF5' || fail "simulated: see above"
	import json, sys
	for name in "e6", "e7":
	    a, b = (json.load(open("%s/%s.%d" % (sys.argv[1], name, nr)))
	            for nr in (1, 2))
	    assert a["cells"] and a["cells"] == b["cells"], name
	    for cell in a["cells"]:
	        assert cell["driver"] == "sim"
	        for variant in cell["variants"]:
	            assert variant["rounds"][0]["touches"] > 0
	# One key a window wakes those of other pages; a key an entry does not, here.
	for cell in a["cells"]:
	    for v in cell["variants"]:
	        wakes = v["rounds"][0]["counters"]["wakes"]
	        assert (wakes["misdirected"] > 0) == v["name"].startswith("dan"), v["name"]
	few, many = a["cells"]
	for v, w in zip(few["variants"], many["variants"]):
	    assert v["rounds"][0]["scanned_per_wake"] > \
	        2 * w["rounds"][0]["scanned_per_wake"], v["name"]
EOF5

# The same live. Who meets whom is the machine's affair; what the protocol makes of it
# is not: 513 loses nobody.
status_of run e7 --quick --only live --dir "$scratch" --json "$scratch/e7.json"
cat "$scratch/out" "$scratch/err"
expect_status $is 0
status_of run e6 --quick --only live --dir "$scratch" --json "$scratch/e6.json"
cat "$scratch/out" "$scratch/err"
if test $is = 77; then
	echo "e6 is not run live here: $(cat "$scratch/err")"
else
	expect_status $is 0
fi
"$python" - "$scratch" $is <<-'EOF6' || fail "e6 and e7, live: see above"
	import json, sys
	def variants(name):
	    report = json.load(open("%s/%s.json" % (sys.argv[1], name)))
	    for cell in report["cells"]:
	        assert cell["driver"] == "live"
	        for variant in cell["variants"]:
	            assert not variant["hung"]
	            (round,) = variant["rounds"]
	            assert round["touches"] > 0 and round["daemon_cpu_ns"] > 0
	            yield cell, variant["name"], round
	names = set()
	for cell, name, round in variants("e7"):
	    names.add(cell["name"])
	    wakes = round["counters"]["wakes"]
	    assert wakes["scanned"] >= wakes["woken"]
	assert names == {"2^4", "2^12"}
	if sys.argv[2] == "0":
	    for cell, name, round in variants("e6"):
	        # Each write is to a hole, whose entry it removes.
	        assert round["append"]["n"] == cell["steps"] * cell["processes"]
	        wakes = round["counters"]["wakes"]
	        if name == "513":
	            assert not round["counters"]["lost_wakeups"]
	        else:
	            assert not wakes["all"], wakes
EOF6

# e1: what hangs live may hang; buggy does in L1, and 616 nowhere.
status_of run e1 --quick --protocol buggy,616 --dir "$scratch" --json "$scratch/e1.json"
cat "$scratch/out" "$scratch/err"
expect_status $is 0
# e2: every load ran, and what was lost is told with its times.
status_of run e2 --quick --repeat 1 --protocol buggy,616 --dir "$scratch" \
	--json "$scratch/e2.json"
cat "$scratch/out" "$scratch/err"
expect_status $is 0
# Every fault of 5.3 is of 4K.
status_of run e5 --quick --dir "$scratch" --json "$scratch/e5.json"
cat "$scratch/out" "$scratch/err"
expect_status $is 0
status_of run e8 --quick --repeat 1 --protocol 513 --dir "$scratch" \
	--json "$scratch/e8.json"
expect_status $is 0
status_of run e9 --quick --repeat 1 --dir "$scratch" --json "$scratch/e9.json"
expect_status $is 0
"$python" - "$scratch" <<-'EOF4' || fail "the reports: see above"
	import json, sys
	def cells(name):
	    report = json.load(open("%s/%s.json" % (sys.argv[1], name)))
	    return report, {c["name"]: {v["name"]: v for v in c["variants"]}
	                    for c in report["cells"]}
	report, e1 = cells("e1")
	lost = {v: [r["counters"]["lost_wakeups"] for r in e1["L1"][v]["rounds"]]
	        for v in ("buggy", "616")}
	# When the second fault comes is the machine's affair.
	assert lost["616"] == [0] and lost["buggy"] in ([0], [1]), lost
	assert report["dump"] or not lost["buggy"][0], "no dump of who was lost"
	assert " 0 of these" in report["answer"][0], report["answer"]
	def lost_in_all(v):
	    return v["counters"]["lost_wakeups"]
	def table(report, name):
	    (rows,) = (t["rows"] for t in report["tables"] if t["name"] == name)
	    return rows
	detect = {row[0]: row[1:] for row in table(report, "detect")}
	assert detect["616"] == [0, None, None], detect
	n = sum(lost_in_all(test["buggy"]) for test in e1.values())
	assert detect["buggy"][0] == n and (detect["buggy"][2] is None) == (n == 0)
	assert len(report["answer"]) == 1 + (n > 0), report["answer"]
	report, e2 = cells("e2")
	loads = {"growing files", "mmaptorture mix", "pairs, every second meets"}
	assert loads <= set(e2), set(e2)
	lossy = {v for load in loads for v in e2[load]
	         if sum(r["counters"]["lost_wakeups"] for r in e2[load][v]["rounds"])}
	for load in set(e2) - loads:
	    assert load.endswith(", left asleep") and set(e2[load]) == lossy
	assert bool(set(e2) - loads) == bool(lossy)
	for load, variants in e2.items():
	    assert not any(v["hung"] for v in variants.values()), load
	    assert "616" not in variants or lost_in_all(variants["616"]) == 0, load
	times = {(row[0], row[1]): row[2:] for row in table(report, "times")}
	for load, variants in e2.items():
	    for name, v in variants.items():
	        assert ((load, name) in times) == (lost_in_all(v) > 0), (load, name)
	for name, v in e2["mmaptorture mix"].items():
	    (round,) = v["rounds"]
	    assert round["mmap"]["n"] == 6 * 60 and round["append"]["n"] == 2 * 60
	    assert round["touches"] > 0
	    assert round["counters"]["unknown"] == 0 and v["counters"]["mmap_lock"]["writes"]
	report, e5 = cells("e5")
	for pattern in e5.values():
	    (old,), (new,) = (pattern[p]["rounds"] for p in ("61c3", "6370"))
	    assert old["counters"]["faults"]["pmd"] == 0
	    assert old["counters"]["faults"]["total"] == 16 * 512
	    assert new["counters"]["faults"]["total"] == 16
	    assert old["pass"]["n"] == new["pass"]["n"] == 3
	report, e8 = cells("e8")
	(only,) = e8["one block in each 2M"]["513"]["rounds"]
	assert only["counters"]["downgrades"] == only["large"]["n"] > 0
	report, e9 = cells("e9")
	for variants in e9.values():
	    assert set(variants) == {"lock held", "lock dropped"}
	    assert "mmap_lock" in variants["lock held"]["counters"]
EOF4
test -z "$(find "$scratch" -name 'udax-bench.*')" || fail "it left files"
