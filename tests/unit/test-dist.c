/* SPDX-License-Identifier: BSD-3-Clause */
/* Distributions: how they are written, and what is drawn, against theory. */
#include <errno.h>
#include <math.h>
#include <stdio.h>

#include "unit.h"
#include "lib/dist.h"

#define DRAWS 200000

static struct dist parsed(const char *text)
{
	struct dist d = { 0 };
	char why[160];

	assert_int_equal(dist_parse(text, &d, why, sizeof(why)), 0);
	return d;
}

/* What options refuse, tests/cli/test-hold.c asks. */
static void test_parse(void **state)
{
	static const char *const bad[] = {
		"", "50", "fast", "-5us", "80us-20us", "1us-2us-3us", "exp:50us:1",
		"lognorm:50us", "lognorm:50us:inf", "61s",
		"100000000000000000000000000000000000000000000000000000000000000000000"
		"00000000000000us",
	};
	struct dist d = { .shape = DIST_EXP, .ns = 7 };
	char why[160];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		why[0] = '\0';
		if (dist_parse(bad[i], &d, why, sizeof(why)) != -EINVAL)
			fail_msg("%s", bad[i]);
		assert_true(*why);
		assert_int_equal(d.shape, DIST_EXP);
		assert_int_equal(d.ns, 7);
	}
	d = parsed("0");
	assert_false(dist_some(&d));
	d = parsed("20us-80us");
	assert_int_equal(d.shape, DIST_UNIFORM);
	assert_int_equal(d.ns, 20000);
	assert_int_equal(d.max, 80000);
	assert_true(dist_some(&d));
	d = parsed("lognorm:1ms:0.25");
	assert_int_equal(d.ns, 1000000);
	assert_true(d.sigma == 0.25);
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* DRAWS sorted values of @d. */
static uint64_t *draws(const struct dist *d, uint64_t seed)
{
	uint64_t *v = calloc(DRAWS, sizeof(*v));

	assert_non_null(v);
	for (int i = 0; i < DRAWS; i++)
		v[i] = dist_draw(d, dist_bits(seed, i));
	qsort(v, DRAWS, sizeof(*v), compare);
	return v;
}

static double mean_of(const uint64_t *v)
{
	double sum = 0;

	for (int i = 0; i < DRAWS; i++)
		sum += v[i];
	return sum / DRAWS;
}

static void near(double value, double expected, double part)
{
	if (fabs(value - expected) > expected * part)
		fail_msg("%g, expected %g", value, expected);
}

static void test_const(void **state)
{
	struct dist d = parsed("50us");
	uint64_t *v = draws(&d, 1);

	assert_int_equal(v[0], 50000);
	assert_int_equal(v[DRAWS - 1], 50000);
	free(v);
}

static void test_range(void **state)
{
	struct dist d = parsed("20us-80us");
	uint64_t *v = draws(&d, 2);

	assert_true(v[0] >= 20000 && v[DRAWS - 1] <= 80000);
	near(mean_of(v), 50000, 0.01);
	near(v[DRAWS / 4], 35000, 0.01);
	near(v[DRAWS * 3 / 4], 65000, 0.01);
	free(v);

	d = parsed("3ns-4ns");
	v = draws(&d, 3);
	assert_int_equal(v[0], 3);
	assert_int_equal(v[DRAWS - 1], 4);
	near(mean_of(v), 3.5, 0.01);
	free(v);
}

static void test_exp(void **state)
{
	struct dist d = parsed("exp:50us");
	uint64_t *v = draws(&d, 4);

	near(mean_of(v), 50000, 0.01);
	near(v[DRAWS / 2], 50000 * log(2), 0.02);
	near(v[DRAWS / 100 * 99], 50000 * log(100), 0.02);
	near(v[DRAWS / 1000 * 999], 50000 * log(1000), 0.05);
	free(v);
}

static void test_lognormal(void **state)
{
	struct dist d = parsed("lognorm:50us:0.5");
	uint64_t *v = draws(&d, 5);

	near(mean_of(v), 50000 * exp(0.125), 0.01);
	near(v[DRAWS / 2], 50000, 0.01);
	near(v[DRAWS / 10000 * 8413], 50000 * exp(0.5), 0.01);
	near(v[DRAWS / 10000 * 1587], 50000 * exp(-0.5), 0.01);
	near(dist_mean(&d), 50000 * exp(0.125), 1e-9);
	free(v);
}

static void test_values(void **state)
{
	static const uint64_t values[] = { 10, 20, 20, 70 };
	struct dist d = { .shape = DIST_VALUES, .values = values, .nr = 4 };
	uint64_t *v = draws(&d, 6);

	assert_true(dist_some(&d));
	near(dist_mean(&d), 30, 1e-9);
	near(mean_of(v), 30, 0.01);
	assert_int_equal(v[DRAWS / 5], 10);
	assert_int_equal(v[DRAWS / 2], 20);
	assert_int_equal(v[DRAWS - 1], 70);
	free(v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_const),
		cmocka_unit_test(test_range),
		cmocka_unit_test(test_exp),
		cmocka_unit_test(test_lognormal),
		cmocka_unit_test(test_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
