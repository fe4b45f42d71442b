/* SPDX-License-Identifier: BSD-3-Clause */
/* Writeback, invalidation, deletion, the scan for pinned pages, entry locks. */
#include "dax-unit.h"

#include <stdio.h>

#define WRITE DAX_FAULT_FLAG_WRITE
#define PAGE 700UL
#define HEAD 512UL
#define LAST (UINT64_MAX >> PAGE_SHIFT)

/* One entry through writeback, from the step that locks it. */
#define flushes(op, first, n, err) do { \
	step_is(op, DAX_WRPROTECT); \
	assert_int_equal((op)->ask.start, first); \
	assert_int_equal((op)->ask.nr, n); \
	step_is(op, DAX_FLUSH); \
	assert_int_equal((op)->ask.start, first); \
	assert_int_equal((op)->ask.nr, n); \
	(op)->ans.error = err; \
} while (0)

static bool towrite(struct world *w, uint64_t page)
{
	return dax_table_get_mark(&w->m.table, page, DAX_MARK_TOWRITE);
}

/* -------------------------------------------------------------- writeback */

static void test_wb_clean(void **state)
{
	struct world *w = *state;
	struct dax_op *op;

	make_entry(w, 0, PAGE, 0);
	op = new_range(w, 0, DAX_OP_WRITEBACK, 0, LAST);
	step_is(op, DAX_MORE);
	step_is(op, DAX_DONE);
	assert_int_equal(op->done, 0);
}

static void test_wb_pages(void **state)
{
	struct world *w = *state;
	struct dax_op *op;

	for (uint64_t i = 0; i < 4; i++)
		make_entry(w, 0, PAGE + i, i == 2 ? 0 : WRITE);
	op = new_range(w, 0, DAX_OP_WRITEBACK, PAGE + 1, PAGE + 3);
	step_is(op, DAX_MORE);
	assert_true(towrite(w, PAGE + 1) && towrite(w, PAGE + 3));
	assert_false(towrite(w, PAGE) || towrite(w, PAGE + 2));
	for (uint64_t i = 1; i < 4; i += 2) {
		step_is(op, DAX_WRPROTECT);
		assert_int_equal(op->ask.start, PAGE + i);
		assert_int_equal(op->ask.nr, 1);
		/* TOWRITE goes early, DIRTY with the unlock. */
		assert_true(dax_is_locked(entry_at(w, PAGE + i)));
		assert_false(towrite(w, PAGE + i));
		assert_true(dirty(w, PAGE + i));
		step_is(op, DAX_FLUSH);
		assert_int_equal(op->ask.pos, (PAGE + i) << PAGE_SHIFT);
		op->ans.error = 0;
		step_is(op, i == 1 ? DAX_MORE : DAX_DONE);
		assert_false(dax_is_locked(entry_at(w, PAGE + i)));
		assert_false(dirty(w, PAGE + i));
	}
	assert_int_equal(op->done, 2);
	assert_int_equal(op->error, 0);
	assert_true(dirty(w, PAGE));
}

/* A range that begins inside a 2M entry flushes the whole of it. */
static void test_wb_inside_pmd(void **state)
{
	struct world *w = *state;
	struct dax_op *op;

	make_entry(w, PMD_ORDER, PAGE, WRITE);
	op = new_range(w, 0, DAX_OP_WRITEBACK, PAGE + 1, PAGE + 1);
	step_is(op, DAX_MORE);
	flushes(op, HEAD, 512, 0);
	step_is(op, DAX_DONE);
	assert_false(dirty(w, HEAD));
	assert_int_equal(op->done, 1);
}

/* What could not be written stays dirty; the rest is written, the error told. */
static void test_wb_error(void **state)
{
	struct world *w = *state;
	struct dax_op *op;

	for (uint64_t i = 0; i < 3; i++)
		make_entry(w, 0, PAGE + i, WRITE);
	op = new_range(w, 0, DAX_OP_WRITEBACK, 0, LAST);
	step_is(op, DAX_MORE);
	flushes(op, PAGE, 1, 0);
	step_is(op, DAX_MORE);
	flushes(op, PAGE + 1, 1, -EIO);
	step_is(op, DAX_MORE);
	flushes(op, PAGE + 2, 1, -ENOSPC);
	step_is(op, DAX_MORE);
	step_is(op, DAX_DONE);
	assert_int_equal(op->error, -EIO);
	assert_int_equal(op->done, 1);
	assert_false(dirty(w, PAGE));
	assert_true(dirty(w, PAGE + 1) && dirty(w, PAGE + 2));
	assert_false(dax_is_locked(entry_at(w, PAGE + 1)));
	/* The next writeback tries again. */
	op = new_range(w, 0, DAX_OP_WRITEBACK, PAGE + 1, PAGE + 1);
	step_is(op, DAX_MORE);
	flushes(op, PAGE + 1, 1, 0);
	step_is(op, DAX_DONE);
	assert_int_equal(op->error, 0);
	assert_false(dirty(w, PAGE + 1));
}

