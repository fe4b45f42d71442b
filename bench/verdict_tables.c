/* SPDX-License-Identifier: BSD-3-Clause */
/* Tables and plots of e3, from its cells. */
#include "verdict.h"

#include <string.h>

#include "cells.h"
#include "results.h"

#define BASE "616"
#define LOOP (json_t *)(uintptr_t)

static uint64_t seed_of(const json_t *report)
{
	return json_integer_value(json_object_get(report, "seed"));
}

static bool is_group(const json_t *cell, const char *driver, const char *groups)
{
	const char *group = cell_string(cell, "group"), *p = strstr(groups, group);
	size_t len = strlen(group);

	return len && !strcmp(cell_string(cell, "driver"), driver) && p &&
	       (p == groups || p[-1] == ' ') && (p[len] == ' ' || !p[len]);
}

static bool any_group(const json_t *report, const char *driver, const char *groups)
{
	const json_t *cell;
	size_t i;

	json_array_foreach(LOOP cells_of(report), i, cell)
		if (is_group(cell, driver, groups))
			return true;
	return false;
}

static json_t *in_us(struct spread s)
{
	s.median /= 1e3;
	s.min /= 1e3;
	s.max /= 1e3;
	return spread_cell(s);
}

static json_t *cell_label(const json_t *cell)
{
	return json_sprintf("%s, %s", cell_string(cell, "group"),
			    cell_string(cell, "name"));
}

/* The 2 x 2: each ratio changes one thing, the last one both. */
static void factors_table(json_t *report, const char *driver, const char *name,
			  const char *title, const char *figure, const char *groups)
{
	static const struct { const char *a, *b; } pairs[] = {
		{ "jan-nx-all", BASE }, { "dan-all", "dan-conflict" },
		{ "dan-conflict", BASE }, { "dan-all", "jan-nx-all" },
		{ "dan-all", BASE },
	};
	json_t *table, *row;
	const json_t *cell;
	size_t i, k;

	if (!any_group(report, driver, groups))
		return;
	table = results_table(report, name, title,
		"cell|waiting: jan-nx-all/616|waiting: dan-all/dan-conflict"
		"|key: dan-conflict/616|key: dan-all/jan-nx-all|both: dan-all/616");
	json_array_foreach(LOOP cells_of(report), i, cell) {
		if (!is_group(cell, driver, groups))
			continue;
		row = json_array();
		json_array_append_new(row, cell_label(cell));
		for (k = 0; k < sizeof(pairs) / sizeof(pairs[0]); k++)
			json_array_append_new(row, interval_cell(cell_ratio(cell,
				pairs[k].a, pairs[k].b, figure, seed_of(report))));
		results_row(table, row);
	}
}

static void stall_table(json_t *report, const char *driver, const char *title,
			const char *groups)
{
	const json_t *cell, *v;
	json_t *table;
	size_t i, k;

	if (!any_group(report, driver, groups))
		return;
	table = results_table(report, "pairs", title,
		"cell|protocol|faults/s|large that meets, p50 us|p99 us|large alone, p50 us"
		"|small, p50 us|2M waits for 4K|useful|misdirected|freed from hanging");
	json_array_foreach(LOOP cells_of(report), i, cell) {
		if (!is_group(cell, driver, groups))
			continue;
		json_array_foreach(json_object_get(cell, "variants"), k, v)
			results_row(table, json_pack("[o,s,o,o,o,o,o,f,f,f,o]",
				cell_label(cell), cell_string(v, "name"),
				spread_cell(variant_spread(v, "rate")),
				in_us(variant_spread(v, "large_shared.p50")),
				in_us(variant_spread(v, "large_shared.p99")),
				in_us(variant_spread(v, "large.p50")),
				in_us(variant_spread(v, "small_shared.p50")),
				variant_sum(v, "counters.stalls.pmd_on_pte.n"),
				variant_sum(v, "counters.useful_waits"),
				variant_sum(v, "counters.wakes.misdirected"),
				json_is_true(json_object_get(v, "hung")) ?
					json_string("hung") :
					json_real(variant_sum(v, "counters.lost_wakeups"))));
	}
}

static void pages_table(json_t *report)
{
	const json_t *cell, *v;
	json_t *table;
	size_t i, k;

	if (!any_group(report, "live", "pages"))
		return;
	table = results_table(report, "pages", "4K faults alone, on a few pages of one window",
		"cell|protocol|faults/s|p50 us|p99 us|waits|wakes|woken|scanned a wake"
		"|misdirected|useless");
	json_array_foreach(LOOP cells_of(report), i, cell) {
		if (!is_group(cell, "live", "pages"))
			continue;
		json_array_foreach(json_object_get(cell, "variants"), k, v) {
			double wakes = variant_sum(v, "counters.wakes.next") +
				variant_sum(v, "counters.wakes.all");

			results_row(table, json_pack("[s,s,o,o,o,f,f,f,f,f,f]",
				cell_string(cell, "name"), cell_string(v, "name"),
				spread_cell(variant_spread(v, "rate")),
				in_us(variant_spread(v, "small.p50")),
				in_us(variant_spread(v, "small.p99")),
				variant_sum(v, "counters.waits"), wakes,
				variant_sum(v, "counters.wakes.woken"),
				wakes ? variant_sum(v, "counters.wakes.scanned") / wakes : 0,
				variant_sum(v, "counters.wakes.misdirected"),
				variant_sum(v, "counters.wakes.useless")));
		}
	}
}

