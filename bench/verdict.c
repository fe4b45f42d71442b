/* SPDX-License-Identifier: BSD-3-Clause */
#include "verdict.h"

#include <stdarg.h>
#include <string.h>

#include "cells.h"
#include "lib/parse.h"
#include "results.h"

#define BASE "616"
#define CONVERGED "dan-all"

const char *judgement_name(enum judgement j)
{
	static const char *const names[] = { "not measured", "undecided", "no", "yes" };

	return names[j];
}

void verdict_rule(json_t *report)
{
	results_say(report, "rule", "Converging the wait queues (dan-all) would have been "
		"right if under the load it costs nothing: the ratios of dan-all to 616 "
		"of faults a second and of the p99 of a fault have 95 %% intervals that "
		"lie within %.0f %% of 1, or on the better side of that.",
		VERDICT_MARGIN * 100);
	results_say(report, "rule", "Falling back at once (616) is right if waiting for a "
		"4K entry costs something and gains nothing: under dan-all 2M faults that "
		"wait for 4K entries take more than %.0f %% of all fault time (the whole "
		"interval does), and fewer than %.0f in 100 of these waits end in a 2M "
		"mapping.", VERDICT_SHARE * 100, VERDICT_USEFUL * 100);
	results_say(report, "rule", "The load is db_bench with mapped reads, and mappings of "
		"files that grow by write(2), each at a realistic hold time. Each position "
		"is judged by itself; on every load it must hold. Where an interval "
		"straddles its threshold the position is undecided; fewer than %d rounds "
		"decide nothing.", VERDICT_ROUNDS);
}

/* The weakest of the judgements so far and of one more load. */
static enum judgement both(enum judgement all, enum judgement one)
{
	if (all == JUDGED_UNKNOWN || one == JUDGED_UNKNOWN)
		return all == JUDGED_UNKNOWN ? one : all;
	if (all == JUDGED_NO || one == JUDGED_NO)
		return JUDGED_NO;
	if (all == JUDGED_OPEN || one == JUDGED_OPEN)
		return JUDGED_OPEN;
	return JUDGED_YES;
}

/* Does dan-all cost no more than 616? @more_is_better: of the figure. */
static enum judgement costs_nothing(const json_t *cell, const char *figure,
				    bool more_is_better, uint64_t seed)
{
	struct interval i = cell_ratio(cell, CONVERGED, BASE, figure, seed);
	double worst = more_is_better ? 1 - VERDICT_MARGIN : 1 + VERDICT_MARGIN;

	if (i.n < VERDICT_ROUNDS)
		return JUDGED_UNKNOWN;
	if (more_is_better ? i.low >= worst : i.high <= worst)
		return JUDGED_YES;
	if (more_is_better ? i.high < worst : i.low > worst)
		return JUDGED_NO;
	return JUDGED_OPEN;
}

static double useful_part(const json_t *variant)
{
	double waits = variant_sum(variant, "counters.stalls.pmd_on_pte.n");

	return waits ? variant_sum(variant, "counters.useful_waits") / waits : 0;
}

static enum judgement waiting_is_waste(const json_t *cell, uint64_t seed)
{
	const json_t *v = cell_variant(cell, CONVERGED);
	struct interval share = variant_interval(v, "fault_share", seed);

	if (share.n < VERDICT_ROUNDS)
		return JUDGED_UNKNOWN;
	if (share.high < VERDICT_SHARE)
		return JUDGED_NO;
	if (useful_part(v) >= VERDICT_USEFUL)
		return JUDGED_NO;
	return share.low > VERDICT_SHARE ? JUDGED_YES : JUDGED_OPEN;
}

static void judge(const json_t *report, struct verdict *v, uint64_t seed)
{
	const json_t *cell;
	size_t i;

	json_array_foreach((json_t *)(uintptr_t)cells_of(report), i, cell) {
		if (strcmp(cell_string(cell, "group"), "load") ||
		    !json_is_true(json_object_get(cell, "decides")))
			continue;
		v->converging = both(v->converging,
				     costs_nothing(cell, "rate", true, seed));
		v->converging = both(v->converging,
				     costs_nothing(cell, "p99_ns", false, seed));
		v->early = both(v->early, waiting_is_waste(cell, seed));
	}
}

static char *duration(char *buf, size_t size, double ns)
{
	return format_duration(buf, size, ns < 0 ? 0 : (uint64_t)ns);
}

static const char *factor(char *buf, size_t size, const struct interval *i)
{
	if (!i->n)
		snprintf(buf, size, "by an unknown factor");
	else
		snprintf(buf, size, "by a factor of %.2f (%.2f to %.2f)", i->value,
			 i->low, i->high);
	return buf;
}

/* The swept cell that speaks for all: the longest hold below a millisecond. */
static const json_t *typical_cell(const json_t *report)
{
	const json_t *cell, *best = NULL;
	size_t i;

	json_array_foreach((json_t *)(uintptr_t)cells_of(report), i, cell) {
		if (strcmp(cell_string(cell, "driver"), "live") ||
		    strcmp(cell_string(cell, "group"), "hold") ||
		    cell_number(cell, "hold_ns") >= 1e6)
			continue;
		if (!best || cell_number(cell, "hold_ns") > cell_number(best, "hold_ns"))
			best = cell;
	}
	return best;
}

