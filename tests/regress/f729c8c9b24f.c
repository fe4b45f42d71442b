/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * f729c8c9b24f "dax: wrprotect pmd_t in dax_mapping_entry_mkclean" (4.10): a
 * write-back took permission from 4K translations alone. The next store through a
 * 2M one took no fault, its entry stayed clean, and no fsync wrote it back.
 */
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static bool before;

static void setup(struct world *w)
{
	struct actor store = {
		.kind = ACTOR_TOUCH, .v = &w->e.vma[0], .page = 1, .write = true,
	};

	w->e.wrprotect_no_2m = before;
	world_blocks(w, 0);
	world_run(w, &store);
	assert_int_equal(*env_slot(&w->e.vma[0], w->e.vma[0].vma.vm_start),
			 DAX_PT_HUGE);
	w->nr = 2;
	w->actor[0] = (struct actor){ .kind = ACTOR_SYNC, .end = PG_PMD_COLOUR };
	w->actor[1] = store;
	w->actor[1].done = false;
}

static void test_mkclean(void **state)
{
	static const struct scenario s = { .setup = setup };

	before = true;
	expect_bad("616", &s);
	before = false;
	expect_good("616", &s);
	expect_good("radix", &s);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_mkclean) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
