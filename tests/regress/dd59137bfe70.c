/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dd59137bfe70 'fs/dax: Fix "don't skip locked entries when scanning entries"'
 * (6.16): the scan waited for the locked entry, but by xas_pause(), which goes on
 * behind it. It even uses up the wake of another who waits there.
 */
#include "regress.h"

static void test_pause(void **state)
{
	struct check_report r = check("615", CHECK_PAGES12, "W1,B0");

	assert_true(r.missed > 0);
	assert_int_equal(check("616", CHECK_PAGES12, "W1,B0").missed, 0);
	assert_true(check("615", CHECK_PAGES12, "W1,S0").missed > 0);
	assert_int_equal(check("616", CHECK_PAGES12, "W1,S0").missed, 0);
}

static void test_wake(void **state)
{
	loses("615", CHECK_PAGES12, "W1,W1,S0");
	loses_nobody("616", CHECK_PAGES12, "W1,W1,S0");
	loses_nobody("513", CHECK_PAGES12, "W1,W1,S0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pause),
		cmocka_unit_test(test_wake),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
