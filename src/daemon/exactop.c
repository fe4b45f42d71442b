/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Exact tracking: what truncate, fallocate and write(2) do to entries and
 * mappings before the file system's own work, as mm/replay_fs.c has it. The
 * file's part has happened by then: the program's call was made first.
 *
 * One task runs the operations one after the other. It holds the invalidate lock
 * from the first that takes it to the end, as the file system does.
 */
#include "daemon/rangeop.h"

#include <errno.h>
#include <stdlib.h>

#include "mm/variant.h"

/* The longest list: a punch; ranges of a write(2) that are apart. */
#define STEPS_MAX 8

struct exactop {
	struct fileop o;
	struct exact_step {
		enum dax_op_kind kind;
		uint64_t first, last;	/* pages */
		bool unmap;		/* them, once it is done */
	} steps[STEPS_MAX];
	unsigned int nr, at;
};

static void add(struct exactop *e, enum dax_op_kind kind, uint64_t first,
		uint64_t last)
{
	if (first <= last && e->nr < STEPS_MAX)
		e->steps[e->nr++] = (struct exact_step){ kind, first, last,
							 false };
}

/* ------------------------------------------------- what is to be done */

/* dax_break_layout() */
static void break_layout(struct exactop *e, const struct simfs_rules *rules)
{
	add(e, DAX_OP_LAYOUT_BUSY, 0, LAST_PAGE);
	if (rules->layout_deletes)
		add(e, DAX_OP_DELETE_RANGE, 0, LAST_PAGE);
}

/* Writes back what [offset, offset + len) touches. */
static void flush_range(struct exactop *e)
{
	uint64_t end = e->o.offset + e->o.len + DAX_PAGE_SIZE - 1;

	if (e->o.len)
		add(e, DAX_OP_WRITEBACK, e->o.offset >> PAGE_SHIFT,
		    (end >> PAGE_SHIFT) - 1);
}

static void plan_truncate(struct exactop *e, const struct simfs_rules *rules,
			  uint64_t old_size)
{
	uint64_t page = e->o.len >> PAGE_SHIFT;

	break_layout(e, rules);
	if (rules->truncate_flushes && e->o.len <= old_size)
		add(e, DAX_OP_WRITEBACK, page, page);
	add(e, DAX_OP_DELETE, e->o.first, e->o.last);
}

static void plan_punch(struct exactop *e, const struct simfs_rules *rules,
		       uint64_t size)
{
	if (e->o.offset >= size && rules->punch_past_eof_early) {
		flush_range(e);
		return;
	}
	break_layout(e, rules);
	flush_range(e);
	add(e, DAX_OP_DELETE, e->o.first, e->o.last);
}

static void plan_zero(struct exactop *e, const struct simfs_rules *rules)
{
	break_layout(e, rules);
	if (rules->zero_flushes)
		flush_range(e);
	add(e, DAX_OP_DELETE, e->o.first, e->o.last);
}

static void plan_collapse(struct exactop *e, const struct simfs_rules *rules)
{
	uint64_t first = e->o.offset >> PAGE_SHIFT;

	break_layout(e, rules);
	flush_range(e);
	if (rules->collapse_margin && first)
		first--;
	add(e, DAX_OP_WRITEBACK, first, LAST_PAGE);
	add(e, DAX_OP_DELETE, first, LAST_PAGE);
}

/* One more range that had no blocks; it may go on the last one. */
static void add_fresh(struct exactop *e, uint64_t first, uint64_t last)
{
	struct exact_step *s = e->nr ? &e->steps[e->nr - 1] : NULL;

	if (s && (s->last + 1 == first || e->nr == STEPS_MAX)) {
		s->last = last;
		return;
	}
	add(e, DAX_OP_INVALIDATE, first, last);
	e->steps[e->nr - 1].unmap = true;
}

/*
 * invalidate_inode_pages2_range() of what was a hole: the entries say so, they
 * are zero or empty. Others are not asked about their blocks.
 */
