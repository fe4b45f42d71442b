/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fault storms. A worker that a fault wakes takes the CPU from the thread that the
 * last resolve let go on. While faults come thick that costs more than the faults. In a
 * storm a worker is SCHED_BATCH, which does not preempt when it wakes: it is often
 * still there for the next fault, and need not be woken. (SCHED_IDLE serves more,
 * but starves on a loaded machine.)
 *
 * A worker tries it when it serves many faults a second, and stays with it unless
 * it serves fewer than before: beside a thread that computes on the same CPU it
 * waits for that thread's time slice, so it backs off.
 *
 * Storm or not, the thread that a resolve wakes may run at once, and fault again
 * before the worker goes on. So the worker reads again before it waits, as long as
 * such reads find something often enough. No lock: one a worker.
 */
#ifndef UDAX_DAEMON_STORM_H
#define UDAX_DAEMON_STORM_H

#include <stdbool.h>
#include <stdint.h>

struct storm {
	bool on;
	uint8_t skipped;	/* reads left out since the last further one */
	uint8_t found;		/* how often they find something, of 255, on average */
	uint32_t served;	/* faults in the window */
	uint32_t before;	/* faults in the last window without */
	uint64_t since;		/* the window's begin, ns */
	uint64_t not_before;	/* backing off until then, ns */
	uint64_t backoff;	/* ns */
};

/* On the worker's thread. */
void storm_init(struct storm *s);
/* @n faults were served; @now: CLOCK_MONOTONIC, ns, or 0: not looked at. */
void storm_served(struct storm *s, unsigned int n, uint64_t now);
/* Shall the worker, after @reads in a row that found something, read again? */
bool storm_reads_on(struct storm *s, unsigned int reads);
/* It did: has it found something? */
void storm_read(struct storm *s, bool found);

#endif
