/* SPDX-License-Identifier: BSD-3-Clause */
/* What a round of faulters measured, as JSON. One thread. */
#ifndef UDAX_BENCH_LIVE_COUNT_H
#define UDAX_BENCH_LIVE_COUNT_H

#include <jansson.h>

#include "faulters.h"

/* The samples of all rounds, by class; grows. Zero-initialised. */
struct sample_pool {
	struct { uint64_t *v; size_t nr, room; } of[SAMPLE_CLASSES];
};
void pool_free(struct sample_pool *pool);
/* {CLASS: [[ns, part of the samples that took no longer]..]}; new reference. */
json_t *pool_cdf(struct sample_pool *pool);

/*
 * The figures of the round that @f has just ended, with what the daemon's
 * counters grew by; its samples are added to @pool. New reference.
 */
json_t *count_round(const struct faulters *f, const json_t *before,
		    const json_t *after, struct sample_pool *pool);

#endif
