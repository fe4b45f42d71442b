/* SPDX-License-Identifier: BSD-3-Clause */
/* Every exit of the two fault machines, of MAP_SYNC's completion, and waits. */
#include "dax-unit.h"

#include <stdio.h>

#define WRITE DAX_FAULT_FLAG_WRITE
#define PAGE 700UL			/* inside window 1 */
#define HEAD 512UL

/* A fault that ends before it has an entry, 2M ones with DAX_SPLIT_PMD. */
#define ends_early(op, res) do { \
	step_is(op, DAX_FSLOCK); \
	if ((res) == DAX_FAULT_FALLBACK) \
		step_is(op, DAX_SPLIT_PMD); \
	step_is(op, DAX_FSUNLOCK); \
	step_is(op, DAX_DONE); \
	assert_int_equal((op)->result, res); \
	assert_int_equal((op)->grabbed, 0); \
	assert_int_equal((op)->unlocked, 0); \
} while (0)

/* A 2M fault that falls back with its entry locked. */
#define falls_back(op, why) do { \
	step_is(op, DAX_MORE); \
	step_is(op, DAX_SPLIT_PMD); \
	step_is(op, DAX_FSUNLOCK); \
	step_is(op, DAX_DONE); \
	assert_int_equal((op)->result, DAX_FAULT_FALLBACK); \
	assert_string_equal(dax_fallback_name((op)->reason), why); \
} while (0)

/* -------------------------------------------------------------- PTE exits */

static void test_pte_eof(void **state)
{
	struct world *w = *state;
	struct dax_op *op;

	w->m.i_size = 5 * DAX_PAGE_SIZE + 1;
	op = new_fault(w, 0, 0, 6, 0);
	ends_early(op, DAX_FAULT_SIGBUS);
	op = new_fault(w, 0, 0, 5, 0);
	to_iomap(op);
	answer_mapped(op, 5, DAX_PAGE_SIZE, 0);
	map_and_end(op);
}

static void test_pte_write(void **state)
{
	struct world *w = *state;
	struct dax_op *op = new_fault(w, 0, 0, PAGE, WRITE);

	step_is(op, DAX_FSLOCK);
	assert_false(op->ask.excl);
	step_is(op, DAX_PT_CHECK);
	assert_int_equal(entry_at(w, PAGE), dax_make_entry(0, DAX_EMPTY) | DAX_LOCKED);
	assert_int_equal(op->grabbed, dax_make_entry(0, DAX_EMPTY));
	op->ans.slot = DAX_PT_TABLE;
	step_is(op, DAX_IOMAP);
	assert_int_equal(op->ask.pos, PAGE << PAGE_SHIFT);
	assert_int_equal(op->ask.len, DAX_PAGE_SIZE);
	assert_true(op->ask.write);
	answer_mapped(op, 4242, DAX_PAGE_SIZE, DAX_IOMAP_F_NEW);
	step_is(op, DAX_MAP);
	assert_int_equal(op->ask.map, DAX_MAP_PTE);
	assert_int_equal(op->ask.start, PAGE);
	assert_int_equal(op->ask.nr, 1);
	assert_int_equal(op->ask.pfn, 4242);
	assert_true(op->ask.write);
	assert_true(dirty(w, PAGE));
	step_is(op, DAX_MORE);
	assert_int_equal(entry_at(w, PAGE), dax_make_entry(4242, 0));
	step_is(op, DAX_FSUNLOCK);
	step_is(op, DAX_DONE);
	assert_int_equal(op->result, DAX_FAULT_NOPAGE | DAX_FAULT_MAJOR);
	assert_int_equal(op->inserted, dax_make_entry(4242, 0));
	assert_int_equal(op->unlocked, dax_make_entry(4242, 0));
}

static void test_pte_read(void **state)
{
	struct world *w = *state;
	struct dax_op *op = new_fault(w, 0, 0, PAGE, 0);

	to_iomap(op);
	assert_false(op->ask.write);
	answer_mapped(op, 9, DAX_PAGE_SIZE, 0);
	step_is(op, DAX_MAP);
	assert_false(op->ask.write);
	unlock_and_end(op);
	assert_int_equal(op->result, DAX_FAULT_NOPAGE);
	assert_false(dirty(w, PAGE));
}

static void test_pte_hole(void **state)
{
	struct world *w = *state;
	struct dax_op *op;

	for (unsigned int type = DAX_IOMAP_HOLE; type <= DAX_IOMAP_UNWRITTEN; type++) {
		op = new_fault(w, 0, 0, PAGE + type, 0);
		to_iomap(op);
		answer_hole(op, DAX_PAGE_SIZE);
		op->ans.iomap.type = type;
		step_is(op, DAX_MAP);
		assert_int_equal(op->ask.map, DAX_MAP_PTE_ZERO);
		assert_false(op->ask.write);
		unlock_and_end(op);
		assert_int_equal(op->result, DAX_FAULT_NOPAGE);
		assert_int_equal(op->inserted, dax_make_entry(0, DAX_ZERO_PAGE));
	}
	/* A write that the medium did not allocate for. */
	op = new_fault(w, 0, 0, PAGE, WRITE);
	to_iomap(op);
	answer_hole(op, DAX_PAGE_SIZE);
	unlock_and_end(op);
	assert_int_equal(op->result, DAX_FAULT_SIGBUS);
}

