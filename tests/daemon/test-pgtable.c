/* SPDX-License-Identifier: BSD-3-Clause */
/* The emulated page table of a mapping. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mm/pgtable.h"

#define M2 DAX_PMD_SIZE
#define K4 DAX_PAGE_SIZE
#define BASE 0x7f0000000000ull

/* A page in front of a window, and a window that is not full at the end. */
#define START (BASE + M2 - K4)
#define END (BASE + 4 * M2 + 3 * K4)

static void slots(void **state)
{
	struct pgtable pt;

	assert_int_equal(pgtable_init(&pt, START, END), 0);
	assert_int_equal(pt.nr, 5);
	assert_int_equal(pgtable_slot(&pt, START), DAX_PT_NONE);
	assert_false(pgtable_has(&pt, START, false));

	pgtable_set_pte(&pt, START, false);
	assert_int_equal(pgtable_slot(&pt, START), DAX_PT_TABLE);
	assert_true(pgtable_has(&pt, START, false));
	assert_false(pgtable_has(&pt, START, true));
	assert_false(pgtable_has(&pt, START - K4, false));
	assert_int_equal(pgtable_slot(&pt, START + K4), DAX_PT_NONE);

	pgtable_set_pmd(&pt, BASE + 2 * M2 + 5 * K4, false);
	assert_true(pgtable_is_huge(&pt, BASE + 2 * M2));
	assert_true(pgtable_has(&pt, BASE + 3 * M2 - K4, false));
	assert_false(pgtable_has(&pt, BASE + 3 * M2 - K4, true));
	assert_false(pgtable_has(&pt, BASE + 3 * M2, false));
	pgtable_set_pmd(&pt, BASE + 2 * M2, true);
	assert_true(pgtable_has(&pt, BASE + 2 * M2, true));

	/* A pte under a huge pmd: the pmd is gone, and all it mapped. */
	pgtable_set_pte(&pt, BASE + 2 * M2 + K4, true);
	assert_int_equal(pgtable_slot(&pt, BASE + 2 * M2), DAX_PT_TABLE);
	assert_true(pgtable_has(&pt, BASE + 2 * M2 + K4, true));
	assert_false(pgtable_has(&pt, BASE + 2 * M2, false));
	pgtable_exit(&pt);
}

static void zap(void **state)
{
	struct pgtable pt;

	assert_int_equal(pgtable_init(&pt, START, END), 0);
	for (uint64_t a = BASE + M2; a < BASE + 2 * M2; a += K4)
		pgtable_set_pte(&pt, a, true);
	pgtable_set_pmd(&pt, BASE + 2 * M2, true);
	pgtable_set_pmd(&pt, BASE + 3 * M2, true);

	/* From the middle of the ptes into the first page of the huge pmd. */
	pgtable_zap(&pt, BASE + M2 + 100 * K4, BASE + 2 * M2 + K4);
	assert_true(pgtable_has(&pt, BASE + M2 + 99 * K4, true));
	assert_false(pgtable_has(&pt, BASE + M2 + 100 * K4, false));
	assert_false(pgtable_has(&pt, BASE + 2 * M2 - K4, false));
	assert_int_equal(pgtable_slot(&pt, BASE + M2), DAX_PT_TABLE);
	assert_int_equal(pgtable_slot(&pt, BASE + 2 * M2), DAX_PT_NONE);
	assert_true(pgtable_has(&pt, BASE + 3 * M2, true));

	/* One page of a word's edge. */
	pgtable_zap(&pt, BASE + M2 + 63 * K4, BASE + M2 + 64 * K4);
	assert_true(pgtable_has(&pt, BASE + M2 + 62 * K4, true));
	assert_false(pgtable_has(&pt, BASE + M2 + 63 * K4, true));
	assert_true(pgtable_has(&pt, BASE + M2 + 64 * K4, true));

	pgtable_wrprotect(&pt, BASE + M2, BASE + 4 * M2);
	assert_true(pgtable_has(&pt, BASE + M2, false));
	assert_false(pgtable_has(&pt, BASE + M2, true));
	assert_true(pgtable_is_huge(&pt, BASE + 3 * M2));
	assert_false(pgtable_has(&pt, BASE + 3 * M2, true));
	pgtable_exit(&pt);
}

static void copy(void **state)
{
	struct pgtable from, to;
	uint64_t there = 3 * M2, askew = 3 * M2 + K4;

	assert_int_equal(pgtable_init(&from, START, END), 0);
	pgtable_set_pte(&from, START, true);
	pgtable_set_pte(&from, BASE + M2 + 7 * K4, false);
	pgtable_set_pmd(&from, BASE + 2 * M2, true);
	pgtable_set_pmd(&from, BASE + 3 * M2, false);

	assert_int_equal(pgtable_init(&to, START + there, END + there), 0);
	pgtable_copy(&to, &from, START, BASE + 3 * M2 + K4, there);
	assert_true(pgtable_has(&to, START + there, true));
	assert_true(pgtable_has(&to, BASE + M2 + 7 * K4 + there, false));
	assert_false(pgtable_has(&to, BASE + M2 + 7 * K4 + there, true));
	assert_true(pgtable_has(&to, BASE + 2 * M2 + there, true));
	/* Only a part of this window: the huge pmd does not come along. */
	assert_false(pgtable_has(&to, BASE + 3 * M2 + there, false));
	pgtable_exit(&to);

	/* Another colour: pages do, huge pmds do not. */
	assert_int_equal(pgtable_init(&to, START + askew, END + askew), 0);
	pgtable_copy(&to, &from, START, END, askew);
	assert_true(pgtable_has(&to, START + askew, true));
	assert_true(pgtable_has(&to, BASE + M2 + 7 * K4 + askew, false));
	assert_false(pgtable_has(&to, BASE + 2 * M2 + askew, false));
	pgtable_exit(&to);
	pgtable_exit(&from);
}

