/* SPDX-License-Identifier: BSD-3-Clause */
#include "cells.h"

#include <stdlib.h>
#include <string.h>

const json_t *cells_of(const json_t *report)
{
	static json_t *none;
	const json_t *cells = json_object_get(report, "cells");

	if (json_is_array(cells))
		return cells;
	if (!none)
		none = json_array();
	return none;
}

const char *cell_string(const json_t *cell, const char *member)
{
	const char *s = json_string_value(json_object_get(cell, member));

	return s ? s : "";
}

double cell_number(const json_t *cell, const char *member)
{
	return json_number_value(json_object_get(cell, member));
}

const json_t *cell_find(const json_t *cells, const char *driver, const char *group,
			const char *name)
{
	const json_t *cell;
	size_t i;

	json_array_foreach((json_t *)(uintptr_t)cells, i, cell)
		if (!strcmp(cell_string(cell, "driver"), driver) &&
		    !strcmp(cell_string(cell, "group"), group) &&
		    (!name || !strcmp(cell_string(cell, "name"), name)))
			return cell;
	return NULL;
}

const json_t *cell_variant(const json_t *cell, const char *name)
{
	const json_t *v;
	size_t i;

	json_array_foreach(json_object_get(cell, "variants"), i, v)
		if (!strcmp(cell_string(v, "name"), name))
			return v;
	return NULL;
}

static bool lookup(const json_t *o, const char *path, double *value)
{
	char part[64];
	size_t len;

	for (; o && *path; path += len + (path[len] == '.')) {
		len = strcspn(path, ".");
		if (len >= sizeof(part))
			return false;
		memcpy(part, path, len);
		part[len] = '\0';
		o = json_object_get(o, part);
	}
	if (!json_is_number(o))
		return false;
	*value = json_number_value(o);
	return true;
}

void wake_figures(json_t *round)
{
	double next = 0, all = 0, woken = 0, scanned = 0, barged = 0;

	lookup(round, "counters.wakes.next", &next);
	lookup(round, "counters.wakes.all", &all);
	lookup(round, "counters.wakes.woken", &woken);
	lookup(round, "counters.wakes.scanned", &scanned);
	lookup(round, "counters.wakes.barged", &barged);
	/* Who waits exclusively, as all do here, is woken alone by a wake of the next. */
	if (all)
		json_object_set_new(round, "woken_per_all", json_real((woken - next) / all));
	if (woken)
		json_object_set_new(round, "passed_over", json_real((scanned - woken) / woken));
	if (all)
		json_object_set_new(round, "resleeps_per_all", json_real(barged / all));
}

bool round_figure(const json_t *round, const char *figure, double *value)
{
	double a, b;

	if (!strcmp(figure, "rate")) {
		if (!lookup(round, "touches", &a) || !lookup(round, "ns", &b) || b <= 0)
			return false;
		*value = a * 1e9 / b;
		return true;
	}
	if (!strcmp(figure, "fault_share")) {
		if (!lookup(round, "counters.stalls.pmd_on_pte.ns", &a) ||
		    !lookup(round, "counters.fault_ns", &b) || b <= 0)
			return false;
		*value = a / b;
		return true;
	}
	if (!strncmp(figure, "per_million:", 12)) {
		if (!lookup(round, figure + 12, &a) ||
		    !lookup(round, "counters.faults.total", &b) || b <= 0)
			return false;
		*value = a * 1e6 / b;
		return true;
	}
	return lookup(round, figure, value);
}

/* The figures of all rounds that have one; the caller frees them. */
static double *figures(const json_t *variant, const char *figure, size_t *n)
{
	const json_t *rounds = json_object_get(variant, "rounds"), *round;
	double *v = calloc(json_array_size(rounds) + 1, sizeof(*v));
	size_t i;

	*n = 0;
	if (!v)
		abort();
	json_array_foreach((json_t *)(uintptr_t)rounds, i, round)
		if (round_figure(round, figure, &v[*n]))
			(*n)++;
	return v;
}

struct spread variant_spread(const json_t *variant, const char *figure)
{
	size_t n;
	double *v = figures(variant, figure, &n);
	struct spread s = spread_of(v, n);

	free(v);
	return s;
}

struct interval variant_interval(const json_t *variant, const char *figure,
				 uint64_t seed)
{
	size_t n;
	double *v = figures(variant, figure, &n);
	struct interval i = bootstrap_median(v, n, seed);

	free(v);
	return i;
}

double variant_sum(const json_t *variant, const char *figure)
{
	size_t n, i;
	double *v = figures(variant, figure, &n), sum = 0;

	for (i = 0; i < n; i++)
		sum += v[i];
	free(v);
	return sum;
}

struct interval cell_ratio(const json_t *cell, const char *a, const char *b,
			   const char *figure, uint64_t seed)
{
	const json_t *ra = json_object_get(cell_variant(cell, a), "rounds");
	const json_t *rb = json_object_get(cell_variant(cell, b), "rounds");
	size_t n = json_array_size(ra), i, nr = 0;
	double *v, x, y;
	struct interval out;

	if (json_array_size(rb) < n)
		n = json_array_size(rb);
	v = calloc(n + 1, sizeof(*v));
	if (!v)
		abort();
	for (i = 0; i < n; i++) {
		if (!round_figure(json_array_get(ra, i), figure, &x) ||
		    !round_figure(json_array_get(rb, i), figure, &y))
			continue;
		if (y)
			v[nr++] = x / y;
		else if (!x)
			v[nr++] = 1;
	}
	out = bootstrap_median(v, nr, seed);
	free(v);
	return out;
}

json_t *spread_cell(struct spread s)
{
	return s.n ? spread_json(&s) : json_null();
}

json_t *interval_cell(struct interval i)
{
	return i.n ? interval_json(&i) : json_null();
}