/* Old translations of the zero page go before the block is stored. */
static void test_pte_zero_to_real(void **state)
{
	struct world *w = *state;
	struct dax_op *op;

	make_zero(w, 0, PAGE);
	op = new_fault(w, 0, 0, PAGE, WRITE);
	to_iomap(op);
	answer_mapped(op, 77, DAX_PAGE_SIZE, DAX_IOMAP_F_NEW);
	step_is(op, DAX_UNMAP);
	assert_int_equal(op->ask.start, PAGE);
	assert_int_equal(op->ask.nr, 1);
	assert_false(op->ask.cows);
	assert_int_equal(entry_at(w, PAGE), dax_make_entry(0, DAX_ZERO_PAGE) | DAX_LOCKED);
	map_and_end(op);
	assert_int_equal(op->grabbed, dax_make_entry(0, DAX_ZERO_PAGE));
	assert_int_equal(op->unlocked, dax_make_entry(77, 0));
	assert_int_equal(op->result, DAX_FAULT_NOPAGE | DAX_FAULT_MAJOR);
}

static void test_pte_raced_with_pmd(void **state)
{
	struct world *w = *state;
	struct dax_op *op = new_fault(w, 0, 0, PAGE, WRITE);

	step_is(op, DAX_FSLOCK);
	step_is(op, DAX_PT_CHECK);
	op->ans.slot = DAX_PT_HUGE;
	unlock_and_end(op);
	assert_int_equal(op->result, DAX_FAULT_NOPAGE);
	assert_int_equal(op->inserted, 0);
	/* A failed fault leaves its empty entry. */
	assert_int_equal(entry_at(w, PAGE), dax_make_entry(0, DAX_EMPTY));
}

static void test_pte_iomap_errors(void **state)
{
	struct world *w = *state;
	static const struct { int error; unsigned int result; } cases[] = {
		{ -EIO, DAX_FAULT_SIGBUS }, { -ENOSPC, DAX_FAULT_SIGBUS },
		{ -ENOMEM, DAX_FAULT_OOM },
	};
	struct dax_op *op;

	for (int i = 0; i < 3; i++) {
		op = new_fault(w, 0, 0, PAGE, WRITE);
		to_iomap(op);
		op->ans.iomap.error = cases[i].error;
		unlock_and_end(op);
		assert_int_equal(op->result, cases[i].result);
		assert_int_equal(op->inserted, 0);
	}
	op = new_fault(w, 0, 0, PAGE, 0);
	to_iomap(op);
	answer_mapped(op, 1, DAX_PAGE_SIZE - 1, 0);
	unlock_and_end(op);
	assert_int_equal(op->result, DAX_FAULT_SIGBUS);
}

static void test_pte_map_errors(void **state)
{
	struct world *w = *state;
	static const struct { int error; unsigned int result; } cases[] = {
		{ -EAGAIN, DAX_FAULT_NOPAGE | DAX_FAULT_MAJOR },
		{ -ESRCH, DAX_FAULT_NOPAGE | DAX_FAULT_MAJOR },
		{ -ENOMEM, DAX_FAULT_SIGBUS }, { -ENOSPC, DAX_FAULT_SIGBUS },
	};

	for (int i = 0; i < 4; i++) {
		struct dax_op *op = new_fault(w, 0, 0, PAGE, WRITE);

		to_iomap(op);
		answer_mapped(op, 3, DAX_PAGE_SIZE, DAX_IOMAP_F_NEW);
		step_is(op, DAX_MAP);
		op->ans.error = cases[i].error;
		unlock_and_end(op);
		assert_int_equal(op->result, cases[i].result);
		assert_int_equal(entry_at(w, PAGE), dax_make_entry(3, 0));
	}
}

static void test_pte_cow(void **state)
{
	struct world *w = *state;
	static const struct { int error; unsigned int result; } cases[] = {
		{ 0, DAX_FAULT_DONE_COW }, { -ENOMEM, DAX_FAULT_OOM },
		{ -EIO, DAX_FAULT_SIGBUS },
	};

	for (int i = 0; i < 6; i++) {
		struct dax_op *op = new_fault(w, 0, 0, PAGE, WRITE);

		op->vma.shared = false;
		to_iomap(op);
		assert_false(op->ask.write);
		if (i < 3)
			answer_mapped(op, 8, DAX_PAGE_SIZE, 0);
		else
			answer_hole(op, DAX_PAGE_SIZE);
		step_is(op, DAX_COPY);
		assert_int_equal(op->ask.map, i < 3 ? DAX_MAP_PTE : DAX_MAP_PTE_ZERO);
		assert_int_equal(op->ask.start, PAGE);
		op->ans.error = cases[i % 3].error;
		unlock_and_end(op);
		assert_int_equal(op->result, cases[i % 3].result);
		assert_int_equal(op->inserted, 0);
		assert_int_equal(op->unlocked, dax_make_entry(0, DAX_EMPTY));
		assert_false(dirty(w, PAGE));
	}
}

