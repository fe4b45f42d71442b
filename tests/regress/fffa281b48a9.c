/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fffa281b48a9 "dax: fix deadlock due to misaligned PMD faults" (4.13): a mapping
 * whose addresses and offsets differ modulo 2M had its 2M faults of holes served.
 * What they mapped, and the entry that they locked, were two different windows.
 * The program without the fix has it planted: Makefile.inc.
 */
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* The zeros that the first maps reach into the next window, where one stores. */
static void setup(struct world *w)
{
	w->nr = 2;
	w->actor[0] = (struct actor){
		.kind = ACTOR_TOUCH, .v = &w->e.vma[2], .page = 3,
	};
	w->actor[1] = (struct actor){
		.kind = ACTOR_TOUCH, .v = &w->e.vma[0], .page = 5, .write = true,
	};
}

static void test_colour(void **state)
{
	static const struct scenario s = { .setup = setup };

	REGRESS_EXPECT("616", &s);
	REGRESS_EXPECT("410", &s);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_colour) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
