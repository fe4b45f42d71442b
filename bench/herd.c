/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The load HERD: many sleep on one entry when it is invalidated. write(2) to a hole
 * does that: it takes no lock that faults take, so its invalidation waits for the
 * entry as they do, and then removes it. A hole can be written to once, so each
 * step has a page of its own, and each round a new hole. Of a process one write at a
 * time is told to the daemon, so two that are to wait at once are of two processes.
 */
#include "faulters_int.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

int herd_map(struct process *p)
{
	uint32_t i;

	/* All processes map before any thread touches. */
	if (!p->nr && fallocate(p->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, HUGE_UNIT))
		return -errno;
	for (i = 0; i < p->nr_workers; i++) {
		p->maps[i] = map_small(p->fd, HUGE_UNIT);
		if ((void *)p->maps[i] == (void *)-1)
			return -errno;
	}
	return 0;
}

static void write_to(struct worker *w, uint64_t page)
{
	uint64_t start = clock_ns(CLOCK_MONOTONIC);

	if (pwrite(w->p->fd, "", 1, page * SMALL_UNIT) != 1)
		abort();
	faulters_sample(w, SAMPLE_APPEND, clock_ns(CLOCK_MONOTONIC) - start);
}

/*
 * In this order: the holder, the writers, everybody else. Where many wake at once
 * some come late, which is what the counters then say.
 */
void herd_run(struct worker *w)
{
	const struct faulters_config *c = &w->f->cfg;
	uint64_t page;

	for (uint32_t i = 0; i < c->steps && !atomic_load(&w->f->quit); i++) {
		/* Not the window's head. */
		page = 1 + i;
		pthread_barrier_wait(&w->f->step);
		if (!w->nr) {
			faulters_touch(w, w->map[0] + page * SMALL_UNIT, SAMPLE_SMALL,
				       false);
		} else if (w->nr <= c->writers) {
			faulters_sleep(c->hold_ns / 10);
			write_to(w, page);
		} else {
			faulters_sleep(c->hold_ns / 2);
			faulters_touch(w, w->map[0] + page * SMALL_UNIT,
				       SAMPLE_SMALL_SHARED, false);
		}
	}
}
