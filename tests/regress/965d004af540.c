/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * 965d004af540 "dax: fix deadlock with DAX 4k holes" (4.10). A read fault of a hole
 * replaced its locked empty entry by a zero page, which has a lock of its own, and
 * woke one of those who slept on the entry: from there nobody unlocked the entry
 * any more. Three readers of one page are enough.
 */
#include "regress.h"

static void test_readers(void **state)
{
	loses("47", CHECK_EMPTY, "P1,P1,P1");
	loses_nobody("410", CHECK_EMPTY, "P1,P1,P1");
	loses_nobody("410", CHECK_EMPTY, "P1,P1,P1,P1,P1");
	loses_nobody("radix", CHECK_EMPTY, "P1,P1,P1");
	loses_nobody("616", CHECK_EMPTY, "P1,P1,P1");
}

/* Two are not: the one that sleeps is the one that is woken. */
static void test_two(void **state)
{
	loses_nobody("47", CHECK_EMPTY, "P1,P1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_readers),
		cmocka_unit_test(test_two),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
