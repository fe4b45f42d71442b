/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sim: the simulator beside live runs of the same load (sim_load.c), at sizes
 * that both can do. What threads show that never meet is told to the simulator: by
 * a trace of one thread, for how long entries are locked when the hold is so long,
 * and what a fault takes beside that where one thread on each CPU faults. One thread
 * alone would not do for it: where another CPU faults as well, the worker there often
 * reads a fault that is not its own CPU's. What threads that meet make of it is what
 * the simulator has to find out by itself.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "live.h"
#include "proc.h"
#include "results.h"
#include "stats.h"

#define US 1000ull
#define MS 1000000ull
#define WITHIN 0.2
/* Timers of udaxd come early by this and the rest is spun: daemon/hold.c. */
#define SPIN_US 20

struct cell {
	const char *load;
	unsigned int threads, pages, steps;
	uint64_t hold_ns;
	const char *protocol;
};

static const struct cell full[] = {
	{ "pages", 2, 2, 800, 20 * US, "616" },
	{ "pages", 4, 4, 800, 50 * US, "616" },
	{ "pages", 2, 2, 800, 200 * US, "616" },
	{ "pages", 8, 4, 400, 200 * US, "616" },
	{ "pages", 16, 8, 200, 200 * US, "616" },
	{ "pages", 4, 4, 400, 500 * US, "616" },
	{ "pages", 8, 4, 400, 500 * US, "616" },
	{ "pages", 8, 4, 400, 500 * US, "dan-all" },
	{ "pages", 16, 4, 100, 1 * MS, "616" },
	{ "pages", 4, 2, 100, 5 * MS, "616" },
	{ "pairs", 2, 1, 400, 200 * US, "dan-all" },
	{ "pairs", 2, 1, 400, 500 * US, "dan-all" },
	{ "pairs", 2, 1, 400, 500 * US, "616" },
	{ "pairs", 8, 1, 200, 500 * US, "dan-all" },
	{ "pairs", 8, 1, 200, 500 * US, "jan-nx-all" },
	{ "pairs", 16, 1, 60, 1 * MS, "dan-all" },
	{ "pairs", 8, 1, 40, 5 * MS, "dan-all" },
}, quick[] = {
	{ "pages", 4, 4, 100, 500 * US, "616" },
	{ "pairs", 4, 1, 50, 500 * US, "dan-all" },
};

struct context {
	const struct bench_opts *opts;
	struct live live;	/* its file is simload's */
	char summary[340], trace[340];
	const char *prefix;	/* real-time priority, where we may have it */
	unsigned int rounds;
};

/* What a command prints, as JSON; NULL if it fails. */
static json_t *command_json(const char *command)
{
	FILE *p = popen(command, "re");
	json_t *o = p ? json_loadf(p, JSON_DISABLE_EOF_CHECK, NULL) : NULL;

	if (p && pclose(p)) {
		json_decref(o);
		return NULL;
	}
	return o;
}

/* {"ns", "pte", "pmd", "stall": {"pte_on_pte": {..}, ..}}; NULL if it fails. */
static json_t *run_live(const struct context *x, const struct cell *c,
			uint64_t seed, const char *options)
{
	char command[12000];
	json_t *o, *summary;

	snprintf(command, sizeof(command),
		 "exec %s timeout 60 '%s' run --pmem '%s' -q --json '%s' --protocol %s "
		 "--hold alloc=%luns,read=%luns %s -- /proc/%d/exe simload '%s' %s %u %u "
		 "%u %lu %lu", x->prefix, x->live.tree.cli, x->live.dir, x->summary,
		 c->protocol, c->hold_ns, c->hold_ns, options, getpid(), x->live.file,
		 c->load, c->threads, c->pages, c->steps, c->hold_ns, seed);
	o = command_json(command);
	summary = json_load_file(x->summary, 0, NULL);
	remove(x->summary);
	if (o && summary)
		json_object_set(o, "stall", json_object_get(summary, "stalls_ns"));
	json_decref(summary);
	return o;
}

/* @beside_ns: what a fault takes beside its hold, half of it before the lock. */
static json_t *run_sim(const struct context *x, const struct cell *c,
		       uint64_t beside_ns)
{
	bool pairs = !strcmp(c->load, "pairs"), apart = !strcmp(c->load, "apart");
	unsigned int tasks = pairs ? c->threads / 2 : c->threads;
	char command[6000];
	json_t *all, *o;

	snprintf(command, sizeof(command),
		 "'%s' sim --json --served --quantum 0 --cpus %u --tasks %u --windows %u "
		 "--pages %u %s --renew 0 --write 1 --holes 0 --think 0 --hold 'trace:%s' "
		 "--protocol %s --seed %llu --faults %u --cost entry=%luns,exit=%luns,"
		 "lookup=200ns,insert=0,map=0,map2m=0,unlock=0,wake=300ns,run=0,"
		 "switch=500ns,spin=%uus", x->live.tree.cli, x->live.nr_cpus, tasks,
		 pairs ? tasks : apart ? 1000 : 1, pairs || apart ? 512 : c->pages,
		 pairs ? "--pmd 1 --conflict 1" : "--pmd 0", x->trace, c->protocol,
		 (unsigned long long)x->opts->seed, 50 * tasks * c->steps,
		 beside_ns / 2, beside_ns / 2, SPIN_US);
	all = command_json(command);
	o = json_incref(json_array_get(json_object_get(all, "results"), 0));
	json_decref(all);
	return o;
}

