/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * 1a14e3779dd5 "dax: fix ENOMEM handling in grab_mapping_entry()" (5.14). A page
 * fault takes a 2M zero entry apart, lacks memory for the page's own, gets some
 * and looks again, still remembering that something is to be taken apart: an entry
 * that another made meanwhile goes, dirty or not.
 */
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* On a 2M zero entry one reads, and another, through a mapping of its own, stores. */
static void setup(struct world *w)
{
	struct actor first = { .kind = ACTOR_TOUCH, .v = &w->e.vma[1] };

	world_run(w, &first);
	w->nr = 2;
	w->actor[0] = (struct actor){
		.kind = ACTOR_TOUCH, .v = &w->e.vma[0], .page = 1,
	};
	w->actor[1] = (struct actor){
		.kind = ACTOR_TOUCH, .v = &w->e.vma[2], .page = 1, .write = true,
	};
	world_no_2m(&w->e.vma[0], 1);
	world_no_2m(&w->e.vma[2], 1);
}

static void test_nomem(void **state)
{
	static const struct scenario s = { .setup = setup, .few_nodes = true };

	expect_bad("nomem", &s);
	expect_good("6370", &s);
	expect_good("616", &s);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_nomem) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
