/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * 23c84eb78375 "dax: Fix missed wakeup with PMD faults" (5.3-rc1): a 2M fault that
 * meets a page entry falls back at once and never sleeps. No set of faults alone
 * loses a wakeup any more, whatever entries there are.
 */
#include "regress.h"

static void test_faults(void **state)
{
	static const char *const sets[] = {
		"P1,M0", "P1,M0,M1,M2", "P1,M0,P2,M2", "P0,P1,M0,M2",
	};

	for (unsigned int i = 0; i < sizeof(sets) / sizeof(sets[0]); i++)
		for (int t = CHECK_EMPTY; t < CHECK_TABLES; t++) {
			loses_nobody("23c8", t, sets[i]);
			loses_nobody("616", t, sets[i]);
		}
	loses("buggy", CHECK_EMPTY, "P1,M0,M1,M2");
}

/* The same set in which another way out, to wait for the page, loses one. */
static void test_other_way(void **state)
{
	loses("jan-idx", CHECK_EMPTY, "P1,M0,M1,M2");
	loses_nobody("jan-nx-all", CHECK_EMPTY, "P1,M0,M1,M2");
	loses_nobody("dan-all", CHECK_EMPTY, "P1,M0,M1,M2");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_other_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