/* A write while the entry is flushed waits for it, and dirties it again. */
static void test_wb_and_write(void **state)
{
	struct world *w = *state;
	struct dax_op *wb, *fault;

	make_entry(w, 0, PAGE, WRITE);
	wb = new_range(w, 0, DAX_OP_WRITEBACK, PAGE, PAGE);
	step_is(wb, DAX_MORE);
	flushes(wb, PAGE, 1, 0);
	fault = new_fault(w, 1, 0, PAGE, WRITE);
	step_is(fault, DAX_FSLOCK);
	step_is(fault, DAX_PARK);
	step_is(wb, DAX_DONE);
	assert_true(woke(wb, fault));
	assert_false(dirty(w, PAGE));
	step_is(fault, DAX_PT_CHECK);
	fault->ans.slot = DAX_PT_TABLE;
	step_is(fault, DAX_IOMAP);
	answer_mapped(fault, PAGE, DAX_PAGE_SIZE, 0);
	map_and_end(fault);
	assert_true(dirty(w, PAGE));
}

/* The second of two waits for the first, then sees that it is done. */
static void test_wb_twice(void **state)
{
	struct world *w = *state;
	struct dax_op *a, *b, *c;

	make_entry(w, 0, PAGE, WRITE);
	a = new_range(w, 0, DAX_OP_WRITEBACK, PAGE, PAGE);
	b = new_range(w, 1, DAX_OP_WRITEBACK, PAGE, PAGE);
	c = new_range(w, 2, DAX_OP_WRITEBACK, PAGE, PAGE);
	step_is(a, DAX_MORE);
	flushes(a, PAGE, 1, 0);
	step_is(b, DAX_MORE);
	step_is(c, DAX_MORE);
	assert_true(towrite(w, PAGE));
	step_is(b, DAX_PARK);
	step_is(c, DAX_PARK);
	step_is(a, DAX_DONE);
	assert_true(woke(a, b));
	/* Tagged again by the second, so it is written again, once. */
	flushes(b, PAGE, 1, 0);
	step_is(b, DAX_DONE);
	assert_true(woke(b, c));
	step_is(c, DAX_DONE);
	assert_int_equal(c->done, 0);
	assert_int_equal(w->stats.useless, 1);
}

/*
 * Two that have begun, one entry: who comes second must not end before the
 * first has flushed, and writes it himself if the first could not.
 */
static void wb_overtaken(struct world *w, int error)
{
	struct dax_op *a, *b;

	make_entry(w, 0, PAGE, WRITE);
	a = new_range(w, 0, DAX_OP_WRITEBACK, PAGE, PAGE);
	b = new_range(w, 1, DAX_OP_WRITEBACK, PAGE, PAGE);
	step_is(a, DAX_MORE);
	step_is(b, DAX_MORE);
	flushes(a, PAGE, 1, error);
	assert_false(towrite(w, PAGE));
	step_is(b, DAX_PARK);
	step_is(a, DAX_DONE);
	assert_int_equal(a->error, error);
	assert_true(woke(a, b));
	if (error)
		flushes(b, PAGE, 1, 0);
	step_is(b, DAX_DONE);
	assert_int_equal(b->error, 0);
	assert_int_equal(b->done, error != 0);
	assert_false(dirty(w, PAGE));
}

static void test_wb_overtaken(void **state)
{
	wb_overtaken(*state, 0);
}

static void test_wb_overtaken_error(void **state)
{
	wb_overtaken(*state, -EIO);
}

/* Punched or moved while it waited: nothing to write, and the wake goes on. */
static void test_wb_gone(void **state)
{
	struct world *w = *state;
	struct dax_op *holder, *wb, *waiter, *inval;

	make_entry(w, 0, PAGE, WRITE);
	holder = new_range(w, 0, DAX_OP_LOCK_ENTRY, PAGE, PAGE);
	step_is(holder, DAX_MORE);
	inval = new_range(w, 3, DAX_OP_DELETE, PAGE, PAGE);
	step_is(inval, DAX_PARK);
	wb = new_range(w, 1, DAX_OP_WRITEBACK, PAGE, PAGE);
	step_is(wb, DAX_MORE);
	step_is(wb, DAX_PARK);
	waiter = new_fault(w, 2, 0, PAGE, 0);
	step_is(waiter, DAX_FSLOCK);
	step_is(waiter, DAX_PARK);
	step_is(holder, DAX_MORE);
	step_is(holder, DAX_DONE);
	assert_true(woke(holder, inval));
	step_is(inval, DAX_DONE);
	assert_int_equal(inval->done, 1);
	assert_true(woke(inval, wb));
	assert_true(woke(inval, waiter));
	step_is(waiter, DAX_PT_CHECK);
	waiter->ans.slot = DAX_PT_NONE;
	step_is(waiter, DAX_IOMAP);
	answer_mapped(waiter, 4711, DAX_PAGE_SIZE, 0);
	map_and_end(waiter);
	/* A clean entry at another block. */
	step_is(wb, DAX_DONE);
	assert_int_equal(wb->done, 0);
	assert_int_equal(wb->error, 0);
}

