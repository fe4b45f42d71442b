/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * All values of one kind, kept, so that quantiles are exact: two protocols are
 * told apart at a few per cent, which a histogram's buckets would blur. 8 bytes
 * a value; the memory is the set's. No locks.
 */
#ifndef UDAX_MM_SIM_SAMPLES_H
#define UDAX_MM_SIM_SAMPLES_H

#include <stddef.h>
#include <stdint.h>

/* All zeros is an empty set. */
struct sim_samples {
	uint64_t *value;
	size_t nr, max;
	uint64_t sum;
};

/* 0 or -ENOMEM. */
int sim_samples_add(struct sim_samples *s, uint64_t value);
/* Before quantiles are asked for, and after the last value. */
void sim_samples_sort(struct sim_samples *s);
/*
 * The smallest value v so that a part @permille / 1000 of all is <= v; 0 if
 * empty. 1000: the largest.
 */
uint64_t sim_samples_quantile(const struct sim_samples *s,
			      unsigned int permille);
void sim_samples_free(struct sim_samples *s);

#endif
