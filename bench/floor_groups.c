/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * floor: what is compared. A group is one program in one placement; its variants
 * differ in who serves the faults.
 */
#include "floor.h"

#define ONE_CPU_VARIANTS \
	{ "native", NATIVE, 0, ON_ONE, 0, false }, \
	{ "raw-block", RAW, SERVE_BLOCK, ON_ONE, 0, false }, \
	{ "raw-uring", RAW, SERVE_URING, ON_ONE, 0, false }, \
	{ "udax", UDAX, 0, ON_ONE, 0, false }

#define ALL_VARIANTS \
	ONE_CPU_VARIANTS, \
	{ "raw-sigbus", SIGBUS_SELF, 0, ON_ONE, 0, false }, \
	{ "raw-thread", THREAD, 0, ON_ONE, 0, false }

#define TWO_CPU_VARIANTS \
	{ "native", NATIVE, 0, ANYWHERE, 0, false }, \
	{ "raw-single", RAW, SERVE_BLOCK, ANYWHERE, 0, false }, \
	{ "raw-percpu", RAW, SERVE_BLOCK, PER_CPU, 0, false }, \
	{ "raw-percpu-uring", RAW, SERVE_URING, PER_CPU, 0, false }, \
	{ "udax", UDAX, 0, PER_CPU, 0, false }

#define RATES(bound) \
	{ "udax", "raw-block", RATE, bound }, { "udax", "raw-uring", RATE, bound }

const struct group floor_groups[] = {
	{ "4k", "4K pages, stores in order, one thread and its server on one CPU",
	  SMALL_UNIT, 32 << 20, 1, 1, 1, 1, false, false, ALL_ON_ONE,
	  { ALL_VARIANTS, { "raw-copy", RAW, SERVE_BLOCK, ON_ONE, 0, true } },
	  { { "udax", "raw-uring", RATE, 0.92 },
	    { "udax", "raw-block", RATE, 0.88 },
	    { "udax", "raw-uring", P50, 1.10 },
	    { "native", "raw-block", RATE, 0 } } },
	{ "4k-read", "4K pages, reads in order",
	  SMALL_UNIT, 32 << 20, 1, 1, 1, 1, true, false, ALL_ON_ONE,
	  { ONE_CPU_VARIANTS }, { RATES(0) } },
	{ "4k-random", "4K pages, stores in random order",
	  SMALL_UNIT, 32 << 20, 1, 1, 1, 1, false, true, ALL_ON_ONE,
	  { ONE_CPU_VARIANTS }, { RATES(0) } },
	{ "around", "4K pages, stores in order, sixteen pages a resolve; touches are pages",
	  SMALL_UNIT, 32 << 20, 2, 1, 1, 1, false, false, ALL_ON_ONE,
	  { { "native", NATIVE, 0, ON_ONE, 0, false },
	    { "raw-around-16", RAW, SERVE_BLOCK, ON_ONE, 16, false },
	    { "udax-around-16", UDAX, 0, ON_ONE, 16, false } },
	  { { "udax-around-16", NULL, RATE, 1500 },
	    { "udax-around-16", "raw-around-16", RATE, 0 },
	    { "udax-around-16", "native", RATE, 0 } } },
	{ "2m", "2M of huge folios, stores in order, one thread and its server on one CPU",
	  HUGE_UNIT, FLOOR_HUGE_SIZE, 8, 1, 1, 1, false, false, ALL_ON_ONE,
	  { ALL_VARIANTS },
	  { { "udax", "raw-block", P50, 1.10 },
	    { "udax", "raw-uring", P50, 1.10 },
	    { "native", "raw-block", P50, 0 } } },
	{ "2m-read", "2M of huge folios, reads in random order",
	  HUGE_UNIT, FLOOR_HUGE_SIZE, 8, 1, 1, 1, true, true, ALL_ON_ONE,
	  { ONE_CPU_VARIANTS },
	  { { "udax", "raw-block", P50, 0 }, { "udax", "raw-uring", P50, 0 } } },
	{ "2cpu", "4K pages, two threads on two CPUs, pinned by nobody",
	  SMALL_UNIT, FLOOR_SMALL_SIZE / 2, 1, 2, 1, 1, false, false, NOBODY,
	  { TWO_CPU_VARIANTS },
	  { { "udax", "raw-percpu", RATE, 0.85 },
	    { "udax", "raw-percpu-uring", RATE, 0 },
	    { "udax", "raw-single", RATE, 0 } } },
	{ "2cpu-pinned", "4K pages, two threads, each pinned to a CPU of its own",
	  SMALL_UNIT, FLOOR_SMALL_SIZE / 2, 1, 2, 1, 1, false, false, ONE_EACH,
	  { TWO_CPU_VARIANTS },
	  { { "udax", "raw-percpu", RATE, 0.85 },
	    { "udax", "raw-percpu-uring", RATE, 0 },
	    { "udax", "raw-single", RATE, 0 } } },
	{ "threads-4", "4K pages, 4 threads and their server on one CPU",
	  SMALL_UNIT, 32 << 20, 1, 4, 1, 1, false, false, ALL_ON_ONE,
	  { ONE_CPU_VARIANTS }, { RATES(0) } },
	{ "threads-16", "4K pages, 16 threads and their server on one CPU; the raw loops "
	  "read up to 16 messages at once",
	  SMALL_UNIT, 32 << 20, 1, 16, 1, 1, false, false, ALL_ON_ONE,
	  { ONE_CPU_VARIANTS }, { RATES(0.90) } },
	{ "procs-4", "4K pages, 4 processes on one CPU, one udaxd or a raw loop each",
	  SMALL_UNIT, 8 << 20, 1, 1, 4, 1, false, false, ALL_ON_ONE,
	  { ONE_CPU_VARIANTS }, { RATES(0) } },
	{ "procs-16", "4K pages, 16 processes on one CPU, one udaxd or a raw loop each",
	  SMALL_UNIT, 2 << 20, 1, 1, 16, 1, false, false, ALL_ON_ONE,
	  { ONE_CPU_VARIANTS }, { RATES(0) } },
	{ "maps-1000", "4K pages, one thread whose process has 1000 mappings",
	  SMALL_UNIT, 32 << 20, 1, 1, 1, 1000, false, false, ALL_ON_ONE,
	  { ONE_CPU_VARIANTS }, { RATES(0) } },
};

const unsigned int floor_nr_groups = sizeof(floor_groups) / sizeof(floor_groups[0]);