/* A private read maps the shared entry, read-only. */
static void test_pte_private_read(void **state)
{
	struct world *w = *state;
	struct dax_op *op = new_fault(w, 0, 0, PAGE, 0);

	op->vma.shared = false;
	to_iomap(op);
	answer_mapped(op, 8, DAX_PAGE_SIZE, 0);
	step_is(op, DAX_MAP);
	assert_false(op->ask.write);
	unlock_and_end(op);
	assert_int_equal(op->result, DAX_FAULT_NOPAGE);
}

static void test_pte_over_real_pmd(void **state)
{
	struct world *w = *state;
	dax_entry_t pmd = dax_make_entry(HEAD, DAX_PMD);
	struct dax_op *op;

	make_entry(w, PMD_ORDER, PAGE, 0);
	op = new_fault(w, 0, 0, PAGE, WRITE);
	to_iomap(op);
	answer_mapped(op, PAGE, DAX_PAGE_SIZE, 0);
	step_is(op, DAX_MAP);
	assert_int_equal(op->ask.map, DAX_MAP_PTE);
	assert_int_equal(op->ask.pfn, PAGE);
	unlock_and_end(op);
	assert_int_equal(op->grabbed, pmd);
	assert_int_equal(op->inserted, pmd);
	assert_int_equal(op->unlocked, pmd);
	assert_true(dirty(w, HEAD));
	assert_int_equal(w->m.table.nr_pages, 512);
}

/* After a 2M fault failed: the page fault takes its empty entry apart. */
static void test_pte_downgrades_empty(void **state)
{
	struct world *w = *state;
	struct dax_op *op = new_fault(w, 0, PMD_ORDER, PAGE, WRITE);

	to_iomap(op);
	answer_mapped(op, HEAD, DAX_PAGE_SIZE, 0);
	falls_back(op, "extent");
	assert_int_equal(entry_at(w, HEAD), dax_make_entry(0, DAX_EMPTY | DAX_PMD));
	op = new_fault(w, 0, 0, PAGE, WRITE);
	to_iomap(op);
	assert_int_equal(op->grabbed, dax_make_entry(0, DAX_EMPTY));
	assert_int_equal(w->m.table.nr_pages, 1);
	assert_int_equal(w->stats.downgrades, 1);
	answer_mapped(op, PAGE, DAX_PAGE_SIZE, 0);
	map_and_end(op);
}

static void test_pte_downgrades_zero(void **state)
{
	struct world *w = *state;
	struct dax_op *op, *waiter[2];

	make_zero(w, PMD_ORDER, PAGE);
	op = new_fault(w, 0, 0, PAGE, 0);
	step_is(op, DAX_FSLOCK);
	step_is(op, DAX_UNMAP);
	assert_int_equal(op->ask.start, HEAD);
	assert_int_equal(op->ask.nr, 512);
	assert_true(dax_is_locked(entry_at(w, HEAD)));
	for (int i = 0; i < 2; i++) {
		waiter[i] = new_fault(w, 1 + i, 0, HEAD + i, 0);
		step_is(waiter[i], DAX_FSLOCK);
		step_is(waiter[i], DAX_PARK);
	}
	/* The entry goes and everybody is woken, in one section. */
	step_is(op, DAX_PT_CHECK);
	assert_true(woke(op, waiter[0]));
	assert_true(woke(op, waiter[1]));
	assert_int_equal(w->stats.wakes_all, 1);
	assert_int_equal(w->m.table.nr_pages, 1);
	for (int i = 0; i < 2; i++) {
		step_is(waiter[i], DAX_PT_CHECK);
		waiter[i]->ans.slot = DAX_PT_NONE;
	}
	op->ans.slot = DAX_PT_NONE;
	for (int i = 0; i < 3; i++) {
		struct dax_op *each = &w->op[i];

		step_is(each, DAX_IOMAP);
		answer_hole(each, DAX_PAGE_SIZE);
		map_and_end(each);
	}
	assert_int_equal(w->stats.waits, 2);
	assert_int_equal(w->stats.useless + w->stats.barged + w->stats.misdirected, 0);
}

static void test_pte_reflink(void **state)
{
	struct world *w = *state;
	struct dax_op *op;

	make_entry(w, 0, PAGE, 0);
	op = new_fault(w, 0, 0, PAGE, WRITE);
	to_iomap(op);
	answer_mapped(op, 99, DAX_PAGE_SIZE, DAX_IOMAP_F_SHARED);
	step_is(op, DAX_UNMAP);
	assert_int_equal(op->ask.nr, 1);
	map_and_end(op);
	assert_int_equal(entry_at(w, PAGE), dax_make_entry(99, 0));
	assert_true(dax_table_get_mark(&w->m.table, PAGE, DAX_MARK_TOWRITE));
}

