#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# udax-bench run sim, and the simulated part of e3: each figure is there, and what is
# said of them all follows from them. How near the two sides are is the machine's.
. "${top_srcdir:-.}/tests/functions.sh"

status_of () {
	timeout -k 10 170 "$top_builddir/udax-bench" "$@" >"$scratch/out" 2>"$scratch/err"
	is=$?
}

# The simulator needs no userfaultfd; e3 has a cell of 1024 tasks of each protocol.
status_of run e3 --quick --only sim --dir "$scratch" --json "$scratch/e3.json"
expect_simulated () {
	"$python" - "$scratch/e3.json" <<-'EOF2' || fail "e3's simulated part"
	import json, sys
	report = json.load(open(sys.argv[1]))
	cells = {(c["group"], c["name"]): c for c in report["cells"]}
	assert {g for g, name in cells} >= {"hold", "share", "threads", "open"}, cells.keys()
	most = cells["threads", "1024 tasks"]
	assert most["driver"] == "sim" and most["threads"] == 1024
	names = [v["protocol"] for v in most["variants"]]
	assert names == ["616", "dan-conflict", "jan-nx-all", "dan-all", "buggy"], names
	for variant in most["variants"]:
	    for round in variant["rounds"]:
	        # Each task has had some, not one.
	        assert round["touches"] >= 10 * 1024, round["touches"]
	(table,) = [t for t in report["tables"] if t["name"] == "sim"]
	rows = [r for r in table["rows"] if r[0] == "threads, 1024 tasks"]
	assert len(rows) == 5, rows
	EOF2
}
test $is = 77 || { expect_status $is 0; expect_simulated; }

requires_uffd
# A directory that is no tmpfs.
status_of run sim --quick --dir /proc
expect_status $is 77
test -s "$scratch/err" || fail "no reason"

mkdir "$scratch/files"
status_of run sim --quick --seed 3 --dir "$scratch/files" --json "$scratch/sim.json"
cat "$scratch/out" "$scratch/err"
test $is = 77 && skip "$(cat "$scratch/err")"
expect_status $is 0
test -z "$(ls "$scratch/files")" || fail "it left files"
"$python" - "$scratch/sim.json" <<-'EOF2' || fail "the report of sim: see above"
	import json, sys
	report = json.load(open(sys.argv[1]))
	assert report["udax_bench"] == 1 and report["exit"] == 0
	assert report["command"] == "udax-bench run sim --seed 3 --quick"
	cells = report["cells"]
	assert [c["load"] for c in cells] == ["pages", "pairs"]
	for cell in cells:
	    assert cell["beside_ns"] >= 0
	    # Rounds that count; the first does not.
	    assert len(cell["live"]) == 2
	    for side in cell["live"]:
	        assert side["ns"] > 0 and side["pte"]["count"] > 0
	        assert side["pte"]["p50"] <= side["pte"]["p99"] <= side["pte"]["max"]
	        # A hold is not shorter than it was said to be.
	        assert side["pte"]["p50"] >= cell["hold_ns"]
	        assert "stall" in side
	    sim = cell["sim"]
	    assert sim["protocol"] == cell["protocol"] and sim["lost_wakeups"] == 0
	    assert sim["latency_ns"]["pte"]["p50"] >= cell["hold_ns"]
	    assert ("pmd" in cell["live"][0]) == (cell["load"] == "pairs")
	(table,) = report["tables"]
	assert table["columns"][2:] == ["quantile", "live", "simulated", "off by %"]
	wanted_of = {"pages": ["4K fault", "stall on the page"],
	         "pairs": ["4K fault", "2M fault", "2M stall on a page"]}
	wanted = ["%s, 4 threads, 500us, %s" % (c["load"], c["protocol"]) + "|" + what + "|" + q
	          for c in cells for what in wanted_of[c["load"]] for q in ("p50", "p99")]
	assert ["|".join(row[:3]) for row in table["rows"]] == wanted, table["rows"]
	both = near = 0
	for load, what, quantile, live, simulated, off in table["rows"]:
	    # Nobody sleeps who always comes too late: a row without a figure, then.
	    assert (off is None) == (live is None or simulated is None)
	    assert "stall" in what or off is not None, what
	    if off is not None:
	        assert live["n"] <= 2 and live["min"] <= live["median"] <= live["max"]
	        assert abs(off - 100 * (simulated / live["median"] - 1)) < 1e-3
	        both += 1
	        near += abs(off) <= 20
	assert (report["figures"], report["within_20_percent"]) == (both, near)
	assert "Of %d figures %d are" % (both, near) in report["read"][0]
	assert report["not"]
EOF2