/* mprotect: what was stored to may be again, a huge pmd not. */
static void protect(void **state)
{
	struct pgtable pt;

	assert_int_equal(pgtable_init(&pt, START, END), 0);
	pgtable_set_pte(&pt, BASE + M2, true);
	pgtable_set_pte(&pt, BASE + M2 + K4, false);
	pgtable_set_pte(&pt, BASE + M2 + 100 * K4, true);
	pgtable_set_pmd(&pt, BASE + 2 * M2, true);
	pgtable_protect(&pt, BASE + M2, BASE + 4 * M2, false);
	assert_false(pgtable_has(&pt, BASE + M2, true));
	assert_true(pgtable_has(&pt, BASE + M2, false));
	assert_false(pgtable_has(&pt, BASE + 2 * M2, true));
	/* Written back meanwhile: clean. */
	pgtable_wrprotect(&pt, BASE + M2 + 64 * K4, BASE + M2 + 128 * K4);
	pgtable_protect(&pt, BASE + M2, BASE + 4 * M2, true);
	assert_true(pgtable_has(&pt, BASE + M2, true));
	assert_false(pgtable_has(&pt, BASE + M2 + K4, true));
	assert_false(pgtable_has(&pt, BASE + M2 + 100 * K4, true));
	assert_false(pgtable_has(&pt, BASE + 2 * M2, true));
	pgtable_exit(&pt);
}

struct seen {
	unsigned int nr;
	uint64_t from[4], to[4];
};

static void see(void *arg, uint64_t from, uint64_t to)
{
	struct seen *s = arg;

	assert_in_range(s->nr, 0, 3);
	s->from[s->nr] = from;
	s->to[s->nr++] = to;
}

/* Who had something is told, a huge pmd with the whole of it. */
static void zap_each(void **state)
{
	struct pgtable pt;
	struct seen s = { 0 };

	assert_int_equal(pgtable_init(&pt, START, END), 0);
	pgtable_set_pte(&pt, BASE + M2 + 7 * K4, true);
	pgtable_set_pmd(&pt, BASE + 2 * M2, true);
	pgtable_zap_each(&pt, BASE + M2 + 4 * K4, BASE + 2 * M2 + K4, see, &s);
	assert_int_equal(s.nr, 2);
	assert_int_equal(s.from[0], BASE + M2 + 4 * K4);
	assert_int_equal(s.to[0], BASE + 2 * M2);
	assert_int_equal(s.from[1], BASE + 2 * M2);
	assert_int_equal(s.to[1], BASE + 3 * M2);
	/* An empty table has nothing to lose, but is there. */
	s.nr = 0;
	pgtable_zap_each(&pt, START, END, see, &s);
	assert_int_equal(s.nr, 0);
	pgtable_each(&pt, START, END, see, &s);
	assert_int_equal(s.nr, 1);
	pgtable_exit(&pt);
}

static void tables(void **state)
{
	struct pgtable pt, to;

	assert_int_equal(pgtable_init(&pt, START, END), 0);
	pgtable_set_pte(&pt, BASE + M2, true);
	pgtable_zap(&pt, BASE + M2, BASE + M2 + K4);
	assert_int_equal(pgtable_slot(&pt, BASE + M2), DAX_PT_TABLE);
	/* A copy takes the empty table along. */
	assert_int_equal(pgtable_init(&to, START, END), 0);
	pgtable_copy(&to, &pt, START, END, 0);
	assert_int_equal(pgtable_slot(&to, BASE + M2), DAX_PT_TABLE);
	pgtable_exit(&to);
	/* Freed only with its window as a whole. */
	pgtable_free_tables(&pt, BASE + M2 + K4, BASE + 3 * M2);
	assert_int_equal(pgtable_slot(&pt, BASE + M2), DAX_PT_TABLE);
	pgtable_free_tables(&pt, BASE + M2, BASE + 3 * M2);
	assert_int_equal(pgtable_slot(&pt, BASE + M2), DAX_PT_NONE);
	/* Nothing is replaced by a table. */
	pgtable_set_pmd(&pt, BASE + 2 * M2, true);
	pgtable_set_table(&pt, BASE + 2 * M2);
	assert_true(pgtable_is_huge(&pt, BASE + 2 * M2));
	pgtable_set_table(&pt, BASE + 3 * M2);
	assert_int_equal(pgtable_slot(&pt, BASE + 3 * M2), DAX_PT_TABLE);
	pgtable_exit(&pt);
}

/* Far more windows than memory would hold, were they not sparse. */
static void sparse(void **state)
{
	struct pgtable pt;
	uint64_t end = BASE + (1ull << 44);

	assert_int_equal(pgtable_init(&pt, BASE, end), 0);
	pgtable_set_pmd(&pt, end - M2, true);
	pgtable_set_pte(&pt, BASE + (1ull << 43), false);
	assert_true(pgtable_has(&pt, end - K4, true));
	assert_true(pgtable_has(&pt, BASE + (1ull << 43), false));
	pgtable_exit(&pt);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slots),
		cmocka_unit_test(zap),
		cmocka_unit_test(copy),
		cmocka_unit_test(protect),
		cmocka_unit_test(zap_each),
		cmocka_unit_test(tables),
		cmocka_unit_test(sparse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
