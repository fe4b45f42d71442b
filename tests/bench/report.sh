#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# udax-bench report: made-up figures in, one page out. Its answer follows from them;
# what is missing is named; a real browser shows it, runs no script, and fetches
# nothing from anywhere.
. "${top_srcdir:-.}/tests/functions.sh"

report () {
	timeout -k 10 120 "$top_builddir/udax-bench" report "$@" \
		>"$scratch/out" 2>"$scratch/err"
}

report && fail "no directory, and no complaint"
report "$scratch" && fail "a directory without a file of any experiment"
grep -q 'no file of any experiment' "$scratch/err" || fail "no reason"

# e3.json of two loads: what dan-all costs against 616 there, and what part of the
# fault time it waits.
made_up () {
	mkdir -p "$1"
	"$python" - "$1" "$2" "$3" <<-'EOF2'
	import json, sys
	where, cost, share = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
	def rounds(dan):
	    factor = 1 + cost * dan
	    for i in range(9):
	        luck = 1 + 0.05 * (i % 3)
	        yield {"ns": int(1e9 * luck * factor), "touches": 10000,
	               "p99_ns": int(50000 * luck * factor),
	               "large_shared": {"n": 100, "p50": int(2e5 * factor),
	                                "p99": int(4e5 * factor), "max": 500000, "sum": 1},
	               "counters": {"faults": {"total": 10000}, "fault_ns": 1000000000,
	                            "conflicts": 300, "useful_waits": 0,
	                            "stalls": {"pmd_on_pte": {
	                                "n": 200 * dan, "ns": int(1e9 * share * dan)}}}}
	def cell(group, name, hold):
	    return {"driver": "live", "group": group, "name": name, "hold_ns": hold,
	            "decides": group == "load", "p": 0.5, "threads": 8, "variants": [
	                {"name": n, "protocol": n, "hung": False,
	                 "rounds": list(rounds(n == "dan-all")),
	                 "cdf": {"large_shared": [[1000, 0], [200000, 0.5], [900000, 1]]}}
	                for n in ("616", "dan-all")]}
	cells = [cell("hold", "50us", 50000), cell("hold", "200us", 200000),
	         cell("load", "a <load> & more", 6000), cell("load", "db_bench", 6000)]
	json.dump({"udax_bench": 1, "experiment": "e3", "exit": 0, "seed": 1,
	           "command": "udax-bench run e3", "elapsed_ns": 1, "host": {
	               "kernel": "6.18", "cpu": "made up", "date": "today", "load1": 0.5},
	           "rule": ["The rule."], "read": ["How."], "answer": ["Not what the data say."],
	           "cells": cells}, open(where + "/e3.json", "w"))
	json.dump({"udax_bench": 1, "experiment": "e2", "exit": 77},
	          open(where + "/e2.json", "w"))
	EOF2
}
made_up "$scratch/costs" 0.5 0.2
made_up "$scratch/free" 0 0.0001
for dir in costs free; do
	report "$scratch/$dir" || { cat "$scratch/err"; fail "$dir"; }
	test -s "$scratch/$dir/report.html" || fail "no page"
	test -s "$scratch/$dir/report.md" || fail "no text"
	grep -q 'Not what the data say' "$scratch/$dir/report.html" &&
		fail "the answer was copied"
done
answers () {
	grep -q "By the rule stated beforehand.*$2" "$scratch/$1/report.md" ||
		{ grep 'By the rule' "$scratch/$1/report.md"; fail "$1: not $2"; }
}
answers costs 'would not have been right, since it costs'
answers costs 'falling back at once pays'
answers free 'would have been right, since it costs nothing'
answers free 'falling back at once does not pay'
grep -q 'Missing: there is no file' "$scratch/costs/report.md" || fail "no Missing"
grep -q 'could not be made' "$scratch/costs/report.md" || fail "e2 is not missing"
echo '{' >"$scratch/free/e5.json"
report "$scratch/free" && fail "a broken file"

requires_cmd chromium gnuplot
page=$scratch/costs/report.html
grep -q 'Not drawn' "$page" && fail "gnuplot drew nothing"
grep -q 'a &lt;load&gt; &amp; more' "$page" || fail "a name is not escaped"

# browse PAGE [OPTION]...: what it becomes in $scratch/dom, what the browser says in console,
# its requests in net.json. It reaches no host, whatever it asks for itself.
browse () {
	page_of=$1
	shift
	rm -f "$scratch/net.json"
	HOME=$scratch timeout -k 10 150 chromium --headless --no-sandbox --disable-gpu \
		--disable-quic --no-first-run --disable-background-networking \
		--disable-component-update --disable-sync --disable-default-apps \
		--no-pings --disable-dev-shm-usage --user-data-dir="$scratch/browser" \
		--host-resolver-rules='MAP * ~NOTFOUND' \
		--log-net-log="$scratch/net.json" --enable-logging=stderr \
		"$@" --dump-dom "file://$page_of" >"$scratch/dom" 2>"$scratch/console" ||
		{ tail -5 "$scratch/console"; fail "the browser"; }
}
# Requests that the page is the initiator of; the browser has some of its own.
fetched () {
	"$python" - "$scratch/net.json" <<-'EOF3'
	import json, sys
	text = open(sys.argv[1]).read().rstrip().rstrip(",")
	try:
	    log = json.loads(text)
	except ValueError:	# not closed when the browser ended
	    log = json.loads(text + "]}")
	assert log["events"], "an empty log"
	for e in log["events"]:
	    p = e.get("params")
	    if isinstance(p, dict) and "url" in p and \
	       str(p.get("initiator", "")).startswith(("file:", "null")):
	        print(p["url"])
	EOF3
}
browse "$page"
grep -q 'By the rule stated beforehand' "$scratch/dom" || fail "the DOM has no answer"
plots=$(grep -c '<svg' "$scratch/dom")
test "$plots" -ge 2 || fail "$plots plots in the DOM"
grep -i '<script' "$scratch/dom" && fail "a script"
# What a page says or refuses is logged as CONSOLE.
grep 'CONSOLE' "$scratch/console" && fail "the browser's console"
test -z "$(fetched)" || fail "the page fetched: $(fetched)"

