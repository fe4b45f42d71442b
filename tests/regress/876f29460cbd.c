/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * 876f29460cbd "dax: fix PMD data corruption when fault races with write" (4.12),
 * and its twin for pages. 4.11 looked the extent up before it locked the entry: a
 * read fault saw a hole, write(2) allocated the block and found no entry to
 * invalidate, and then the fault mapped zeros over the data, for ever.
 */
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>


static void setup_2m(struct world *w)
{
	w->nr = 2;
	w->actor[0] = (struct actor){
		.kind = ACTOR_TOUCH, .v = &w->e.vma[0], .page = 1,
	};
	w->actor[1] = (struct actor){
		.kind = ACTOR_WRITE, .page = 1, .end = 1,
		.forget = DAX_OP_INVALIDATE,
	};
}

static void setup_page(struct world *w)
{
	setup_2m(w);
	world_no_2m(&w->e.vma[0], 1);
}

static void test_2m(void **state)
{
	static const struct scenario s = { .setup = setup_2m };

	expect_bad("411", &s);
	expect_good("410", &s);
	expect_good("616", &s);
}

static void test_page(void **state)
{
	static const struct scenario s = { .setup = setup_page };

	expect_bad("411", &s);
	expect_good("410", &s);
	expect_good("616", &s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_2m),
		cmocka_unit_test(test_page),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
