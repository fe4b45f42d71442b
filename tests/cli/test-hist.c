/* SPDX-License-Identifier: BSD-3-Clause */
/* Histograms: quantiles against sorted values, merging, the ends of the range. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/hist.h"

static struct hist one, other, both;

/* xorshift64*: the values differ from run to run of the loop, not of the test. */
static uint64_t random_state = 88172645463325252ull;

static uint64_t next_random(void)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return random_state * 2685821657736338717ull;
}

/* Any magnitude is as likely as any other. */
static uint64_t next_value(void)
{
	return next_random() >> (next_random() % 64);
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void clear(void)
{
	memset(&one, 0, sizeof(one));
	memset(&other, 0, sizeof(other));
	memset(&both, 0, sizeof(both));
}

/* The header's promise: off by at most 1/32 of the value. */
static void assert_close(uint64_t is, uint64_t want)
{
	uint64_t off = is > want ? is - want : want - is;

	if (off > want / 32)
		fail_msg("%llu is too far from %llu", (unsigned long long)is,
			 (unsigned long long)want);
}

static void test_empty(void **state)
{
	clear();
	assert_int_equal(hist_quantile(&one, 0), 0);
	assert_int_equal(hist_quantile(&one, 0.5), 0);
	assert_int_equal(hist_quantile(&one, 1), 0);
}

static void test_single(void **state)
{
	static const uint64_t values[] = {
		0, 1, 15, 16, 17, 31, 32, 33, 1000, 1ull << 32,
		(1ull << 63) - 1, 1ull << 63, UINT64_MAX - 1, UINT64_MAX
	};

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		clear();
		hist_add(&one, values[i]);
		assert_int_equal(one.count, 1);
		assert_true(one.max == values[i]);
		assert_close(hist_quantile(&one, 0.5), values[i]);
		assert_true(hist_quantile(&one, 1) == values[i]);
	}
}

static void test_small_values_are_exact(void **state)
{
	clear();
	for (uint64_t v = 0; v < 16; v++)
		hist_add(&one, v);
	for (int v = 0; v < 16; v++)
		assert_int_equal(hist_quantile(&one, (v + 1) / 16.0), v);
}

/* The quantile of the values themselves, with the same meaning of "part". */
static uint64_t exact(const uint64_t *sorted, size_t n, double q)
{
	for (size_t i = 0; i < n; i++)
		if ((double)(i + 1) >= q * (double)n)
			return sorted[i];
	return sorted[n - 1];
}

static void test_quantiles(void **state)
{
	static const double parts[] = { 0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 1 };
	enum { N = 2000 };
	uint64_t *v = calloc(N, sizeof(*v)), before, is;

	assert_non_null(v);
	for (int round = 0; round < 200; round++) {
		size_t n = 1 + next_random() % N;

		clear();
		for (size_t i = 0; i < n; i++) {
			v[i] = next_value();
			hist_add(&one, v[i]);
		}
		qsort(v, n, sizeof(*v), by_value);
		before = 0;
		for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
			is = hist_quantile(&one, parts[i]);
			assert_close(is, exact(v, n, parts[i]));
			assert_true(is >= before);
			before = is;
		}
		assert_true(one.max == v[n - 1]);
		assert_int_equal(one.count, n);
	}
	free(v);
}

/* Two merged are the one that had all of their values. */
static void test_merge(void **state)
{
	for (int round = 0; round < 100; round++) {
		clear();
		for (int i = next_random() % 500; i >= 0; i--) {
			uint64_t v = next_value();

			hist_add(next_random() % 2 ? &one : &other, v);
			hist_add(&both, v);
		}
		hist_merge(&one, &other);
		assert_memory_equal(&one, &both, sizeof(one));
	}
}

static void test_full_bucket_stays_full(void **state)
{
	clear();
	one.bucket[3] = UINT32_MAX;
	hist_add(&one, 3);
	assert_true(one.bucket[3] == UINT32_MAX);
	other.bucket[3] = 7;
	hist_merge(&one, &other);
	assert_true(one.bucket[3] == UINT32_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_single),
		cmocka_unit_test(test_small_values_are_exact),
		cmocka_unit_test(test_quantiles),
		cmocka_unit_test(test_merge),
		cmocka_unit_test(test_full_bucket_stays_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
