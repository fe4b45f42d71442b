/* SPDX-License-Identifier: BSD-3-Clause */
#include "daemon/hold.h"

#include <limits.h>

#include "daemon/session.h"
#include "daemon/sleeper.h"

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

/*
 * The file's rule may have changed, and nobody stays at a gate whose program, or
 * daemon, has ended. Asked under the lock under which gates are opened.
 */
static bool gate_is_open(struct udaxd *d, const struct task *t,
			 const struct hold *hold)
{
	const struct session *s = task_session(t);

	return atomic_load(&t->file->hold) != hold ||
	       atomic_load(&d->stopping) ||
	       (s && atomic_load(&s->state) != SESSION_LIVE);
}

/* Held tasks are on the file's list, so that people can see them. */
static bool enter(struct udaxd *d, struct task *t, const struct hold *hold)
{
	struct file *f = t->file;
	bool held;

	lock_take(&f->lock);
	held = t->hold.until != UINT64_MAX || !gate_is_open(d, t, hold);
	if (held)
		list_add_tail(&t->link, &f->held);
	lock_release(&f->lock);
	return held;
}

static void leave(struct task *t)
{
	lock_take(&t->file->lock);
	list_del(&t->link);
	lock_release(&t->file->lock);
}

static void on_timer(struct loop *loop, struct loop_op *op, int res, bool last)
{
	struct task *t = container_of(op, struct task, hold.timer);
	struct worker *w = loop_owner(loop);

	w->x->held--;
	spin_until(t->hold.until);
	leave(t);
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

static void set_timer(struct exec *x, struct task *t)
{
	struct worker *w = worker_of(x, t);

	t->hold.msg.fn = arm_on_worker;
	if (x->id == w->x->id)
		arm_on_worker(w->loop, &t->hold.msg);
	else
		loop_post(w->loop, &t->hold.msg);
}

enum task_next hold_begin(struct exec *x, struct task *t,
			  const struct hold *hold, enum hold_kind kind)
{
	bool gate = hold->gates & 1u << kind;
	uint64_t n, ns = 0;

	if (!gate) {
		n = atomic_fetch_add_explicit(&t->file->draws[kind], 1,
					      memory_order_relaxed);
		ns = hold_draw(hold, kind, n);
		if (!ns)
			return TASK_STEP;
	}
	t->hold.kind = kind;
	t->hold.until = gate ? UINT64_MAX : now_ns() + ns;
	if (!gate && ns <= SPIN_NS) {
		spin_until(t->hold.until);
		return TASK_STEP;
	}
	t->verb = DAX_MORE;	/* answered: the next is a step */
	if (!enter(x->d, t, hold))
		return TASK_STEP;
	/* At a gate it is not ours any more. */
	if (!gate)
		set_timer(x, t);
	return TASK_AWAY;
}

/* ------------------------------------------------------------------- gates */

static bool passes(const struct task *t, const struct session *s)
{
	if (t->hold.until != UINT64_MAX)
		return false;
	return !s || task_session(t) == s;
}

/* Daemon lock held. */
static void open_gates(struct udaxd *d, struct file *f, const struct session *s)
{
	struct list_head passed = LIST_HEAD_INIT(passed);
	struct task *t, *next;

	lock_take(&f->lock);
	list_for_each_safe(t, next, &f->held, link) {
		if (!passes(t, s))
			continue;
		list_del(&t->link);
		list_add_tail(&t->link, &passed);
	}
	lock_release(&f->lock);
	list_for_each_safe(t, next, &passed, link) {
		list_del(&t->link);
		pool_submit(d->pool, t);
	}
}

void hold_choose(struct udaxd *d, struct file *f)
{
	char path[PATH_MAX];

	if (!d->holds) {
		atomic_store(&f->hold, NULL);
		return;
	}
	if (media_path(f->media->fd, path, sizeof(path)))
		path[0] = '\0';
	atomic_store(&f->hold, hold_rules_find(d->holds, path));
}

void hold_open_gates(struct udaxd *d, const struct session *s)
{
	struct file *f;

	lock_take(&d->lock);
	list_for_each(f, &d->files, link)
		open_gates(d, f, s);
	lock_release(&d->lock);
}

void hold_set_rules(struct udaxd *d, struct hold_rules *rules)
{
	struct file *f;

	lock_take(&d->lock);
	/* Files, and tasks, may still use the old ones. */
	rules->older = d->holds;
	d->holds = rules;
	list_for_each(f, &d->files, link) {
		hold_choose(d, f);
		open_gates(d, f, NULL);
	}
	lock_release(&d->lock);
}
