/* SPDX-License-Identifier: BSD-3-Clause */
/* floor: what it prints, and what it puts into the report. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "floor.h"
#include "results.h"

enum column { COL_RATE, COL_P50, COL_P99, COL_MAX, COL_CPU, NR_COLUMNS };

static const char *const column_names[NR_COLUMNS] = {
	"ktouch_per_s", "p50_us", "p99_us", "max_us", "cpu_us_per_touch",
};

static double column_of(const struct touch_round *t, enum column c)
{
	switch (c) {
	case COL_RATE:
		return t->touches * 1e6 / t->ns;
	case COL_P50:
		return t->p50 / 1e3;
	case COL_P99:
		return t->p99 / 1e3;
	case COL_MAX:
		return t->max / 1e3;
	default:
		return t->cpu_ns / 1e3 / t->touches;
	}
}

static double figure_of(const struct touch_round *t, enum figure figure)
{
	return column_of(t, figure == RATE ? COL_RATE : COL_P50);
}

static json_t *rounds_json(const struct floor *f, const struct runner *r)
{
	json_t *a = json_array();
	unsigned int i;

	for (i = 0; i < f->rounds; i++) {
		const struct touch_round *t = &r->rounds[i];

		json_array_append_new(a, json_pack(
			"{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I}",
			"touches", (json_int_t)t->touches,
			"ns", (json_int_t)t->ns,
			"cpu_ns", (json_int_t)t->cpu_ns,
			"min_ns", (json_int_t)t->min,
			"p50_ns", (json_int_t)t->p50,
			"p99_ns", (json_int_t)t->p99,
			"max_ns", (json_int_t)t->max,
			"huge_bytes", (json_int_t)t->huge_bytes));
	}
	return a;
}

/* A row of the table, and the raw figures; new reference to the latter. */
static json_t *report_variant(const struct floor *f, const struct runner *r,
			      json_t *table, double *scratch)
{
	json_t *o = json_pack("{s:s,s:o}", "name", r->v->name,
			      "rounds", rounds_json(f, r));
	json_t *row = json_array(), *cell;
	struct spread s;
	unsigned int i, c;

	json_array_append_new(row, json_string(r->v->name));
	for (c = 0; c < NR_COLUMNS; c++) {
		for (i = 0; i < f->rounds; i++)
			scratch[i] = column_of(&r->rounds[i], c);
		s = spread_of(scratch, f->rounds);
		cell = spread_json(&s);
		json_object_set(o, column_names[c], cell);
		json_array_append_new(row, cell);
	}
	if (f->g->unit == HUGE_UNIT)
		json_array_append_new(row, json_integer((json_int_t)
			(r->rounds[f->rounds - 1].huge_bytes >> 20)));
	if (r->daemon_kb)
		json_object_set_new(o, "daemon_private_kb",
				    json_integer((json_int_t)r->daemon_kb));
	results_row(table, row);
	return o;
}

static const struct runner *runner_named(const struct floor *f, const char *name)
{
	unsigned int i;

	for (i = 0; name && i < f->nr; i++)
		if (!strcmp(f->runners[i].v->name, name))
			return &f->runners[i];
	return NULL;
}

static const char *judge(struct floor *f, const struct goal *goal, double median,
			 json_t *o)
{
	bool holds = goal->figure == RATE ? median >= goal->bound :
		     median <= goal->bound;

	if (!goal->bound)
		return "";
	json_object_set_new(o, "bound", json_real(goal->bound));
	json_object_set_new(o, "holds", json_boolean(holds));
	f->judged++;
	f->broken += !holds;
	return holds ? "holds" : "DOES NOT HOLD";
}

static void report_goal(struct floor *f, const struct goal *goal, double *scratch,
			json_t *table, json_t *ratios)
{
	const struct runner *a = runner_named(f, goal->variant);
	const struct runner *b = runner_named(f, goal->against);
	const char *figure = goal->figure == RATE ? "rate" : "p50", *verdict;
	char bound[32] = "", what[96];
	struct spread s;
	unsigned int i;
	json_t *o;

	if (!a || (goal->against && !b))
		return;
	for (i = 0; i < f->rounds; i++) {
		scratch[i] = figure_of(&a->rounds[i], goal->figure);
		if (b)
			scratch[i] /= figure_of(&b->rounds[i], goal->figure);
	}
	s = spread_of(scratch, f->rounds);
	o = json_pack("{s:s,s:s?,s:s,s:o}", "variant", goal->variant,
		      "against", goal->against, "figure", figure,
		      "ratio", spread_json(&s));
	verdict = judge(f, goal, s.median, o);
	if (goal->bound)
		snprintf(bound, sizeof(bound), "%s %.4g",
			 goal->figure == RATE ? ">=" : "<=", goal->bound);
	snprintf(what, sizeof(what), "%s %s%s%s", goal->variant, figure,
		 b ? " / " : "", b ? goal->against : ", thousand/s");
	results_row(table, json_pack("[s,o,s,s]", what, spread_json(&s), bound,
				     verdict));
	json_array_append_new(ratios, o);
}

