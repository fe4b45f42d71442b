/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * 06083a0921fd "dax: fix missing writeprotect the pte entry" (5.19): a write-back of
 * a 2M entry took permission from one address a mapping, the entry's first. A
 * process that maps a page of it by 4K could go on storing without a fault, and no
 * fsync wrote that back.
 */
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static bool before;

/* One maps 2M and stores; the other, whose mapping has another colour, page 2. */
static void setup(struct world *w)
{
	struct actor one = {
		.kind = ACTOR_TOUCH, .v = &w->e.vma[0], .page = 0, .write = true,
	};
	struct actor other = {
		.kind = ACTOR_TOUCH, .v = &w->e.vma[2], .page = 2, .write = true,
	};

	w->e.wrprotect_first = before;
	world_blocks(w, 0);
	world_run(w, &one);
	world_run(w, &other);
	w->nr = 2;
	w->actor[0] = (struct actor){ .kind = ACTOR_SYNC, .end = PG_PMD_COLOUR };
	w->actor[1] = other;
	w->actor[1].done = false;
}

static void test_mkclean(void **state)
{
	static const struct scenario s = { .setup = setup };

	before = true;
	expect_bad("616", &s);
	before = false;
	expect_good("616", &s);
	expect_good("513", &s);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_mkclean) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