static void test_inval_locked(void **state)
{
	struct world *w = *state;
	struct dax_op *op = new_fault(w, 0, 0, PAGE, DAX_FAULT_FLAG_INVAL_LOCKED);

	step_is(op, DAX_PT_CHECK);
	op->ans.slot = DAX_PT_NONE;
	step_is(op, DAX_IOMAP);
	answer_mapped(op, 1, DAX_PAGE_SIZE, 0);
	step_is(op, DAX_MAP);
	step_is(op, DAX_MORE);
	step_is(op, DAX_DONE);
}

static void test_alloc(void **state)
{
	struct world *w = *state;
	uint64_t size = w->m.table.size;
	struct dax_op *op;

	dax_table_set_memory(&w->m.table, w->memory, 128);
	op = new_fault(w, 0, 0, PAGE, 0);
	step_is(op, DAX_FSLOCK);
	step_is(op, DAX_ALLOC);
	op->ans.error = -ENOMEM;
	step_is(op, DAX_FSUNLOCK);
	step_is(op, DAX_DONE);
	assert_int_equal(op->result, DAX_FAULT_OOM);

	/* A 2M fault that lacks memory is no fallback. */
	op = new_fault(w, 0, PMD_ORDER, PAGE, 0);
	step_is(op, DAX_FSLOCK);
	step_is(op, DAX_ALLOC);
	op->ans.error = -ENOMEM;
	step_is(op, DAX_FSUNLOCK);
	step_is(op, DAX_DONE);
	assert_int_equal(op->result, DAX_FAULT_OOM);

	op = new_fault(w, 0, 0, PAGE, 0);
	step_is(op, DAX_FSLOCK);
	step_is(op, DAX_ALLOC);
	dax_table_set_memory(&w->m.table, w->memory, size);
	op->ans.error = 0;
	step_is(op, DAX_PT_CHECK);
	unlock_and_end((op->ans.slot = DAX_PT_HUGE, op));
}

/* Memory fails after the downgrade: the accounts still agree. */
static void test_alloc_in_downgrade(void **state)
{
	struct world *w = *state;
	uint64_t size = w->m.table.size;
	struct dax_op *op;

	make_zero(w, PMD_ORDER, PAGE);
	dax_table_set_memory(&w->m.table, w->memory, w->m.table.used);
	op = new_fault(w, 0, 0, PAGE, 0);
	step_is(op, DAX_FSLOCK);
	step_is(op, DAX_UNMAP);
	step_is(op, DAX_ALLOC);
	assert_int_equal(w->m.table.nr_pages, 0);
	dax_table_set_memory(&w->m.table, w->memory, size);
	op->ans.error = 0;
	step_is(op, DAX_PT_CHECK);
	assert_int_equal(w->m.table.nr_pages, 1);
	op->ans.slot = DAX_PT_HUGE;
	unlock_and_end(op);
	assert_int_equal(w->m.table.nr_pages, 1);
}

/* -------------------------------------------------------------- PMD exits */

/* (1) before all others. */
static void test_pmd_eof_head(void **state)
{
	struct world *w = *state;
	struct dax_op *op;

	w->m.i_size = HEAD * DAX_PAGE_SIZE;
	op = new_fault(w, 0, PMD_ORDER, PAGE, WRITE);
	ends_early(op, DAX_FAULT_SIGBUS);
	op = new_fault(w, 0, PMD_ORDER, PAGE, WRITE);
	op->vma.shared = false;
	op->address += DAX_PAGE_SIZE;
	ends_early(op, DAX_FAULT_SIGBUS);
	assert_int_equal(op->reason, DAX_FALLBACK_NONE);
}

static void test_pmd_check_fallback(void **state)
{
	struct world *w = *state;
	struct dax_op *op;

	/* Each case leaves the later reasons true as well: the order shows. */
	w->m.i_size = (HEAD + 300) * DAX_PAGE_SIZE;
	op = new_fault(w, 0, PMD_ORDER, PAGE, WRITE);
	op->vma.shared = false;
	op->vma.vm_start = op->address & ~(DAX_PAGE_SIZE - 1);
	op->address += DAX_PAGE_SIZE;
	ends_early(op, DAX_FAULT_FALLBACK);
	assert_int_equal(op->reason, DAX_FALLBACK_COLOUR);

	op = new_fault(w, 0, PMD_ORDER, PAGE, WRITE);
	op->vma.shared = false;
	op->vma.vm_start = op->address & ~(DAX_PAGE_SIZE - 1);
	ends_early(op, DAX_FAULT_FALLBACK);
	assert_int_equal(op->reason, DAX_FALLBACK_PRIVATE);

	op = new_fault(w, 0, PMD_ORDER, PAGE, WRITE);
	op->vma.vm_start = op->address & ~(DAX_PAGE_SIZE - 1);
	ends_early(op, DAX_FAULT_FALLBACK);
	assert_int_equal(op->reason, DAX_FALLBACK_VMA);

	op = new_fault(w, 0, PMD_ORDER, PAGE, WRITE);
	op->vma.vm_end = VMA_START + (HEAD + 511) * DAX_PAGE_SIZE;
	ends_early(op, DAX_FAULT_FALLBACK);
	assert_int_equal(op->reason, DAX_FALLBACK_VMA);

	op = new_fault(w, 0, PMD_ORDER, PAGE, WRITE);
	ends_early(op, DAX_FAULT_FALLBACK);
	assert_int_equal(op->reason, DAX_FALLBACK_EOF);
	w->m.i_size = (HEAD + 511) * DAX_PAGE_SIZE + 1;
	op = new_fault(w, 0, PMD_ORDER, PAGE, WRITE);
	step_is(op, DAX_FSLOCK);
	step_is(op, DAX_PT_CHECK);
	op->ans.slot = DAX_PT_TABLE;
	unlock_and_end(op);
}