/* -------------------------------------------------- invalidate and delete */

static void test_invalidate(void **state)
{
	struct world *w = *state;
	struct dax_op *op;

	make_entry(w, 0, PAGE, 0);
	make_entry(w, 0, PAGE + 1, WRITE);
	make_zero(w, 0, PAGE + 2);
	make_entry(w, PMD_ORDER, 1024, 0);
	op = new_range(w, 0, DAX_OP_INVALIDATE, 0, 1030);
	for (int i = 0; i < 3; i++)
		step_is(op, DAX_MORE);
	step_is(op, DAX_DONE);
	/* Clean entries go, a 2M one as a whole; dirty ones stay. */
	assert_int_equal(op->done, 3);
	assert_int_equal(w->m.table.nr_entries, 1);
	assert_true(dirty(w, PAGE + 1));
	op = new_range(w, 0, DAX_OP_INVALIDATE, 0, LAST);
	step_is(op, DAX_MORE);
	step_is(op, DAX_DONE);
	assert_int_equal(op->done, 0);
	op = new_range(w, 0, DAX_OP_DELETE, 0, LAST);
	step_is(op, DAX_MORE);
	step_is(op, DAX_DONE);
	assert_int_equal(op->done, 1);
	assert_int_equal(w->m.table.nr_pages, 0);
	assert_int_equal(w->m.table.root, 0);
}

static void test_invalidate_nothing(void **state)
{
	struct world *w = *state;
	struct dax_op *op = new_range(w, 0, DAX_OP_INVALIDATE, PAGE, PAGE);

	step_is(op, DAX_DONE);
	assert_int_equal(op->done, 0);
}

/* Three invalidations of one locked entry: all of them must end. */
static void test_invalidate_thrice(void **state)
{
	struct world *w = *state;
	struct dax_op *holder, *inval[3];

	make_entry(w, 0, PAGE, 0);
	holder = new_range(w, 0, DAX_OP_LOCK_ENTRY, PAGE, PAGE);
	step_is(holder, DAX_MORE);
	for (int i = 0; i < 3; i++) {
		inval[i] = new_range(w, 1 + i, DAX_OP_INVALIDATE, PAGE, PAGE);
		step_is(inval[i], DAX_PARK);
	}
	step_is(holder, DAX_MORE);
	step_is(holder, DAX_DONE);
	assert_true(woke(holder, inval[0]));
	assert_true(woke_nobody(holder));
	step_is(inval[0], DAX_DONE);
	assert_true(woke(inval[0], inval[1]));
	assert_true(woke(inval[0], inval[2]));
	step_is(inval[1], DAX_DONE);
	step_is(inval[2], DAX_DONE);
	assert_int_equal(inval[0]->done, 1);
	assert_int_equal(inval[1]->done + inval[2]->done, 0);
	assert_int_equal(w->stats.useless, 3);
}

/* ------------------------------------------------------------------ scans */

static void test_delete_range(void **state)
{
	struct world *w = *state;
	struct dax_op *op;

	make_entry(w, 0, 5, WRITE);
	make_entry(w, PMD_ORDER, PAGE, WRITE);
	make_zero(w, PMD_ORDER, 1024);
	make_entry(w, 0, 1536, 0);
	op = new_range(w, 0, DAX_OP_DELETE_RANGE, PAGE, 1535);
	step_is(op, DAX_FSLOCK);
	assert_true(op->ask.excl);
	step_is(op, DAX_MORE);
	step_is(op, DAX_FSUNLOCK);
	step_is(op, DAX_DONE);
	assert_int_equal(op->done, 2);
	assert_int_equal(w->m.table.nr_entries, 2);
	assert_true(entry_at(w, 5) && entry_at(w, 1536));
	op = new_range(w, 0, DAX_OP_DELETE_RANGE, 0, LAST);
	op->flags |= DAX_FAULT_FLAG_INVAL_LOCKED;
	step_is(op, DAX_MORE);
	step_is(op, DAX_MORE);
	step_is(op, DAX_DONE);
	assert_int_equal(w->m.table.nr_pages, 0);
}

