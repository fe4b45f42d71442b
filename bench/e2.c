/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * e2: how often does each protocol lose a wakeup? Files that grow under readers,
 * as the program did that hung; files whose mappings, contents and ends change all
 * the time; and pairs that meet in every second step. Lost sleepers are woken by the
 * daemon, which counts them, so that all can go on.
 */
#include "cells.h"
#include "live.h"
#include "results.h"

#include <stdio.h>

#define PROTOCOLS "buggy,23c8,61c3,6370,513,dan,dan-all,jan-idx,jan-nx"
#define HOLD_NS 200000
#define WINDOWS 129

#define GROWING "growing files"
#define TORTURE "mmaptorture mix"
#define ASLEEP ", left asleep"

static struct faulters_config growing(bool quick)
{
	return (struct faulters_config){ .load = LOAD_APPEND, .processes = 1,
		.threads = 8, .files = 2, .steps = quick ? 60 : 240,
		.hold_ns = HOLD_NS };
}

static struct faulters_config torture(bool quick)
{
	return (struct faulters_config){ .load = LOAD_TORTURE, .processes = 1,
		.threads = 8, .files = 1, .steps = quick ? 60 : 160,
		.hold_ns = HOLD_NS };
}

/*
 * How long would it take until somebody rescues the sleeper by chance? Of those that
 * have lost anybody before, without the lock: behind it nobody would come.
 */
static int left_asleep(struct live *l, struct live_cell cell, json_t *cells)
{
	struct live_variant losers[LIVE_MAX];
	const json_t *run;
	unsigned int i;
	size_t k;
	int ret;

	cell.variants = losers;
	cell.asleep = true;
	cell.nr = 0;
	for (i = 0; i < LIVE_MAX; i++)
		losers[i] = (struct live_variant){ 0 };
	run = json_object_get(json_array_get(cells, 0), "variants");
	for (k = 0; k < json_array_size(run); k++) {
		const char *name = cell_string(json_array_get(run, k), "name");
		double lost = 0;

		for (i = 0; i < json_array_size(cells); i++)
			lost += variant_sum(cell_variant(json_array_get(cells, i), name),
					    "counters.lost_wakeups");
		if (lost)
			losers[cell.nr++] = (struct live_variant){
				.name = name, .protocol = name };
	}
	if (!cell.nr)
		return 0;
	cell.name = GROWING ASLEEP;
	cell.cfg = growing(l->opts->quick);
	ret = live_cell(l, &cell, cells);
	if (ret)
		return ret;
	cell.name = TORTURE ASLEEP;
	cell.cfg = torture(l->opts->quick);
	return live_cell(l, &cell, cells);
}

static int body(struct live *l, json_t *cells)
{
	bool quick = l->opts->quick;
	struct live_variant variants[LIVE_MAX];
	char names[LIVE_MAX][32];
	unsigned int nr = live_protocols(l->opts, PROTOCOLS, variants, names);
	struct live_cell cell = {
		.group = "lost", .variants = variants, .nr = nr,
		.rounds = l->opts->repeat ? l->opts->repeat : quick ? 1 : 5,
		.log = "/dev/null",
	};
	int ret = live_kick(l, variants, nr);

	if (ret)
		return BENCH_CANNOT;
	for (unsigned int i = 0; i < nr; i++)
		variants[i].env = "UDAX_MMAP_LOCK=kernel";
	cell.name = GROWING;
	cell.cfg = growing(quick);
	ret = live_cell(l, &cell, cells);
	if (ret)
		return ret;
	cell.name = TORTURE;
	cell.cfg = torture(quick);
	ret = live_cell(l, &cell, cells);
	if (ret)
		return ret;
	/* Without the lock: the two of a pair would wait for each other's faults. */
	for (unsigned int i = 0; i < nr; i++)
		variants[i].env = NULL;
	cell.name = "pairs, every second meets";
	cell.cfg = (struct faulters_config){ .load = LOAD_PAIRS, .processes = 1,
		.threads = 8, .windows = WINDOWS, .steps = quick ? 8 : 32, .p = 0.5,
		.hold_ns = HOLD_NS };
	ret = live_cell(l, &cell, cells);
	return ret ? ret : left_asleep(l, cell, cells);
}

/* A time of "lost_ns", us; null if there is none. */
static json_t *lost_us(const json_t *v, const char *what, const char *quantile)
{
	char path[64];
	double ns;

	snprintf(path, sizeof(path), "counters.lost_ns.%s.%s", what, quantile);
	return round_figure(v, path, &ns) ? json_real(ns / 1e3) : json_null();
}

