/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Operations of the model, step by step. A step happens at one instant, the
 * beginning of its critical section; the section lasts as long as its cost says,
 * and who needs i_pages (or the wait queue) meanwhile spins. What the step woke
 * becomes runnable, one after another, when the section ends.
 */
#include <assert.h>

#include "mm/sim_int.h"

#define NO_COST SIM_COSTS

/* Steps that take i_pages, and what their section costs; wakes come on top. */
static enum sim_cost section(unsigned int step)
{
	switch (step) {
	case STEP_FAULT_BEGIN:
	case STEP_GRAB:
	case STEP_GRAB_NOMEM:
	case STEP_GRAB_DOWNGRADE:
	case STEP_WB_START:
	case STEP_WB_ENTRY:
	case STEP_WB_WAITED:
	case STEP_INVALIDATE:
		return SIM_COST_lookup;
	case STEP_IOMAPPED:
	case STEP_INSERT:
		return SIM_COST_insert;
	case STEP_MAPPED:
	case STEP_UNLOCK:
	case STEP_WB_FLUSHED:
		return SIM_COST_unlock;
	default:
		return NO_COST;
	}
}

static void run_steps(struct sim *s, struct sim_task *t);

/* ------------------------------------------------------------------- sleep */

/* The section in which it went to sleep is over. */
static void fallen_asleep(struct sim *s, struct sim_task *t)
{
	if (t->woken) {
		t->woken = false;
		run_steps(s, t);
		return;
	}
	t->off_cpu = true;
	sim_yield(s);
}

/* @t runs again, @delay from now at the earliest. */
static void wake_up(struct sim *s, struct sim_task *t, uint64_t delay)
{
	if (!t->off_cpu) {
		t->woken = true;
		return;
	}
	t->off_cpu = false;
	sim_ready(s, t, delay + sim_cost(s, SIM_COST_run), run_steps);
}

void sim_kick(struct sim *s, struct sim_task *t)
{
	struct list_head woken = LIST_HEAD_INIT(woken);

	if (!dax_op_kick(&t->op, &woken))
		return;
	list_del(&t->op.waiter.link);
	sim_note_picked(s, t);
	s->r->kicked++;
	wake_up(s, t, 0);
}

void sim_give_up(struct sim *s, struct sim_task *t)
{
	if (!dax_op_cancel(&t->op))
		return;
	list_del(&t->asleep);
	while (dax_op_step(&t->op) != DAX_DONE)
		;
}

/* ------------------------------------------------------------------ attempt */

static const struct dax_vma vma = {
	.vm_start = 1UL << 46, .vm_end = 1UL << 47, .shared = true,
};

static void start_attempt(struct sim *s, struct sim_task *t)
{
	dax_op_init_fault(&t->op, &t->range->file->m, t->order, &vma,
			  vma.vm_start + (t->page << PAGE_SHIFT),
			  t->write ? DAX_FAULT_FLAG_WRITE : 0);
	t->op.stats = &s->stats;
	run_steps(s, t);
}

static void start_range(struct sim *s, struct sim_task *t)
{
	enum dax_op_kind kind = t->write ? DAX_OP_WRITEBACK : DAX_OP_INVALIDATE;
	uint64_t first = t->write ? t->range->head : t->page;

	dax_op_init_range(&t->op, kind, &t->range->file->m, first,
			  t->write ? first | PG_PMD_COLOUR : first);
	t->op.stats = &s->stats;
	run_steps(s, t);
}

void sim_op_start(struct sim *s, struct sim_task *t)
{
	t->stalled = false;
	sim_busy(s, t, sim_cost(s, SIM_COST_entry),
		 t->role == ROLE_WORKER ? start_range : start_attempt);
}

static void back(struct sim *s, struct sim_task *t)
{
	sim_busy(s, t, sim_cost(s, SIM_COST_exit), sim_request_done);
}

/*
 * A server's CPU is not the task's: the task is made runnable, behind those whom
 * the server goes on with.
 */
static void served(struct sim *s, struct sim_task *t)
{
	sim_yield(s);
	sim_ready(s, t, 0, back);
}

/* A 2M fault that fell back goes on as one of the page. */
static void op_done(struct sim *s, struct sim_task *t, uint64_t cost)
{
	const struct dax_op *op = &t->op;

	if (op->result & DAX_FAULT_FALLBACK) {
		if (t->counts)
			s->r->fallback[op->reason]++;
		t->order = 0;
		sim_busy(s, t, cost, start_attempt);
		return;
	}
	assert(t->role == ROLE_WORKER || op->result & DAX_FAULT_NOPAGE);
	if (s->c->served)
		sim_busy(s, t, cost, served);
	else
		sim_busy(s, t, cost + sim_cost(s, SIM_COST_exit), sim_request_done);
}

