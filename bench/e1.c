/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * e1: the litmus tests of faults under real page faults, beside what the checker
 * says of them. The first fault holds its entry for long, the others come one
 * after the other, in every order; the daemon says at the moment it happens that a
 * sleeper has nobody left to wake it. Tests with an invalidation are the
 * checker's: a truncation excludes faults, here as in ext4 and xfs, by a lock. (Of
 * a write(2), which takes none, e6 is the experiment.)
 */
#include "cells.h"
#include "live.h"
#include "results.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROTOCOLS "radix,buggy,dan,dan-all,dan-conflict,jan-idx,jan-nx,jan-nx-all," \
	"willy-v1,23c8,61c3,6370,513,615,616"
#define HOLD_NS 12000000ull
#define STAGGER_NS 2000000ull

static const struct litmus {
	const char *name, *before, *ops[FAULTERS_MAX_OPS];
} tests[] = {
	{ "L1", "", { "P1", "M0" } },
	{ "L2", "", { "P0", "M0" } },
	{ "L3", "P0", { "P1", "M0" } },
	{ "L4", "", { "P1", "M0", "P0" } },
	{ "L5", "", { "P1", "M0", "M1", "M2" } },
	{ "L9", "M0", { "M0", "P1", "M0", "M2" } },
	{ "L11", "", { "P1", "P2", "P1", "P2" } },
	{ "L12", "", { "P1", "P1", "M2", "P0" } },
};

#define NR_TESTS (sizeof(tests) / sizeof(tests[0]))

/* Orders of all but the first. */
static unsigned int orders(unsigned int ops)
{
	return ops == 4 ? 6 : ops == 3 ? 2 : 1;
}

static int run_test(struct live *l, const struct litmus *t, struct live_variant *variants,
		    unsigned int nr, const char *file, const char *log, json_t *cells)
{
	struct live_cell cell = {
		.group = "litmus", .name = t->name, .path = file, .log = log,
		.variants = variants, .nr = nr,
		.cfg = { .load = LOAD_LITMUS, .processes = 1, .windows = 1,
			 .hold_ns = HOLD_NS, .stagger_ns = STAGGER_NS },
	};

	while (cell.cfg.threads < FAULTERS_MAX_OPS && t->ops[cell.cfg.threads]) {
		strcpy(cell.cfg.ops[cell.cfg.threads], t->ops[cell.cfg.threads]);
		cell.cfg.threads++;
	}
	strcpy(cell.cfg.before, t->before);
	cell.rounds = orders(cell.cfg.threads);
	return live_cell(l, &cell, cells);
}

/* What the daemon says of the first one lost, with @path's other lines dropped. */
static json_t *first_dump(const char *path)
{
	json_t *lines = json_array();
	FILE *f = fopen(path, "re");
	char line[400];

	while (f && json_array_size(lines) < 5 && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		json_array_append_new(lines, json_string(line));
	}
	if (f)
		fclose(f);
	return lines;
}

static json_t *dump;

static int body(struct live *l, json_t *cells)
{
	struct live_variant variants[LIVE_MAX];
	char names[LIVE_MAX][32], file[400], log[400];
	unsigned int nr = live_protocols(l->opts, PROTOCOLS, variants, names);
	int fd, ret = live_kick(l, variants, nr);
	size_t i;

	if (ret)
		return BENCH_CANNOT;
	snprintf(file, sizeof(file), "%s/sparse", l->dir);
	snprintf(log, sizeof(log), "%s/log", l->dir);
	fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ret = fd < 0 || ftruncate(fd, HUGE_UNIT) ? -errno : 0;
	for (i = 0; i < (l->opts->quick ? 2 : NR_TESTS) && !ret; i++)
		ret = run_test(l, &tests[i], variants, nr, file, log, cells);
	if (fd >= 0)
		close(fd);
	dump = first_dump(log);
	unlink(file);
	unlink(log);
	return ret;
}

/*
 * The checker's verdict: can anybody be stranded? That is what udaxd finds, at the
 * moment it happens; who is lost is so too. Null if it cannot be asked.
 */
static json_t *checked(const char *cli, const char *test, const char *protocol)
{
	char command[4500];
	json_t *a, *stranded;
	FILE *p;

	snprintf(command, sizeof(command), "'%s' check --litmus %s --protocol %s --json",
		 cli, test, protocol);
	p = popen(command, "re");
	a = p ? json_loadf(p, 0, NULL) : NULL;
	if (p)
		pclose(p);
	stranded = json_object_get(json_array_get(a, 0), "stranded");
	stranded = json_is_integer(stranded) ?
		   json_boolean(json_integer_value(stranded) > 0) : json_null();
	json_decref(a);
	return stranded;
}

/* "stranded 3/6" live; "can" by the checker; live and not "can" must not be. */
static const char *litmus_cell(const json_t *v, bool can, unsigned int *disagree,
			       char *buf, size_t size)
{
	size_t n = json_array_size(json_object_get(v, "rounds")), i, lost = 0;
	const json_t *round;
	double count;

	json_array_foreach(json_object_get(v, "rounds"), i, round)
		lost += round_figure(round, "counters.lost_wakeups", &count) && count > 0;
	if (lost && !can)
		(*disagree)++;
	if (lost)
		snprintf(buf, size, "stranded %zu/%zu%s", lost, n, can ? "" : " (!)");
	else
		snprintf(buf, size, can ? "ok (can strand)" : "ok");
	return buf;
}

/* Of the variant @protocol of every cell, the figures of lost wakeups, in us. */
struct found {
	double p50[NR_TESTS], longest, lost;
	size_t nr;
};

