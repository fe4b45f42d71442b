/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Operations over a range of pages: writeback, invalidation, deletion, the scan
 * for pinned pages, and the lock of one entry. xas.index is how far they are;
 * each entry is a critical section of its own.
 */
#include <errno.h>

#include "dax/dax_int.h"

/* Through with @entry at the cursor (0: with the index): on behind it. */
static enum dax_verb range_next(struct dax_op *op, dax_entry_t entry,
				enum dax_step step)
{
	dax_wake_spent(op);
	op->xas.index = dax_entry_last(entry, op->xas.index) + 1;
	if (op->xas.index > op->end)
		return dax_finish(op);
	return dax_ask(op, DAX_MORE, step);
}

static void range_error(struct dax_op *op, int error)
{
	if (!op->error)
		op->error = error;
}

/* -------------------------------------------------------------- writeback */

/* What becomes dirty from here on is the next writeback's. */
enum dax_verb step_wb_start(struct dax_op *op)
{
	dax_table_tag(&op->mapping->table, op->pgoff, op->end, DAX_MARK_DIRTY,
		      DAX_MARK_TOWRITE);
	return dax_ask(op, DAX_MORE, STEP_WB_ENTRY);
}

/*
 * TOWRITE is cleared early: a writeback that begins while this one flushes sets
 * it again, and waits for the lock. One that had begun before finds WRITEBACK in
 * its place; the kernel has no such mark, so that one of two fsyncs may end
 * before the other has flushed what both were to write.
 */
static enum dax_verb wb_lock(struct dax_op *op, dax_entry_t entry)
{
	struct dax_table *t = &op->mapping->table;

	dax_lock_entry(op, entry);
	dax_table_clear_mark(t, op->xas.index, DAX_MARK_TOWRITE);
	dax_table_set_mark(t, op->xas.index, DAX_MARK_WRITEBACK);
	return dax_ask_pages(op, DAX_WRPROTECT, op->xas.index,
			     1UL << dax_entry_order(entry), STEP_WB_PROTECTED);
}

/* The next entry to be written, or being written by another. */
static dax_entry_t wb_next(struct dax_op *op)
{
	const struct dax_table *t = &op->mapping->table;
	uint64_t index = op->xas.index, other = index;
	dax_entry_t entry, writing;

	entry = dax_table_next_marked(t, &index, op->end, DAX_MARK_TOWRITE);
	writing = dax_table_next_marked(t, &other, op->end, DAX_MARK_WRITEBACK);
	if (writing && (!entry || other < index)) {
		entry = writing;
		index = other;
	}
	/* The whole 2M, even if the range begins inside it. */
	if (entry)
		op->xas.index = dax_entry_first(entry, index);
	return entry;
}

enum dax_verb step_wb_entry(struct dax_op *op)
{
	dax_entry_t entry = wb_next(op);

	if (!entry)
		return dax_finish(op);
	if (!dax_is_locked(entry))
		return wb_lock(op, entry);
	op->new_entry = entry;
	return step_wb_waited(op);
}

/*
 * Is the entry still what the range was to write? Its flags may differ. If it is
 * clean, another has written it; if it is still dirty, another has failed to.
 */
enum dax_verb step_wb_waited(struct dax_op *op)
{
	struct dax_table *t = &op->mapping->table;
	dax_entry_t entry, seen = op->new_entry;

	op->step = STEP_WB_WAITED;
	entry = get_unlocked_entry(op, 0);
	if (entry == DAX_SLEPT)
		return DAX_PARK;
	if (entry && dax_to_pfn(entry) == dax_to_pfn(seen) &&
	    (dax_table_get_mark(t, op->xas.index, DAX_MARK_TOWRITE) ||
	     dax_table_get_mark(t, op->xas.index, DAX_MARK_DIRTY))) {
		op->xas.index = dax_entry_first(entry, op->xas.index);
		if (!dax_is_empty_entry(entry) && !dax_is_zero_entry(entry))
			return wb_lock(op, entry);
		range_error(op, -EIO);
	}
	put_unlocked_entry(op, entry, WAKE_NEXT);
	return range_next(op, entry, STEP_WB_ENTRY);
}

enum dax_verb step_wb_protected(struct dax_op *op)
{
	return dax_ask_pages(op, DAX_FLUSH, op->xas.index,
			     1UL << dax_entry_order(op->entry),
			     STEP_WB_FLUSHED);
}

