/* SPDX-License-Identifier: BSD-3-Clause */
#include "daemon/hold.h"

#include "daemon/session.h"

/*
 * A timer of the ring comes at least so much late: the measure is in doc/live.md.
 * What is shorter is spun; and so is what is left when a longer one, which was
 * set so much early, has come.
 */
#define SPIN_NS 20000

static void spin_until(uint64_t ns)
{
	while (now_ns() < ns)
		;
}

static void on_timer(struct loop *loop, struct loop_op *op, int res, bool last)
{
	struct task *t = container_of(op, struct task, hold.timer);
	struct worker *w = loop_owner(loop);

	w->x->held--;
	spin_until(t->hold.until);
	task_run(w->x, t);
}

static void arm_on_worker(struct loop *loop, struct loop_msg *msg)
{
	struct task *t = container_of(msg, struct task, hold.msg);
	struct worker *w = loop_owner(loop);

	loop_op_init(&t->hold.timer, on_timer);
	w->x->held++;
	if (!loop_deadline(loop, &t->hold.timer, t->hold.until - SPIN_NS))
		return;
	/* The ring has no room: again when it has taken what is there. */
	w->x->held--;
	loop_post(loop, &t->hold.msg);
}

/* An executor without a ring leaves the timer to the worker nearest to it. */
static struct worker *worker_of(struct exec *x, struct task *t)
{
	if (x->id < x->d->nr_workers)
		return x->d->workers[x->id];
	if (t->kind == TASK_FAULT)
		return t->region->session->home;
	return x->d->workers[t->file->id % x->d->nr_workers];
}

enum task_next hold_begin(struct exec *x, struct task *t,
			  const struct hold *hold, enum hold_kind kind)
{
	uint64_t n = atomic_fetch_add_explicit(&t->file->held[kind], 1,
					       memory_order_relaxed);
	uint64_t ns = hold_draw(hold, kind, n);
	struct worker *w;

	if (!ns)
		return TASK_STEP;
	t->hold.until = now_ns() + ns;
	if (ns <= SPIN_NS) {
		spin_until(t->hold.until);
		return TASK_STEP;
	}
	t->verb = DAX_MORE;	/* answered: the next is a step */
	t->hold.msg.fn = arm_on_worker;
	w = worker_of(x, t);
	if (x->id == w->x->id)
		arm_on_worker(w->loop, &t->hold.msg);
	else
		loop_post(w->loop, &t->hold.msg);
	return TASK_AWAY;
}