/* @p99: of which figure. */
static void load_table(json_t *report, const char *driver, const char *group,
		       const char *title, const char *p99, const char *p99_of)
{
	char columns[300];
	const json_t *cell, *v;
	json_t *table;
	size_t i, k;

	if (!any_group(report, driver, group))
		return;
	snprintf(columns, sizeof(columns), "load|protocol|faults or operations/s|p99 of %s, us"
		 "|2M lookups that met a 4K entry|2M waits for 4K|useful|all waits"
		 "|share of fault time, %%", p99_of);
	table = results_table(report, group, title, columns);
	json_array_foreach(LOOP cells_of(report), i, cell) {
		if (!is_group(cell, driver, group))
			continue;
		json_array_foreach(json_object_get(cell, "variants"), k, v) {
			struct interval share = variant_interval(v, "fault_share",
								 seed_of(report));

			share.value *= 100;
			share.low *= 100;
			share.high *= 100;
			results_row(table, json_pack("[s,s,o,o,o,o,o,o,o]",
				cell_string(cell, "name"), cell_string(v, "name"),
				spread_cell(variant_spread(v, "rate")),
				in_us(variant_spread(v, p99)),
				spread_cell(variant_spread(v, "per_million:counters.conflicts")),
				spread_cell(variant_spread(v,
					"per_million:counters.stalls.pmd_on_pte.n")),
				spread_cell(variant_spread(v, "per_million:counters.useful_waits")),
				spread_cell(variant_spread(v, "per_million:counters.waits")),
				interval_cell(share)));
		}
	}
}

/* One series a protocol, one point a cell of the group, x a member of the cell. */
static void sweep_plot(json_t *report, const char *driver, const char *group,
		       const char *name, const char *title, const char *member,
		       double scale, const char *x, const char *figure, double y_scale,
		       const char *y, unsigned int flags)
{
	const json_t *first = cell_find(cells_of(report), driver, group, NULL), *v, *cell;
	json_t *plot, *series;
	size_t i, k;

	if (!first)
		return;
	plot = results_plot(report, name, title, x, y, flags);
	json_array_foreach(json_object_get(first, "variants"), k, v) {
		series = results_series(plot, cell_string(v, "name"));
		json_array_foreach(LOOP cells_of(report), i, cell) {
			struct spread s = variant_spread(
				cell_variant(cell, cell_string(v, "name")), figure);

			if (!is_group(cell, driver, group) || !s.n)
				continue;
			results_point_range(series, cell_number(cell, member) * scale,
					    s.median * y_scale, s.min * y_scale,
					    s.max * y_scale);
		}
	}
}

/* Of the large faults that meet a small one, at the longest hold below 1 ms. */
static void cdf_plot(json_t *report)
{
	const json_t *cell, *best = NULL, *v, *points, *point;
	json_t *plot, *series;
	size_t i, k;

	json_array_foreach(LOOP cells_of(report), i, cell)
		if (is_group(cell, "live", "hold") && cell_number(cell, "hold_ns") < 1e6 &&
		    (!best || cell_number(cell, "hold_ns") > cell_number(best, "hold_ns")))
			best = cell;
	if (!best)
		return;
	plot = results_plot(report, "stall-cdf",
		"Time of a 2M fault that meets a locked 4K entry, by protocol",
		"us", "part of the faults that took no longer", PLOT_LOG_X | PLOT_PART_Y);
	json_array_foreach(json_object_get(best, "variants"), k, v) {
		points = json_object_get(json_object_get(v, "cdf"), "large_shared");
		series = results_series(plot, cell_string(v, "name"));
		json_array_foreach(LOOP points, i, point)
			results_point(series,
				      json_number_value(json_array_get(point, 0)) / 1e3,
				      json_number_value(json_array_get(point, 1)));
	}
}

