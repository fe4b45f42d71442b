/* SPDX-License-Identifier: BSD-3-Clause */
/* programs: run times beside native ones, and what the difference is made of. */
#include "programs.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "results.h"

static const char *const placement_titles[PLACEMENTS] = {
	[PINNED] = "everything pinned to one CPU", [UNPINNED] = "pinned by nobody",
};

static const char *const placement_starts[PLACEMENTS] = {
	[PINNED] = "With everything pinned to one CPU", [UNPINNED] = "Pinned by nobody",
};

static struct spread ratio(const struct times *t, enum way way, bool cpu)
{
	double v[PROGRAMS_MAX_ROUNDS];
	unsigned int i;

	for (i = 0; i < t->rounds; i++) {
		const struct took *x = &t->t[way][i], *n = &t->t[NATIVE_WAY][i];

		v[i] = cpu ? x->cpu / n->cpu : x->wall / n->wall;
	}
	return spread_of(v, t->rounds);
}

static struct spread milliseconds(const struct times *t, enum way way)
{
	double v[PROGRAMS_MAX_ROUNDS];
	unsigned int i;

	for (i = 0; i < t->rounds; i++)
		v[i] = t->t[way][i].wall * 1e3;
	return spread_of(v, t->rounds);
}

void programs_tables(struct programs *a)
{
	const char *placement = placement_names[a->placement];
	char name[32], title[200];

	snprintf(name, sizeof(name), "programs-%s", placement);
	snprintf(title, sizeof(title), "Programs, %s: run time, native, and as a multiple of "
		 "that", placement_titles[a->placement]);
	a->times = results_table(a->report, name, title,
		"program|native ms|4K faults by the raw loop|udax run|served|CPU, udax run|CPU, served");
	snprintf(name, sizeof(name), "made-%s", placement);
	snprintf(title, sizeof(title), "Programs, %s: what takes longer under udax run, ms",
		 placement_titles[a->placement]);
	a->made = results_table(a->report, name, title,
		"program|4K faults|2M faults|native faults|mappings|processes|extra ms"
		"|4K faults by the raw loop|2M for native faults|mapping changes|start|rest");
}

/* The last round's: they hardly differ. */
static const struct counts *counts_of(const struct times *t)
{
	return &t->t[SERVED_WAY][t->rounds - 1].counts;
}

/* What its 4K faults take longer over the raw loop, ms. */
static double floor_ms(const struct times *t, const struct costs *c)
{
	const struct counts *n = counts_of(t);

	return n->small * (n->reads * c->read + (1 - n->reads) * c->write);
}

static void add_made(struct programs *a, const char *name, const struct times *t,
		     const struct costs *c, struct sums *sums)
{
	struct spread extra = programs_extra(t, RUN_WAY);
	const struct counts *n = counts_of(t);
	double native = programs_native_faults(t), faults = floor_ms(t, c);
	/* What 2M faults cost, less the native faults that they replace. */
	double huge = n->huge * c->huge + n->huge_ms -
		      fmax(native - n->small, 0) * c->page;
	double mappings = n->mappings * c->mapping;
	/* The start is that of a program with a process that maps nothing. */
	double start = c->start + n->processes * c->process;

	results_row(a->made, json_pack("[s,I,I,I,I,I,o,f,f,f,f,f]", name,
		(json_int_t)n->small, (json_int_t)n->huge, (json_int_t)native,
		(json_int_t)n->mappings, (json_int_t)n->processes, spread_json(&extra), faults, huge, mappings, start,
		extra.median - faults - huge - mappings - start));
	sums->extra += extra.median;
	sums->faults += faults;
	sums->huge += huge;
	sums->mappings += mappings;
	sums->start += start;
}

static void add_ratio(struct sums *sums, int way, double ratio, const char *name)
{
	sums->logs[way] += log(ratio);
	if (ratio <= sums->worst[way])
		return;
	sums->worst[way] = ratio;
	sums->worst_name[way] = name;
}

void programs_add(struct programs *a, const char *name, const struct times *t,
		  const struct costs *c, struct sums *sums)
{
	struct spread native = milliseconds(t, NATIVE_WAY);
	struct spread run = ratio(t, RUN_WAY, false), run_cpu = ratio(t, RUN_WAY, true);
	struct spread served = ratio(t, SERVED_WAY, false);
	struct spread served_cpu = ratio(t, SERVED_WAY, true);
	double floor = 1 + floor_ms(t, c) / native.median;

	results_row(a->times, json_pack("[s,o,f,o,o,o,o]", name, spread_json(&native), floor,
					spread_json(&run), spread_json(&served),
					spread_json(&run_cpu), spread_json(&served_cpu)));
	printf("  %-8s %-14s native %7.0f ms, udax run %.3f, served %.3f\n",
	       placement_names[a->placement], name, native.median, run.median,
	       served.median);
	add_made(a, name, t, c, sums);
	add_ratio(sums, RUN_WAY, run.median, name);
	add_ratio(sums, SERVED_WAY, served.median, name);
	add_ratio(sums, FLOOR, floor, name);
	sums->nr++;
}

static bool holds(const struct sums *s, int way)
{
	return exp(s->logs[way] / s->nr) <= PROGRAMS_MEAN_BOUND &&
	       s->worst[way] <= PROGRAMS_WORST_BOUND;
}

