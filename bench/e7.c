/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * e7: does the size of the table of wait queues matter, and does it matter that
 * one key a window spreads less well? Simulated: 2^4 to 2^14 queues, many windows
 * lightly contended.
 */
#include "cells.h"
#include "results.h"
#include "simrun.h"

#include <stdio.h>

int e7_run(const struct bench_opts *opts, json_t *report)
{
	static const unsigned int full[] = { 4, 6, 8, 10, 12, 14 }, quick[] = { 4, 12 };
	json_t *cells = json_array(), *table, *plot, *series;
	const json_t *cell, *v;
	char name[32], options[300];
	int ret = 0;
	size_t i, k;

	json_object_set_new(report, "cells", cells);
	for (i = 0; i < (opts->quick ? 2 : 6) && !ret; i++) {
		unsigned int bits = opts->quick ? quick[i] : full[i];
		struct sim_cell c = {
			.group = "queues", .name = name, .options = options,
			.protocols = opts->protocols ? opts->protocols :
				"513,616,dan-conflict,dan-all",
			.seeds = opts->repeat ? opts->repeat : opts->quick ? 1 : 5,
			.threads = 512, .x = 1u << bits, .hold_ns = 50000,
		};

		snprintf(name, sizeof(name), "2^%u", bits);
		snprintf(options, sizeof(options), "--tasks 512 --cpus 64 --windows 64 "
			 "--pages 4 --renew 0 --think exp:20us --hold alloc=50us,read=50us "
			 "--table-bits %u --faults %u", bits, opts->quick ? 2000 : 20000);
		ret = sim_cell(opts, &c, cells);
	}
	progress("%s", "");
	if (ret)
		return BENCH_FAIL;
	table = results_table(report, "queues", "Wait queues, simulated: 512 tasks on 64 windows",
		"queues|protocol|scanned a wake|woken a wake|faults/s|misdirected per 10^6 faults"
		"|delayed wakes, p99 us");
	json_array_foreach(cells, i, cell)
		json_array_foreach(json_object_get(cell, "variants"), k, v) {
			double wakes = variant_sum(v, "counters.wakes.calls");

			results_row(table, json_pack("[s,s,o,f,o,o,f]",
				cell_string(cell, "name"), cell_string(v, "name"),
				spread_cell(variant_spread(v, "scanned_per_wake")),
				wakes ? variant_sum(v, "counters.wakes.woken") / wakes : 0,
				spread_cell(variant_spread(v, "rate")),
				spread_cell(variant_spread(v,
					"per_million:counters.wakes.misdirected")),
				variant_spread(v, "delayed.p99").median / 1e3));
		}
	plot = results_plot(report, "scan-length", "Waiters looked at by a wake, against the "
			    "number of wait queues, simulated", "wait queues",
			    "waiters scanned a wake", PLOT_LOG_X | PLOT_LOG_Y);
	json_array_foreach(json_object_get(json_array_get(cells, 0), "variants"), k, v) {
		series = results_series(plot, cell_string(v, "name"));
		json_array_foreach(cells, i, cell) {
			struct spread s = variant_spread(cell_variant(cell,
				cell_string(v, "name")), "scanned_per_wake");

			results_point_range(series, cell_number(cell, "x"), s.median, s.min,
					    s.max);
		}
	}
	results_say(report, "read", "A wake walks its queue until it finds whom to wake; waiters "
		"of other keys that hash to the same queue are looked at and passed over. "
		"The kernel has 2^12 queues.");
	results_say(report, "not", "What a waiter that is passed over costs is an input of the "
		"simulation (udax sim --cost scan), not a result.");
	results_print(report, stdout);
	return BENCH_OK;
}