/* (6): any page entry of the window, locked or not. */
static void test_pmd_conflict(void **state)
{
	struct world *w = *state;
	struct dax_op *op, *holder;

	make_entry(w, 0, HEAD + 300, 0);
	op = new_fault(w, 0, PMD_ORDER, PAGE, 0);
	step_is(op, DAX_FSLOCK);
	step_is(op, DAX_SPLIT_PMD);
	step_is(op, DAX_FSUNLOCK);
	step_is(op, DAX_DONE);
	assert_int_equal(op->result, DAX_FAULT_FALLBACK);
	assert_int_equal(op->reason, DAX_FALLBACK_CONFLICT);
	assert_int_equal(op->grabbed, dax_make_fault(DAX_FAULT_FALLBACK));
	assert_int_equal(w->stats.conflicts, 1);

	holder = new_fault(w, 1, 0, HEAD + 10, 0);
	to_iomap(holder);
	op = new_fault(w, 0, PMD_ORDER, PAGE, 0);
	step_is(op, DAX_FSLOCK);
	step_is(op, DAX_SPLIT_PMD);
	assert_int_equal(w->stats.waits, 0);
	answer_hole(holder, DAX_PAGE_SIZE);
	map_and_end(holder);
}

/* (7) */
static void test_pmd_table_present(void **state)
{
	struct world *w = *state;
	struct dax_op *op = new_fault(w, 0, PMD_ORDER, PAGE, 0);

	step_is(op, DAX_FSLOCK);
	step_is(op, DAX_PT_CHECK);
	op->ans.slot = DAX_PT_TABLE;
	unlock_and_end(op);
	assert_int_equal(op->result, 0);
	assert_int_equal(entry_at(w, PAGE), dax_make_entry(0, DAX_EMPTY | DAX_PMD));
}

/* (8), (10), (11) */
static void test_pmd_extent(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < 5; i++) {
		struct dax_op *op = new_fault(w, 0, PMD_ORDER, PAGE, WRITE);

		to_iomap(op);
		assert_int_equal(op->ask.pos, HEAD << PAGE_SHIFT);
		assert_int_equal(op->ask.len, DAX_PMD_SIZE);
		answer_mapped(op, HEAD, DAX_PMD_SIZE, 0);
		if (i == 0)
			op->ans.iomap.error = -ENOSPC;
		if (i == 1)
			op->ans.iomap.length = DAX_PMD_SIZE - DAX_PAGE_SIZE;
		if (i == 2)
			op->ans.iomap.type = DAX_IOMAP_UNWRITTEN;
		if (i == 3)
			op->ans.iomap.pfn++;
		if (i == 4)
			answer_hole(op, DAX_PAGE_SIZE);
		falls_back(op, "extent");
		assert_int_equal(op->inserted, 0);
		assert_int_equal(op->unlocked, dax_make_entry(0, DAX_EMPTY | DAX_PMD));
	}
}

/* (9) */
static void test_pmd_hole(void **state)
{
	struct world *w = *state;
	struct dax_op *op = new_fault(w, 0, PMD_ORDER, PAGE, 0);

	to_iomap(op);
	answer_hole(op, DAX_PMD_SIZE);
	step_is(op, DAX_MAP);
	assert_int_equal(op->ask.map, DAX_MAP_PMD_ZERO);
	assert_int_equal(op->ask.start, HEAD);
	assert_int_equal(op->ask.nr, 512);
	assert_false(op->ask.write);
	unlock_and_end(op);
	assert_int_equal(op->result, DAX_FAULT_NOPAGE);
	assert_int_equal(op->unlocked, dax_make_entry(0, DAX_ZERO_PAGE | DAX_PMD));
}

static void test_pmd_write(void **state)
{
	struct world *w = *state;
	struct dax_op *op;

	make_zero(w, PMD_ORDER, PAGE);
	op = new_fault(w, 0, PMD_ORDER, PAGE, WRITE);
	to_iomap(op);
	answer_mapped(op, 1024, DAX_PMD_SIZE, DAX_IOMAP_F_NEW);
	step_is(op, DAX_UNMAP);
	assert_int_equal(op->ask.start, HEAD);
	assert_int_equal(op->ask.nr, 512);
	step_is(op, DAX_MAP);
	assert_int_equal(op->ask.map, DAX_MAP_PMD);
	assert_int_equal(op->ask.pfn, 1024);
	assert_true(op->ask.write);
	unlock_and_end(op);
	/* No MAJOR from a 2M fault. */
	assert_int_equal(op->result, DAX_FAULT_NOPAGE);
	assert_int_equal(op->unlocked, dax_make_entry(1024, DAX_PMD));
	assert_true(dirty(w, PAGE));
	/* A write fault on the entry that is there inserts nothing new. */
	op = new_fault(w, 0, PMD_ORDER, PAGE, WRITE);
	to_iomap(op);
	answer_mapped(op, 1024, DAX_PMD_SIZE, 0);
	map_and_end(op);
	assert_int_equal(op->grabbed, dax_make_entry(1024, DAX_PMD));
}

