/* SPDX-License-Identifier: BSD-3-Clause */
/* floor, in short: what any server in another process adds to a fault here. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "floor.h"

#define COST_ROUNDS 5

enum { NATIVE_RUNNER, RAW_RUNNER };

static double ns_a_touch(const struct touch_round *t)
{
	return (double)t->ns / t->touches;
}

static int measure(struct floor *f, const struct group *g, double *ns)
{
	double v[COST_ROUNDS];
	unsigned int i;
	int ret;

	f->g = g;
	ret = floor_run_group(f);
	for (i = 0; i < f->rounds && !ret; i++)
		v[i] = ns_a_touch(&f->runners[RAW_RUNNER].rounds[i]) -
			ns_a_touch(&f->runners[NATIVE_RUNNER].rounds[i]);
	floor_end_group(f);
	if (!ret)
		*ns = spread_of(v, f->rounds).median;
	return ret;
}

int floor_cost(const struct bench_opts *opts, struct floor_cost *cost)
{
	struct floor *f = malloc(sizeof(*f));
	struct bench_opts all = *opts;
	struct group g = { .name = "cost", .unit = SMALL_UNIT, .size = 32 << 20,
			   .passes = 1, .threads = 1, .procs = 1, .maps = 1 };
	int ret;

	/* --only is about something else. */
	all.only = NULL;
	ret = f ? floor_open(f, &all) : -ENOMEM;
	if (ret) {
		free(f);
		return ret;
	}
	f->rounds = opts->quick ? 1 : COST_ROUNDS;
	g.pinning = f->nr_cpus == 1 ? ALL_ON_ONE : NOBODY;
	g.variants[NATIVE_RUNNER] = (struct variant){ .name = "native", .kind = NATIVE };
	g.variants[RAW_RUNNER] = (struct variant){
		.name = "raw-block", .kind = RAW, .form = SERVE_BLOCK,
		.place = f->nr_cpus == 1 ? ON_ONE : PER_CPU,
	};
	ret = measure(f, &g, &cost->write);
	g.read = true;
	if (!ret)
		ret = measure(f, &g, &cost->read);
	g.read = false;
	g.unit = HUGE_UNIT;
	g.size = FLOOR_HUGE_SIZE;
	g.passes = 4;
	if (!ret)
		ret = measure(f, &g, &cost->huge);
	floor_close(f);
	free(f);
	return ret;
}
