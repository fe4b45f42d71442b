/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * 6be3e21d25ca "fs/dax: don't skip locked entries when scanning entries" (6.15): a
 * scan that met a locked entry took the next one instead, so that truncate could
 * miss a page that a device was writing to. It waits for the entry now; that it
 * still went on behind it is dd59137bfe70's.
 */
#include "regress.h"

static const char *const scans[] = { "W1,B0", "W1,S0", "W1,W2,B0" };

static void test_scans(void **state)
{
	for (unsigned int i = 0; i < sizeof(scans) / sizeof(scans[0]); i++) {
		struct check_report old = check("513", CHECK_PAGES12, scans[i]);
		struct check_report now = check("616", CHECK_PAGES12, scans[i]);

		assert_int_equal(old.worst, CHECK_MISSED);
		assert_true(old.missed > 0);
		assert_int_equal(now.missed, 0);
		assert_true(now.worst < CHECK_STRANDED);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_scans) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