/* A locked entry is waited for and then looked at, not passed over. */
static void test_delete_range_waits(void **state)
{
	struct world *w = *state;
	struct dax_op *holder, *op;

	make_entry(w, 0, PAGE, 0);
	make_entry(w, 0, PAGE + 1, 0);
	holder = new_range(w, 0, DAX_OP_LOCK_ENTRY, PAGE, PAGE);
	step_is(holder, DAX_MORE);
	op = new_range(w, 1, DAX_OP_DELETE_RANGE, PAGE, PAGE + 1);
	step_is(op, DAX_FSLOCK);
	step_is(op, DAX_PARK);
	step_is(holder, DAX_MORE);
	step_is(holder, DAX_DONE);
	assert_true(woke(holder, op));
	step_is(op, DAX_MORE);
	step_is(op, DAX_FSUNLOCK);
	step_is(op, DAX_DONE);
	assert_int_equal(op->done, 2);
	assert_int_equal(w->m.table.nr_pages, 0);
}

static void test_layout_busy(void **state)
{
	struct world *w = *state;
	struct dax_op *op, *holder, *waiter;

	make_entry(w, 0, PAGE, 0);
	make_zero(w, 0, PAGE + 1);
	make_entry(w, PMD_ORDER, 1024, 0);
	make_entry(w, 0, 1536, 0);
	holder = new_range(w, 0, DAX_OP_LOCK_ENTRY, 1025, 1025);
	step_is(holder, DAX_MORE);
	op = new_range(w, 1, DAX_OP_LAYOUT_BUSY, 0, LAST);
	op->flags |= DAX_FAULT_FLAG_INVAL_LOCKED;
	step_is(op, DAX_UNMAP);
	assert_int_equal(op->ask.start, 0);
	assert_int_equal(op->ask.nr, LAST + 1);
	step_is(op, DAX_PAGE_BUSY);
	assert_int_equal(op->ask.start, PAGE);
	op->ans.busy = false;
	step_is(op, DAX_MORE);
	step_is(op, DAX_MORE);		/* a zero page is nobody's */
	step_is(op, DAX_PARK);
	waiter = new_range(w, 2, DAX_OP_LOCK_ENTRY, 1030, 1030);
	step_is(waiter, DAX_PARK);
	step_is(holder, DAX_MORE);
	step_is(holder, DAX_DONE);
	assert_true(woke(holder, op));
	step_is(op, DAX_PAGE_BUSY);
	assert_int_equal(op->ask.start, 1024);
	assert_int_equal(op->ask.nr, 512);
	assert_true(woke(op, waiter));
	op->ans.busy = true;
	step_is(op, DAX_DONE);
	assert_int_equal(op->error, -EBUSY);
	assert_int_equal(op->ask.start, 1024);
	assert_int_equal(op->done, 3);
	step_is(waiter, DAX_MORE);
	step_is(waiter, DAX_MORE);
	step_is(waiter, DAX_DONE);
	assert_int_equal(w->m.table.nr_entries, 4);
}

static void test_layout_idle(void **state)
{
	struct world *w = *state;
	struct dax_op *op;

	make_entry(w, 0, PAGE, 0);
	op = new_range(w, 0, DAX_OP_LAYOUT_BUSY, HEAD, HEAD + 511);
	step_is(op, DAX_FSLOCK);
	assert_true(op->ask.excl);
	step_is(op, DAX_UNMAP);
	step_is(op, DAX_PAGE_BUSY);
	op->ans.busy = false;
	step_is(op, DAX_MORE);
	step_is(op, DAX_FSUNLOCK);
	step_is(op, DAX_DONE);
	assert_int_equal(op->error, 0);
}

static void test_lock_entry(void **state)
{
	struct world *w = *state;
	struct dax_op *op = new_range(w, 0, DAX_OP_LOCK_ENTRY, PAGE, PAGE);

	step_is(op, DAX_DONE);
	assert_int_equal(op->done, 0);
	make_entry(w, PMD_ORDER, PAGE, 0);
	op = new_range(w, 0, DAX_OP_LOCK_ENTRY, PAGE, PAGE);
	step_is(op, DAX_MORE);
	assert_true(dax_is_locked(entry_at(w, HEAD)));
	step_is(op, DAX_MORE);
	assert_false(dax_is_locked(entry_at(w, HEAD)));
	step_is(op, DAX_DONE);
	assert_int_equal(op->done, 1);
}

#define T(name) cmocka_unit_test_setup_teardown(test_##name, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(wb_clean), T(wb_pages), T(wb_inside_pmd), T(wb_error),
		T(wb_and_write), T(wb_twice), T(wb_overtaken), T(wb_overtaken_error),
		T(wb_gone), T(invalidate),
		T(invalidate_nothing), T(invalidate_thrice), T(delete_range),
		T(delete_range_waits), T(layout_busy), T(layout_idle),
		T(lock_entry),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
