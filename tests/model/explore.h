/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every interleaving of a few operations on one window: states are visited once
 * each. A state is the mapping, its table, the queue and the operations, all in
 * one arena that is copied away and back to the same place.
 */
#ifndef UDAX_TESTS_MODEL_EXPLORE_H
#define UDAX_TESTS_MODEL_EXPLORE_H

#include <stdbool.h>
#include <stdint.h>

#include "dax/dax.h"

#define EXPLORE_TASKS 5

/* What stands in the table at the beginning; all unlocked. */
enum explore_table {
	TABLE_EMPTY,
	TABLE_ZERO_PMD,
	TABLE_REAL_PMD,
	TABLE_REAL_PTE0,
	TABLE_REAL_PTE1,
	TABLE_REAL_PTE12,
};

struct explore_result {
	bool hang;		/* a sleeper and nobody runnable */
	bool pmd;		/* a zero or real 2M entry stood at some end */
	bool stranded;		/* a sleeper whose key had no source */
	bool rescued;		/* one of those, woken later */
	bool missed;		/* a scan ended and has not seen a present entry */
	uint64_t states;
	uint64_t waits, misdirected, useless;	/* over all transitions */
	char schedule[256];	/* of the first hang or miss: task numbers */
};

/*
 * @tasks: letters and pages, "P1 M0 P0". P page fault; M 2M fault, which goes on
 * as P when it falls back; I invalidate; W lock and unlock the entry; S delete
 * the window's entries by a scan; B scan them for pinned pages. @hole: the medium
 * has nothing there, and faults read.
 */
void explore(const struct dax_protocol *proto, enum explore_table table,
	     const char *tasks, bool hole, struct explore_result *result);

#endif
