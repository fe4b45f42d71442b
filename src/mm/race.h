/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The outcomes that the model allows for a race script: every interleaving of its
 * threads, and of the operations behind `go` with threads that still run.
 *
 * What is atomic: a look at the page table by the CPU, with the load or store if
 * it hits; each look at a slot by the mm; each critical section of the model
 * (dax_op_step()); each answer to one (page-table check, extent, unmap of one
 * slot, write-protection of one slot in two steps, install). Locks of the mm and
 * of the file system are held as in the kernel. doc/kernel-map.md has the list.
 *
 * A run is repeated from its beginning for each schedule; states that are alike
 * are run on from once, whatever was said on the way to them (race_graph.h).
 */
#ifndef UDAX_MM_RACE_H
#define UDAX_MM_RACE_H

#include <signal.h>

#include "mm/outcomes.h"
#include "mm/replay.h"

struct race_totals {
	uint64_t states;	/* different ones in which there was a choice */
	uint64_t runs;		/* schedules begun */
	uint64_t steps;		/* taken, over all runs */
	uint64_t hangs;		/* runs in which somebody sleeps for ever */
	uint64_t cut;		/* runs left at @max_faults */
};

struct race_options {
	const struct mm_variant *variant;
	const struct dax_protocol *protocol;	/* NULL: the variant's */
	const struct extlog *extents;	/* placements to take over; may be NULL */
	const char *name;			/* the script's */
	bool live;		/* what a driver on real memory may do, too */
	bool por;		/* no points where nobody notices the step */
	bool merge;		/* run on from alike states once */
	unsigned int max_faults;	/* of one access: some go on for ever */
	uint64_t max_states;
	const volatile sig_atomic_t *stop;	/* may be NULL */
	void (*progress)(const struct race_totals *t);	/* may be NULL */
};

/*
 * Adds the outcomes to @set. 0; -EINTR when it was stopped, -E2BIG at
 * @max_states (@set and @t hold what was found); other -errno with a sentence in
 * @msg.
 */
int race_explore(const struct script *script, const struct race_options *o,
		 struct outcomes *set, struct race_totals *t, char *msg,
		 size_t len);

#endif