static json_t *placement_json(const struct floor *f)
{
	json_t *a = json_array();
	static const char *const names[] = { "all on one", "one each", "nobody" };
	unsigned int i, n = f->g->pinning == ALL_ON_ONE ? 1 : f->nr_cpus;

	for (i = 0; i < n; i++)
		json_array_append_new(a, json_integer(f->cpus[i]));
	return json_pack("{s:s,s:o}", "pinned", names[f->g->pinning], "cpus", a);
}

static json_t *new_table(const struct floor *f, const char *kind,
			 const char *what, const char *columns)
{
	char name[64], title[256];

	snprintf(name, sizeof(name), "floor-%s%s", f->g->name, kind);
	snprintf(title, sizeof(title), "%s: %s", f->g->name, what);
	return results_table(f->report, name, title, columns);
}

void floor_report_group(struct floor *f)
{
	double *scratch = calloc(f->rounds, sizeof(*scratch));
	json_t *variants = json_array(), *ratios = json_array(), *table, *goals;
	const struct group *g = f->g;
	unsigned int i;

	if (!scratch)
		abort();
	progress("%s", "");
	table = new_table(f, "", g->what, g->unit == HUGE_UNIT ?
		"variant|k touches/s|p50 us|p99 us|max us|CPU us a touch|M huge" :
		"variant|k touches/s|p50 us|p99 us|max us|CPU us a touch");
	for (i = 0; i < f->nr; i++)
		json_array_append_new(variants, report_variant(f, &f->runners[i],
							       table, scratch));
	results_print_table(table, stdout);
	goals = new_table(f, "-ratios", "ratios of neighbouring rounds",
			  "ratio|median (min-max)|wanted|");
	for (i = 0; i < MAX_VARIANTS && g->goals[i].variant; i++)
		report_goal(f, &g->goals[i], scratch, goals, ratios);
	if (json_array_size(ratios))
		results_print_table(goals, stdout);
	for (i = 0; i < f->nr; i++)
		if (f->runners[i].daemon_kb)
			printf("  memory of %s: %llu kB private\n\n",
			       f->runners[i].v->name, (unsigned long long)
			       f->runners[i].daemon_kb);
	json_array_append_new(f->raw, json_pack(
		"{s:s,s:I,s:I,s:I,s:i,s:i,s:i,s:b,s:b,s:o,s:o,s:o}",
		"name", g->name, "unit", (json_int_t)g->unit,
		"size", (json_int_t)g->size, "passes", (json_int_t)g->passes,
		"threads", (int)g->threads, "processes", (int)g->procs,
		"mappings", (int)g->maps, "read", g->read, "random", g->random,
		"placement", placement_json(f),
		"variants", variants, "ratios", ratios));
	free(scratch);
}

static const char *const how_to_read[] = {
	"A touch stores one word into a unit whose page table entry is gone, or reads one: "
	"one fault, but where a resolve or the kernel's own fault-around maps several.",
	"raw-block and raw-uring are loops in another process that read faults and resolve "
	"them, nothing else: what any server in another process must pay on this machine. "
	"raw-thread is that loop in a thread of the program; raw-sigbus resolves in a signal "
	"handler on the thread that faulted; raw-copy is UFFDIO_COPY to anonymous memory.",
	"Ratios are medians of ratios of neighbouring rounds; they hold when the machine's "
	"speed drifts. Of several processes the rate is that of all, p50 the mean of theirs.",
	"CPU us a touch: of the program and who serves it.",
};

static const char *const what_not[] = {
	"Absolute times of a virtual machine say nothing of bare metal: waking another CPU "
	"costs tens of microseconds here and a few there.",
	"native is no bound for a server; it shows what leaving the kernel costs.",
	"Touches of neighbouring pages are the best case of every variant.",
	"Load on the machine shows first in p99 and max, and in the groups of two CPUs.",
};

static void say(const struct floor *f, const char *where, const char *title,
		const char *const *text, size_t nr)
{
	size_t i;

	puts(title);
	for (i = 0; i < nr; i++) {
		results_say(f->report, where, "%s", text[i]);
		results_print_sentence(text[i], stdout);
	}
}

void floor_report_end(const struct floor *f)
{
	say(f, "read", "How to read this", how_to_read,
	    sizeof(how_to_read) / sizeof(how_to_read[0]));
	say(f, "not", "What not to conclude", what_not,
	    sizeof(what_not) / sizeof(what_not[0]));
	if (f->judged)
		printf("\n%u of %u wanted figures hold.\n", f->judged - f->broken,
		       f->judged);
}
