/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * e3 in the simulator: more tasks and CPUs than this machine has, and without the
 * cost of userfaultfd. Every 2M fault gets a window of its own and meets, with the
 * probability that the cell says, another page of it locked; but in the cells of the
 * group "natural", where nobody arranges it.
 */
#include "e3.h"
#include "cells.h"
#include "simrun.h"

#include <stdio.h>
#include <string.h>

#define PROTOCOLS "616,dan-conflict,jan-nx-all,dan-all,buggy"

static int run(struct e3 *e, const char *group, const char *name, unsigned int tasks,
	       uint64_t hold_ns, double p, const char *more)
{
	/* Some for each task: its first and its last are not like the others. */
	unsigned int each = e->opts->quick ? 10 : 40;
	unsigned int least = e->opts->quick ? 1000 : 10000;
	unsigned int faults = each * tasks > least ? each * tasks : least;
	char options[400], hold[40] = "0ns";
	struct sim_cell cell = {
		.group = group, .name = name, .options = options,
		.protocols = e->opts->protocols ? e->opts->protocols : PROTOCOLS,
		.seeds = e->opts->quick ? 2 : 5,
		.threads = tasks, .hold_ns = hold_ns, .p = p,
	};

	snprintf(hold, sizeof(hold), "%lluns", (unsigned long long)hold_ns);
	/* Sleepers whom buggy loses are woken after 10 ms: nobody else waits so long. */
	snprintf(options, sizeof(options), "--tasks %u --cpus 64 --conflict %g "
		 "--hold alloc=%s,read=%s --faults %u --kick 10ms %s", tasks, p, hold, hold,
		 faults, more);
	return sim_cell(e->opts, &cell, e->cells);
}

static int run_hold(struct e3 *e)
{
	static const uint32_t full[] = { 0, 5, 50, 200, 1000, 5000 }, quick[] = { 50 };
	size_t n = e->opts->quick ? 1 : 6, i;
	char name[32];
	int ret = 0;

	for (i = 0; i < n && !ret; i++) {
		uint64_t ns = (e->opts->quick ? quick : full)[i] * 1000ull;

		format_duration(name, sizeof(name), ns);
		ret = run(e, "hold", name, 256, ns, 1, "");
	}
	return ret;
}

static int run_share(struct e3 *e)
{
	static const double parts[] = { 0, 0.1, 0.25, 0.5, 0.75, 1 };
	char name[32];
	int ret = 0;

	for (size_t i = 0; i < (e->opts->quick ? 1 : 6) && !ret; i++) {
		snprintf(name, sizeof(name), "p=%.2f", parts[i]);
		ret = run(e, "share", name, 256, 50000, parts[i], "");
	}
	return ret;
}

static int run_tasks(struct e3 *e)
{
	static const uint32_t full[] = { 2, 8, 32, 128, 512, 1024 }, quick[] = { 1024 };
	char name[32];
	int ret = 0;

	for (size_t i = 0; i < (e->opts->quick ? 1 : 6) && !ret; i++) {
		uint32_t tasks = (e->opts->quick ? quick : full)[i];

		snprintf(name, sizeof(name), "%u tasks", tasks);
		ret = run(e, "threads", name, tasks, 50000, 1, "");
	}
	return ret;
}

/* Requests that come whether or not the ones before have ended: stalls queue up. */
static int run_open(struct e3 *e)
{
	static const unsigned int rates[] = { 100000, 400000, 800000 };
	char name[32], more[40];
	int ret = 0;

	for (size_t i = 0; i < (e->opts->quick ? 1 : 3) && !ret; i++) {
		snprintf(name, sizeof(name), "%u requests/s", rates[i]);
		snprintf(more, sizeof(more), "--arrivals poisson:%u", rates[i]);
		ret = run(e, "open", name, 64, 50000, 0.5, more);
	}
	return ret;
}