static void plan_write(struct exactop *e, struct file *f)
{
	uint64_t first = e->o.offset >> PAGE_SHIFT, index = first;
	uint64_t last = (e->o.offset + e->o.len - 1) >> PAGE_SHIFT;
	dax_entry_t entry;

	lock_take(&f->mapping.i_pages);
	while (index <= last) {
		uint64_t a, b;

		entry = dax_table_next(&f->mapping.table, &index, last);
		if (!entry)
			break;
		a = dax_entry_first(entry, index);
		b = dax_entry_last(entry, index);
		index = b + 1;
		if (dax_is_zero_entry(entry) || dax_is_empty_entry(entry))
			add_fresh(e, a > first ? a : first, b < last ? b : last);
	}
	lock_release(&f->mapping.i_pages);
}

static void plan(struct exactop *e, struct file *f,
		 const struct simfs_rules *rules)
{
	uint64_t size = __atomic_load_n(&f->mapping.i_size, __ATOMIC_RELAXED);

	fileop_range(&e->o);
	switch (e->o.what) {
	case UDAX_FILEOP_TRUNCATE:
		plan_truncate(e, rules, size);
		break;
	case UDAX_FILEOP_PUNCH:
		plan_punch(e, rules, size);
		break;
	case UDAX_FILEOP_ZERO:
		plan_zero(e, rules);
		break;
	case UDAX_FILEOP_COLLAPSE:
		plan_collapse(e, rules);
		break;
	case UDAX_FILEOP_ALLOCATE:
		if (rules->prealloc_breaks_layout)
			break_layout(e, rules);
		break;
	case UDAX_FILEOP_WRITE:
		if (e->o.len)
			plan_write(e, f);
		break;
	}
}

/* ------------------------------------------------------------------ task */

static void follow(struct exactop *e, struct file *f)
{
	struct media *m = f->media;

	if (e->o.what != UDAX_FILEOP_WRITE)
		request_error(e->o.request, fileop_follow(&e->o, f));
	else if (m->ops->written && e->o.len)
		m->ops->written(m, e->o.offset, e->o.len);
}

static void start(struct task *t, const struct exact_step *s)
{
	dax_op_init_range(&t->op, s->kind, &t->file->mapping, s->first, s->last);
	t->op.driver = t;
	t->verb = DAX_MORE;
}

static bool exact_next(struct exec *x, struct task *t)
{
	struct exactop *e = t->arg;
	const struct exact_step *s = &e->steps[e->at];

	if (s->unmap)
		exec_unmap(t, s->first, s->last - s->first + 1, false);
	request_error(e->o.request, t->op.error);
	if (++e->at < e->nr) {
		start(t, &e->steps[e->at]);
		return true;
	}
	follow(e, t->file);
	t->next = NULL;
	if (t->locked_range) {
		t->op.ask.excl = true;
		inval_unlock(x, t);
	}
	range_done(x, t);
	return false;
}

static void exact_done(struct exec *x, struct task *t)
{
	struct exactop *e = t->arg;

	t->arg = e->o.request;
	free(e);
	request_task_done(x, t);
}

void exact_fileop(struct request *q, struct file *f, enum udax_fileop what,
		  uint64_t offset, uint64_t len)
{
	struct udaxd *d = q->session->d;
	struct exactop *e = calloc(1, sizeof(*e));
	struct task *t;

	if (!e) {
		request_error(q, -ENOMEM);
		file_put(d, f);
		return;
	}
	e->o = (struct fileop){ .request = q, .what = what, .offset = offset,
				.len = len };
	if (!f->fs)	/* else its file system says what is to be done */
		plan(e, f, &d->opt.variant->simfs);
	if (!e->nr) {
		follow(e, f);
		free(e);
		file_put(d, f);
		return;
	}
	t = range_task(d, f, DAX_OP_WRITEBACK, 0, 0);
	if (!t) {
		request_error(q, -ENOMEM);
		free(e);
		return;
	}
	start(t, &e->steps[0]);
	t->next = exact_next;
	t->done = exact_done;
	t->arg = e;
	t->owner = q->session;
	request_get(q);
	pool_submit(d->pool, t);
}