static void say_cost(const json_t *report, struct verdict *v, uint64_t seed)
{
	const json_t *cell = typical_cell(report);
	struct interval wait, key;
	char hold[24], from[24], to[24], w[64], k[64];
	struct spread a, b;
	enum likeness same;

	if (!cell) {
		snprintf(v->answer[0], sizeof(v->answer[0]), "What a 2M fault loses by "
			 "waiting for a 4K entry was not measured.");
		return;
	}
	a = variant_spread(cell_variant(cell, BASE), "large_shared.p50");
	b = variant_spread(cell_variant(cell, CONVERGED), "large_shared.p50");
	wait = cell_ratio(cell, "jan-nx-all", BASE, "large_shared.p50", seed);
	key = cell_ratio(cell, "dan-conflict", BASE, "large_shared.p50", seed);
	same = likeness_of(key.low, key.high, 1, VERDICT_MARGIN);
	snprintf(v->answer[0], sizeof(v->answer[0]),
		 "With entries held for %s, a 2M fault that meets a locked 4K entry takes "
		 "%s under 616 and %s under dan-all (medians); waiting by itself changes "
		 "it %s, the converged key by itself %s, which is %s within 2 %%.",
		 duration(hold, sizeof(hold), cell_number(cell, "hold_ns")),
		 duration(from, sizeof(from), a.median),
		 duration(to, sizeof(to), b.median), factor(w, sizeof(w), &wait),
		 factor(k, sizeof(k), &key),
		 same == LIKE_EQUAL ? "no change" :
		 same == LIKE_UNDECIDED ? "not decided" : "a change");
}

static void say_how_often(const json_t *report, struct verdict *v, uint64_t seed)
{
	size_t i, used = 0, size = sizeof(v->answer[1]);
	char *out = v->answer[1];
	const json_t *cell;

	json_array_foreach((json_t *)(uintptr_t)cells_of(report), i, cell) {
		const json_t *base, *dan;
		struct interval share;

		if (strcmp(cell_string(cell, "group"), "load") || used >= size)
			continue;
		base = cell_variant(cell, BASE);
		dan = cell_variant(cell, CONVERGED);
		share = variant_interval(dan, "fault_share", seed);
		used += snprintf(out + used, size - used,
			"%s%s a 2M fault meets a 4K entry %.0f times in a million faults",
			used ? "; under " : "Under ", cell_string(cell, "name"),
			variant_spread(base, "per_million:counters.conflicts").median);
		if (used < size && !variant_sum(dan, "counters.stalls.pmd_on_pte.n"))
			used += snprintf(out + used, size - used, ", and under dan-all none "
					 "of %.0f faults waited for one",
					 variant_sum(dan, "counters.faults.total"));
		else if (used < size)
			used += snprintf(out + used, size - used,
				", and under dan-all waits for it %.0f times, which takes %.2f "
				"%% of all fault time (%.2f to %.2f); %.1f in 100 of these "
				"waits end in a 2M mapping",
				variant_spread(dan, "per_million:"
					       "counters.stalls.pmd_on_pte.n").median,
				share.value * 100, share.low * 100, share.high * 100,
				useful_part(dan) * 100);
	}
	if (!used)
		snprintf(out, size, "How often a 2M fault meets a locked 4K entry under "
			 "a real load was not measured");
	strncat(out, ".", size - strlen(out) - 1);
}

static void say_conclusion(struct verdict *v)
{
	static const char *const converging[] = {
		"whether converging the queues would have been right is not known",
		"whether converging the queues would have been right stays undecided",
		"converging the queues would not have been right, since it costs",
		"converging the queues would have been right, since it costs nothing",
	}, *const early[] = {
		"whether falling back at once pays is not known",
		"whether falling back at once pays stays undecided",
		"falling back at once does not pay, since next to no fault time is "
			"spent waiting, or the waits are useful",
		"falling back at once pays, since waiting costs and gains nothing",
	};

	snprintf(v->answer[2], sizeof(v->answer[2]), "By the rule stated beforehand, under "
		 "the load measured here %s; %s.", converging[v->converging],
		 early[v->early]);
}

void verdict_of(const json_t *report, struct verdict *v)
{
	uint64_t seed = json_integer_value(json_object_get(report, "seed"));

	memset(v, 0, sizeof(*v));
	judge(report, v, seed);
	say_cost(report, v, seed);
	say_how_often(report, v, seed);
	say_conclusion(v);
}

void verdict_print(json_t *report, FILE *out)
{
	struct verdict v;

	verdict_of(report, &v);
	json_object_set_new(report, "answer", json_pack("[s,s,s]", v.answer[0],
							v.answer[1], v.answer[2]));
	json_object_set_new(report, "verdict", json_pack("{s:s,s:s}",
		"converging", judgement_name(v.converging),
		"early", judgement_name(v.early)));
	results_print_answer(report, out);
}
