/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * e3, the question: does it pay to let a 2M fault that meets a 4K entry fall back
 * at once (616), instead of converging the wait queues (dan-all)? The two differ
 * in two things, so all four combinations run: key {entry, 2M} x a 2M fault that
 * meets a 4K entry {falls back, waits}; and buggy for contrast. Live here, in
 * e3_sim.c for machines that this one is not; e3_load.c asks how often it happens.
 */
#include "e3.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "results.h"
#include "verdict.h"

#define US 1000ull
#define MS 1000000ull
#define WINDOWS 257

/* Room for what a cell is called. */
struct named_cell {
	struct live_cell cell;
	char name[64];
};

static void name_hold(char *buf, size_t size, uint64_t ns)
{
	format_duration(buf, size, ns);
}

/*
 * Steps of a pair: as many as there are windows for, or as the time allows. A
 * step is a fault that holds and, after it, one that may have to wait as long.
 */
static uint32_t pair_steps(const struct e3 *e, const struct faulters_config *c)
{
	uint32_t pairs = c->threads / 2, most = (WINDOWS - 1) / pairs;
	uint64_t budget = (e->opts->quick ? 40 : 250) * MS;
	uint64_t step = 2 * c->hold_ns + 60 * US * pairs;
	uint32_t fit = budget / step;

	fit = fit < 4 ? 4 : fit;
	return fit < most ? fit : most;
}

static int run_cell(struct e3 *e, const char *group, const char *name,
		    const struct faulters_config *cfg)
{
	struct live_cell cell = {
		.group = group, .name = name, .cfg = *cfg,
		.variants = e->variants, .nr = e->nr, .rounds = e->rounds,
		/* Each sleeper of buggy's that is lost is a page there. */
		.log = "/dev/null",
	};

	if (cfg->load == LOAD_PAIRS)
		cell.cfg.steps = pair_steps(e, cfg);
	return live_cell(&e->live, &cell, e->cells);
}

static int run_hold(struct e3 *e)
{
	static const uint64_t full[] = { 0, 50 * US, 200 * US, 1 * MS, 5 * MS };
	static const uint64_t quick[] = { 0, 500 * US };
	const uint64_t *holds = e->opts->quick ? quick : full;
	size_t n = e->opts->quick ? 2 : 5, i;
	char name[32];
	int ret = 0;

	for (i = 0; i < n && !ret; i++) {
		struct faulters_config c = { .load = LOAD_PAIRS, .processes = 1,
			.threads = 8, .windows = WINDOWS, .p = 0.5,
			.hold_ns = holds[i] };

		name_hold(name, sizeof(name), holds[i]);
		ret = run_cell(e, "hold", name, &c);
	}
	return ret;
}

static int run_share(struct e3 *e)
{
	static const double full[] = { 0, 0.25, 0.75, 1 }, quick[] = { 1 };
	const double *parts = e->opts->quick ? quick : full;
	size_t n = e->opts->quick ? 1 : 4, i;
	char name[32];
	int ret = 0;

	for (i = 0; i < n && !ret; i++) {
		struct faulters_config c = { .load = LOAD_PAIRS, .processes = 1,
			.threads = 8, .windows = WINDOWS, .p = parts[i],
			.hold_ns = 200 * US };

		snprintf(name, sizeof(name), "p=%.2f", parts[i]);
		ret = run_cell(e, "share", name, &c);
	}
	return ret;
}

static int run_threads(struct e3 *e)
{
	static const struct { uint32_t threads, processes; } full[] = {
		{ 2, 1 }, { 16, 1 }, { 64, 1 }, { 8, 2 }, { 8, 8 },
	}, quick[] = { { 4, 2 } };
	size_t n = e->opts->quick ? 1 : 5, i;
	char name[32];
	int ret = 0;

	for (i = 0; i < n && !ret; i++) {
		struct faulters_config c = { .load = LOAD_PAIRS, .windows = WINDOWS,
			.threads = e->opts->quick ? quick[i].threads : full[i].threads,
			.processes = e->opts->quick ? quick[i].processes :
				full[i].processes,
			.p = 0.5, .hold_ns = 200 * US };

		snprintf(name, sizeof(name), "%u threads, %u process%s", c.threads,
			 c.processes, c.processes == 1 ? "" : "es");
		ret = run_cell(e, c.processes == 1 ? "threads" : "processes", name, &c);
	}
	return ret;
}

