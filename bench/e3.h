/* SPDX-License-Identifier: BSD-3-Clause */
/* What the parts of e3 share. One thread. */
#ifndef UDAX_BENCH_E3_H
#define UDAX_BENCH_E3_H

#include "live.h"

struct e3 {
	const struct bench_opts *opts;
	struct live live;
	struct live_variant variants[LIVE_MAX];
	char names[LIVE_MAX][32];
	unsigned int nr;
	unsigned int rounds;
	json_t *report, *cells;	/* @cells: in it */
};

/* Is this group of cells among those of --only? */
bool e3_wanted(const struct e3 *e, const char *group);

/*
 * The loads that say how often a 2M fault meets a locked 4K entry: cells of the
 * group "load". 0 or -errno with a sentence on stderr.
 */
int e3_load(struct e3 *e);
/* The same questions to the simulator: cells with "driver": "sim". */
int e3_sim(struct e3 *e);

#endif
