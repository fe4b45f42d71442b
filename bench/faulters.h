/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Faulters: the program whose page faults compare protocols. Processes with
 * threads touch one file by a schedule that the seed fixes, so that each protocol
 * meets the same faults in the same order. One of these loads:
 *
 *	PAIRS	thread 2j touches single pages through a mapping whose colour
 *		forbids 2M faults ("small"), thread 2j+1 touches windows
 *		through one that allows them ("large"). In a part @p of the
 *		steps both meet in one window, at different pages: the small
 *		fault holds its entry when the large one arrives.
 *	PAGES	every thread touches @pages pages of each of the first @ranges
 *		windows, by mappings of its own that allow 4K faults only
 *	APPEND	one thread a process appends odd lengths to files by write(2);
 *		the others map whole files, touch a few pages, and unmap
 *	TORTURE	two threads a process write, punch and truncate files; the others
 *		map windows of them, move, protect, advise and unmap these, and
 *		touch their pages
 *	SWEEP	one thread touches every page of the file, in three passes
 *	HERD	thread 0 faults on a page of a hole and holds its entry; @writers
 *		threads write(2) to the page, which invalidates it, and all others
 *		fault on it, by mappings of their own. A page a step
 *	LITMUS	each thread makes one fault of a litmus test in a window that it
 *		maps alone, one after the other; the first holds its entry
 *
 * The parent fills struct faulters in shared memory (a memfd outside the pmem
 * directory), starts the processes, and drives them a round at a time over
 * SOCK_SEQPACKET pairs. All run one binary, so the struct needs no version.
 * In a round a sample belongs to one thread; the parent reads when all are done.
 */
#ifndef UDAX_BENCH_FAULTERS_H
#define UDAX_BENCH_FAULTERS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "bench.h"
#include "proc.h"

#define FAULTERS_MAX_THREADS 80
#define FAULTERS_MAX_PROCESSES 16
#define FAULTERS_MAX_STEPS 4096
#define FAULTERS_MAX_PAGES 64
#define FAULTERS_MAX_OPS 4

enum faulters_load {
	LOAD_PAIRS, LOAD_PAGES, LOAD_APPEND, LOAD_SWEEP, LOAD_LITMUS, LOAD_HERD, LOAD_TORTURE
};

/* What a sample is of. */
enum sample_class {
	SAMPLE_SMALL,		/* a 4K fault; nobody else in its window */
	SAMPLE_LARGE,		/* a 2M fault; nobody else in its window */
	SAMPLE_SMALL_SHARED,	/* PAIRS: a 4K fault that a large one meets */
	SAMPLE_LARGE_SHARED,	/* PAIRS: a 2M fault in a window with a 4K one */
	SAMPLE_MMAP,		/* APPEND, TORTURE: mmap(), munmap() and their like */
	SAMPLE_APPEND,		/* APPEND, HERD: write(); TORTURE: what changes a file */
	SAMPLE_PASS,		/* SWEEP: a whole pass */
	SAMPLE_CLASSES
};

struct faulters_config {
	enum faulters_load load;
	uint32_t processes, threads;	/* threads of all processes together */
	uint32_t steps;			/* of a thread, in a round */
	uint32_t windows;		/* of the file, 2M each */
	uint32_t pages;			/* PAGES: distinct pages of a window */
	uint32_t ranges;		/* PAGES: windows that they are in; 0: 1 */
	uint32_t writers;		/* HERD */
	uint32_t files;			/* APPEND, TORTURE */
	double p;			/* PAIRS: part of the steps that meet */
	uint64_t hold_ns;		/* PAIRS, HERD: for when the others come */
	uint64_t seed;
	bool random, write;		/* SWEEP */
	/*
	 * LITMUS: "P1": a 4K fault of page 1; "M0": a 2M fault at page 0. @before:
	 * one that is made and ended before the others, or "".
	 */
	char ops[FAULTERS_MAX_OPS][4], before[4];
	uint64_t stagger_ns;		/* LITMUS: between two of them */
};

struct sample {
	uint64_t ns;
	uint8_t class;
};

struct faulters_thread {
	_Alignas(64) _Atomic uint32_t go;	/* PAIRS: steps the small one began */
	_Atomic uint32_t done;		/* PAIRS: steps the large one ended */
	uint32_t nr;			/* samples of this round */
	uint64_t touches;		/* SWEEP: more than there are samples */
	uint64_t start, end;		/* CLOCK_MONOTONIC of the first and last */
	struct sample samples[FAULTERS_MAX_STEPS];
};

struct faulters {
	struct faulters_config cfg;
	char path[512];			/* the file, or faulters_own_files(): a directory */
	int cpus[64];
	uint32_t nr_cpus;
	_Atomic uint32_t ready;		/* processes whose mappings are made */
	_Atomic uint32_t round;		/* number of the round: with @seed its schedule */
	_Atomic uint32_t quit;		/* parent gave up: leave every wait */
	pthread_barrier_t step;		/* HERD: of all threads of all processes */
	struct faulters_thread thread[FAULTERS_MAX_THREADS];
};

/* Has the load files of its own in the directory @path, ROUND.NUMBER, new in each round? */
static inline bool faulters_own_files(enum faulters_load load)
{
	return load == LOAD_APPEND || load == LOAD_TORTURE;
}

#endif
