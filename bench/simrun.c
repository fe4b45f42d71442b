/* SPDX-License-Identifier: BSD-3-Clause */
#include "simrun.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cells.h"
#include "proc.h"

static const json_t *at(const json_t *o, const char *a, const char *b)
{
	o = json_object_get(o, a);
	return b ? json_object_get(o, b) : o;
}

/* A set of times as a class of samples: {"n", "p50", "p99", "max", "sum"}. */
static json_t *times(const json_t *t)
{
	if (!json_integer_value(json_object_get(t, "count")))
		return NULL;
	return json_pack("{s:O,s:O,s:O,s:O,s:O}", "n", json_object_get(t, "count"),
			 "p50", json_object_get(t, "p50"),
			 "p99", json_object_get(t, "p99"),
			 "max", json_object_get(t, "max"),
			 "sum", json_object_get(t, "sum"));
}

static json_t *counters(const json_t *r)
{
	const json_t *stall = at(r, "stall_ns", "pmd_on_other_pte");

	return json_pack("{s:O,s:O,s:O,s:O,s:O,s:O,s:O,s:I,s:{s:{s:O,s:O}}}",
		"faults", at(r, "faults", NULL), "waits", at(r, "waits", NULL),
		"wakes", at(r, "wakes", NULL), "conflicts", at(r, "conflicts", NULL),
		"downgrades", at(r, "downgrades", NULL),
		"useful_waits", at(r, "pmd_waits_useful", NULL),
		"lost_wakeups", at(r, "stranded", NULL),
		"fault_ns", (json_int_t)(
			json_integer_value(json_object_get(at(r, "latency_ns", "pte"), "sum")) +
			json_integer_value(json_object_get(at(r, "latency_ns", "pmd"), "sum"))),
		"stalls", "pmd_on_pte", "n", json_object_get(stall, "count"),
		"ns", json_object_get(stall, "sum"));
}

static void set(json_t *o, const char *name, json_t *value)
{
	if (value)
		json_object_set_new(o, name, value);
}

static json_t *round_json(const json_t *r)
{
	json_t *o = json_pack("{s:O,s:O,s:o}", "ns", at(r, "virtual_ns", NULL),
			      "touches", at(r, "faults", "total"),
			      "counters", counters(r));
	double calls = json_number_value(at(r, "wakes", "calls"));
	const json_t *all = at(r, "woken_per_wake", "all");
	double nr_all = json_number_value(json_object_get(all, "count"));

	set(o, "small", times(at(r, "latency_ns", "pte")));
	set(o, "large", times(at(r, "latency_ns", "pmd")));
	set(o, "large_shared", times(at(r, "latency_ns", "pmd")));
	set(o, "delayed", times(at(r, "delayed_wake_ns", NULL)));
	if (calls)
		set(o, "scanned_per_wake", json_real(
			json_number_value(at(r, "wakes", "scanned")) / calls));
	wake_figures(o);
	if (nr_all)
		set(o, "woken_per_all", json_real(
			json_number_value(json_object_get(all, "sum")) / nr_all));
	return o;
}

static json_t *variant_of(json_t *variants, const char *protocol)
{
	json_t *v = (json_t *)(uintptr_t)cell_variant(variants, protocol);

	if (v)
		return v;
	v = json_pack("{s:s,s:s,s:b,s:[]}", "name", protocol, "protocol", protocol,
		      "hung", 0, "rounds");
	json_array_append_new(json_object_get(variants, "variants"), v);
	return v;
}

/* One seed of all protocols. */
static int run_seed(const struct bench_opts *opts, const struct udax_tree *tree,
		    const struct sim_cell *cell, unsigned int nr, json_t *o)
{
	char command[5000];
	json_error_t e;
	json_t *all, *r;
	FILE *p;
	size_t i;

	snprintf(command, sizeof(command), "'%s' sim --json --seed %llu --protocol %s %s",
		 tree->cli, (unsigned long long)(opts->seed + nr), cell->protocols,
		 cell->options);
	p = popen(command, "re");
	if (!p)
		return -errno;
	all = json_loadf(p, 0, &e);
	if (pclose(p) || !all) {
		fprintf(stderr, "udax-bench: failed: %s\n", command);
		json_decref(all);
		return -EIO;
	}
	json_array_foreach(json_object_get(all, "results"), i, r)
		json_array_append_new(json_object_get(variant_of(o, json_string_value(
			json_object_get(r, "protocol"))), "rounds"), round_json(r));
	json_decref(all);
	return 0;
}

int sim_cell(const struct bench_opts *opts, const struct sim_cell *cell, json_t *cells)
{
	struct udax_tree tree;
	json_t *o;
	int ret = udax_find(&tree);

	o = json_pack("{s:s,s:s,s:s,s:s,s:I,s:f,s:f,s:i,s:[]}", "driver", "sim",
		      "group", cell->group, "name", cell->name, "options", cell->options,
		      "hold_ns", (json_int_t)cell->hold_ns, "p", cell->p, "x", cell->x,
		      "threads", (int)cell->threads, "variants");
	for (unsigned int i = 0; i < cell->seeds && !ret; i++) {
		progress("sim %s %s: seed %u/%u", cell->group, cell->name, i + 1,
			 cell->seeds);
		ret = bench_interrupted ? -EINTR : run_seed(opts, &tree, cell, i, o);
	}
	json_array_append_new(cells, o);
	return ret;
}
