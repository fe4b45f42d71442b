/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * 237388320def "dax: Wake up all waiters after invalidating dax entry" (5.13).
 * Some wait for one entry; the first removes it and wakes the next, who finds
 * nothing, and put_unlocked_entry() of nothing wakes nobody. Found on virtiofs,
 * there since 4.7.
 */
#include "regress.h"

static const struct {
	enum check_table table;
	const char *operations;
} sets[] = {
	{ CHECK_EMPTY, "P1,I1,I1,I1" },		/* as it was reported */
	{ CHECK_EMPTY, "P1,P1,I1,I1" },
	{ CHECK_REAL_2M, "W0,I0,P1,P2" },	/* one removal is enough */
	{ CHECK_EMPTY, "P0,P0,I0,I0" },
};

static void test_removal(void **state)
{
	for (unsigned int i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
		loses("6370", sets[i].table, sets[i].operations);
		loses("radix", sets[i].table, sets[i].operations);
		loses_nobody("513", sets[i].table, sets[i].operations);
		loses_nobody("616", sets[i].table, sets[i].operations);
	}
}

/* The proposals of 2019 had it too, and lose it with the same remedy. */
static void test_proposals(void **state)
{
	loses("dan", CHECK_EMPTY, "P1,I1,I1,I1");
	loses_nobody("dan-all", CHECK_EMPTY, "P1,I1,I1,I1");
	loses("jan-nx", CHECK_EMPTY, "P1,I1,I1,I1");
	loses_nobody("jan-nx-all", CHECK_EMPTY, "P1,I1,I1,I1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_removal),
		cmocka_unit_test(test_proposals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