static json_t *way_json(const struct sums *s, int way)
{
	return json_pack("{s:f,s:f,s:s,s:b}", "geometric_mean", exp(s->logs[way] / s->nr),
			 "worst", s->worst[way], "worst_program", s->worst_name[way],
			 "holds", holds(s, way));
}

static void say_verdict(struct programs *a, const struct sums *s)
{
	char verdict[160] = "";

	if (a->placement == PINNED)
		snprintf(verdict, sizeof(verdict), " Wanted of udax run: a mean of %.2f and "
			 "none above %.2f, which %s.", PROGRAMS_MEAN_BOUND,
			 PROGRAMS_WORST_BOUND, holds(s, RUN_WAY) ? "holds" :
			 "does not hold");
	results_say(a->report, "answer", "%s, run times to native, of %u programs: udax run "
		"%.2f (geometric mean), at worst %.2f (%s); served %.2f, at worst %.2f (%s).%s",
		placement_starts[a->placement], s->nr, exp(s->logs[RUN_WAY] / s->nr),
		s->worst[RUN_WAY], s->worst_name[RUN_WAY], exp(s->logs[SERVED_WAY] / s->nr),
		s->worst[SERVED_WAY], s->worst_name[SERVED_WAY], verdict);
	results_say(a->report, "answer", "%s, a server that does nothing but the raw loop for the "
		"same 4K faults, with no start, no mappings and no 2M faults to be paid for, would come to %.2f, at "
		"worst %.2f (%s).", placement_starts[a->placement], exp(s->logs[FLOOR] / s->nr),
		s->worst[FLOOR], s->worst_name[FLOOR]);
	if (s->extra <= 0)
		return;
	results_say(a->report, "answer", "%s, all of them together take %.0f ms longer under "
		"udax run. As many 4K faults over the raw loop are %.0f ms of it "
		"(%.0f %%), 2M faults, less what they replace, %.0f ms (%.0f %%), changes of mappings %.0f ms (%.0f %%), "
		"starts %.0f ms (%.0f %%); %.0f ms are the rest.",
		placement_starts[a->placement], s->extra,
		s->faults, s->faults / s->extra * 100, s->huge, s->huge / s->extra * 100,
		s->mappings, s->mappings / s->extra * 100,
		s->start, s->start / s->extra * 100,
		s->extra - s->faults - s->huge - s->mappings - s->start);
}

void programs_judge(struct programs *a, const struct sums *s)
{
	json_object_set_new(a->report, placement_names[a->placement], json_pack(
		"{s:o,s:o,s:o,s:{s:f,s:f,s:f,s:f,s:f}}", "run", way_json(s, RUN_WAY),
		"served", way_json(s, SERVED_WAY), "raw_loop", way_json(s, FLOOR), "extra_ms",
		"all", s->extra,
		"faults", s->faults, "huge", s->huge, "mappings", s->mappings,
		"start", s->start));
	say_verdict(a, s);
}

static const char *const how_to_read[] = {
	"Wall time of the command and all that it starts, in an empty directory of a tmpfs.",
	"4K faults by the raw loop: native, and what as many faults over the raw loop take longer "
	"than native ones. It is what a program must pay to whatever server in another process.",
	"udax run: with the start and the end of its private daemon. served: by a udaxd that "
	"runs already, so that this is what the faults, the attaching of each process and the "
	"changes of mappings cost. CPU: the ratio of CPU times, udaxd's among them.",
	"What takes longer: the 4K faults that udaxd counted, times what a fault over the raw "
	"loop takes longer than a native one (floor): any server in another process "
	"adds that. 2M for native faults: the 2M faults, times the same for a 2M that is there "
	"already, and what udaxd took for them, allocation and zeroing mostly, less the native "
	"faults that 2M mappings save. native faults: what counts as a minor fault natively "
	"and not when served. mapping changes: the "
	"mappings, times a mapping made and removed under udaxd less a native one. start: "
	"udax run of a program that does nothing, and the attaching of each process that "
	"maps. rest: what is left, udaxd's own time in 4K faults, changes of files and waits "
	"among it; what a busy machine adds, or takes from the native run, ends there too.",
};

static const char *const what_not[] = {
	"A program that runs for some milliseconds takes a multiple of that under udax run: "
	"the start of the daemon is shown apart.",
	"A tmpfs is faster than any real medium: natively nothing is waited for here.",
	"On a loaded machine the run times say who was waiting for a CPU; the CPU times "
	"still hold. Pinned by nobody, much of a fault is the wake of another CPU.",
	"The parts are what such things cost by themselves, one after the other, and caches "
	"know no sums: a rest of some per cent of the run time says nothing.",
};

void programs_end(json_t *report)
{
	size_t i;

	for (i = 0; i < sizeof(how_to_read) / sizeof(how_to_read[0]); i++)
		results_say(report, "read", "%s", how_to_read[i]);
	for (i = 0; i < sizeof(what_not) / sizeof(what_not[0]); i++)
		results_say(report, "not", "%s", what_not[i]);
	putchar('\n');
	results_print(report, stdout);
	results_print_answer(report, stdout);
}
