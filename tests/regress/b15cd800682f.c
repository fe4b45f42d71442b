/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * b15cd800682f "dax: Convert dax_iomap_pmd_fault to XArray" (4.20-rc1), until
 * 0e40de0338d0: a 2M fault did not see page entries behind the head and stored its
 * own over them. Those that were dirty were never written back. The program
 * without the fix has it planted: Makefile.inc.
 */
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* Page 1 is dirty by 4K; another mapping of the file reads page 0 by 2M. */
static void setup(struct world *w)
{
	struct actor store = {
		.kind = ACTOR_TOUCH, .v = &w->e.vma[0], .page = 1, .write = true,
	};

	world_no_2m(&w->e.vma[0], 1);
	world_run(w, &store);
	w->nr = 1;
	w->actor[0] = (struct actor){
		.kind = ACTOR_TOUCH, .v = &w->e.vma[1], .page = 0,
	};
}

static void test_overwritten(void **state)
{
	static const struct scenario s = { .setup = setup };

	REGRESS_EXPECT("radix", &s);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_overwritten) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
