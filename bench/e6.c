/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * e6: the price of waking all. Until 5.12 an invalidation woke one waiter, and
 * could lose the others; since 5.13 it wakes all, who look again and sleep again.
 *
 * Live: threads fault on a page while its entry is held and writers invalidate it
 * (herd.c). Simulated: w tasks fault on one page of one window, which is
 * invalidated again and again, on more CPUs than this machine has.
 */
#include "cells.h"
#include "live.h"
#include "results.h"
#include "simrun.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "io/uffd_compat.h"

#define PROTOCOLS "6370,513"
#define HOLD_NS 1000000ull

/* ------------------------------------------------------------------- live */

/* A step takes as many holds as there are faults. */
static unsigned int steps_of(const struct bench_opts *opts, unsigned int waiters)
{
	return opts->quick ? 8 : waiters < 16 ? 40 : 16;
}

static int herd(struct live *l, const char *file, unsigned int waiters,
		unsigned int writers, json_t *cells)
{
	struct live_variant variants[LIVE_MAX];
	char names[LIVE_MAX][32], name[40];
	struct live_cell cell = {
		.group = writers == 1 ? "once" : "twice", .name = name, .path = file,
		.log = "/dev/null", .exact = true, .variants = variants,
		.nr = live_protocols(l->opts, PROTOCOLS, variants, names),
		.rounds = l->opts->repeat ? l->opts->repeat : l->opts->quick ? 1 : 5,
		.cfg = { .load = LOAD_HERD, .processes = writers, .windows = 1,
			 .threads = 1 + writers + waiters, .writers = writers,
			 .steps = steps_of(l->opts, waiters), .hold_ns = HOLD_NS },
	};
	int ret = live_kick(l, variants, cell.nr);

	snprintf(name, sizeof(name), "%u", waiters);
	return ret ? BENCH_CANNOT : live_cell(l, &cell, cells);
}

/* What exact tracking needs came with Linux 6.6, and with this. */
static bool can_track(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);
	bool can = fd >= 0 && !ioctl(fd, UFFDIO_API, &api) &&
		   api.features & UFFD_FEATURE_POISON;

	if (fd >= 0)
		close(fd);
	if (!can)
		fputs("udax-bench: the live part needs Linux 6.6\n", stderr);
	return can;
}

static int live_body(struct live *l, json_t *cells)
{
	static const unsigned int full[] = { 1, 4, 16, 64 }, quick[] = { 8 };
	unsigned int nr = l->opts->quick ? 1 : 4, i, writers;
	char file[400];
	int fd, ret;

	if (!can_track())
		return BENCH_CANNOT;
	snprintf(file, sizeof(file), "%s/sparse", l->dir);
	fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ret = fd < 0 || ftruncate(fd, HUGE_UNIT) ? -errno : 0;
	for (writers = 1; writers <= 2; writers++)
		for (i = 0; i < nr && !ret; i++)
			ret = herd(l, file, l->opts->quick ? quick[i] : full[i], writers,
				   cells);
	if (fd >= 0)
		close(fd);
	unlink(file);
	return ret;
}

/* -------------------------------------------------------------- simulated */

static int sim_body(const struct bench_opts *opts, json_t *cells)
{
	static const unsigned int full[] = { 1, 2, 4, 8, 16, 32, 64 }, quick[] = { 8 };
	char name[32], options[300];
	int ret = 0;

	for (unsigned int i = 0; i < (opts->quick ? 1 : 7) && !ret; i++) {
		unsigned int w = opts->quick ? quick[i] : full[i];
		struct sim_cell c = {
			.group = "storm", .name = name, .options = options,
			.protocols = opts->protocols ? opts->protocols : PROTOCOLS,
			.seeds = opts->repeat ? opts->repeat : opts->quick ? 1 : 5,
			.threads = w, .x = w, .hold_ns = 50000,
		};

		snprintf(name, sizeof(name), "%u", w);
		/* Reads: an entry that is dirty is not removed. */
		snprintf(options, sizeof(options), "--tasks %u --cpus 64 --windows 1 --pages 1 "
			 "--pmd 0 --write 0 --renew 0 --think exp:10us --hold alloc=50us,read=50us "
			 "--invalidates 10000 --kick 1ms --faults %u", w,
			 opts->quick ? 1000 : 10000);
		ret = sim_cell(opts, &c, cells);
	}
	progress("%s", "");
	return ret;
}

/* ------------------------------------------------------------------- both */

static const char *load_of(const json_t *cell)
{
	const char *group = cell_string(cell, "group");

	return !strcmp(group, "once") ? "live, one write" :
	       !strcmp(group, "twice") ? "live, two writes" : "simulated, a storm";
}

static double microseconds(const json_t *variant, const char *figure)
{
	return variant_spread(variant, figure).median / 1e3;
}

/* Of the daemon, for each fault; null where there is none. */
static json_t *cpu_cell(const json_t *variant)
{
	double cpu = variant_sum(variant, "daemon_cpu_ns");
	double faults = variant_sum(variant, "counters.faults.total");

	return cpu && faults ? json_real(cpu / faults / 1e3) : json_null();
}

