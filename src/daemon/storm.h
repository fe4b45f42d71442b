/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fault storms. Every fault wakes every worker that polls the userfaultfd, and
 * a worker that wakes takes the CPU from the thread that the last resolve let
 * go on. While faults come thick that costs more than the faults themselves. In a
 * storm a worker is SCHED_BATCH, which does not preempt when it wakes, and reads
 * until nothing is left: it is often still there for the next fault, and need not
 * be woken. (SCHED_IDLE serves more, but starves on a loaded machine.)
 *
 * A worker tries it when it serves many faults a second, and stays with it unless
 * it serves fewer than before: beside a thread that computes on the same CPU it
 * waits for that thread's time slice, so it backs off. No lock: one a worker.
 */
#ifndef UDAX_DAEMON_STORM_H
#define UDAX_DAEMON_STORM_H

#include <stdbool.h>
#include <stdint.h>

struct storm {
	bool on;
	uint32_t served;	/* faults in the window */
	uint32_t before;	/* faults in the last window without */
	uint64_t since;		/* the window's begin, ns */
	uint64_t not_before;	/* backing off until then, ns */
	uint64_t backoff;	/* ns */
};

/* On the worker's thread. */
void storm_init(struct storm *s);
/* @n faults were served; @now: CLOCK_MONOTONIC, ns. */
void storm_served(struct storm *s, unsigned int n, uint64_t now);

#endif
