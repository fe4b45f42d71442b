/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What an operation does to entries is told by how it looks before and after a
 * step. That is exact, for a step is one critical section: it locks or unlocks
 * at most one entry that stays, wakes one key, and sleeps at its end if at all.
 */
#include "daemon/trace.h"

static void entry_record(struct exec *x, const struct task *t,
			 enum udax_trace_type type, dax_entry_t entry,
			 uint64_t index)
{
	struct udax_trace_entry *rec = trace_task_begin(x, t, type, sizeof(*rec));

	index = dax_entry_first(entry, index);
	if (type == UDAX_TRACE_LOCK)
		PROBE_ENTRY_LOCK(t->file->id, trace_tid(t), index,
				 dax_entry_order(entry));
	else if (type == UDAX_TRACE_UNLOCK)
		PROBE_ENTRY_UNLOCK(t->file->id, trace_tid(t), index,
				   dax_entry_order(entry));
	if (!rec)
		return;
	rec->file = t->file->id;
	rec->index = index;
	rec->entry = entry;
	trace_commit(x->trace);
}

static void pages_record(struct exec *x, const struct task *t,
			 enum udax_trace_type type, uint64_t start, uint64_t nr,
			 bool cows)
{
	struct udax_trace_pages *rec = trace_task_begin(x, t, type, sizeof(*rec));

	if (!rec)
		return;
	rec->file = t->file->id;
	rec->start = start;
	rec->nr = nr;
	rec->cows = cows;
	trace_commit(x->trace);
}

static void range_record(struct exec *x, struct task *t, bool done)
{
	const struct dax_op *op = &t->op;
	struct udax_trace_range *rec;

	rec = trace_task_begin(x, t, done ? UDAX_TRACE_RANGE_DONE : UDAX_TRACE_RANGE,
		    sizeof(*rec));
	if (!rec)
		return;
	if (!done)
		rec->hdr.cause = t->trace.cause = rec->hdr.seq;
	rec->file = t->file->id;
	rec->start = op->pgoff;
	rec->end = op->end;
	rec->kind = op->kind;
	rec->done = op->done;
	rec->session = t->owner ? t->owner->id : 0;
	rec->error = op->error;
	trace_commit(x->trace);
}

static void install_record(struct exec *x, const struct task *t)
{
	const struct dax_op *op = &t->op;
	struct udax_trace_install *rec;

	rec = trace_task_begin(x, t, UDAX_TRACE_INSTALL, sizeof(*rec));
	if (!rec)
		return;
	rec->address = t->addr;
	rec->pgoff = op->xas.index;
	rec->pfn = op->ask.pfn;
	rec->entry = op->entry;
	rec->region = t->region->number;
	rec->error = op->ans.error;
	rec->map = op->ask.map;
	rec->write = op->ask.write;
	rec->copy = t->verb == DAX_COPY;
	rec->flags = op->flags;
	trace_commit(x->trace);
}

void trace_do_split(struct exec *x, struct task *t)
{
	struct udax_trace_split *rec;

	rec = trace_task_begin(x, t, UDAX_TRACE_SPLIT_PMD, sizeof(*rec));
	if (!rec)
		return;
	rec->address = t->addr;
	rec->region = t->region->number;
	trace_commit(x->trace);
}

static void wait_record(struct exec *x, const struct task *t,
			enum udax_trace_type type)
{
	const struct dax_waiter *w = &t->op.waiter;
	struct udax_trace_wait_begin *rec;

	rec = trace_task_begin(x, t, type, sizeof(*rec));
	if (!rec)
		return;
	rec->file = t->file->id;
	rec->key = w->key.entry_start;
	rec->blocker = w->blocker;
	rec->blocker_order = w->blocker_order;
	rec->order = t->op.order;
	rec->exclusive = w->exclusive;
	trace_commit(x->trace);
}

static void wait_end_record(struct exec *x, const struct task *t)
{
	const struct dax_waiter *w = &t->op.waiter;
	struct udax_trace_wait_end *rec;

	PROBE_WAIT_END(t->file->id, trace_tid(t), w->key.entry_start,
		       w->stranded, w->kicked);
	rec = trace_task_begin(x, t, UDAX_TRACE_WAIT_END, sizeof(*rec));
	if (!rec)
		return;
	rec->file = t->file->id;
	rec->key = w->key.entry_start;
	rec->wake = t->trace.woken_by;
	rec->stranded = w->stranded;
	rec->kicked = w->kicked;
	trace_commit(x->trace);
}

/* The woken learn by which wake: they are this executor's until it runs them. */
static void wake_record(struct exec *x, struct task *t, uint64_t key,
			enum dax_wake_mode mode, uint32_t scanned,
			uint32_t woken)
{
	struct udax_trace_wake *rec;
	struct dax_waiter *w;
	uint32_t seq = 0;

	PROBE_WAKE(t->file->id, trace_tid(t), key, mode, scanned, woken);
	rec = trace_task_begin(x, t, UDAX_TRACE_WAKE, sizeof(*rec));
	if (rec) {
		seq = rec->hdr.seq;
		rec->file = t->file->id;
		rec->key = key;
		rec->mode = mode;
		rec->scanned = scanned;
		rec->woken = woken;
		trace_commit(x->trace);
	}
	list_for_each(w, &t->op.woken, link)
		container_of(dax_waiter_op(w), struct task, op)->trace.woken_by =
			seq;
}

