/* SPDX-License-Identifier: BSD-3-Clause */
/* What the model's verbs mean here; doc/live.md, "What the verbs do". */
#include "daemon/folio.h"
#include "daemon/session.h"
#include "daemon/trace.h"

#include <errno.h>
#include <string.h>

#include "daemon/hold.h"

/*
 * The kernel's fault handlers hold the invalidate lock over dax_finish_sync_fault(), so
 * that no punch can take the entry away before it is mapped: what follows has it.
 */
static bool keeps_inval(struct task *t)
{
	t->granted = t->op.kind == DAX_OP_FAULT && !t->op.ask.excl &&
		     t->op.result & DAX_FAULT_NEEDDSYNC;
	return t->granted;
}

/*
 * Answers that need no lock and no system call: they may be given, and the next
 * step run, without i_pages being dropped in between. That is one of the orders
 * in which the steps of all operations may run, the one in which nobody comes
 * between; the steps stay what they are. Faults alone: a scan has no end.
 */
bool answer_held(struct task *t)
{
	struct dax_op *op = &t->op;

	switch (t->verb) {
	case DAX_MORE:
		return true;
	case DAX_FSLOCK:
		return !op->ask.excl && !t->granted &&
		       inval_trylock_shared(t->file);
	case DAX_FSUNLOCK:
		if (keeps_inval(t))
			return true;
		/* Released by run_one(), once i_pages is. */
		t->inval_held = true;
		return true;
	case DAX_PT_CHECK:
		if (t->file->exact)
			return false;
		op->ans.slot = pgtable_slot(&t->region->pt, t->addr);
		return true;
	case DAX_IOMAP:
		if (t->file->exact || t->file->fs || hold_has(t->file) || !folio_known_present(t))
			return false;
		op->ans.iomap = (struct dax_iomap) {
			.type = DAX_IOMAP_MAPPED,
			.length = op->ask.len,
			.pfn = op->ask.pos >> PAGE_SHIFT,
		};
		return true;
	default:
		return false;
	}
}

static enum task_next iomapped(struct exec *x, struct task *t)
{
	return hold_answer(x, t, t->op.ans.iomap.flags & DAX_IOMAP_F_NEW ?
			   HOLD_ALLOC : HOLD_READ);
}

/* The answer of the client that is the file's file system. */
static enum task_next fs_answer(struct exec *x, struct task *t)
{
	if (!x->may_block) {
		pool_submit(x->d->pool, t);
		return TASK_AWAY;
	}
	fs_iomap(t->file, &t->op);
	return iomapped(x, t);
}

/* The medium's answer, or the pool's turn. */
static enum task_next do_iomap(struct exec *x, struct task *t)
{
	struct dax_op *op = &t->op;
	struct media *m = t->file->media;
	unsigned int flags = 0;

	if (t->file->fs)
		return fs_answer(x, t);
	if (!x->may_block)
		flags |= MEDIA_NOWAIT;
	if (op->ask.write)
		flags |= MEDIA_WRITE;
	if (op->order && dax_is_zero_entry(op->entry))
		flags |= MEDIA_WHOLE;
	else if (op->order && m->kind == MEDIA_DIRECT && folio_full(t))
		flags |= MEDIA_PRESENT;
	/* What the message said is old once the fault has waited. */
	if (t->kind == TASK_FAULT && !t->waited && !op->order)
		flags |= t->minor || (t->wp && t->file->exact) ?
			 MEDIA_PRESENT : MEDIA_ABSENT;
	if (m->ops->iomap(m, op->ask.pos, op->ask.len, flags,
			  &op->ans.iomap) == -EAGAIN) {
		pool_submit(x->d->pool, t);
		return TASK_AWAY;
	}
	return iomapped(x, t);
}

static enum task_next do_flush(struct exec *x, struct task *t)
{
	struct media *m = t->file->media;
	uint64_t len = t->op.ask.nr << PAGE_SHIFT;

	if (m->kind == MEDIA_DIRECT) {
		t->op.ans.error = 0;
		return hold_answer(x, t, HOLD_FLUSH);
	}
	if (!x->may_block) {
		pool_submit(x->d->pool, t);
		return TASK_AWAY;
	}
	/* Durable when the task ends: one journal commit for all of it. */
	t->op.ans.error = m->ops->store(m, t->op.ask.start << PAGE_SHIFT, len);
	/* The run's, not a session's: it may be over. */
	lock_take(&x->d->lock);
	t->file->group->ended.writeback_bytes += len;
	lock_release(&x->d->lock);
	return hold_answer(x, t, HOLD_FLUSH);
}

static enum task_next do_fslock(struct exec *x, struct task *t)
{
	if (t->kind == TASK_FAULT)
		return inval_lock(x, t);
	if (!t->locked_range) {
		if (inval_lock(x, t) == TASK_AWAY)
			return TASK_AWAY;
		t->locked_range = true;
	}
	if (t->prepare) {
		enum task_next (*prepare)(struct exec *, struct task *) =
			t->prepare;

		if (!x->may_block) {
			pool_submit(x->d->pool, t);
			return TASK_AWAY;
		}
		t->prepare = NULL;
		return prepare(x, t);
	}
	return TASK_STEP;
}

