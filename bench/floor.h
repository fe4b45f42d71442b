/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The floor experiment's processes and what they say to each other.
 *
 *	touch	maps the file, and in each round zaps its page tables and
 *		touches every unit once, timing each touch
 *	serve	the raw loop: reads the touchers' userfaultfd and resolves,
 *		nothing else; got the descriptor by SCM_RIGHTS
 *	udaxd	the real daemon; the toucher has libudax-preload.so instead of
 *		a userfaultfd of its own
 *
 * The parent drives the touchers in turn, a round each, over SOCK_SEQPACKET
 * pairs. All are processes of one program, so the structs need no version.
 */
#ifndef UDAX_BENCH_FLOOR_H
#define UDAX_BENCH_FLOOR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "bench.h"
#include "proc.h"
#include "stats.h"

/* Toucher to parent, once. */
struct touch_hello {
	int32_t error;		/* 0, or the errno of the set-up */
	uint32_t armed;		/* is a userfaultfd registered on the mapping? */
	uint64_t map_ns;	/* time to make the mappings */
};

/* Parent to toucher. */
enum touch_command { TOUCH_ROUND = 1, TOUCH_QUIT };

/* Toucher to parent, for each TOUCH_ROUND. Times in ns. */
struct touch_round {
	uint64_t touches;
	uint64_t ns;		/* wall, first touch to last, sum of the passes */
	uint64_t cpu_ns;	/* of the toucher and its server, the same span */
	uint64_t min, p50, p99, max;	/* of single touches */
	uint64_t wrong;		/* units that do not hold what was stored */
	uint64_t huge_bytes;	/* ShmemPmdMapped after the last pass */
};

/* Toucher to server, once, with the userfaultfd. */
struct serve_hello {
	int32_t pid;
};

enum serve_form { SERVE_BLOCK, SERVE_URING };

#endif
