/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * 0e40de0338d0 "dax: Fix huge page faults" (4.20-rc3) made a 2M lookup see every
 * entry of its window, but not where: the fault slept on the window's head, and
 * the holder of the entry woke the entry's page. Lost until 5.3: 511 of 512
 * positions, all but the head's own.
 */
#include "regress.h"

static void test_lost(void **state)
{
	loses("buggy", CHECK_EMPTY, "P1,M0");
	loses("buggy", CHECK_EMPTY, "P2,M0");
	loses_nobody("23c8", CHECK_EMPTY, "P1,M0");
	loses_nobody("616", CHECK_EMPTY, "P1,M0");
}

/* Before, the lookup saw the head alone: the key was right. */
static void test_before(void **state)
{
	loses_nobody("radix", CHECK_EMPTY, "P1,M0");
}

/* Nor is anybody lost when the page is the head, or stands behind a free one. */
static void test_where(void **state)
{
	loses_nobody("buggy", CHECK_EMPTY, "P0,M0");
	loses_nobody("buggy", CHECK_PAGE0, "P1,M0");
}

/* A later fault at the head wakes the victim: stranded for a while. */
static void test_rescue(void **state)
{
	struct check_report r = check("buggy", CHECK_EMPTY, "P1,M0,P0");

	assert_true(r.stranded && r.rescued && !r.lost);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lost),
		cmocka_unit_test(test_before),
		cmocka_unit_test(test_where),
		cmocka_unit_test(test_rescue),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
