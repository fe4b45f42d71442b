/* SPDX-License-Identifier: BSD-3-Clause */
/* A heap with four children a node: half as deep as one with two. */
#include "mm/sim_event.h"

#include <errno.h>
#include <stdlib.h>

static bool before(const struct sim_event *a, const struct sim_event *b)
{
	return a->time != b->time ? a->time < b->time : a->seq < b->seq;
}

static bool queue_room(struct sim_queue *q)
{
	size_t max = q->max ? q->max * 2 : 256;
	struct sim_event *heap;

	if (q->nr < q->max)
		return true;
	heap = reallocarray(q->heap, max, sizeof(*heap));
	if (!heap)
		return false;
	q->heap = heap;
	q->max = max;
	return true;
}

int sim_queue_push(struct sim_queue *q, uint64_t time, sim_event_fn *fn,
		   void *arg)
{
	struct sim_event e = { time, q->seq, fn, arg };
	size_t i, up;

	if (!queue_room(q))
		return -ENOMEM;
	q->seq++;
	for (i = q->nr++; i; i = up) {
		up = (i - 1) / 4;
		if (!before(&e, &q->heap[up]))
			break;
		q->heap[i] = q->heap[up];
	}
	q->heap[i] = e;
	return 0;
}

static size_t first_child(const struct sim_queue *q, size_t i)
{
	size_t first = i * 4 + 1, end = first + 4, best = first;

	if (end > q->nr)
		end = q->nr;
	for (size_t c = first + 1; c < end; c++)
		if (before(&q->heap[c], &q->heap[best]))
			best = c;
	return best;
}

bool sim_queue_pop(struct sim_queue *q, struct sim_event *e)
{
	struct sim_event last;
	size_t i = 0, child;

	if (!q->nr)
		return false;
	*e = q->heap[0];
	last = q->heap[--q->nr];
	while ((child = first_child(q, i)) < q->nr &&
	       before(&q->heap[child], &last)) {
		q->heap[i] = q->heap[child];
		i = child;
	}
	if (q->nr)
		q->heap[i] = last;
	return true;
}

void sim_queue_free(struct sim_queue *q)
{
	free(q->heap);
	*q = (struct sim_queue){ 0 };
}