# Would that have been seen? The same page with a picture from elsewhere, which its
# policy forbids; and without its policy.
sed 's|<h1>|<img src="http://elsewhere.invalid/x.png"><h1>|' "$page" \
	>"$scratch/forbidden.html"
browse "$scratch/forbidden.html"
grep -q 'CONSOLE.*Content Security Policy' "$scratch/console" ||
	fail "the policy forbids nothing"
test -z "$(fetched)" || fail "fetched against the policy: $(fetched)"
sed '/Content-Security-Policy/d' "$scratch/forbidden.html" >"$scratch/fetches.html"
browse "$scratch/fetches.html"
test "$(fetched | sort -u)" = http://elsewhere.invalid/x.png ||
	fail "a request is not seen: $(fetched)"

# The page in its light and its dark theme, on a wide and on a narrow screen: every
# text and every line can be told from what is behind it, and the page itself does not
# scroll sideways. A script, of this test alone, looks at what the browser computed.
cat >"$scratch/look.html" <<-'EOF4'
	<script>
	const seen = [];
	function rgb(text) {
	    const v = (text.match(/[\d.]+/g) || []).map(Number);
	    return v.length == 3 ? [...v, 1] : v;
	}
	function light(c) {
	    const [r, g, b] = c.map(x => x / 255).map(x =>
	        x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4);
	    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
	}
	function behind(e) {
	    for (; e; e = e.parentElement) {
	        const c = rgb(getComputedStyle(e).backgroundColor);
	        if (c[3] > 0)
	            return c;
	    }
	    return [255, 255, 255, 1];
	}
	function contrast(colour, e) {
	    const a = light(rgb(colour)), b = light(behind(e));
	    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
	}
	function check(selector, property, least) {
	    const all = document.querySelectorAll(selector);
	    let count = 0;
	    for (const e of all) {
	        const colour = getComputedStyle(e)[property];
	        if (colour == "none")
	            continue;
	        count++;
	        if (contrast(colour, e) < least)
	            seen.push(`${selector}: ${property} ${colour}, ` +
	                      `contrast ${contrast(colour, e).toFixed(2)}`);
	    }
	    if (!count)
	        seen.push(`${selector}: nothing is there`);
	}
	for (const s of ["p", "h1", "h2", "h3", "li", "a", "td", "th", "caption span",
	                 "figcaption", "pre", ".lead", ".warning", ".range"])
	    check(s, "color", 4.5);
	check("svg text", "fill", 4.5);
	check("svg path:not(.gridline)", "stroke", 3);
	check("svg use[transform]", "color", 3);
	const root = document.documentElement;
	if (root.scrollWidth > root.clientWidth)
	    seen.push(`the page is ${root.scrollWidth} wide, its window ${root.clientWidth}`);
	const pre = document.createElement("pre");
	pre.id = "seen";
	pre.textContent = "theme: " +
	    (matchMedia("(prefers-color-scheme:dark)").matches ? "dark" : "light") +
	    ", back " + getComputedStyle(document.body).backgroundColor + "\n" +
	    [...new Set(seen)].map(x => "seen: " + x + "\n").join("");
	document.body.append(pre);
	</script>
EOF4
# look PAGE THEME WIDTH: what is wrong with it, a line each.
look () {
	case $2 in
	dark) scheme=0;;
	light) scheme=1;;
	esac
	sed '/Content-Security-Policy/d' "$1" >"$scratch/looked.html"
	cat "$scratch/look.html" >>"$scratch/looked.html"
	browse "$scratch/looked.html" --blink-settings=preferredColorScheme=$scheme \
		--window-size="$3,1000"
	grep -q "theme: $2" "$scratch/dom" || fail "not the $2 theme"
	sed -n 's/^seen: //p' "$scratch/dom"
}
for theme in light dark; do
	for width in 400 1280; do
		look "$page" $theme $width >"$scratch/wrong" || exit 1
		test -s "$scratch/wrong" &&
			{ head "$scratch/wrong"; fail "$theme, $width px"; }
	done
done
grep -q 'back rgb(21, 25, 30)' "$scratch/dom" || fail "the dark page is not dark"
# Would black letters in a plot have been seen, or a row that does not wrap?
sed 's/figure svg text{fill:var(--text)}//; s/flex-wrap:wrap;//' "$page" \
	>"$scratch/black.html"
look "$scratch/black.html" dark 400 >"$scratch/wrong"
grep -q 'svg text: fill' "$scratch/wrong" || fail "black letters are not seen"
grep -q 'the page is' "$scratch/wrong" || fail "a page that is too wide is not seen"
