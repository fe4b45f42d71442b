/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * 6370740e5f8e "fs/dax: Fix pmd vs pte conflict detection" (5.4-rc5): the order of
 * an entry was compared before it was known that there is one. An empty window
 * was a conflict, and no 2M entry was ever made: 6370740e5f8e.sh shows it live.
 */
#include "regress.h"

static void test_2m(void **state)
{
	assert_false(check("23c8", CHECK_EMPTY, "M0").made_2m);
	assert_false(check("61c3", CHECK_EMPTY, "M0").made_2m);
	assert_true(check("6370", CHECK_EMPTY, "M0").made_2m);
	assert_true(check("616", CHECK_EMPTY, "M0").made_2m);
	assert_true(check("buggy", CHECK_EMPTY, "M0").made_2m);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_2m) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
