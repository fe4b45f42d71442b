/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Questions to the cells of an experiment (live.h has their form): figures of
 * rounds, and comparisons of two variants of a cell, round by round. Nothing is
 * changed; references are borrowed. One thread.
 *
 * A figure is a path into a round, "large_shared.p99", or one of
 *	rate		touches a second
 *	fault_share	part of all fault time that 2M faults waited for 4K entries
 *	per_million:PATH	per 10^6 faults
 */
#ifndef UDAX_BENCH_CELLS_H
#define UDAX_BENCH_CELLS_H

#include <stdbool.h>

#include <jansson.h>

#include "stats.h"

/* "cells" of @report; an empty array if there is none. */
const json_t *cells_of(const json_t *report);
/* NULL if there is none. @name NULL: the first of the group. */
const json_t *cell_find(const json_t *cells, const char *driver, const char *group,
			const char *name);
const char *cell_string(const json_t *cell, const char *member);
double cell_number(const json_t *cell, const char *member);
const json_t *cell_variant(const json_t *cell, const char *name);

/* False: the round has no such figure. */
bool round_figure(const json_t *round, const char *figure, double *value);
/* Of all rounds of the variant that have it; n is 0 if none has. */
struct spread variant_spread(const json_t *variant, const char *figure);
/* The same with a bootstrap interval. */
struct interval variant_interval(const json_t *variant, const char *figure,
				 uint64_t seed);
/* The sum over the rounds; 0 if none has it. */
double variant_sum(const json_t *variant, const char *figure);
/*
 * @a over @b, round by round. Where both are 0 they are equal; where only @b is,
 * the round says nothing. n is 0 if no round can be compared.
 */
struct interval cell_ratio(const json_t *cell, const char *a, const char *b,
			   const char *figure, uint64_t seed);

/*
 * Adds to @round what its counters say of wakes, where there were any: "woken_per_all",
 * waiters woken by a wake of all; "resleeps_per_all", waiters that slept again because
 * another had the entry; "passed_over", waiters of other keys that were looked at, for
 * each that was woken.
 */
void wake_figures(json_t *round);

/* For a table: null when n is 0; new references. */
json_t *spread_cell(struct spread s);
json_t *interval_cell(struct interval i);

#endif
