/* SPDX-License-Identifier: BSD-3-Clause */
/* Inside the faulters' process: its threads and what the loads share. */
#ifndef UDAX_BENCH_FAULTERS_INT_H
#define UDAX_BENCH_FAULTERS_INT_H

#include <pthread.h>

#include "faulters.h"
#include "stats.h"

struct process;

struct worker {
	struct faulters *f;
	struct process *p;
	struct faulters_thread *t;
	char **map;		/* PAGES, LITMUS, HERD: its own mappings */
	pthread_t id;
	uint32_t nr;		/* of all processes */
};

struct process {
	struct faulters *f;
	uint32_t nr;
	int fd;
	char *small, *large;	/* PAIRS */
	char **maps;
	struct worker workers[FAULTERS_MAX_THREADS];
	uint32_t nr_workers;
	pthread_barrier_t barrier;
};

/*
 * A mapping of the whole file whose address differs from the offset by a page,
 * modulo 2M: its faults are 4K faults, before any entry is looked at.
 */
char *map_small(int fd, uint64_t size);

/* Own thread only. */
void faulters_sample(struct worker *w, enum sample_class class, uint64_t ns);
/* One access, timed: a fault if the slot is empty. */
void faulters_touch(struct worker *w, volatile char *page, enum sample_class class,
		    bool write);

/* A timer is not worth its time below some tens of us: returns at once. */
void faulters_sleep(uint64_t ns);

/* The load HERD: the file made a hole, mapped by each thread; and one thread. */
int herd_map(struct process *p);
void herd_run(struct worker *w);

/* File @nr of this round, of a load that makes its own; made if it is not there. */
int faulters_file(const struct faulters *f, uint32_t nr);

/* The loads APPEND and TORTURE: the files of a round, made by one process; and one thread. */
void append_begin(struct process *p);
void append_run(struct worker *w);
void torture_begin(struct process *p);
void torture_run(struct worker *w);

#endif
