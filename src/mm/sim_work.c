/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The load: who touches which page when.
 *
 * A request is one access that faults: the translation is never there, as if
 * each were made by a mapping of its own. Whether it tries 2M first, whether it
 * writes, and where, is drawn by its number, so that all protocols see the same
 * requests. A closed loop: each task thinks, then makes its next request. An
 * open one: requests come when they come, and wait until a task is free.
 *
 * An arranged conflict (--conflict): a request that tries 2M gets a window that
 * nobody has touched, and with the given probability another task, its partner,
 * writes to another page of it: the 2M fault comes at a moment that is uniform
 * over the partner's hold.
 *
 * Invalidations (a write(2) that changes what a page's block is) and writebacks
 * come at a rate, each by a worker of its own.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "mm/sim_int.h"

#define NS_PER_S 1e9

static void next_request(struct sim *s, struct sim_task *t);

/* Exponential, of so many a second. */
static uint64_t interval(double rate, uint64_t random)
{
	double ns = -log(1.0 - dist_unit(random)) * NS_PER_S / rate;

	return ns < 1e18 ? (uint64_t)(ns + 0.5) : (uint64_t)1e18;
}

static void identify(struct sim *s, struct sim_task *t, uint64_t stream,
		     uint64_t number)
{
	t->key = dist_bits(dist_bits(s->c->seed, stream), number);
}

/* ----------------------------------------------------------------- extras */

/* Partners and workers are made when they are first needed. */
static struct sim_task *extra_new(struct sim *s)
{
	struct sim_task *t = calloc(1, sizeof(*t)), **extras = s->extras;

	if (t && s->nr_extras == s->max_extras) {
		s->max_extras = s->max_extras ? s->max_extras * 2 : 16;
		extras = reallocarray(extras, s->max_extras, sizeof(*extras));
		if (extras)
			s->extras = extras;
	}
	if (!t || !extras) {
		free(t);
		s->nomem = true;
		return NULL;
	}
	s->extras[s->nr_extras++] = t;
	return t;
}

static struct sim_task *extra_get(struct sim *s, enum sim_role role)
{
	struct sim_task *t;

	if (list_empty(&s->idle_extras)) {
		t = extra_new(s);
	} else {
		t = list_first(&s->idle_extras, struct sim_task, link);
		list_del(&t->link);
	}
	if (t)
		t->role = role;
	return t;
}

/* ---------------------------------------------------------------- partners */

static void start_partner(struct sim *s, struct sim_task *t, unsigned int slot,
			  unsigned int page)
{
	unsigned int other = dist_below(sim_draw(t, DRAW_OTHER_PAGE),
					s->c->pages - 1);
	struct sim_task *p = extra_get(s, ROLE_PARTNER);

	if (!p)
		return;
	p->key = sim_draw(t, DRAW_PARTNER);
	p->due = s->now;
	p->counts = t->counts;
	p->write = true;
	p->order = 0;
	p->tried = SIM_PTE;
	p->range = t->range;
	p->range->refs++;
	p->page = p->range->head + sim_slot_page(s, slot, other + (other >= page));
	p->other = t;
	s->r->conflicts_arranged += t->counts;
	sim_ready(s, p, 0, sim_op_start);
}

static void meet(struct sim *s, struct sim_task *t)
{
	t->due = s->now;
	sim_op_start(s, t);
}

void sim_partner_holds(struct sim *s, struct sim_task *p, uint64_t hold)
{
	struct sim_task *t = p->other;

	if (!t)
		return;
	p->other = NULL;
	sim_ready(s, t, dist_below(sim_draw(t, DRAW_OFFSET), hold + 1), meet);
}

/* ---------------------------------------------------------------- requests */

static bool may_start(struct sim *s)
{
	const struct sim_config *c = s->c;

	s->over |= c->faults && s->started == c->warmup + c->faults;
	s->over |= c->time && s->now >= c->time;
	s->over |= c->stop && *c->stop;
	s->over |= s->nomem;
	return !s->over;
}

/* Counting begins with the first request behind the warm-up. */
static void note_started(struct sim *s, struct sim_task *t)
{
	t->counts = ++s->started > s->c->warmup;
	if (!t->counts || s->counting)
		return;
	s->counting = true;
	s->stats_before = s->stats;
	s->r->start = s->now;
	s->r->busy = s->r->spun = 0;
}

static void choose(struct sim *s, struct sim_task *t, unsigned int slot)
{
	const struct sim_config *c = s->c;
	unsigned int page = dist_below(sim_draw(t, DRAW_PAGE), c->pages);
	bool pmd = sim_chance(t, DRAW_PMD, c->pmd);

	if (pmd && c->conflict >= 0)
		sim_slot_renew(s, slot);
	t->tried = pmd ? SIM_PMD : SIM_PTE;
	t->order = pmd ? PMD_ORDER : 0;
	t->write = sim_chance(t, DRAW_WRITE, c->write);
	t->range = sim_range_get(s, slot);
	t->page = t->range->head + sim_slot_page(s, slot, page);
	if (pmd && c->conflict >= 0 && sim_chance(t, DRAW_CONFLICT, c->conflict)) {
		start_partner(s, t, slot, page);
		sim_yield(s);
		return;
	}
	sim_op_start(s, t);
}

static void worked(struct sim *s, struct sim_task *t)
{
	if (s->c->arrivals == SIM_CLOSED)
		t->due = s->now;
	choose(s, t, dist_below(sim_draw(t, DRAW_SLOT), s->c->windows));
}

/* On a CPU. */
static void start_request(struct sim *s, struct sim_task *t)
{
	uint64_t work;

	if (!may_start(s)) {
		sim_yield(s);
		return;
	}
	note_started(s, t);
	work = dist_draw(&s->c->work, sim_draw(t, DRAW_WORK));
	if (work)
		sim_compute(s, t, work, worked);
	else
		worked(s, t);
}

/* ---------------------------------------------------------------- arrivals */

static void on_arrival(struct sim *s, void *arg);

static void draw_arrival(struct sim *s)
{
	uint64_t key = dist_bits(dist_bits(s->c->seed, 1UL << 50),
				 ++s->arrival_number);

	s->arrival_time += interval(s->c->rate, dist_bits(key, DRAW_ARRIVAL));
}

static void take_arrival(struct sim *s, struct sim_task *t)
{
	identify(s, t, 1UL << 50, s->arrival_number);
	t->due = s->arrival_time;
	draw_arrival(s);
	sim_ready(s, t, 0, start_request);
}

/* A task has nothing to do: it takes what has arrived, or waits. */
static void next_arrival(struct sim *s, struct sim_task *t)
{
	if (s->arrival_time <= s->now) {
		take_arrival(s, t);
		return;
	}
	list_add_tail(&t->link, &s->idle_tasks);
	if (s->arrival_armed)
		return;
	s->arrival_armed = true;
	sim_at(s, s->arrival_time, on_arrival, NULL);
}

static void on_arrival(struct sim *s, void *arg)
{
	struct sim_task *t;

	s->arrival_armed = false;
	if (list_empty(&s->idle_tasks) || !may_start(s))
		return;
	t = list_first(&s->idle_tasks, struct sim_task, link);
	list_del(&t->link);
	take_arrival(s, t);
	if (list_empty(&s->idle_tasks))
		return;
	s->arrival_armed = true;
	sim_at(s, s->arrival_time, on_arrival, NULL);
}

/* Off any CPU. */
static void next_request(struct sim *s, struct sim_task *t)
{
	uint64_t delay;

	if (s->c->arrivals == SIM_POISSON) {
		next_arrival(s, t);
		return;
	}
	identify(s, t, t->stream, ++t->number);
	if (s->c->arrivals == SIM_CLOSED) {
		delay = dist_draw(&s->c->think, sim_draw(t, DRAW_ARRIVAL));
	} else {
		t->due += interval(s->c->rate, sim_draw(t, DRAW_ARRIVAL));
		delay = t->due > s->now ? t->due - s->now : 0;
	}
	sim_ready(s, t, delay, start_request);
}

/* A task that need not think keeps its CPU, if its quantum lets it. */
static void go_on(struct sim *s, struct sim_task *t)
{
	if (s->c->arrivals == SIM_CLOSED && !dist_some(&s->c->think)) {
		identify(s, t, t->stream, ++t->number);
		sim_compute(s, t, 0, start_request);
		return;
	}
	sim_yield(s);
	next_request(s, t);
}

/* -------------------------------------------------------------------- ends */

static void fault_done(struct sim *s, struct sim_task *t)
{
	struct sim_result *r = s->r;

	if (!t->counts)
		return;
	r->faults++;
	r->end = s->now;
	*(t->tried == SIM_PMD ? &r->pmd : &r->pte) += 1;
	*(t->write ? &r->writes : &r->reads) += 1;
	sim_sample(s, &r->latency[t->tried], s->now - t->due);
}

void sim_request_done(struct sim *s, struct sim_task *t)
{
	sim_range_put(s, t->range);
	if (t->role == ROLE_WORKER)
		*(t->write ? &s->r->writebacks : &s->r->invalidates) += s->counting;
	else
		fault_done(s, t);
	if (t->role == ROLE_FAULTER) {
		go_on(s, t);
		return;
	}
	list_add(&t->link, &s->idle_extras);
	sim_yield(s);
}

/* -------------------------------------------------------------- background */

static double background_rate(const struct sim *s, unsigned int kind)
{
	return kind ? s->c->writebacks : s->c->invalidates;
}

static void on_background(struct sim *s, void *arg);

static void arm_background(struct sim *s, unsigned int kind)
{
	uint64_t stream = 1UL << 51 | kind;
	uint64_t key = dist_bits(dist_bits(s->c->seed, stream),
				 ++s->background[kind].number);

	s->background[kind].time += interval(background_rate(s, kind),
					     dist_bits(key, DRAW_ARRIVAL));
	s->background[kind].armed = true;
	sim_at(s, s->background[kind].time, on_background,
	       &s->background[kind]);
}

/*
 * The load has ended, or everybody is asleep: nobody is left but those who are
 * yet to come. Every task that is not asleep has an event in the queue.
 */
static bool nobody_runs(const struct sim *s)
{
	return s->queue.nr == (unsigned int)s->background[0].armed +
			      s->background[1].armed;
}

static void on_background(struct sim *s, void *arg)
{
	unsigned int kind = arg == &s->background[1];
	struct sim_task *t;
	unsigned int slot;

	s->background[kind].armed = false;
	if (s->over || nobody_runs(s))
		return;
	t = extra_get(s, ROLE_WORKER);
	if (!t)
		return;
	identify(s, t, 1UL << 51 | kind, s->background[kind].number);
	slot = dist_below(sim_draw(t, DRAW_SLOT), s->c->windows);
	t->counts = s->counting;
	t->write = kind;
	t->order = 0;
	t->other = NULL;
	t->range = sim_range_get(s, slot);
	t->page = t->range->head +
		  sim_slot_page(s, slot, dist_below(sim_draw(t, DRAW_PAGE),
						    s->c->pages));
	sim_ready(s, t, 0, sim_op_start);
	arm_background(s, kind);
}

int sim_work_init(struct sim *s)
{
	const struct sim_config *c = s->c;

	s->tasks = calloc(c->tasks, sizeof(*s->tasks));
	if (!s->tasks)
		return -ENOMEM;
	if (c->arrivals == SIM_POISSON)
		draw_arrival(s);
	for (unsigned int i = 0; i < c->tasks; i++) {
		s->tasks[i].stream = i;
		next_request(s, &s->tasks[i]);
	}
	for (unsigned int kind = 0; kind < 2; kind++)
		if (background_rate(s, kind) > 0)
			arm_background(s, kind);
	return s->nomem ? -ENOMEM : 0;
}
