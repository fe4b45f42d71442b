/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Runs of the simulator (udax sim) as cells of an experiment, in the form that
 * live.h has for real faults: "driver" is "sim", a round is a seed. One thread.
 */
#ifndef UDAX_BENCH_SIMRUN_H
#define UDAX_BENCH_SIMRUN_H

#include <jansson.h>

#include "bench.h"

struct sim_cell {
	const char *group, *name;
	const char *protocols;		/* comma list */
	const char *options;		/* of udax sim, beside --protocol and --seed */
	unsigned int seeds;
	/* Members of the cell, for plots. */
	unsigned int threads;
	uint64_t hold_ns;
	double p, x;
};

/*
 * Appends the cell to @cells. A round has "ns" (virtual), "touches", "large" and
 * "large_shared" (both: faults that tried 2M), "small", "counters" as live, and
 * "delayed" (wakes: target free, waiter not yet woken), "scanned_per_wake",
 * "woken_per_all". 0 or -errno with a sentence on stderr.
 */
int sim_cell(const struct bench_opts *opts, const struct sim_cell *cell, json_t *cells);

#endif