static void conflict_record(struct exec *x, const struct task *t)
{
	struct udax_trace_conflict *rec;

	rec = trace_task_begin(x, t, UDAX_TRACE_CONFLICT, sizeof(*rec));
	if (!rec)
		return;
	rec->file = t->file->id;
	rec->index = t->op.xas.index;
	rec->at = t->op.xas.at;
	trace_commit(x->trace);
}

/* What the driver was asked with the verb before, and has done. */
static void tell_answer(struct exec *x, struct task *t)
{
	const struct dax_op *op = &t->op;

	switch (t->verb) {
	case DAX_MAP:
	case DAX_COPY:
		install_record(x, t);
		break;
	case DAX_FLUSH:
		if (!op->ans.error)
			pages_record(x, t, UDAX_TRACE_WRITEBACK_ONE,
				     op->ask.start, op->ask.nr, false);
		break;
	default:
		break;
	}
}

/* What the driver is asked to do now. */
static void tell_verb(struct exec *x, struct task *t, enum dax_verb verb)
{
	const struct dax_op *op = &t->op;

	switch (verb) {
	case DAX_UNMAP:
		pages_record(x, t, UDAX_TRACE_UNMAP, op->ask.start, op->ask.nr,
			     op->ask.cows);
		break;
	case DAX_WRPROTECT:
		pages_record(x, t, UDAX_TRACE_WRPROTECT, op->ask.start,
			     op->ask.nr, false);
		break;
	case DAX_FSYNC:
		pages_record(x, t, UDAX_TRACE_FSYNC, op->ask.start, op->ask.nr,
			     false);
		break;
	case DAX_PARK:
		t->trace.woken_by = 0;
		PROBE_WAIT_BEGIN(t->file->id, trace_tid(t),
				 op->waiter.key.entry_start, op->order,
				 op->waiter.blocker, op->waiter.blocker_order);
		wait_record(x, t, UDAX_TRACE_WAIT_BEGIN);
		break;
	case DAX_DONE:
		if (t->kind != TASK_RANGE)
			break;
		range_record(x, t, true);
		t->trace.cause = 0;	/* another may follow on the same task */
		break;
	default:
		break;
	}
}

/* What a step is compared with. */
struct before {
	dax_entry_t entry;
	uint64_t index;
	uint64_t done;
	uint64_t scanned, woken, conflicts, downgrades;
	uint32_t wakes;
};

/* A 2M zero or empty entry was taken apart; if empty, locked in the same step. */
static void tell_downgrade(struct exec *x, struct task *t,
			   const struct before *b)
{
	const struct dax_stats *st = t->op.stats;
	dax_entry_t old = dax_make_entry(0, DAX_EMPTY | DAX_PMD);

	if (b->entry)
		old = b->entry;
	else
		entry_record(x, t, UDAX_TRACE_LOCK, old, b->index);
	entry_record(x, t, UDAX_TRACE_REMOVE, old, b->index);
	wake_record(x, t, t->op.xas.index & ~PG_PMD_COLOUR, WAKE_ALL,
		    st->scanned - b->scanned, st->woken - b->woken);
	if (t->op.entry)
		entry_record(x, t, UDAX_TRACE_LOCK, t->op.entry, b->index);
}

/* What the step did to entries and queues, in the order in which it can. */
static void tell_step(struct exec *x, struct task *t, const struct before *b)
{
	const struct dax_op *op = &t->op;
	const struct dax_stats *st = op->stats;

	if (st->conflicts != b->conflicts)
		conflict_record(x, t);
	if (st->downgrades != b->downgrades) {
		tell_downgrade(x, t, b);
		return;
	}
	if (b->entry && !op->entry)
		entry_record(x, t, UDAX_TRACE_UNLOCK, op->unlocked, b->index);
	if (op->done != b->done && op->note.removed)
		entry_record(x, t, UDAX_TRACE_REMOVE, op->note.removed,
			     op->note.removed_at);
	if (op->note.wakes != b->wakes)
		wake_record(x, t, op->note.key, op->note.mode,
			    st->scanned - b->scanned, st->woken - b->woken);
	if (!b->entry && op->entry)
		entry_record(x, t, UDAX_TRACE_LOCK, op->entry, op->xas.index);
}

void trace_do_stranded(struct exec *x, struct task *t)
{
	wait_record(x, t, UDAX_TRACE_STRANDED);
}

enum dax_verb trace_do_step(struct exec *x, struct task *t)
{
	struct dax_op *op = &t->op;
	struct before b = {
		.entry = op->entry,
		.index = op->xas.index,
		.done = op->done,
		.scanned = op->stats->scanned,
		.woken = op->stats->woken,
		.conflicts = op->stats->conflicts,
		.downgrades = op->stats->downgrades,
		.wakes = op->note.wakes,
	};
	enum dax_verb verb;

	if (t->kind == TASK_RANGE && !t->trace.cause)
		range_record(x, t, false);
	if (op->waiter.asleep)
		wait_end_record(x, t);
	tell_answer(x, t);
	verb = dax_op_step(op);
	tell_step(x, t, &b);
	tell_verb(x, t, verb);
	return verb;
}