static double number(const json_t *o, const char *a, const char *b, const char *c)
{
	o = json_object_get(o, a);
	if (b)
		o = json_object_get(o, b);
	return json_number_value(json_object_get(o, c));
}

struct figure {
	const char *what;
	const char *live[2], *sim[2];	/* where it is; live[1] may be NULL */
	bool pairs, pages;
};

static const struct figure figures[] = {
	{ "4K fault", { "pte" }, { "latency_ns", "pte" }, true, true },
	{ "2M fault", { "pmd" }, { "latency_ns", "pmd" }, true, false },
	{ "stall on the page", { "stall", "pte_on_pte" },
	  { "stall_ns", "pte_on_pte" }, false, true },
	{ "2M stall on a page", { "stall", "pmd_on_pte" },
	  { "stall_ns", "pmd_on_other_pte" }, true, false },
};

/* What the rounds say; of none that have it, n is 0. */
static struct spread live_figure(const json_t *rounds, const struct figure *f,
				 const char *quantile)
{
	size_t all = json_array_size(rounds), n = 0, i;
	double *v = calloc(all + 1, sizeof(*v));
	struct spread live;

	if (!v)
		abort();
	for (i = 0; i < all; i++) {
		v[n] = number(json_array_get(rounds, i), f->live[0], f->live[1],
			      quantile);
		n += v[n] > 0;
	}
	live = spread_of(v, n);
	free(v);
	return live;
}

/*
 * A row for each figure, also for one that a live run does not have: on a machine
 * that is busy enough, a pair may never have met. Under some protocols nobody has it.
 */
static void compare(json_t *table, const struct cell *c, json_t *rounds,
		    const json_t *sim, const struct figure *f, const char *quantile,
		    unsigned int *hits, unsigned int *all)
{
	double simulated = number(sim, f->sim[0], f->sim[1], quantile), off = 0;
	struct spread live = live_figure(rounds, f, quantile);
	bool both = live.n && simulated > 0;
	char hold[24], load[64];

	if (!live.n && simulated <= 0)
		return;
	if (both) {
		off = simulated / live.median - 1;
		*hits += off <= WITHIN && off >= -WITHIN;
		*all += 1;
	}
	format_duration(hold, sizeof(hold), c->hold_ns);
	snprintf(load, sizeof(load), "%s, %u threads, %s, %s", c->load, c->threads,
		 hold, c->protocol);
	results_row(table, json_pack("[s, s, s, o, o, o]", load, f->what, quantile,
		live.n ? spread_json(&live) : json_null(),
		simulated > 0 ? json_real(simulated) : json_null(),
		both ? json_real(off * 100) : json_null()));
}

/* One thread, alone, with holds so long: its trace. */
static int record_holds(const struct context *x, uint64_t hold_ns)
{
	struct cell alone = { "pages", 1, 1, hold_ns >= MS ? 100 : 500, hold_ns, "616" };
	char options[400];
	json_t *live;

	snprintf(options, sizeof(options), "--trace '%s'", x->trace);
	live = run_live(x, &alone, 1, options);
	json_decref(live);
	return live ? 0 : -1;
}

/*
 * What a fault takes beside its hold: what the simulator, told the holds alone,
 * lacks of the median of threads that never meet, one on each CPU.
 */
static int measure_beside(const struct context *x, const struct cell *c,
			  uint64_t *beside_ns)
{
	struct cell apart = { "apart", x->live.nr_cpus, x->live.nr_cpus,
			      c->hold_ns >= MS ? 100 : 500, c->hold_ns, "616" };
	json_t *sim = run_sim(x, &apart, 0), *live = sim;
	double v[3], ns;

	for (unsigned int i = 0; live && i < 3; i++) {
		live = run_live(x, &apart, x->opts->seed + i, "");
		v[i] = number(live, "pte", NULL, "p50");
		json_decref(live);
	}
	if (!live) {
		json_decref(sim);
		return -1;
	}
	ns = spread_of(v, 3).median - number(sim, "latency_ns", "pte", "p50");
	*beside_ns = ns > 0 ? ns : 0;
	json_decref(sim);
	return 0;
}