static void show_times(json_t *report)
{
	const json_t *cell, *v;
	json_t *table;
	size_t i, k;

	table = results_table(report, "times", "From the step that lost a wakeup, us (of those "
		"that lost any)",
		"load|protocol|to the report: p50|p99|longest|to a rescue: p50|p99|longest"
		"|to the kick: p50|p99|longest");
	json_array_foreach((json_t *)(uintptr_t)cells_of(report), i, cell) {
		json_array_foreach(json_object_get(cell, "variants"), k, v) {
			double lost;

			if (!round_figure(v, "counters.lost_wakeups", &lost) || !lost)
				continue;
			results_row(table, json_pack("[s,s,o,o,o,o,o,o,o,o,o]",
				cell_string(cell, "name"), cell_string(v, "name"),
				lost_us(v, "detect", "p50"), lost_us(v, "detect", "p99"),
				lost_us(v, "detect", "max"),
				lost_us(v, "rescued", "p50"), lost_us(v, "rescued", "p99"),
				lost_us(v, "rescued", "max"),
				lost_us(v, "kicked", "p50"), lost_us(v, "kicked", "p99"),
				lost_us(v, "kicked", "max")));
		}
	}
}

static void show(json_t *report)
{
	const json_t *cell, *v;
	json_t *table;
	size_t i, k;

	table = results_table(report, "lost", "Wakeups lost per 10^6 faults (median of rounds)",
		"load|protocol|lost per 10^6|lost in all|rescued|faults/s|p99 of a fault, us"
		"|longest queue at the mmap lock");
	json_array_foreach((json_t *)(uintptr_t)cells_of(report), i, cell) {
		json_array_foreach(json_object_get(cell, "variants"), k, v) {
			struct spread p99 = variant_spread(v, "p99_ns");
			const json_t *lock = json_object_get(json_object_get(
				json_object_get(v, "counters"), "mmap_lock"), "max_queue");

			p99.median /= 1e3;
			p99.min /= 1e3;
			p99.max /= 1e3;
			results_row(table, json_pack("[s,s,o,f,f,o,o,O?]",
				cell_string(cell, "name"), cell_string(v, "name"),
				spread_cell(variant_spread(v,
					"per_million:counters.lost_wakeups")),
				variant_sum(v, "counters.lost_wakeups"),
				variant_sum(v, "counters.rescued"),
				spread_cell(variant_spread(v, "rate")),
				spread_cell(p99), lock));
		}
	}
	results_say(report, "read", "Lost: the daemon found, at the moment it happened, that a "
		"sleeping fault had nobody left to wake it, and woke it itself. The kernel "
		"would have left it asleep for ever, with the mmap lock held. Rescued: a "
		"later fault woke it all the same. The queue at the mmap lock counts threads "
		"of the program that wait in mmap(), munmap() or a fault behind one "
		"(udax run --mmap-lock kernel). In the mmaptorture mix six threads map, "
		"move, protect, advise, sync and unmap windows of one file and touch "
		"them, and two write, punch and truncate it.");
	show_times(report);
	results_say(report, "read", "Times are from the end of the step after which nobody was "
		"left to wake the fault: to the report (the line on the daemon's standard "
		"error is written; of more than ten a second it is only counted), to the "
		"wake of a later fault, to the daemon's own. They are of all rounds, "
		"the first included. Left asleep: the protocols that had lost somebody run "
		"once more, without the mmap lock, and a sleeper is kicked only when faults "
		"have come to a standstill, which is seen after 100 to 200 ms. A truncation "
		"or a hole that is punched waits for the sleeping fault, and all faults of "
		"the file wait behind it: where there are such, few are rescued.");
	results_say(report, "not", "The rate depends on how often faults of two sizes meet, "
		"which a load chooses, and on hold times of 200 us, longer than most. None "
		"lost here is no proof: `udax check --exhaustive` gives that for a few "
		"operations. But for the loads that are left asleep the daemon wakes a fault when "
		"the entry in its way is released: who would have been rescued later than "
		"that counts as kicked. Losses that need an invalidation beside a fault do not show "
		"here: truncations exclude faults by the file system's lock, as on ext4 "
		"and xfs.");
}

int e2_run(const struct bench_opts *opts, json_t *report)
{
	return live_experiment(opts, report, WINDOWS, body, show);
}
