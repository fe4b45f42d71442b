/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The simulator's event queue: what happens at which nanosecond of virtual time.
 * Events of one time happen in the order in which they were put in. A queue
 * belongs to one simulation; no locks.
 */
#ifndef UDAX_MM_SIM_EVENT_H
#define UDAX_MM_SIM_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sim;

typedef void sim_event_fn(struct sim *s, void *arg);

struct sim_event {
	uint64_t time, seq;
	sim_event_fn *fn;
	void *arg;
};

/* All zeros is an empty queue. */
struct sim_queue {
	struct sim_event *heap;
	size_t nr, max;
	uint64_t seq;
};

/* 0 or -ENOMEM. */
int sim_queue_push(struct sim_queue *q, uint64_t time, sim_event_fn *fn,
		   void *arg);
/* The next one; false when there is none. */
bool sim_queue_pop(struct sim_queue *q, struct sim_event *e);
void sim_queue_free(struct sim_queue *q);

#endif