static enum task_next do_fsunlock(struct exec *x, struct task *t)
{
	if (t->next)	/* when the last operation is over */
		return TASK_STEP;
	if (keeps_inval(t))
		return TASK_STEP;
	if (t->kind == TASK_RANGE && t->locked) {
		if (!x->may_block) {
			pool_submit(x->d->pool, t);
			return TASK_AWAY;
		}
		t->locked(x, t);
	}
	inval_unlock(x, t);
	return TASK_STEP;
}

static struct session *task_session(const struct task *t)
{
	return t->kind == TASK_FAULT ? t->region->session : t->owner;
}

/* The program has to zap something before the fault ends. */
static void note_zap(struct task *t, uint64_t seq)
{
	if (t->kind != TASK_FAULT || !seq)
		return;
	t->zap.seq = seq;
	/* The page that a message said is protected is not mapped any more. */
	t->minor |= t->wp;
	t->wp = false;
}

void exec_unmap(struct task *t, uint64_t start, uint64_t nr, bool cows)
{
	if (t->file->exact)
		note_zap(t, zap_file(t->file, start, nr, task_session(t)));
	else
		file_unmap(t->file, start, nr, cows);
}

void exec_drop_pmd(struct exec *x, struct task *t)
{
	struct region *r = t->region;

	if (!pgtable_is_huge(&r->pt, t->addr))
		return;
	trace_split(x, t);
	if (t->file->exact)
		note_zap(t, zap_region(r, t->addr, t->addr + DAX_PAGE_SIZE));
	else
		pgtable_zap(&r->pt, t->addr, t->addr + DAX_PAGE_SIZE);
}

/*
 * The metadata of a MAP_SYNC fault is made durable: what the kernel's fsync of
 * the range does. The fault holds no entry meanwhile.
 */
static void fsync_done(struct exec *x, struct task *w)
{
	struct task *t = w->arg;
	struct media *m = w->file->media;

	t->op.ans.error = w->op.error;
	if (w->file->fs && !w->op.error)
		t->op.ans.error = fs_synced(w->file);
	else if (m->ops->synced)
		m->ops->synced(m);
	t->synced = true;
	task_free(x, w);
	pool_submit(x->d->pool, t);
}

static enum task_next do_fsync(struct exec *x, struct task *t)
{
	const struct dax_op *op = &t->op;
	struct task *w;

	if (t->synced) {
		t->synced = false;
		return TASK_STEP;
	}
	t->op.ans.error = 0;
	/* An image has no metadata of its own: nothing can be pending. */
	if (!t->file->exact)
		return TASK_STEP;
	w = task_alloc(x);
	if (!w) {
		t->op.ans.error = -ENOMEM;
		return TASK_STEP;
	}
	memset(w, 0, sizeof(*w));
	dax_op_init_range(&w->op, DAX_OP_WRITEBACK, op->mapping, op->ask.start,
			  op->ask.start + op->ask.nr - 1);
	w->op.driver = w;
	w->kind = TASK_RANGE;
	w->verb = DAX_MORE;
	w->file = t->file;
	w->done = fsync_done;
	w->arg = t;
	pool_submit(x->d->pool, w);
	return TASK_AWAY;
}

static enum task_next do_wrprotect(struct exec *x, struct task *t)
{
	if (!x->may_block) {
		pool_submit(x->d->pool, t);
		return TASK_AWAY;
	}
	file_wrprotect(x, t->file, t->op.ask.start, t->op.ask.nr);
	return TASK_STEP;
}

enum task_next answer(struct exec *x, struct task *t)
{
	struct dax_op *op = &t->op;
	struct mm_slot slot;

	switch (t->verb) {
	case DAX_FSLOCK:
		return do_fslock(x, t);
	case DAX_FSUNLOCK:
		return do_fsunlock(x, t);
	case DAX_PT_CHECK:
		shadow_get(t->region, t->addr, &slot);
		op->ans.slot = slot.pmd;
		return TASK_STEP;
	case DAX_IOMAP:
		return do_iomap(x, t);
	case DAX_ALLOC:
		op->ans.error = file_grow_table(t->file);
		return TASK_STEP;
	case DAX_UNMAP:
		exec_unmap(t, op->ask.start, op->ask.nr, op->ask.cows);
		return TASK_STEP;
	case DAX_WRPROTECT:
		return do_wrprotect(x, t);
	case DAX_FLUSH:
		return do_flush(x, t);
	case DAX_SPLIT_PMD:
		exec_drop_pmd(x, t);
		return TASK_STEP;
	case DAX_COPY:
		return install_private(x, t);
	case DAX_MAP:
		return install_map(x, t);
	case DAX_FSYNC:
		return do_fsync(x, t);
	case DAX_PAGE_BUSY:
		op->ans.busy = false;
		return TASK_STEP;
	case DAX_MORE:
	case DAX_PARK:
	case DAX_DONE:
		break;
	}
	return TASK_STEP;
}