/* ------------------------------------------------------------------- holds */

/* A timer that comes too late is set early, and the rest spun. */
static void spin_to_end(struct sim *s, struct sim_task *t)
{
	if (t->hold_end > s->now)
		sim_busy(s, t, t->hold_end - s->now, run_steps);
	else
		run_steps(s, t);
}

static void on_hold_over(struct sim *s, void *arg)
{
	struct sim_task *t = arg;

	sim_ready(s, t, sim_cost(s, SIM_COST_run), spin_to_end);
}

static void hold_begins(struct sim *s, struct sim_task *t)
{
	sim_at(s, t->hold_end - sim_cost(s, SIM_COST_spin), on_hold_over, t);
	sim_yield(s);
}

/* The medium works for @t, after @cost of its CPU. */
static void hold(struct sim *s, struct sim_task *t, enum hold_kind kind,
		 uint64_t cost)
{
	unsigned int purpose = DRAW_HOLD + kind + (t->order ? HOLD_NR : 0);
	uint64_t ns = hold_draw(&s->c->hold, kind, sim_draw(t, purpose));

	sim_partner_holds(s, t, cost + ns);
	if (!ns) {
		sim_busy(s, t, cost, run_steps);
	} else if (s->c->spin || ns <= sim_cost(s, SIM_COST_spin)) {
		sim_compute(s, t, cost + ns, run_steps);
	} else {
		t->hold_end = s->now + cost + ns;
		sim_busy(s, t, cost, hold_begins);
	}
}

/* --------------------------------------------------------- invalidate lock */

static bool inval_free(const struct sim_file *f, const struct sim_task *t)
{
	return !f->inval_excl && !(t->op.ask.excl && f->inval_shared);
}

static void inval_take(struct sim_file *f, const struct sim_task *t)
{
	if (t->op.ask.excl)
		f->inval_excl = true;
	else
		f->inval_shared++;
}

/* False: @t has given its CPU away and stands in the lock's queue. */
static bool inval_lock(struct sim *s, struct sim_task *t)
{
	struct sim_file *f = t->range->file;

	if (list_empty(&f->inval_waiters) && inval_free(f, t)) {
		inval_take(f, t);
		return true;
	}
	list_add_tail(&t->link, &f->inval_waiters);
	sim_yield(s);
	return false;
}

/* Hands it to those who are first in the queue. What their wakes cost. */
static uint64_t inval_unlock(struct sim *s, struct sim_file *f)
{
	struct sim_task *t;
	uint64_t cost = 0;

	if (f->inval_excl)
		f->inval_excl = false;
	else
		f->inval_shared--;
	while (!list_empty(&f->inval_waiters)) {
		t = list_first(&f->inval_waiters, struct sim_task, link);
		if (!inval_free(f, t))
			break;
		list_del(&t->link);
		inval_take(f, t);
		cost += sim_cost(s, SIM_COST_wake);
		sim_ready(s, t, cost + sim_cost(s, SIM_COST_run), run_steps);
	}
	return cost;
}

/* ------------------------------------------------------------------- verbs */

static uint64_t map(struct sim *s, struct sim_task *t)
{
	bool pmd = t->op.ask.map == DAX_MAP_PMD ||
		   t->op.ask.map == DAX_MAP_PMD_ZERO;

	if (t->counts) {
		s->r->mapped_pmd += pmd;
		s->r->mapped_pte += !pmd;
	}
	return sim_cost(s, pmd ? SIM_COST_map2m : SIM_COST_map);
}

/*
 * Does what the step has asked for. True: @t goes on at once, after *@cost;
 * false: it has been seen to.
 */
static bool answer(struct sim *s, struct sim_task *t, enum dax_verb verb,
		   uint64_t *cost)
{
	struct dax_op *op = &t->op;

	op->ans.error = 0;
	switch (verb) {
	case DAX_PARK:
		sim_partner_holds(s, t, 0);
		sim_busy(s, t, *cost, fallen_asleep);
		return false;
	case DAX_IOMAP:
		hold(s, t, sim_iomap(t->range, op), *cost);
		return false;
	case DAX_FLUSH:
		hold(s, t, HOLD_FLUSH, *cost);
		return false;
	case DAX_DONE:
		op_done(s, t, *cost);
		return false;
	case DAX_FSLOCK:
		return inval_lock(s, t);
	case DAX_FSUNLOCK:
		*cost += inval_unlock(s, t->range->file);
		break;
	case DAX_PT_CHECK:
		op->ans.slot = DAX_PT_NONE;
		break;
	case DAX_ALLOC:
		if (!sim_grow_table(t->range->file)) {
			s->nomem = true;
			return false;
		}
		break;
	case DAX_UNMAP:
	case DAX_WRPROTECT:
		*cost += sim_cost(s, SIM_COST_unmap);
		break;
	case DAX_MAP:
		*cost += map(s, t);
		break;
	default:
		break;
	}
	return true;
}