static int run_pages(struct e3 *e)
{
	static const struct { uint32_t pages, threads; } full[] = {
		{ 1, 8 }, { 4, 2 }, { 4, 8 }, { 4, 16 }, { 16, 8 },
	}, quick[] = { { 4, 4 } };
	size_t n = e->opts->quick ? 1 : 5, i;
	char name[32];
	int ret = 0;

	for (i = 0; i < n && !ret; i++) {
		struct faulters_config c = { .load = LOAD_PAGES, .windows = 1,
			.pages = e->opts->quick ? quick[i].pages : full[i].pages,
			.threads = e->opts->quick ? quick[i].threads : full[i].threads,
			.processes = 1, .hold_ns = 50 * US };

		/* Whole mappings, about as many faults a thread in each cell. */
		c.steps = (e->opts->quick ? 16 : 64) / c.pages * c.pages;
		snprintf(name, sizeof(name), "%u pages, %u threads", c.pages, c.threads);
		ret = run_cell(e, "pages", name, &c);
	}
	return ret;
}

/* buggy sleeps for ever where nobody wakes it: it needs a daemon that kicks. */
static void choose_variants(struct e3 *e)
{
	unsigned int i, n = 0;

	e->nr = live_protocols(e->opts, "616,dan-conflict,jan-nx-all,dan-all,buggy",
			       e->variants, e->names);
	for (i = 0; i < e->nr; i++) {
		struct live_variant v = e->variants[i];

		if (!strcmp(v.name, "buggy")) {
			if (live_kick(&e->live, &v, 1))
				continue;
		}
		e->variants[n++] = v;
	}
	e->nr = n;
}

static void say(json_t *report)
{
	results_say(report, "read", "A small fault is of one page through a mapping that "
		"allows no 2M fault; a large one tries 2M first. Where they meet, the "
		"large one comes while the small one holds its entry: under 616 and "
		"dan-conflict it falls back at once, under jan-nx-all and dan-all it "
		"waits and then falls back. A time is what the program waited in one "
		"access; a stall is what the daemon measured from the first sleep to "
		"the lock or the fallback.");
	results_say(report, "read", "Ratios are medians of ratios of neighbouring rounds, "
		"with the interval that holds the median with 95 %% confidence "
		"(bootstrap over rounds). 'equal' means that the whole interval lies "
		"within 2 %% of 1.");
	results_say(report, "not", "On two CPUs nothing below a hold time of 20 us is "
		"said: waking a thread costs as much. The part of the steps that meet "
		"is swept here, and chosen by nobody in a real program: see how often "
		"it happens under load. Faults of threads that wait for each other "
		"(a closed loop) hide stalls in the rate; look at the p99 too. Under the "
		"live loads faults of two CPUs alone can meet; more CPUs see more of it, as "
		"the simulated load that arranges nothing says. The rule is not judged on "
		"that one: how many pages of a window are wanted by how many is its input.");
}

int e3_run(const struct bench_opts *opts, json_t *report)
{
	struct e3 *e = calloc(1, sizeof(*e));
	int ret;

	if (!e)
		return BENCH_FAIL;
	verdict_rule(report);
	results_print_rule(report, stdout);
	e->opts = opts;
	e->report = report;
	e->cells = json_array();
	e->rounds = opts->repeat ? opts->repeat : opts->quick ? 3 : 7;
	json_object_set_new(report, "cells", e->cells);
	ret = live_open(&e->live, opts, WINDOWS);
	if (ret) {
		free(e);
		return ret;
	}
	choose_variants(e);
	ret = e3_wanted(e, "hold") ? run_hold(e) : 0;
	if (!ret && e3_wanted(e, "share"))
		ret = run_share(e);
	if (!ret && e3_wanted(e, "threads"))
		ret = run_threads(e);
	if (!ret && e3_wanted(e, "pages"))
		ret = run_pages(e);
	if (!ret && e3_wanted(e, "load"))
		ret = e3_load(e);
	live_close(&e->live);
	if (!ret && e3_wanted(e, "sim"))
		ret = e3_sim(e);
	progress("%s", "");
	if (!ret) {
		verdict_tables(report);
		say(report);
		results_print(report, stdout);
		verdict_print(report, stdout);
	}
	free(e);
	return ret ? BENCH_FAIL : BENCH_OK;
}

bool e3_wanted(const struct e3 *e, const char *group)
{
	return name_listed(e->opts->only, group);
}
