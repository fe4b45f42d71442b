#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# udax-bench model and programs: that they measure and report, not how fast it is.
. "${top_srcdir:-.}/tests/functions.sh"
requires_uffd

status_of () {
	timeout -k 10 170 "$top_builddir/udax-bench" "$@" >"$scratch/out" 2>"$scratch/err"
	is=$?
}

status_of run model --quick --repeat 1 --json "$scratch/model.json"
cat "$scratch/out"
expect_status $is 0
"$python" - "$scratch/model.json" <<-'EOF2' || fail "the report of model"
	import json, sys
	report = json.load(open(sys.argv[1]))
	tables = {t["name"]: t for t in report["tables"]}
	assert {"model-tables", "model-one-queue", "model-queues"} == set(tables)
	assert len(tables["model-one-queue"]["rows"]) == 5
	# What memory costs does not depend on the machine; what time does, may.
	bounds = {b["what"]: b for b in report["bounds"]}
	assert bounds["bytes an entry, a million"]["holds"]
	assert bounds["16 TB, one entry a GB"]["holds"]
	for bound in bounds.values():
	    assert bound["is"] > 0
EOF2
if command -v sqlite3 >/dev/null; then
	status_of run programs --quick --only sqlite3 --dir "$scratch" \
		--json "$scratch/programs.json"
	cat "$scratch/out" "$scratch/err"
	expect_status $is 0
	"$python" - "$scratch/programs.json" <<-'EOF2' || fail "the report of programs"
		import json, math, sys
		def same(a, b):
		    # Reports have nine digits.
		    return math.isclose(a, b, rel_tol=1e-7)
		report = json.load(open(sys.argv[1]))
		tables = {t["name"]: t for t in report["tables"]}
		placements = [row[0] for row in tables["costs"]["rows"]]
		assert placements in (["pinned"], ["pinned", "unpinned"]), placements
		for placement in placements:
		    for name in "programs", "made":
		        (row,) = tables[name + "-" + placement]["rows"]
		        assert row[0] == "sqlite3", row
		    # What takes longer is the sum of its parts.
		    assert tables["made-" + placement]["columns"][6] == "extra ms"
		    assert same(row[6]["median"], sum(row[7:])), row
		    assert row[1] + row[2] > 0 and row[4] > 0 and row[5] > 0, row
		    assert report[placement]["run"]["worst_program"] == "sqlite3"
		    # The least that any server could make of it, from the same parts.
		    (times,) = tables["programs-" + placement]["rows"]
		    least = 1 + row[7] / times[1]["median"]
		    assert same(times[2], least), (times, row)
		    assert same(report[placement]["raw_loop"]["worst"], least)
		assert "Wanted" in report["answer"][0], report["answer"]
	EOF2
fi
test -z "$(find "$scratch" -name 'udax-bench.*')" || fail "it left files"
