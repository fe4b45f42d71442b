/* SPDX-License-Identifier: BSD-3-Clause */
/* Medians, quantiles, the bootstrap, what an interval says, and cells as text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "results.h"
#include "stats.h"

static void test_spread(void **state)
{
	double odd[] = { 3, 1, 2 }, even[] = { 4, 1, 3, 2 };
	struct spread s = spread_of(odd, 3);

	(void)state;
	assert_true(s.median == 2 && s.min == 1 && s.max == 3 && s.n == 3);
	s = spread_of(even, 4);
	assert_true(s.median == 2.5 && s.min == 1 && s.max == 4);
	s = spread_of(NULL, 0);
	assert_true(s.n == 0 && s.median == 0);
}

static void test_quantile(void **state)
{
	uint64_t v[100];

	(void)state;
	for (int i = 0; i < 100; i++)
		v[i] = 99 - i;
	sort_u64(v, 100);
	assert_int_equal(quantile(v, 100, 0), 0);
	assert_int_equal(quantile(v, 100, 0.5), 50);
	assert_int_equal(quantile(v, 100, 0.99), 99);
	assert_int_equal(quantile(v, 100, 1), 99);
	assert_int_equal(quantile(v, 0, 0.5), 0);
}

static void test_rng_repeats(void **state)
{
	struct rng a = rng_seed(7, 1), b = rng_seed(7, 1), c = rng_seed(7, 2);
	unsigned int same = 0, hit[10] = { 0 };

	(void)state;
	for (int i = 0; i < 1000; i++) {
		uint64_t x = rng_next(&a);

		assert_true(x == rng_next(&b));
		same += x == rng_next(&c);
	}
	assert_int_equal(same, 0);
	for (int i = 0; i < 10000; i++) {
		double u = rng_unit(&a);

		assert_true(u >= 0 && u < 1);
		hit[rng_below(&a, 10)]++;
	}
	for (int i = 0; i < 10; i++)
		assert_in_range(hit[i], 850, 1150);
}

/*
 * Of sets drawn from a distribution whose median is known, the interval holds
 * it in about 95 of 100 cases; with a seed the count is always the same.
 */
static void test_bootstrap_covers(void **state)
{
	struct rng r = rng_seed(1, 0);
	unsigned int holds = 0, sets = 300;
	double v[15];

	(void)state;
	for (unsigned int s = 0; s < sets; s++) {
		struct interval i;

		/* Exponential, as waits are: the median is ln 2. */
		for (size_t k = 0; k < 15; k++)
			v[k] = -log(1 - rng_unit(&r));
		i = bootstrap_median(v, 15, s);
		assert_true(i.low <= i.value && i.value <= i.high);
		holds += i.low <= M_LN2 && M_LN2 <= i.high;
	}
	assert_in_range(holds, sets * 90 / 100, sets * 99 / 100);
}

static void test_bootstrap_repeats(void **state)
{
	double a[] = { 1, 2, 3, 4, 10 }, b[] = { 10, 3, 2, 4, 1 };
	struct interval x = bootstrap_median(a, 5, 9), y = bootstrap_median(b, 5, 9);

	(void)state;
	assert_true(x.value == 3 && x.low == y.low && x.high == y.high);
	assert_true(x.low < 3 && x.high > 3);
	x = bootstrap_median(a, 1, 9);
	assert_true(x.low == x.value && x.high == x.value);
	x = bootstrap_median(NULL, 0, 9);
	assert_int_equal(x.n, 0);
}

static void test_likeness(void **state)
{
	(void)state;
	assert_int_equal(likeness_of(0.99, 1.01, 1, 0.02), LIKE_EQUAL);
	assert_int_equal(likeness_of(0.90, 0.97, 1, 0.02), LIKE_LESS);
	assert_int_equal(likeness_of(1.03, 1.30, 1, 0.02), LIKE_MORE);
	/* Touches the margin from inside and outside. */
	assert_int_equal(likeness_of(0.97, 1.01, 1, 0.02), LIKE_UNDECIDED);
	assert_int_equal(likeness_of(0.90, 1.10, 1, 0.02), LIKE_UNDECIDED);
}

static void expect_cell(json_t *cell, const char *text)
{
	char buf[64];

	assert_string_equal(results_cell(cell, buf, sizeof(buf)), text);
	json_decref(cell);
}

static void test_cells(void **state)
{
	(void)state;
	expect_cell(json_string("616"), "616");
	expect_cell(json_integer(123456), "123456");
	expect_cell(json_real(12345.6), "12346");
	expect_cell(json_real(123.456), "123.5");
	expect_cell(json_real(1.234), "1.23");
	expect_cell(json_real(0.01234), "0.0123");
	expect_cell(json_real(0), "0");
	expect_cell(json_null(), "-");
	expect_cell(json_true(), "yes");
	expect_cell(json_pack("{s:f,s:f,s:f}", "median", 1.0, "min", 0.5, "max", 2.0),
		    "1.00 (0.5000-2.00)");
	expect_cell(json_pack("{s:f,s:f,s:f}", "value", 1.0, "low", 1.0, "high", 1.0),
		    "1.00");
}

static void test_table(void **state)
{
	json_t *report = json_object(), *t, *p;
	char text[400] = "";
	FILE *out = fmemopen(text, sizeof(text), "w");

	(void)state;
	t = results_table(report, "t", "A title", "name|n");
	results_row(t, json_pack("[s,i]", "a", 1));
	results_row(t, json_pack("[s,i]", "long name", 100));
	p = results_plot(report, "p", "T", "x", "y", PLOT_LOG_X);
	results_point(results_series(p, "s"), 1, 2);
	results_say(report, "read", "Read %d.", 7);
	results_print(report, out);
	fclose(out);
	assert_string_equal(text, "A title\n"
			    "  name         n\n"
			    "  a            1\n"
			    "  long name  100\n\n"
			    "How to read this\n  Read 7.\n");
	assert_true(json_is_true(json_object_get(p, "log_x")));
	assert_true(json_is_false(json_object_get(p, "log_y")));
	json_decref(report);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_spread),
		cmocka_unit_test(test_quantile),
		cmocka_unit_test(test_rng_repeats),
		cmocka_unit_test(test_bootstrap_covers),
		cmocka_unit_test(test_bootstrap_repeats),
		cmocka_unit_test(test_likeness),
		cmocka_unit_test(test_cells),
		cmocka_unit_test(test_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