/* ------------------------------------------------------------------- steps */

/* Whoever has the lock of the waker's, or the sleeper's, wait queue is first. */
static uint64_t queue_wait(struct sim *s, const struct dax_wait_key *key,
			   uint64_t cost)
{
	uint64_t *until = &s->queue_until[dax_wait_queue(&s->waits, key) -
					  s->waits.queues];
	uint64_t wait = *until > s->now ? *until - s->now : 0;

	s->r->spun += wait;
	*until = s->now + wait + cost;
	return wait + cost;
}

/* Takes the woken off the list and lets them run. What it costs the waker. */
static uint64_t deliver(struct sim *s, struct sim_task *t, uint64_t cost)
{
	struct dax_waiter *w, *next;

	list_for_each_safe(w, next, &t->op.woken, link) {
		list_del(&w->link);
		cost += sim_cost(s, SIM_COST_wake);
		wake_up(s, sim_task_of(w), cost);
	}
	return cost;
}

/* One step. How long its section lasts, wakes and all. */
static uint64_t one_step(struct sim *s, struct sim_task *t, enum dax_verb *verb)
{
	enum sim_cost kind = section(t->op.step);
	struct dax_waiter *first;
	struct sim_before b;
	uint64_t cost, scan;

	sim_note_before(s, t, &b);
	*verb = dax_op_step(&t->op);
	sim_note_step(s, t, &b, *verb);
	cost = kind == NO_COST ? 0 : sim_cost(s, kind);
	scan = (s->stats.scanned - b.stats.scanned) * sim_cost(s, SIM_COST_scan);
	if (*verb == DAX_PARK)
		return cost + queue_wait(s, &t->op.waiter.key, 0);
	if (list_empty(&t->op.woken))
		return cost + scan;
	first = list_first(&t->op.woken, struct dax_waiter, link);
	scan += (s->stats.woken - b.stats.woken) * sim_cost(s, SIM_COST_wake);
	scan = queue_wait(s, &first->key, scan);
	scan -= (s->stats.woken - b.stats.woken) * sim_cost(s, SIM_COST_wake);
	return deliver(s, t, cost + scan);
}

/* ----------------------------------------------------------------- i_pages */

/* A step that takes i_pages, which is free. */
static void locked_step(struct sim *s, struct sim_task *t)
{
	struct sim_file *f = t->range->file;
	enum dax_verb verb;
	uint64_t cost = one_step(s, t, &verb);

	f->locked_until = s->now + cost;
	if (answer(s, t, verb, &cost))
		sim_busy(s, t, cost, run_steps);
}

/* The first of those who spin has the lock; the others go on spinning. */
static void lock_is_free(struct sim *s, void *arg)
{
	struct sim_file *f = arg;
	struct sim_task *t = list_first(&f->spinners, struct sim_task, link);

	list_del(&t->link);
	s->r->spun += s->now - t->spin_start;
	s->r->busy += s->now - t->spin_start;
	locked_step(s, t);
	if (!list_empty(&f->spinners))
		sim_at(s, f->locked_until, lock_is_free, f);
}

static void spin(struct sim *s, struct sim_task *t)
{
	struct sim_file *f = t->range->file;

	t->spin_start = s->now;
	if (list_empty(&f->spinners))
		sim_at(s, f->locked_until, lock_is_free, f);
	list_add_tail(&t->link, &f->spinners);
}

static void run_steps(struct sim *s, struct sim_task *t)
{
	struct sim_file *f = t->range->file;
	enum dax_verb verb;
	uint64_t cost = 0;

	while (!cost) {
		if (section(t->op.step) != NO_COST) {
			if (f->locked_until > s->now || !list_empty(&f->spinners))
				spin(s, t);
			else
				locked_step(s, t);
			return;
		}
		cost = one_step(s, t, &verb);
		if (!answer(s, t, verb, &cost))
			return;
	}
	sim_busy(s, t, cost, run_steps);
}