static void test_pmd_map_errors(void **state)
{
	struct world *w = *state;
	static const struct { int error; unsigned int result; } cases[] = {
		{ -EAGAIN, DAX_FAULT_NOPAGE }, { -ENOMEM, DAX_FAULT_SIGBUS },
	};

	for (int i = 0; i < 2; i++) {
		struct dax_op *op = new_fault(w, 0, PMD_ORDER, PAGE, WRITE);

		to_iomap(op);
		answer_mapped(op, HEAD, DAX_PMD_SIZE, 0);
		step_is(op, DAX_MAP);
		op->ans.error = cases[i].error;
		unlock_and_end(op);
		assert_int_equal(op->result, cases[i].result);
	}
}

/* --------------------------------------------------------------- MAP_SYNC */

/* (12), and the same of a page: inserted, clean, and nothing mapped. */
static void sync_fault(struct world *w, unsigned int order)
{
	struct dax_op *op = new_fault(w, 0, order, PAGE, WRITE);

	op->vma.sync = true;
	to_iomap(op);
	answer_mapped(op, order ? HEAD : PAGE, DAX_PAGE_SIZE << order,
		      DAX_IOMAP_F_DIRTY | DAX_IOMAP_F_NEW);
	step_is(op, DAX_MORE);
	assert_true(dax_is_locked(entry_at(w, PAGE)));
	unlock_and_end(op);
	assert_int_equal(op->result, DAX_FAULT_NEEDDSYNC | (order ? 0 : DAX_FAULT_MAJOR));
	assert_false(dirty(w, PAGE));
}

static struct dax_op *new_mkwrite(struct world *w, unsigned int i, unsigned int order)
{
	struct dax_vma vma = whole_vma();

	dax_op_init_mkwrite(&w->op[i], &w->m, order, &vma,
			    VMA_START + (PAGE << PAGE_SHIFT));
	w->op[i].stats = &w->stats;
	return &w->op[i];
}

static void sync_complete(struct world *w, unsigned int order)
{
	struct dax_op *op;

	sync_fault(w, order);
	op = new_mkwrite(w, 0, order);
	step_is(op, DAX_FSLOCK);
	step_is(op, DAX_FSYNC);
	assert_int_equal(op->ask.start, PAGE);
	assert_int_equal(op->ask.nr, 1UL << order);
	op->ans.error = 0;
	step_is(op, DAX_MAP);
	assert_true(dirty(w, PAGE));
	assert_int_equal(op->ask.map, order ? DAX_MAP_PMD : DAX_MAP_PTE);
	assert_int_equal(op->ask.start, order ? HEAD : PAGE);
	assert_int_equal(op->ask.pfn, order ? HEAD : PAGE);
	assert_true(op->ask.write);
	unlock_and_end(op);
	assert_int_equal(op->result, DAX_FAULT_NOPAGE);
}

static void test_sync_pte(void **state)
{
	sync_complete(*state, 0);
}

static void test_sync_pmd(void **state)
{
	sync_complete(*state, PMD_ORDER);
}

/* A write that dirties no metadata needs no sync, nor does a read. */
static void test_sync_not_needed(void **state)
{
	struct world *w = *state;
	struct dax_op *op = new_fault(w, 0, 0, PAGE, WRITE);

	op->vma.sync = true;
	to_iomap(op);
	answer_mapped(op, PAGE, DAX_PAGE_SIZE, 0);
	map_and_end(op);
	assert_true(dirty(w, PAGE));
	op = new_fault(w, 0, 0, PAGE + 1, 0);
	op->vma.sync = true;
	to_iomap(op);
	answer_mapped(op, PAGE + 1, DAX_PAGE_SIZE, DAX_IOMAP_F_DIRTY);
	map_and_end(op);
}

/* The fault is taken again when its entry is not there any more. */
static void no_entry(struct world *w, unsigned int order)
{
	struct dax_op *op = new_mkwrite(w, 0, order);

	step_is(op, DAX_FSLOCK);
	step_is(op, DAX_FSYNC);
	op->ans.error = 0;
	step_is(op, DAX_FSUNLOCK);
	step_is(op, DAX_DONE);
	assert_int_equal(op->result, DAX_FAULT_NOPAGE);
	assert_int_equal(op->grabbed, 0);
}

