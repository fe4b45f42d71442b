/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * e6: the price of waking all. Until 5.12 an invalidation woke one waiter, and
 * could lose the others; since 5.13 it wakes all, who look again and sleep again.
 * Simulated: live, as on ext4 and xfs, a lock of the file system keeps faults and
 * invalidations apart. w tasks fault on one page of one window.
 */
#include "cells.h"
#include "results.h"
#include "simrun.h"

#include <stdio.h>

int e6_run(const struct bench_opts *opts, json_t *report)
{
	static const unsigned int full[] = { 1, 2, 4, 8, 16, 32, 64 }, quick[] = { 8 };
	json_t *cells = json_array(), *table, *plot, *series;
	const json_t *cell, *v;
	char name[32], options[300];
	int ret = 0;
	size_t i, k;

	json_object_set_new(report, "cells", cells);
	for (i = 0; i < (opts->quick ? 1 : 7) && !ret; i++) {
		unsigned int w = opts->quick ? quick[i] : full[i];
		struct sim_cell c = {
			.group = "storm", .name = name, .options = options,
			.protocols = opts->protocols ? opts->protocols : "6370,513",
			.seeds = opts->repeat ? opts->repeat : opts->quick ? 1 : 5,
			.threads = w, .x = w, .hold_ns = 50000,
		};

		snprintf(name, sizeof(name), "%u", w);
		snprintf(options, sizeof(options), "--tasks %u --cpus 64 --windows 1 --pages 1 "
			 "--pmd 0 --renew 0 --think exp:10us --hold alloc=50us,read=50us "
			 "--invalidates 10000 --kick 1ms --faults %u", w,
			 opts->quick ? 1000 : 10000);
		ret = sim_cell(opts, &c, cells);
	}
	progress("%s", "");
	if (ret)
		return BENCH_FAIL;
	table = results_table(report, "herd", "Invalidation storms, simulated",
		"waiters|protocol|woken by a wake of all|faults/s|waits|barged|useless"
		"|lost per 10^6 faults|fault, p99 us");
	json_array_foreach(cells, i, cell)
		json_array_foreach(json_object_get(cell, "variants"), k, v)
			results_row(table, json_pack("[s,s,o,o,f,f,f,o,f]",
				cell_string(cell, "name"), cell_string(v, "name"),
				spread_cell(variant_spread(v, "woken_per_all")),
				spread_cell(variant_spread(v, "rate")),
				variant_sum(v, "counters.waits"),
				variant_sum(v, "counters.wakes.barged"),
				variant_sum(v, "counters.wakes.useless"),
				spread_cell(variant_spread(v,
					"per_million:counters.lost_wakeups")),
				variant_spread(v, "small.p99").median / 1e3));
	plot = results_plot(report, "herd", "Faults a second in an invalidation storm, "
			    "simulated", "tasks on one page", "faults/s", PLOT_LOG_X);
	json_array_foreach(json_object_get(json_array_get(cells, 0), "variants"), k, v) {
		series = results_series(plot, cell_string(v, "name"));
		json_array_foreach(cells, i, cell) {
			struct spread s = variant_spread(cell_variant(cell,
				cell_string(v, "name")), "rate");

			results_point_range(series, cell_number(cell, "x"), s.median, s.min,
					    s.max);
		}
	}
	results_say(report, "read", "10000 invalidations a second of one page that all tasks "
		"fault on. Who is lost is woken after 1 ms, which the kernel does not do.");
	results_say(report, "not", "virtiofs, which hit this, invalidates without a lock that "
		"faults take; most file systems never come here.");
	results_print(report, stdout);
	return BENCH_OK;
}