/* What the simulator says of every cell; its large faults all meet a 4K entry. */
static void sim_table(json_t *report)
{
	const json_t *cell, *v;
	json_t *table;
	size_t i, k;

	if (!any_group(report, "sim", "hold share threads open"))
		return;
	table = results_table(report, "sim", "Simulated: 64 CPUs, medians of the seeds",
		"cell|protocol|faults/s|2M fault, p50 us|p99 us|4K fault, p99 us|2M waits for 4K"
		"|useful|misdirected|lost|share of fault time, %");
	json_array_foreach(LOOP cells_of(report), i, cell) {
		if (!is_group(cell, "sim", "hold share threads open"))
			continue;
		json_array_foreach(json_object_get(cell, "variants"), k, v)
			results_row(table, json_pack("[o,s,f,f,f,f,f,f,f,f,f]",
				cell_label(cell), cell_string(v, "name"),
				variant_spread(v, "rate").median,
				variant_spread(v, "large.p50").median / 1e3,
				variant_spread(v, "large.p99").median / 1e3,
				variant_spread(v, "small.p99").median / 1e3,
				variant_sum(v, "counters.stalls.pmd_on_pte.n"),
				variant_sum(v, "counters.useful_waits"),
				variant_sum(v, "counters.wakes.misdirected"),
				variant_sum(v, "counters.lost_wakeups"),
				variant_spread(v, "fault_share").median * 100));
	}
}

/* Does the simulator say what was measured? Within 20 %, or not. */
static void validation_table(json_t *report)
{
	static const char *const figures[] = { "large_shared.p50", "large_shared.p99" };
	const json_t *sim, *live, *v;
	json_t *table;
	size_t i, k, f;

	if (!any_group(report, "sim", "validation"))
		return;
	table = results_table(report, "validation", "The simulator against the live runs: a 2M "
		"fault that meets a locked 4K entry", "hold|protocol|figure|live, us"
		"|simulated, us|simulated/live|within 20 %");
	json_array_foreach(LOOP cells_of(report), i, sim) {
		if (!is_group(sim, "sim", "validation"))
			continue;
		live = cell_find(cells_of(report), "live", "hold", cell_string(sim, "name"));
		json_array_foreach(json_object_get(sim, "variants"), k, v)
			for (f = 0; f < 2; f++) {
				double s = variant_spread(v, figures[f]).median;
				struct spread l = variant_spread(cell_variant(live,
					cell_string(v, "name")), figures[f]);
				double r = l.median ? s / l.median : 0;

				results_row(table, json_pack("[s,s,s,o,f,f,b]",
					cell_string(sim, "name"), cell_string(v, "name"),
					strchr(figures[f], '.') + 1, in_us(l), s / 1e3, r,
					r >= 0.8 && r <= 1.2));
			}
	}
}

static void plots(json_t *report, const char *driver, const char *where)
{
	char name[64], title[200];

	snprintf(name, sizeof(name), "throughput-hold-%s", driver);
	snprintf(title, sizeof(title), "Throughput against hold time%s", where);
	sweep_plot(report, driver, "hold", name, title, "hold_ns", 1e-3, "hold time, us",
		   "rate", 1, "faults/s", PLOT_LOG_X | PLOT_LOG_Y);
	snprintf(name, sizeof(name), "stall-share-%s", driver);
	snprintf(title, sizeof(title), "2M faults that meet a 4K entry, against sharing%s",
		 where);
	sweep_plot(report, driver, "share", name, title, "p", 1,
		   "part of the 2M faults that meet one", "large_shared.p99", 1e-3,
		   "p99, us", PLOT_LOG_Y);
	snprintf(name, sizeof(name), "scaling-threads-%s", driver);
	snprintf(title, sizeof(title), "Scaling with threads%s", where);
	sweep_plot(report, driver, "threads", name, title, "threads", 1, "threads",
		   "rate", 1, "faults/s", PLOT_LOG_X);
}

#define PAIRS_GROUPS "hold share threads processes"

void verdict_tables(json_t *report)
{
	json_object_del(report, "tables");
	json_object_del(report, "plots");
	load_table(report, "live", "load", "How often it happens: per 10^6 faults under load",
		   "p99_ns", "a fault");
	load_table(report, "sim", "natural", "How often it happens when nobody arranges it, "
		   "simulated: 64 CPUs, many mappings of 64 windows; per 10^6 faults",
		   "large.p99", "a 2M attempt");
	factors_table(report, "live", "rate-factors",
		      "Faults a second, ratios (95 % intervals)", "rate", PAIRS_GROUPS);
	factors_table(report, "live", "stall-factors",
		      "Median time of a 2M fault that meets a 4K entry, ratios (95 % intervals)",
		      "large_shared.p50", PAIRS_GROUPS);
	stall_table(report, "live", "2M faults beside 4K faults", PAIRS_GROUPS);
	factors_table(report, "live", "pages-factors",
		      "4K faults alone: faults a second, ratios (95 % intervals)", "rate",
		      "pages");
	pages_table(report);
	factors_table(report, "sim", "sim-rate-factors",
		      "Simulated: faults a second, ratios (95 % intervals over seeds)", "rate",
		      "hold share threads open natural");
	factors_table(report, "sim", "sim-stall-factors",
		      "Simulated: p99 of faults that try 2M, ratios (95 % intervals over seeds)",
		      "large.p99", "hold share threads open natural");
	sim_table(report);
	validation_table(report);
	cdf_plot(report);
	plots(report, "live", "");
	plots(report, "sim", ", simulated");
}
