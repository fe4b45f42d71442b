/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * e7: does the size of the table of wait queues matter, and does it matter that
 * one key a window spreads less well? Tables of 2^4 to 2^14 queues, many windows
 * lightly contended: live with 64 threads (udaxd --wait-queues), simulated with 512
 * tasks on 64 CPUs.
 */
#include "cells.h"
#include "live.h"
#include "results.h"
#include "simrun.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define PROTOCOLS "616,dan-conflict,dan-all"
#define SIM_PROTOCOLS "513,616,dan-conflict,dan-all"
#define WINDOWS 16
#define PAGES 4			/* of each */
#define THREADS 64
#define HOLD_NS 200000ull

/* ------------------------------------------------------------------- live */

static int live_bits(struct live *l, unsigned int bits, json_t *cells)
{
	struct live_variant variants[LIVE_MAX];
	char names[LIVE_MAX][32], name[16], queues[16];
	struct live_cell cell = {
		.group = "queues", .name = name, .variants = variants,
		.nr = live_protocols(l->opts, PROTOCOLS, variants, names),
		.rounds = l->opts->repeat ? l->opts->repeat : l->opts->quick ? 1 : 5,
		.cfg = { .load = LOAD_PAGES, .processes = 1, .windows = WINDOWS,
			 .threads = THREADS, .pages = PAGES, .ranges = WINDOWS,
			 .steps = PAGES * WINDOWS * (l->opts->quick ? 1 : 3),
			 .hold_ns = HOLD_NS },
	};

	snprintf(name, sizeof(name), "2^%u", bits);
	snprintf(queues, sizeof(queues), "%u", 1u << bits);
	for (unsigned int i = 0; i < cell.nr; i++) {
		variants[i].more[0] = "--wait-queues";
		variants[i].more[1] = queues;
	}
	return live_cell(l, &cell, cells);
}

static int live_body(struct live *l, json_t *cells)
{
	static const unsigned int full[] = { 4, 6, 8, 12 }, quick[] = { 4, 12 };
	unsigned int i, nr = l->opts->quick ? 2 : 4;
	int ret = 0;

	for (i = 0; i < nr && !ret; i++)
		ret = live_bits(l, l->opts->quick ? quick[i] : full[i], cells);
	return ret;
}

/* -------------------------------------------------------------- simulated */