/* What the live loads held their entries for; else what an ext4 took elsewhere. */
static const char *medium_hold(const struct e3 *e)
{
	const char *hold = json_string_value(json_object_get(
		json_object_get(e->report, "medium"), "hold"));

	return hold ? hold : "alloc=lognorm:6200ns:0.53,read=lognorm:300ns:0.5";
}

/*
 * How often faults meet that nobody made meet, with more CPUs than the live loads
 * have. Many mappings of 64 windows, each touching eight pages of a window, as the
 * live "growing files" do: one fault in eight finds the pmd slot empty and tries 2M.
 * Of a window 64 pages are wanted; it is new again after 32 mappings.
 */
static int run_natural(struct e3 *e)
{
	static const uint32_t full[] = { 2, 8, 64, 512 }, quick[] = { 64 };
	char name[32], options[500];
	int ret = 0;

	for (size_t i = 0; i < (e->opts->quick ? 1 : 4) && !ret; i++) {
		uint32_t tasks = (e->opts->quick ? quick : full)[i];
		struct sim_cell cell = {
			.group = "natural", .name = name, .options = options,
			.protocols = e->opts->protocols ? e->opts->protocols :
				     "616,dan-conflict,jan-nx-all,dan-all",
			.seeds = e->opts->quick ? 2 : 5, .threads = tasks,
		};

		snprintf(name, sizeof(name), "%u tasks", tasks);
		snprintf(options, sizeof(options), "--tasks %u --cpus 64 --windows 64 --pages 64 "
			 "--pmd 0.125 --renew 256 --think exp:100us --hold '%s' --faults %u",
			 tasks, medium_hold(e), e->opts->quick ? 5000 : 50000);
		ret = sim_cell(e->opts, &cell, e->cells);
	}
	return ret;
}

/*
 * The live cells again, to see whether the simulator says the same: as many tasks
 * and CPUs, every 2M fault meets. What a fault costs without any hold is taken from
 * the live cell that has none (its median, less the queueing for the CPUs); the
 * rest is to come out by itself.
 */
static int run_validation(struct e3 *e)
{
	const json_t *none = cell_find(e->cells, "live", "hold", "0.00ns"), *cell;
	double cost;
	char options[400];
	json_t *copy;
	size_t i;
	int ret = 0;

	if (!none)
		none = cell_find(e->cells, "live", "hold", "0ns");
	if (!none)
		return 0;
	cost = variant_spread(cell_variant(none, "616"), "large.p50").median *
		e->live.nr_cpus / cell_number(none, "threads");
	copy = json_copy(e->cells);
	json_array_foreach(copy, i, cell) {
		uint64_t hold = cell_number(cell, "hold_ns");
		struct sim_cell c = {
			.group = "validation", .name = cell_string(cell, "name"),
			.protocols = "616,dan-all", .options = options,
			.seeds = e->opts->quick ? 2 : 5, .hold_ns = hold, .p = 1,
			.threads = cell_number(cell, "threads"),
		};

		if (strcmp(cell_string(cell, "driver"), "live") ||
		    strcmp(cell_string(cell, "group"), "hold") || hold < 200000)
			continue;
		snprintf(options, sizeof(options), "--tasks %u --cpus %u --conflict 1 --think 0 "
			 "--pmd 0.5 --hold alloc=%lluns,read=%lluns --cost entry=%.0fns "
			 "--faults 4000", c.threads, e->live.nr_cpus,
			 (unsigned long long)hold, (unsigned long long)hold, cost);
		ret = sim_cell(e->opts, &c, e->cells);
		if (ret)
			break;
	}
	json_decref(copy);
	return ret;
}

int e3_sim(struct e3 *e)
{
	int ret = run_validation(e);

	if (!ret)
		ret = run_hold(e);
	if (!ret)
		ret = run_share(e);
	if (!ret)
		ret = run_tasks(e);
	if (!ret)
		ret = run_open(e);
	if (!ret)
		ret = run_natural(e);
	return ret;
}
