/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Log-linear histograms of nanoseconds: 16 linear buckets a power of two, so a
 * quantile is off by at most 1/32 (3.2 %) of its value. One writer, any number of
 * readers (relaxed atomics): a reader may miss the newest values, never sees a
 * torn one. Fixed size, no allocation.
 */
#ifndef UDAX_LIB_HIST_H
#define UDAX_LIB_HIST_H

#include <stdint.h>

#define HIST_SUB_BITS 4
#define HIST_BUCKETS ((64 - HIST_SUB_BITS + 1) << HIST_SUB_BITS)

struct hist {
	uint64_t count, sum, max;
	uint32_t bucket[HIST_BUCKETS];
};

void hist_add(struct hist *h, uint64_t value);
/* @into += @from; the caller owns @into. */
void hist_merge(struct hist *into, const struct hist *from);
/* Smallest bucket value v so that a part @q (0..1) of all is <= v; 0 if empty. */
uint64_t hist_quantile(const struct hist *h, double q);

#endif
