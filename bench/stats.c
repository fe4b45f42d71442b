/* SPDX-License-Identifier: BSD-3-Clause */
#include "stats.h"

#include <stdlib.h>

static int cmp_double(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static int cmp_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

void sort_u64(uint64_t *v, size_t n)
{
	if (n)
		qsort(v, n, sizeof(*v), cmp_u64);
}

void sort_f(double *v, size_t n)
{
	qsort(v, n, sizeof(*v), cmp_double);
}

static double median_of_sorted(const double *v, size_t n)
{
	return n & 1 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

struct spread spread_of(double *v, size_t n)
{
	struct spread s = { .n = n };

	if (!n)
		return s;
	sort_f(v, n);
	s.min = v[0];
	s.max = v[n - 1];
	s.median = median_of_sorted(v, n);
	return s;
}

json_t *spread_json(const struct spread *s)
{
	return json_pack("{s:f,s:f,s:f,s:I}", "median", s->median,
			 "min", s->min, "max", s->max,
			 "n", (json_int_t)s->n);
}

static size_t rank(size_t n, double q)
{
	size_t i = q * n;

	return i < n ? i : n - 1;
}

uint64_t quantile(const uint64_t *sorted, size_t n, double q)
{
	return n ? sorted[rank(n, q)] : 0;
}

double quantile_f(const double *sorted, size_t n, double q)
{
	return n ? sorted[rank(n, q)] : 0;
}

uint64_t rng_next(struct rng *r)
{
	uint64_t z = r->state += 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

struct rng rng_seed(uint64_t seed, uint64_t stream)
{
	struct rng r = { .state = seed };

	r.state = rng_next(&r) + stream * 0xd1342543de82ef95ull;
	return r;
}

uint64_t rng_below(struct rng *r, uint64_t n)
{
	return (unsigned __int128)rng_next(r) * n >> 64;
}

double rng_unit(struct rng *r)
{
	return (rng_next(r) >> 11) * 0x1p-53;
}

struct interval bootstrap_median(double *v, size_t n, uint64_t seed)
{
	struct interval out = { .n = n };
	double *draw, *medians;
	struct rng r = rng_seed(seed, n);
	size_t i, j;

	if (!n)
		return out;
	sort_f(v, n);
	out.value = out.low = out.high = median_of_sorted(v, n);
	draw = calloc(n, sizeof(*draw));
	medians = calloc(BOOTSTRAP_ROUNDS, sizeof(*medians));
	if (!draw || !medians)
		abort();
	for (i = 0; i < BOOTSTRAP_ROUNDS; i++) {
		for (j = 0; j < n; j++)
			draw[j] = v[rng_below(&r, n)];
		sort_f(draw, n);
		medians[i] = median_of_sorted(draw, n);
	}
	sort_f(medians, BOOTSTRAP_ROUNDS);
	out.low = quantile_f(medians, BOOTSTRAP_ROUNDS, 0.025);
	out.high = quantile_f(medians, BOOTSTRAP_ROUNDS, 0.975);
	free(medians);
	free(draw);
	return out;
}

json_t *interval_json(const struct interval *i)
{
	return json_pack("{s:f,s:f,s:f,s:I}", "value", i->value, "low", i->low,
			 "high", i->high, "n", (json_int_t)i->n);
}

enum likeness likeness_of(double low, double high, double centre, double margin)
{
	double least = centre * (1 - margin), most = centre * (1 + margin);

	if (low >= least && high <= most)
		return LIKE_EQUAL;
	if (high < least)
		return LIKE_LESS;
	if (low > most)
		return LIKE_MORE;
	return LIKE_UNDECIDED;
}

const char *likeness_name(enum likeness l)
{
	static const char *const names[] = {
		[LIKE_UNDECIDED] = "undecided",
		[LIKE_EQUAL] = "equal",
		[LIKE_LESS] = "less",
		[LIKE_MORE] = "more",
	};

	return names[l];
}