static void test_sync_no_entry(void **state)
{
	struct world *w = *state;
	struct dax_op *op;

	no_entry(w, 0);
	no_entry(w, PMD_ORDER);
	make_entry(w, 0, PAGE + 1, 0);
	no_entry(w, PMD_ORDER);		/* a conflict */
	make_zero(w, 0, PAGE);
	no_entry(w, 0);			/* punched, and read since */
	op = new_range(w, 1, DAX_OP_DELETE, HEAD, HEAD + 511);
	step_is(op, DAX_MORE);
	step_is(op, DAX_MORE);
	step_is(op, DAX_DONE);
	make_entry(w, PMD_ORDER, PAGE, 0);
	no_entry(w, 0);			/* 2M where it was a page */
	op = new_mkwrite(w, 0, 0);
	step_is(op, DAX_FSLOCK);
	step_is(op, DAX_FSYNC);
	op->ans.error = -EIO;
	step_is(op, DAX_FSUNLOCK);
	step_is(op, DAX_DONE);
	assert_int_equal(op->result, DAX_FAULT_SIGBUS);
}

/* ------------------------------------------------------------------ waits */

/* Unlocking is two sections; the second one wakes, and one alone. */
static void test_wait_same_page(void **state)
{
	struct world *w = *state;
	struct dax_op *holder = new_fault(w, 0, 0, PAGE, 0), *waiter[2];

	to_iomap(holder);
	for (int i = 0; i < 2; i++) {
		waiter[i] = new_fault(w, 1 + i, 0, PAGE, 0);
		step_is(waiter[i], DAX_FSLOCK);
		step_is(waiter[i], DAX_PARK);
	}
	answer_hole(holder, DAX_PAGE_SIZE);
	step_is(holder, DAX_MAP);
	step_is(holder, DAX_MORE);
	assert_true(woke_nobody(holder));
	step_is(holder, DAX_FSUNLOCK);
	assert_true(woke(holder, waiter[0]));
	assert_true(woke_nobody(holder));
	step_is(holder, DAX_DONE);
	for (int i = 0; i < 2; i++) {
		step_is(waiter[i], DAX_PT_CHECK);
		waiter[i]->ans.slot = DAX_PT_HUGE;
		step_is(waiter[i], DAX_MORE);
		step_is(waiter[i], DAX_FSUNLOCK);
		assert_int_equal(woke(waiter[i], waiter[1]), i == 0);
		step_is(waiter[i], DAX_DONE);
	}
	assert_int_equal(w->stats.waits, 2);
	assert_int_equal(w->stats.wakes_next, 2);
	assert_int_equal(w->stats.woken, 2);
}

/* What the two proposals of 2019 disagree about: page entries are apart... */
static void test_wait_other_page(void **state)
{
	struct world *w = *state;
	struct dax_op *a = new_fault(w, 0, 0, PAGE, 0), *b = new_fault(w, 1, 0, PAGE + 1, 0);

	to_iomap(a);
	to_iomap(b);
	answer_hole(a, DAX_PAGE_SIZE);
	answer_hole(b, DAX_PAGE_SIZE);
	map_and_end(a);
	map_and_end(b);
	assert_int_equal(w->stats.waits, 0);
}

/* ... a 2M entry is one for all its pages. */
static void test_wait_pmd(void **state)
{
	struct world *w = *state;
	struct dax_op *holder = new_fault(w, 0, PMD_ORDER, PAGE, WRITE);
	struct dax_op *pmd = new_fault(w, 1, PMD_ORDER, PAGE + 1, WRITE);
	struct dax_op *pte = new_fault(w, 2, 0, PAGE + 2, 0);

	to_iomap(holder);
	step_is(pmd, DAX_FSLOCK);
	step_is(pmd, DAX_PARK);
	step_is(pte, DAX_FSLOCK);
	step_is(pte, DAX_PARK);
	answer_mapped(holder, HEAD, DAX_PMD_SIZE, 0);
	step_is(holder, DAX_MAP);
	step_is(holder, DAX_MORE);
	step_is(holder, DAX_FSUNLOCK);
	assert_true(woke(holder, pmd));
	step_is(pmd, DAX_PT_CHECK);
	assert_int_equal(pmd->grabbed, dax_make_entry(HEAD, DAX_PMD));
	pmd->ans.slot = DAX_PT_HUGE;
	step_is(pmd, DAX_IOMAP);
	answer_mapped(pmd, HEAD, DAX_PMD_SIZE, 0);
	step_is(pmd, DAX_MAP);
	step_is(pmd, DAX_MORE);
	step_is(pmd, DAX_FSUNLOCK);
	assert_true(woke(pmd, pte));
	step_is(pte, DAX_PT_CHECK);
	assert_int_equal(pte->grabbed, dax_make_entry(HEAD, DAX_PMD));
	pte->ans.slot = DAX_PT_HUGE;
	unlock_and_end(pte);
	step_is(holder, DAX_DONE);
	step_is(pmd, DAX_DONE);
}

