/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * c6dcf52c23d2 "mm: Invalidate DAX radix tree entries only if appropriate" (4.10):
 * a write(2) that allocates drops the entries that it covers. It dropped dirty
 * ones too, and with them what msync() was to write back. What DAX_OP_DELETE does
 * is what the invalidation did then.
 */
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static enum dax_op_kind forget;

/* Page 0 is dirty, page 2 is a hole: write(2) over both, which a store races with. */
static void setup(struct world *w)
{
	struct actor store = {
		.kind = ACTOR_TOUCH, .v = &w->e.vma[0], .page = 0, .write = true,
	};

	world_no_2m(&w->e.vma[0], 0);
	world_run(w, &store);
	w->nr = 2;
	w->actor[0] = store;
	w->actor[0].done = false;
	w->actor[1] = (struct actor){
		.kind = ACTOR_WRITE, .page = 0, .end = 2, .forget = forget,
	};
}

static void test_dirty(void **state)
{
	static const struct scenario s = { .setup = setup };

	forget = DAX_OP_DELETE;
	expect_bad("616", &s);
	forget = DAX_OP_INVALIDATE;
	expect_good("616", &s);
	expect_good("radix", &s);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_dirty) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
