/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * e5: what 5.3 lost. Its lookup took an empty window for a conflict, so no 2M
 * entry was ever made: "performance regression and inability to establish huge
 * page mappings". 61c3 is 5.3, 6370 has the repair. One file, touched page by page,
 * as ndctl's mmap.c does it.
 */
#include "cells.h"
#include "live.h"
#include "results.h"

#include <stdio.h>
#include <string.h>

#define BROKEN "61c3"
#define MENDED "6370"

static int body(struct live *l, json_t *cells)
{
	struct live_variant variants[LIVE_MAX];
	char names[LIVE_MAX][32], name[32];
	struct live_cell cell = {
		.group = "sweep", .name = name, .variants = variants,
		.nr = live_protocols(l->opts, BROKEN "," MENDED, variants, names),
		.rounds = l->opts->repeat ? l->opts->repeat : l->opts->quick ? 1 : 3,
	};
	int ret = 0;

	for (int i = 0; i < 4 && !ret; i++) {
		cell.cfg = (struct faulters_config){ .load = LOAD_SWEEP, .processes = 1,
			.threads = 1, .windows = l->windows, .random = i & 1,
			.write = i & 2 };
		snprintf(name, sizeof(name), "%s, %s", i & 1 ? "random" : "sequential",
			 i & 2 ? "write" : "read");
		ret = live_cell(l, &cell, cells);
	}
	return ret;
}

static void show(json_t *report)
{
	uint64_t seed = json_integer_value(json_object_get(report, "seed"));
	const json_t *cell, *v;
	json_t *table, *ratios;
	size_t i, k;

	table = results_table(report, "sweep", "Three passes over the file",
		"pattern|protocol|faults|2M faults|mapped by 2M, %|first pass, ms|later pass, ms"
		"|conflict fallbacks");
	ratios = results_table(report, "ratios", BROKEN " to " MENDED
			       ", ratios (95 % intervals)", "pattern|faults|pages/s");
	json_array_foreach((json_t *)(uintptr_t)cells_of(report), i, cell) {
		json_array_foreach(json_object_get(cell, "variants"), k, v) {
			double faults = variant_spread(v, "counters.faults.total").median;
			double pmd = variant_spread(v, "counters.faults.pmd").median;
			double mapped = faults - pmd + 512 * pmd;

			/* The passes sorted: the first has the faults. */
			results_row(table, json_pack("[s,s,f,f,f,f,f,f]",
				cell_string(cell, "name"), cell_string(v, "name"), faults,
				pmd, mapped ? 512 * pmd / mapped * 100 : 0,
				variant_spread(v, "pass.max").median / 1e6,
				variant_spread(v, "pass.p50").median / 1e6,
				variant_spread(v, "counters.fallback.conflict").median));
		}
		results_row(ratios, json_pack("[s,o,o]", cell_string(cell, "name"),
			interval_cell(cell_ratio(cell, BROKEN, MENDED,
						 "counters.faults.total", seed)),
			interval_cell(cell_ratio(cell, BROKEN, MENDED, "rate", seed))));
	}
	results_say(report, "read", "The rate is of all three passes; the first one takes the "
		"faults. Every fault of " BROKEN " is of 4K, so there are 512 for each "
		"of " MENDED ".");
	results_say(report, "not", "A fault through userfaultfd takes several times as long "
		"as in the kernel: the count of faults carries over, the time does not.");
}

int e5_run(const struct bench_opts *opts, json_t *report)
{
	return live_experiment(opts, report, opts->quick ? 16 : 512, body, show);
}
