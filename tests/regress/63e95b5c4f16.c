/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * 63e95b5c4f16 "dax: coordinate locking for offsets in PMD range" (4.10): before, a
 * waiter slept on the page that it had asked for, and a 2M entry's holder woke the
 * page that *it* had asked for. Now both mean the head. (2M faults were disabled
 * until then; 47 has them on.)
 */
#include "regress.h"

static void test_keys(void **state)
{
	/* The 2M fault holds the head's key, the page fault sleeps on page 1. */
	loses("47", CHECK_EMPTY, "P1,M0");
	loses_nobody("410", CHECK_EMPTY, "P1,M0");
	loses_nobody("radix", CHECK_EMPTY, "P1,M0");
	loses_nobody("616", CHECK_EMPTY, "P1,M0");
	/* Two pages of one real 2M entry. */
	loses("47", CHECK_REAL_2M, "P1,P2");
	loses_nobody("410", CHECK_REAL_2M, "P1,P2");
	loses_nobody("616", CHECK_REAL_2M, "P1,P2");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_keys) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
