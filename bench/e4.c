/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * e4: "a relatively small cost" (Jan Kara on waiting for a 4K entry). From which
 * hold time on does it cost more than 1 % of the rate, or of the p99 of a large
 * fault that meets a small one? The same pairs as in e3, with more hold times, and
 * the hold time that this machine's file system has.
 */
#include "cells.h"
#include "live.h"
#include "medium.h"
#include "results.h"

#include <stdio.h>
#include <string.h>

#define WINDOWS 129
#define WAITING "jan-nx-all"
#define EARLY "616"
#define COST 0.01

static struct medium medium;
static bool have_medium;

static int body(struct live *l, json_t *cells)
{
	static const uint32_t full[] = { 20, 50, 100, 200, 500, 1000, 2000, 5000 };
	static const uint32_t quick[] = { 50, 1000 };
	const uint32_t *us = l->opts->quick ? quick : full;
	size_t n = l->opts->quick ? 2 : 8, i;
	struct live_variant variants[LIVE_MAX];
	char names[LIVE_MAX][32], name[32];
	unsigned int nr = live_protocols(l->opts, EARLY "," WAITING, variants, names);
	struct live_cell cell = {
		.group = "hold", .variants = variants, .nr = nr, .name = name,
		.rounds = l->opts->repeat ? l->opts->repeat : l->opts->quick ? 3 : 11,
	};
	int ret = 0;

	for (i = 0; i < n && !ret; i++) {
		cell.cfg = (struct faulters_config){ .load = LOAD_PAIRS, .processes = 1,
			.threads = 4, .windows = WINDOWS, .p = 0.5,
			.hold_ns = us[i] * 1000ull };
		/* About a tenth of a second a round. */
		cell.cfg.steps = 100000 / (2 * us[i] + 200);
		if (cell.cfg.steps > (WINDOWS - 1) / 2)
			cell.cfg.steps = (WINDOWS - 1) / 2;
		format_duration(name, sizeof(name), cell.cfg.hold_ns);
		ret = live_cell(l, &cell, cells);
	}
	have_medium = !ret && !medium_measure(&medium, l->opts->seed, 2000);
	return ret;
}

/* The shortest hold from which on every cell costs more than COST; 0: none. */
static double break_even(const json_t *report, const char *figure, bool more_is_better,
			 uint64_t seed)
{
	const json_t *cells = cells_of(report);
	double from = 0;
	size_t i;

	for (i = json_array_size(cells); i-- > 0; ) {
		const json_t *cell = json_array_get(cells, i);
		struct interval r = cell_ratio(cell, WAITING, EARLY, figure, seed);

		if (!r.n || (more_is_better ? r.high > 1 - COST : r.low < 1 + COST))
			break;
		from = cell_number(cell, "hold_ns");
	}
	return from;
}

static void conclude(json_t *report, uint64_t seed)
{
	double rate = break_even(report, "rate", true, seed);
	double p99 = break_even(report, "large_shared.p99", false, seed);
	char a[64] = "at no hold time measured", b[64] = "at no hold time measured", t[24];

	if (rate)
		snprintf(a, sizeof(a), "from hold times of %s on",
			 format_duration(t, sizeof(t), rate));
	if (p99)
		snprintf(b, sizeof(b), "from hold times of %s on",
			 format_duration(t, sizeof(t), p99));
	results_say(report, "answer", "With every second 2M fault meeting a locked 4K entry, "
		"waiting for it costs more than 1 %% of the rate %s, and more than 1 %% of "
		"the p99 of such a fault %s (95 %% intervals).", a, b);
	if (!have_medium)
		return;
	json_object_set_new(report, "medium", medium_json(&medium));
	results_say(report, "answer", "The %s in %s takes %s (p99 %s) to allocate a 4K block.",
		medium.fs, medium.dir, format_duration(a, sizeof(a), medium.alloc_p50),
		format_duration(b, sizeof(b), medium.alloc_p99));
}

static void show(json_t *report)
{
	uint64_t seed = json_integer_value(json_object_get(report, "seed"));
	const json_t *cell;
	json_t *table, *plot, *rate, *p50;
	size_t i;

	table = results_table(report, "break-even", WAITING " to " EARLY
			      ", ratios (95 % intervals)",
			      "hold|faults/s|large that meets: p50|p99|2M waits for 4K");
	plot = results_plot(report, "cost-of-waiting", "The cost of waiting, " WAITING
			    " to " EARLY, "hold time, us", "ratio", PLOT_LOG_X);
	rate = results_series(plot, "faults/s");
	p50 = results_series(plot, "p50 of a 2M fault that meets");
	json_array_foreach((json_t *)(uintptr_t)cells_of(report), i, cell) {
		struct interval r = cell_ratio(cell, WAITING, EARLY, "rate", seed);
		struct interval m = cell_ratio(cell, WAITING, EARLY, "large_shared.p50", seed);
		double us = cell_number(cell, "hold_ns") / 1e3;

		results_row(table, json_pack("[s,o,o,o,f]", cell_string(cell, "name"),
			interval_cell(r), interval_cell(m),
			interval_cell(cell_ratio(cell, WAITING, EARLY,
						 "large_shared.p99", seed)),
			variant_sum(cell_variant(cell, WAITING),
				    "counters.stalls.pmd_on_pte.n")));
		results_point_range(rate, us, r.value, r.low, r.high);
		results_point_range(p50, us, m.value, m.low, m.high);
	}
	conclude(report, seed);
	results_say(report, "read", "Pairs as in e3, two on each CPU, half of the large faults "
		"meet a small one. A step takes two holds one after the other where the "
		"large one waits, and they overlap where it does not.");
	results_say(report, "not", "Half is far more than any load was seen to do: the rate at "
		"a real p is nearer to 1 by that much. Below 20 us nothing is said here.");
}

int e4_run(const struct bench_opts *opts, json_t *report)
{
	return live_experiment(opts, report, WINDOWS, body, show);
}