static struct found found_by(const json_t *cells, const char *protocol)
{
	struct found f = { .nr = 0 };
	const json_t *cell, *v;
	double ns, n;
	size_t i;

	json_array_foreach((json_t *)(uintptr_t)cells, i, cell) {
		v = cell_variant(cell, protocol);
		if (round_figure(v, "counters.lost_wakeups", &n))
			f.lost += n;
		if (f.nr < NR_TESTS && round_figure(v, "counters.lost_ns.detect.p50", &ns))
			f.p50[f.nr++] = ns / 1e3;
		if (round_figure(v, "counters.lost_ns.detect.max", &ns) &&
		    ns / 1e3 > f.longest)
			f.longest = ns / 1e3;
	}
	return f;
}

/* The longest stall, ms, of those variants that lost nobody. */
static double longest_wait(const json_t *cells)
{
	const json_t *cell, *v;
	double ns, lost, longest = 0;
	size_t i, k;

	json_array_foreach((json_t *)(uintptr_t)cells, i, cell)
		json_array_foreach(json_object_get(cell, "variants"), k, v)
			if (round_figure(v, "counters.lost_wakeups", &lost) && !lost &&
			    round_figure(v, "counters.stall_ns.max", &ns) &&
			    ns / 1e6 > longest)
				longest = ns / 1e6;
	return longest;
}

/* Seconds; what Linux is built with if it cannot be asked. */
static double hung_task_timeout(void)
{
	FILE *f = fopen("/proc/sys/kernel/hung_task_timeout_secs", "re");
	double seconds = 0;

	if (f && fscanf(f, "%lf", &seconds) != 1)
		seconds = 0;
	if (f)
		fclose(f);
	return seconds > 0 ? seconds : 120;
}

static void show_detection(json_t *report)
{
	const json_t *cells = cells_of(report), *v;
	const json_t *first = json_object_get(json_array_get(cells, 0), "variants");
	double seconds = hung_task_timeout(), wait = longest_wait(cells), longest = 0, lost = 0;
	json_t *table;
	size_t k;

	table = results_table(report, "detect", "Time to detect: from the step that lost a "
			      "wakeup to the daemon's report, us",
			      "protocol|lost wakeups|median of the tests' medians|longest");
	json_array_foreach((json_t *)(uintptr_t)first, k, v) {
		struct found f = found_by(cells, cell_string(v, "name"));

		results_row(table, json_pack("[s,I,o,o]", cell_string(v, "name"),
			(json_int_t)f.lost, spread_cell(spread_of(f.p50, f.nr)),
			f.nr ? json_real(f.longest) : json_null()));
		longest = f.longest > longest ? f.longest : longest;
		lost += f.lost;
	}
	if (lost)
		results_say(report, "answer", "%.0f lost wakeups were reported, the slowest "
			"%.0f us after the step that lost it. A watchdog has to wait for "
			"longer than a fault may that ends by itself, which was up to %.0f ms "
			"here; Linux's (hung_task) speaks after %.0f to %.0f s.",
			lost, longest, wait, seconds, 2 * seconds);
	results_say(report, "read", "Time to detect: from the end of the step (of a fault that "
		"falls asleep, or of one that unlocks or wakes) after which a sleeper had "
		"nobody left to wake it, until the daemon has written its lines to standard "
		"error; first rounds included. Whether somebody is lost is decided within "
		"the step, by looking at who sleeps and what is locked.");
}

static void show(json_t *report)
{
	const json_t *cells = cells_of(report), *cell, *v;
	const json_t *first = json_object_get(json_array_get(cells, 0), "variants");
	char columns[200] = "protocol", text[40];
	unsigned int disagree = 0, hung = 0;
	struct udax_tree tree;
	json_t *table, *row, *can;
	size_t i, k;

	if (udax_find(&tree))
		return;
	json_array_foreach((json_t *)(uintptr_t)cells, i, cell) {
		strcat(columns, "|");
		strcat(columns, cell_string(cell, "name"));
	}
	table = results_table(report, "litmus", "Litmus tests, live (orders in which somebody "
			      "was stranded, of all orders)", columns);
	json_array_foreach((json_t *)(uintptr_t)first, k, v) {
		row = json_pack("[s]", cell_string(v, "name"));
		json_array_foreach((json_t *)(uintptr_t)cells, i, cell) {
			can = checked(tree.cli, cell_string(cell, "name"),
				      cell_string(v, "name"));
			json_array_append_new(row, json_string(litmus_cell(
				cell_variant(cell, cell_string(v, "name")),
				json_is_true(can), &disagree, text, sizeof(text))));
			hung += !strncmp(text, "stranded", 8);
			json_decref(can);
		}
		results_row(table, row);
	}
	json_object_set_new(report, "dump", dump);
	results_say(report, "answer", "%u of the tests stranded somebody live; %u of these are "
		"tests in which the checker finds that nobody can be.", hung, disagree);
	show_detection(report);
	results_say(report, "read", "The first fault holds its entry for 12 ms, the others come "
		"2 ms apart. stranded n/m: in n of m orders the daemon found a sleeper with "
		"nobody left to wake it, and kicked it; a later fault might have rescued "
		"it (L4). ok (can strand): the checker (udax check) knows a "
		"schedule that none of these orders gave.");
	results_say(report, "not", "ok is no proof: the checker's is. The tests with an "
		"invalidation (L6 to L8, L10, L13) are not among these: truncations "
		"exclude faults here by the file system's lock, and of write(2), which does not, e6 "
		"is the experiment.");
}

int e1_run(const struct bench_opts *opts, json_t *report)
{
	return live_experiment(opts, report, 0, body, show);
}
