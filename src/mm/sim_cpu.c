/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * CPUs. All are alike and share one run queue, first in, first out; a task runs
 * until it sleeps, or until its quantum is over while it computes (not inside a
 * fault's short steps, where a kernel may hold a spin lock).
 */
#include "mm/sim_int.h"

static void on_next(struct sim *s, void *arg)
{
	struct sim_task *t = arg;

	t->next(s, t);
}

static void on_computed(struct sim *s, void *arg);

static void compute_on(struct sim *s, struct sim_task *t)
{
	uint64_t ns = t->remaining;

	if (s->c->quantum && s->now + ns > t->slice_end)
		ns = t->slice_end > s->now ? t->slice_end - s->now : 0;
	t->remaining -= ns;
	s->r->busy += ns;
	sim_at(s, s->now + ns, on_computed, t);
}

static void on_dispatched(struct sim *s, void *arg)
{
	struct sim_task *t = arg;

	if (t->remaining)
		compute_on(s, t);
	else
		t->next(s, t);
}

/* @t has a CPU that somebody else had. */
static void dispatch(struct sim *s, struct sim_task *t)
{
	uint64_t cost = sim_cost(s, SIM_COST_switch);

	t->slice_end = s->now + cost + s->c->quantum;
	s->r->busy += cost;
	sim_at(s, s->now + cost, on_dispatched, t);
}

static void dispatch_first(struct sim *s)
{
	struct sim_task *t = list_first(&s->run_queue, struct sim_task, link);

	list_del(&t->link);
	dispatch(s, t);
}

static void on_ready(struct sim *s, void *arg)
{
	struct sim_task *t = arg;

	if (!s->idle_cpus) {
		list_add_tail(&t->link, &s->run_queue);
		return;
	}
	s->idle_cpus--;
	dispatch(s, t);
}

void sim_ready(struct sim *s, struct sim_task *t, uint64_t delay,
	       sim_task_fn *next)
{
	t->next = next;
	sim_at(s, s->now + delay, on_ready, t);
}

void sim_busy(struct sim *s, struct sim_task *t, uint64_t ns, sim_task_fn *next)
{
	t->next = next;
	s->r->busy += ns;
	sim_at(s, s->now + ns, on_next, t);
}

void sim_yield(struct sim *s)
{
	if (list_empty(&s->run_queue))
		s->idle_cpus++;
	else
		dispatch_first(s);
}

/* @t has computed until its end, or the quantum's. */
static void on_computed(struct sim *s, void *arg)
{
	struct sim_task *t = arg;

	if (!t->remaining) {
		t->next(s, t);
	} else if (list_empty(&s->run_queue)) {
		t->slice_end = s->now + s->c->quantum;
		compute_on(s, t);
	} else {
		list_add_tail(&t->link, &s->run_queue);
		dispatch_first(s);
	}
}

void sim_compute(struct sim *s, struct sim_task *t, uint64_t ns,
		 sim_task_fn *next)
{
	t->next = next;
	t->remaining = ns;
	compute_on(s, t);
}