static void table(json_t *report)
{
	json_t *t = results_table(report, "herd", "Invalidations of a page that many wait for",
		"load|waiters|protocol|woken by a wake of all|sleep again after one"
		"|lost per 10^6 faults|useless wakes per 10^6|faults/s|fault, p99 us"
		"|udaxd's CPU, us a fault");
	const json_t *cells = cells_of(report), *cell, *v;
	size_t i, k;

	json_array_foreach((json_t *)(uintptr_t)cells, i, cell)
		json_array_foreach(json_object_get(cell, "variants"), k, v)
			results_row(t, json_pack("[s,s,s,o,o,o,o,o,f,o]", load_of(cell),
				cell_string(cell, "name"), cell_string(v, "name"),
				spread_cell(variant_spread(v, "woken_per_all")),
				spread_cell(variant_spread(v, "resleeps_per_all")),
				spread_cell(variant_spread(v,
					"per_million:counters.lost_wakeups")),
				spread_cell(variant_spread(v,
					"per_million:counters.wakes.useless")),
				spread_cell(variant_spread(v, "rate")),
				microseconds(v, !strcmp(load_of(cell), "simulated, a storm") ?
					     "small.p99" : "small_shared.p99"),
				cpu_cell(v)));
}

static bool is_sim(const json_t *cell)
{
	return !strcmp(cell_string(cell, "driver"), "sim");
}

/* Of the simulated cells: the rate; of the live ones with one write: the herd. */
static void plot(json_t *report, bool sim, const char *figure, const char *name,
		 const char *title, const char *y)
{
	const json_t *cells = cells_of(report), *cell, *v;
	json_t *p = results_plot(report, name, title, "waiters of one page", y, PLOT_LOG_X);
	json_t *series[LIVE_MAX] = { NULL };
	size_t i, k;

	json_array_foreach((json_t *)(uintptr_t)cells, i, cell)
		json_array_foreach(json_object_get(cell, "variants"), k, v) {
			struct spread s = variant_spread(v, figure);

			if (is_sim(cell) != sim || !s.n || k >= LIVE_MAX ||
			    !strcmp(cell_string(cell, "group"), "twice"))
				continue;
			if (!series[k])
				series[k] = results_series(p, cell_string(v, "name"));
			results_point_range(series[k], strtod(cell_string(cell, "name"), NULL),
					    s.median, s.min, s.max);
		}
}

/* Of the cell of a group with the most waiters. */
static void answer(json_t *report, const char *group, const char *load)
{
	const json_t *cells = cells_of(report), *cell, *last = NULL, *old, *new;
	double again;
	size_t i;

	json_array_foreach((json_t *)(uintptr_t)cells, i, cell)
		if (!strcmp(cell_string(cell, "group"), group))
			last = cell;
	old = last ? cell_variant(last, "6370") : NULL;
	new = last ? cell_variant(last, "513") : NULL;
	if (!old || !new)
		return;
	again = variant_spread(new, "resleeps_per_all").median;
	results_say(report, "answer", "%s, %s waiters: an invalidation of 513 wakes %.1f, of whom "
		"%.1f sleep again; 6370, which wakes one, loses %.0f wakeups per 10^6 faults, "
		"513 %.0f. Faults a second, 513 to 6370: %.2f.", load,
		cell_string(last, "name"), variant_spread(new, "woken_per_all").median, again,
		variant_spread(old, "per_million:counters.lost_wakeups").median,
		variant_spread(new, "per_million:counters.lost_wakeups").median,
		variant_spread(new, "rate").median / variant_spread(old, "rate").median);
}

static void show(json_t *report, bool live, bool sim)
{
	answer(report, "once", "Live, one write to a hole");
	answer(report, "twice", "Live, two writes at once");
	answer(report, "storm", "Simulated, a storm");
	table(report);
	if (live)
		plot(report, false, "woken_per_all", "herd-live",
		     "Woken by an invalidation, live", "woken by a wake of all");
	if (sim)
		plot(report, true, "rate", "herd",
		     "Faults a second in an invalidation storm, simulated", "faults/s");
	results_say(report, "read", "live: a read fault holds the entry of a page of a hole for "
		"%llu ms; one write(2) to that page, or two, come while it does, then the "
		"waiters' faults, each by a mapping of its own. A write invalidates the "
		"entry: it waits for it, removes it, and wakes. Each fault that follows holds "
		"the entry as long. simulated: 10000 invalidations a second of one page that "
		"all tasks fault on, on 64 CPUs, holds of 50 us; several invalidations wait "
		"at once, and are woken with the faults.", HOLD_NS / 1000000);
	results_say(report, "read", "sleep again: who was woken and found that another one had "
		"locked the entry. lost: nobody was left to wake them; the daemon does, at once, "
		"the simulator after 1 ms, the kernel never. 6370 wakes one at an invalidation: "
		"if that is another invalidation, which finds nothing to remove, all others "
		"are lost.");
	results_say(report, "not", "The kernel's other invalidations, truncate and punch, hold a "
		"lock that excludes faults, here as on ext4 and xfs: nobody waits when they "
		"come. virtiofs, which hit this, had no such lock.");
	results_say(report, "not", "The live waiters share the CPUs of this machine: what waking "
		"64 costs them says nothing of 64 CPUs that wake at once.");
}

int e6_run(const struct bench_opts *opts, json_t *report)
{
	return live_and_sim(opts, report, 0, live_body, sim_body, show);
}
