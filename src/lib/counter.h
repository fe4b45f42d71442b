/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Counters with one writer and any number of readers. The writer's add is a
 * plain load, add and store on the machines that we know; a reader that uses a
 * relaxed load sees a value that stood there, never a torn one.
 */
#ifndef UDAX_LIB_COUNTER_H
#define UDAX_LIB_COUNTER_H

#include <stdint.h>

static inline void counter_add(uint64_t *c, uint64_t n)
{
	__atomic_store_n(c, __atomic_load_n(c, __ATOMIC_RELAXED) + n,
			 __ATOMIC_RELAXED);
}

/* For the largest that there was. */
static inline void counter_max(uint64_t *c, uint64_t n)
{
	if (n > __atomic_load_n(c, __ATOMIC_RELAXED))
		__atomic_store_n(c, n, __ATOMIC_RELAXED);
}

static inline uint64_t counter_read(const uint64_t *c)
{
	return __atomic_load_n(c, __ATOMIC_RELAXED);
}

#endif
