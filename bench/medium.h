/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How long a real file system takes for what a fault asks of its medium while the
 * entry is locked: to start a transaction and allocate a block (fallocate of one
 * 4K hole), and to look an extent up (lseek SEEK_DATA). Measured here, on a disk.
 */
#ifndef UDAX_BENCH_MEDIUM_H
#define UDAX_BENCH_MEDIUM_H

#include <stdint.h>

#include <jansson.h>

#include "bench.h"

struct medium {
	char dir[256], fs[16];
	uint64_t alloc_p50, alloc_p99, read_p50, read_p99;	/* ns */
	/*
	 * As an option --hold: lognormal distributions with that median, whose
	 * 99 % quantile is at p99.
	 */
	char hold[128];
};

/* 0 or -errno. @count: calls of each kind. Leaves no file. */
int medium_measure(struct medium *m, uint64_t seed, unsigned int count);
/* New reference. */
json_t *medium_json(const struct medium *m);

#endif