static int sim_body(const struct bench_opts *opts, json_t *cells)
{
	static const unsigned int full[] = { 4, 6, 8, 10, 12, 14 }, quick[] = { 4, 12 };
	char name[32], options[300];
	int ret = 0;

	for (unsigned int i = 0; i < (opts->quick ? 2 : 6) && !ret; i++) {
		unsigned int bits = opts->quick ? quick[i] : full[i];
		struct sim_cell c = {
			.group = "queues", .name = name, .options = options,
			.protocols = opts->protocols ? opts->protocols : SIM_PROTOCOLS,
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
	return ret;
}

/* ------------------------------------------------------------------- both */

static bool is_sim(const json_t *cell)
{
	return !strcmp(cell_string(cell, "driver"), "sim");
}

static json_t *delayed(const json_t *variant)
{
	struct spread s = variant_spread(variant, "delayed.p99");

	return s.n ? json_real(s.median / 1e3) : json_null();
}

static void table(json_t *report)
{
	json_t *t = results_table(report, "queues", "Wait queues: live, 64 threads on 16 windows; "
		"simulated, 512 tasks on 64", "driver|queues|protocol|of other keys, looked at for "
		"each woken|scanned for each woken|misdirected per 10^6 faults|waits per 10^6"
		"|faults/s|delayed wakes, p99 us");
	const json_t *cells = cells_of(report), *cell, *v;
	size_t i, k;

	json_array_foreach((json_t *)(uintptr_t)cells, i, cell)
		json_array_foreach(json_object_get(cell, "variants"), k, v) {
			double woken = variant_sum(v, "counters.wakes.woken");

			results_row(t, json_pack("[s,s,s,o,o,o,o,o,o]",
				is_sim(cell) ? "simulated" : "live",
				cell_string(cell, "name"), cell_string(v, "name"),
				spread_cell(variant_spread(v, "passed_over")),
				woken ? json_real(variant_sum(v, "counters.wakes.scanned") /
						  woken) : json_null(),
				spread_cell(variant_spread(v,
					"per_million:counters.wakes.misdirected")),
				spread_cell(variant_spread(v, "per_million:counters.waits")),
				spread_cell(variant_spread(v, "rate")), delayed(v)));
		}
}

/* "2^12" */
static double queues_of(const json_t *cell)
{
	unsigned int bits = 0;

	return sscanf(cell_string(cell, "name"), "2^%u", &bits) == 1 ? ldexp(1, bits) : 0;
}

static void plot(json_t *report, bool sim)
{
	json_t *p = results_plot(report, sim ? "scan-length" : "scan-length-live", sim ?
		"Waiters of other keys that a wake looks at, against the number of wait queues, "
		"simulated" : "Waiters of other keys that a wake looks at, against the number "
		"of wait queues, live", "wait queues", "passed over for each that is woken",
		PLOT_LOG_X);
	const json_t *cells = cells_of(report), *cell, *v;
	json_t *series[LIVE_MAX] = { NULL };
	size_t i, k;

	json_array_foreach((json_t *)(uintptr_t)cells, i, cell)
		json_array_foreach(json_object_get(cell, "variants"), k, v) {
			struct spread s = variant_spread(v, "passed_over");

			if (is_sim(cell) != sim || !s.n || k >= LIVE_MAX)
				continue;
			if (!series[k])
				series[k] = results_series(p, cell_string(v, "name"));
			results_point_range(series[k], queues_of(cell), s.median, s.min,
					    s.max);
		}
}

/* How many are passed over with few queues, and with as many as the kernel has. */
static void answer(json_t *report, const char *driver)
{
	const json_t *few = cell_find(cells_of(report), driver, "queues", "2^4");
	const json_t *many = cell_find(cells_of(report), driver, "queues", "2^12");
	const json_t *v, *w;
	size_t i;

	json_array_foreach(json_object_get(few, "variants"), i, v) {
		w = many ? cell_variant(many, cell_string(v, "name")) : NULL;
		if (w && (!strcmp(cell_string(v, "name"), "616") ||
			  !strcmp(cell_string(v, "name"), "dan-all")))
			results_say(report, "answer", "%s, %s: %.2f waiters of other keys are "
				"looked at for each that is woken with 2^4 queues, %.4f with 2^12.",
				strcmp(driver, "sim") ? "Live" : "Simulated",
				cell_string(v, "name"), variant_spread(v, "passed_over").median,
				variant_spread(w, "passed_over").median);
	}
}

static void show(json_t *report, bool live, bool sim)
{
	answer(report, "live");
	answer(report, "sim");
	table(report);
	if (live)
		plot(report, false);
	if (sim)
		plot(report, true);
	results_say(report, "read", "A wake walks its queue until it finds whom to wake; waiters "
		"of other keys that hash to the same queue are looked at and passed over: "
		"those are the collisions. The kernel has 2^12 queues. What dan-all and "
		"dan-conflict wake of another page of the same window has the same key: that is "
		"no collision, but misdirected.");
	results_say(report, "read", "live: %u threads touch %u pages of each of %u windows, each in "
		"an order of its own and by mappings of its own, holds of %llu us: %u keys, or "
		"%u with one a window.", THREADS, PAGES, WINDOWS, HOLD_NS / 1000, PAGES * WINDOWS,
		WINDOWS);
	results_say(report, "not", "Live no more threads can wait than there are, and a collision "
		"costs some nanoseconds beside a fault's ten microseconds: the rates do not show "
		"it. What a waiter that is passed over costs is an input of the simulation "
		"(udax sim --cost scan), not a result.");
}

int e7_run(const struct bench_opts *opts, json_t *report)
{
	return live_and_sim(opts, report, WINDOWS, live_body, sim_body, show);
}
