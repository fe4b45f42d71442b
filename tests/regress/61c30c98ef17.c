/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * 61c30c98ef17 "dax: Fix missed wakeup in put_unlocked_entry()" (5.3-rc3). The fix
 * before it asked dax_is_conflict() where it meant the opposite: who consumed a
 * wake and did not take the lock woke nobody in its place.
 */
#include "regress.h"

static const char *const sets[] = { "P0,P0,I0", "P1,P1,I1", "P0,I0,I0", "P1,I1,W1" };

static void test_put(void **state)
{
	for (unsigned int i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
		loses("23c8", CHECK_EMPTY, sets[i]);
		loses_nobody("61c3", CHECK_EMPTY, sets[i]);
		loses_nobody("buggy", CHECK_EMPTY, sets[i]);
		loses_nobody("616", CHECK_EMPTY, sets[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_put) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