/* Barged: woken, but somebody was faster. Useless: it was not needed. */
static void test_wait_words(void **state)
{
	struct world *w = *state;
	struct dax_op *a = new_fault(w, 0, 0, PAGE, 0), *b = new_fault(w, 1, 0, PAGE, 0);
	struct dax_op *c = new_fault(w, 2, 0, PAGE, 0), *inval;

	to_iomap(a);
	step_is(b, DAX_FSLOCK);
	step_is(b, DAX_PARK);
	answer_hole(a, DAX_PAGE_SIZE);
	step_is(a, DAX_MAP);
	step_is(a, DAX_MORE);
	to_iomap(c);
	/* The wake of the first holder comes when the second has the entry. */
	step_is(a, DAX_FSUNLOCK);
	assert_true(woke(a, b));
	step_is(b, DAX_PARK);
	assert_int_equal(w->stats.barged, 1);
	assert_int_equal(w->stats.misdirected, 0);
	inval = new_range(w, 3, DAX_OP_INVALIDATE, PAGE, PAGE);
	step_is(inval, DAX_PARK);
	answer_hole(c, DAX_PAGE_SIZE);
	step_is(c, DAX_MAP);
	step_is(c, DAX_MORE);
	step_is(c, DAX_FSUNLOCK);
	assert_true(woke(c, b));
	step_is(b, DAX_PT_CHECK);
	b->ans.slot = DAX_PT_HUGE;
	step_is(b, DAX_MORE);
	step_is(b, DAX_FSUNLOCK);
	assert_true(woke(b, inval));
	assert_int_equal(w->stats.useless, 0);
	step_is(inval, DAX_DONE);
	assert_int_equal(w->stats.useless, 1);
	assert_int_equal(w->stats.waits, 3);
	step_is(a, DAX_DONE);
	step_is(b, DAX_DONE);
	step_is(c, DAX_DONE);
}

static void test_misdirected(void **state)
{
	struct world *w = *state;
	struct dax_op *a = new_fault(w, 0, 0, PAGE, 0), *b = new_fault(w, 1, 0, PAGE, 0);
	struct dax_wait_key key = { &w->m, PAGE };

	to_iomap(a);
	step_is(b, DAX_FSLOCK);
	step_is(b, DAX_PARK);
	/* A late wake for this key, by one who held the entry long before. */
	dax_wait_wake(&w->waits, &key, WAKE_NEXT, &a->woken, &w->stats);
	assert_true(woke(a, b));
	step_is(b, DAX_PARK);
	assert_int_equal(w->stats.misdirected, 1);
	assert_int_equal(w->stats.barged, 0);
	answer_hole(a, DAX_PAGE_SIZE);
	step_is(a, DAX_MAP);
	step_is(a, DAX_MORE);
	step_is(a, DAX_FSUNLOCK);
	assert_true(woke(a, b));
	step_is(b, DAX_PT_CHECK);
	b->ans.slot = DAX_PT_HUGE;
	unlock_and_end(b);
}

static void test_cancel(void **state)
{
	struct world *w = *state;
	struct dax_op *a = new_fault(w, 0, 0, PAGE, 0), *b = new_fault(w, 1, 0, PAGE, 0);
	struct dax_op *c = new_fault(w, 2, 0, PAGE, 0);

	to_iomap(a);
	assert_false(dax_op_cancel(a));
	step_is(b, DAX_FSLOCK);
	step_is(b, DAX_PARK);
	step_is(c, DAX_FSLOCK);
	step_is(c, DAX_PARK);
	assert_true(b->fs_locked);
	assert_true(dax_op_cancel(b));
	step_is(b, DAX_FSUNLOCK);
	assert_false(b->fs_locked);
	step_is(b, DAX_DONE);
	assert_int_equal(b->result, DAX_FAULT_RETRY);
	assert_int_equal(b->error, -EINTR);
	answer_hole(a, DAX_PAGE_SIZE);
	step_is(a, DAX_MAP);
	step_is(a, DAX_MORE);
	step_is(a, DAX_FSUNLOCK);
	/* Picked: too late. It owes a wake and must run. */
	assert_false(dax_op_cancel(c));
	assert_true(woke(a, c));
	step_is(c, DAX_PT_CHECK);
	c->ans.slot = DAX_PT_HUGE;
	unlock_and_end(c);
}

#define T(name) cmocka_unit_test_setup_teardown(test_##name, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(pte_eof), T(pte_write), T(pte_read), T(pte_hole),
		T(pte_zero_to_real), T(pte_raced_with_pmd), T(pte_iomap_errors),
		T(pte_map_errors), T(pte_cow), T(pte_private_read),
		T(pte_over_real_pmd), T(pte_downgrades_empty),
		T(pte_downgrades_zero), T(pte_reflink), T(inval_locked),
		T(alloc), T(alloc_in_downgrade), T(pmd_eof_head),
		T(pmd_check_fallback), T(pmd_conflict), T(pmd_table_present),
		T(pmd_extent), T(pmd_hole), T(pmd_write), T(pmd_map_errors),
		T(sync_pte), T(sync_pmd), T(sync_not_needed), T(sync_no_entry),
		T(wait_same_page), T(wait_other_page), T(wait_pmd),
		T(wait_words), T(misdirected), T(cancel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