static int run_cell(const struct context *x, const struct cell *c, json_t *cells,
		    json_t *table, unsigned int *hits, unsigned int *all)
{
	json_t *rounds = json_array(), *sim, *live = NULL;
	bool pairs = !strcmp(c->load, "pairs");
	uint64_t beside_ns;
	size_t f;

	sim = record_holds(x, c->hold_ns) || measure_beside(x, c, &beside_ns) ?
	      NULL : run_sim(x, c, beside_ns);
	/* The first round is dropped: it makes the files and warms the caches. */
	for (unsigned int i = 0; sim && i <= x->rounds && !bench_interrupted; i++) {
		progress("%s %u threads %s: round %u/%u", c->load, c->threads,
			 c->protocol, i, x->rounds);
		live = run_live(x, c, x->opts->seed + i, "");
		if (!live)
			break;
		if (i)
			json_array_append(rounds, live);
		json_decref(live);
	}
	if (!sim || !live || bench_interrupted) {
		progress("%s", "");
		fprintf(stderr, "udax-bench: %s, %u threads, %s: the %s run failed\n",
			c->load, c->threads, c->protocol, sim ? "live" : "simulated");
		json_decref(rounds);
		json_decref(sim);
		return -1;
	}
	for (f = 0; f < sizeof(figures) / sizeof(figures[0]); f++) {
		if (pairs ? !figures[f].pairs : !figures[f].pages)
			continue;
		compare(table, c, rounds, sim, &figures[f], "p50", hits, all);
		compare(table, c, rounds, sim, &figures[f], "p99", hits, all);
	}
	json_array_append_new(cells, json_pack("{s:s,s:i,s:i,s:I,s:I,s:s,s:o,s:o}",
		"load", c->load, "threads", (int)c->threads, "pages", (int)c->pages,
		"hold_ns", (json_int_t)c->hold_ns, "beside_ns", (json_int_t)beside_ns,
		"protocol", c->protocol,
		"live", rounds, "sim", sim));
	return 0;
}

static void say(json_t *report, const struct context *x, unsigned int hits,
		unsigned int all)
{
	results_say(report, "read", "Live is the median of %u runs, with their range; "
		    "the last column says by how many per cent the simulator is above "
		    "it. Of %u figures %u are within 20 %%.", x->rounds, all, hits);
	results_say(report, "read", "The simulator is told what threads show that never "
		    "meet: by a trace of one, for how long entries are locked; of one on "
		    "each CPU, what a fault takes beside that.%s", *x->prefix ?
		    " The live runs had real-time priority." : "");
	results_say(report, "not", "A live p99 is also the machine's: other work, timers "
		    "of a virtual machine, workers that give up their priority in a "
		    "storm of faults. The simulator has none of these.");
}

static int run_all(struct context *x, json_t *report)
{
	const struct cell *cells = x->opts->quick ? quick : full;
	size_t n = x->opts->quick ? sizeof(quick) / sizeof(quick[0]) :
		   sizeof(full) / sizeof(full[0]);
	json_t *list = json_array(), *table;
	unsigned int hits = 0, all = 0;
	int ret = 0;

	json_object_set_new(report, "cells", list);
	table = results_table(report, "sim", "The simulator beside live runs (ns)",
			      "load|what|quantile|live|simulated|off by %");
	for (size_t i = 0; i < n && !ret; i++)
		ret = run_cell(x, &cells[i], list, table, &hits, &all);
	progress("%s", "");
	if (ret)
		return BENCH_FAIL;
	json_object_set_new(report, "within_20_percent", json_integer(hits));
	json_object_set_new(report, "figures", json_integer(all));
	say(report, x, hits, all);
	results_print(report, stdout);
	return BENCH_OK;
}

int sim_experiment(const struct bench_opts *opts, json_t *report)
{
	struct context x = { .opts = opts, .prefix = "" };
	int ret = live_open(&x.live, opts, 0);

	if (ret)
		return ret;
	x.rounds = opts->repeat ? opts->repeat : opts->quick ? 2 : 5;
	/* So that other work on the machine is not what is measured. */
	if (!system("chrt -r 1 true 2>/dev/null"))
		x.prefix = "chrt -r 1";
	/* A load that was killed has left it. */
	snprintf(x.live.file, sizeof(x.live.file), "%s/f", x.live.dir);
	snprintf(x.summary, sizeof(x.summary), "%s.json", x.live.dir);
	snprintf(x.trace, sizeof(x.trace), "%s.trace", x.live.dir);
	ret = run_all(&x, report);
	remove(x.summary);
	remove(x.trace);
	live_close(&x.live);
	return ret;
}
