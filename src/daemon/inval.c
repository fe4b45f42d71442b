/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The file system's invalidate lock of a file: faults hold it shared, truncate
 * and punch exclusive (kernel: mapping->invalidate_lock). Nobody sleeps on it: a
 * task that must wait is queued and made ready by the release. Writers come
 * before later readers, as in the kernel's rwsem.
 *
 * inval_users counts the shared holders; its top bit says that a writer holds
 * the lock or waits for the holders to leave. The shared path is one atomic
 * operation; everything else is under file.lock.
 */
#include "daemon/session.h"

#include <assert.h>

#define EXCL 0x80000000u

/* file.lock held: the writer at the head of the queue has the lock if nobody else. */
static struct task *writer_waiting(struct file *f)
{
	struct task *t;

	if (!f->inval_excl || list_empty(&f->inval_queue))
		return NULL;
	t = list_first(&f->inval_queue, struct task, link);
	return t->op.ask.excl && !t->granted ? t : NULL;
}

/* The last shared holder left while a writer waits. */
static void let_writer_in(struct exec *x, struct file *f)
{
	struct task *t;

	lock_take(&f->lock);
	t = writer_waiting(f);
	if (t && atomic_load(&f->inval_users) == EXCL && f->inval_waiting) {
		f->inval_waiting = false;
		t->granted = true;
		list_del(&t->link);
		list_add_tail(&t->link, &x->ready_tasks);
	}
	lock_release(&f->lock);
}

static void drop_shared(struct exec *x, struct file *f)
{
	if (atomic_fetch_sub(&f->inval_users, 1) == (EXCL | 1))
		let_writer_in(x, f);
}

static enum task_next lock_shared(struct exec *x, struct task *t)
{
	struct file *f = t->file;

	for (;;) {
		if (!(atomic_fetch_add(&f->inval_users, 1) & EXCL))
			return TASK_STEP;
		drop_shared(x, f);
		lock_take(&f->lock);
		if (f->inval_excl) {
			list_add_tail(&t->link, &f->inval_queue);
			lock_release(&f->lock);
			return TASK_AWAY;
		}
		lock_release(&f->lock);
	}
}

bool inval_trylock_shared(struct file *f)
{
	uint32_t users = atomic_load_explicit(&f->inval_users,
					      memory_order_relaxed);

	return !(users & EXCL) &&
	       atomic_compare_exchange_strong(&f->inval_users, &users,
					      users + 1);
}

static enum task_next lock_excl(struct exec *x, struct task *t)
{
	struct file *f = t->file;

	lock_take(&f->lock);
	if (f->inval_excl) {
		list_add_tail(&t->link, &f->inval_queue);
		lock_release(&f->lock);
		return TASK_AWAY;
	}
	f->inval_excl = true;
	if (atomic_fetch_or(&f->inval_users, EXCL)) {
		f->inval_waiting = true;
		list_add(&t->link, &f->inval_queue);
		lock_release(&f->lock);
		/* The last holder may have left before we were queued. */
		let_writer_in(x, f);
		return TASK_AWAY;
	}
	lock_release(&f->lock);
	return TASK_STEP;
}

enum task_next inval_lock(struct exec *x, struct task *t)
{
	if (t->granted) {
		t->granted = false;
		return TASK_STEP;
	}
	return t->op.ask.excl ? lock_excl(x, t) : lock_shared(x, t);
}

void inval_unlock(struct exec *x, struct task *t)
{
	struct file *f = t->file;

	if (!t->op.ask.excl) {
		drop_shared(x, f);
		return;
	}
	lock_take(&f->lock);
	f->inval_excl = false;
	atomic_fetch_and(&f->inval_users, ~EXCL);
	/* All of them try again; the first writer among them wins. */
	list_splice_tail(&f->inval_queue, &x->ready_tasks);
	lock_release(&f->lock);
}
