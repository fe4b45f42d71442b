/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * e4b3448bc346 "dax: Flush partial PMDs correctly" (5.1): msync() of a range that
 * begins inside a 2M entry wrote back from there on, and called the whole of it
 * clean. The program without the fix has it planted: Makefile.inc.
 */
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* Byte 0 of 2M, then msync(address + 4096, 1). */
static void setup(struct world *w)
{
	struct actor store = {
		.kind = ACTOR_TOUCH, .v = &w->e.vma[0], .page = 0, .write = true,
	};

	world_blocks(w, 0);
	world_run(w, &store);
	w->nr = 1;
	w->actor[0] = (struct actor){ .kind = ACTOR_SYNC, .page = 1, .end = 1 };
}

static void test_flush(void **state)
{
	static const struct scenario s = { .setup = setup };

	REGRESS_EXPECT("616", &s);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_flush) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
