/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Statistics of a handful of rounds, and random numbers that a seed repeats.
 * Values only; no lock, no errors. Units are the caller's.
 */
#ifndef UDAX_BENCH_STATS_H
#define UDAX_BENCH_STATS_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

/* Median and range of a set of figures. */
struct spread {
	double median, min, max;
	size_t n;
};

/* Reorders @v. All zeros when @n is 0. */
struct spread spread_of(double *v, size_t n);
/* {"median":..,"min":..,"max":..,"n":..}; new reference. */
json_t *spread_json(const struct spread *s);
/* The value below which a part @q of the sorted @v lies; 0 if empty. */
uint64_t quantile(const uint64_t *sorted, size_t n, double q);
double quantile_f(const double *sorted, size_t n, double q);
void sort_u64(uint64_t *v, size_t n);
void sort_f(double *v, size_t n);

/* splitmix64: one word of state, any seed will do. */
struct rng {
	uint64_t state;
};

/* @stream: independent sequences of one seed. */
struct rng rng_seed(uint64_t seed, uint64_t stream);
uint64_t rng_next(struct rng *r);
/* Below @n, which is not 0. */
uint64_t rng_below(struct rng *r, uint64_t n);
/* In [0, 1). */
double rng_unit(struct rng *r);

/* A median with the interval that holds it with 95 % confidence. */
struct interval {
	double value, low, high;
	size_t n;
};

/*
 * Percentile bootstrap of the median of @v (reordered): BOOTSTRAP_ROUNDS sets
 * drawn from it with replacement. Of rounds, not of faults: faults of a round
 * depend on each other. @low = @high = @value when @n < 2.
 */
#define BOOTSTRAP_ROUNDS 2000
struct interval bootstrap_median(double *v, size_t n, uint64_t seed);
/* {"value":..,"low":..,"high":..,"n":..}; new reference. */
json_t *interval_json(const struct interval *i);

/* What an interval says of "equal within @margin" (0.02: 2 %) around @centre. */
enum likeness { LIKE_UNDECIDED, LIKE_EQUAL, LIKE_LESS, LIKE_MORE };
enum likeness likeness_of(double low, double high, double centre, double margin);
const char *likeness_name(enum likeness l);

#endif