/*
 * One section: unlocked, clean, woken. What was not flushed stays dirty, and
 * tagged: a writeback that had begun before ours took its tag must find it.
 */
enum dax_verb step_wb_flushed(struct dax_op *op)
{
	struct dax_table *t = &op->mapping->table;
	dax_entry_t entry = op->entry;

	dax_store_unlocked(op);
	op->entry = 0;
	dax_table_clear_mark(t, op->xas.index, DAX_MARK_WRITEBACK);
	if (op->ans.error) {
		range_error(op, op->ans.error);
		dax_table_set_mark(t, op->xas.index, DAX_MARK_TOWRITE);
	} else {
		dax_table_clear_mark(t, op->xas.index, DAX_MARK_DIRTY);
		op->done++;
	}
	dax_wake_entry(op, entry, WAKE_NEXT);
	return range_next(op, entry, STEP_WB_ENTRY);
}

/* -------------------------------------------------- invalidate and delete */

/* dax_invalidate_mapping_entry_sync() and dax_delete_mapping_entry(). */
enum dax_verb step_invalidate(struct dax_op *op)
{
	dax_entry_t entry;

	/* After a wait the entry at this index is looked up, and no other. */
	if (!op->waiter.asleep &&
	    !dax_table_next(&op->mapping->table, &op->xas.index, op->end))
		return dax_finish(op);
	entry = get_unlocked_entry(op, 0);
	if (entry == DAX_SLEPT)
		return DAX_PARK;
	if (entry && dax_invalidate_entry(op, entry, op->kind == DAX_OP_DELETE))
		op->done++;
	return range_next(op, entry, STEP_INVALIDATE);
}

/* ------------------------------------------------------------------ scans */

/* The driver of a truncate or a punch holds the lock around more than this. */
enum dax_verb step_scan_start(struct dax_op *op)
{
	return dax_fs_lock(op, true, STEP_SCAN_LOCKED);
}

enum dax_verb step_scan_locked(struct dax_op *op)
{
	if (op->kind == DAX_OP_DELETE_RANGE)
		return step_delete_range(op);
	op->ask.cows = false;
	return dax_ask_pages(op, DAX_UNMAP, op->pgoff, op->end - op->pgoff + 1,
			     STEP_BUSY_ENTRY);
}

enum dax_verb step_delete_range(struct dax_op *op)
{
	dax_entry_t entry;

	op->step = STEP_DELETE_RANGE;
	entry = dax_scan_entry(op);
	if (entry == DAX_SLEPT)
		return DAX_PARK;
	if (!entry)
		return dax_finish(op);
	dax_remove_entry(op, entry);
	put_unlocked_entry(op, entry, op->mapping->proto->inval_wake);
	op->done++;
	return range_next(op, entry, STEP_DELETE_RANGE);
}

/*
 * The entry is unlocked when it is looked at, and put in the same section: the
 * invalidate lock keeps faults from mapping it again, not the entry's.
 */
enum dax_verb step_busy_entry(struct dax_op *op)
{
	dax_entry_t entry;

	op->step = STEP_BUSY_ENTRY;
	entry = dax_scan_entry(op);
	if (entry == DAX_SLEPT)
		return DAX_PARK;
	if (!entry)
		return dax_finish(op);
	put_unlocked_entry(op, entry, WAKE_NEXT);
	op->done++;
	if (dax_is_zero_entry(entry) || dax_is_empty_entry(entry))
		return range_next(op, entry, STEP_BUSY_ENTRY);
	op->new_entry = entry;
	return dax_ask_pages(op, DAX_PAGE_BUSY,
			     dax_entry_first(entry, op->xas.index),
			     1UL << dax_entry_order(entry), STEP_BUSY_ANSWERED);
}

enum dax_verb step_busy_answered(struct dax_op *op)
{
	if (!op->ans.busy)
		return range_next(op, op->new_entry, STEP_BUSY_ENTRY);
	range_error(op, -EBUSY);
	return dax_finish(op);
}

/* -------------------------------------------------------------- one entry */

/* Kernel: dax_lock_mapping_entry(), but it waits as a fault does. */
enum dax_verb step_lock_entry(struct dax_op *op)
{
	dax_entry_t entry = get_unlocked_entry(op, 0);

	if (entry == DAX_SLEPT)
		return DAX_PARK;
	if (!entry)
		return dax_finish(op);
	dax_lock_entry(op, entry);
	op->done++;
	return dax_ask(op, DAX_MORE, STEP_UNLOCK);
}
