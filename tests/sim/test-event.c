/* SPDX-License-Identifier: BSD-3-Clause */
/* The event queue's order; quantiles of kept values. */
#include "unit.h"
#include "mm/sim_event.h"
#include "mm/sim_samples.h"

#define EVENTS 5000

static void nothing(struct sim *s, void *arg)
{
}

static void test_empty(void **state)
{
	struct sim_queue q = { 0 };
	struct sim_event e;

	assert_false(sim_queue_pop(&q, &e));
	assert_int_equal(sim_queue_push(&q, 7, nothing, &q), 0);
	assert_true(sim_queue_pop(&q, &e));
	assert_int_equal(e.time, 7);
	assert_ptr_equal(e.arg, &q);
	assert_ptr_equal(e.fn, nothing);
	assert_false(sim_queue_pop(&q, &e));
	sim_queue_free(&q);
}

/* By time; those of one time in the order of their coming. */
static void test_order(void **state)
{
	static int order[EVENTS];
	struct sim_queue q = { 0 };
	struct sim_event e;
	uint64_t seed = 1, last = 0;
	int *before = NULL;

	for (int i = 0; i < EVENTS; i++)
		assert_int_equal(sim_queue_push(&q, next_random(&seed) % 500,
						nothing, &order[i]), 0);
	for (int i = 0; i < EVENTS; i++) {
		assert_true(sim_queue_pop(&q, &e));
		assert_true(e.time >= last);
		if (e.time == last && before)
			assert_true((int *)e.arg > before);
		last = e.time;
		before = e.arg;
		order[before - order]++;
	}
	for (int i = 0; i < EVENTS; i++)
		assert_int_equal(order[i], 1);
	assert_false(sim_queue_pop(&q, &e));
	sim_queue_free(&q);
}

/* Half in, one out, as a simulation does: never earlier than what was out. */
static void test_mixed(void **state)
{
	struct sim_queue q = { 0 };
	struct sim_event e;
	uint64_t seed = 2, now = 0;
	int out = 0;

	for (int i = 0; i < EVENTS; i++) {
		for (int j = 0; j < 2; j++)
			assert_int_equal(sim_queue_push(&q, now + next_random(&seed) % 100,
							nothing, NULL), 0);
		assert_true(sim_queue_pop(&q, &e));
		assert_true(e.time >= now);
		now = e.time;
		out++;
	}
	while (sim_queue_pop(&q, &e)) {
		assert_true(e.time >= now);
		now = e.time;
		out++;
	}
	assert_int_equal(out, 2 * EVENTS);
	sim_queue_free(&q);
}

static void test_samples(void **state)
{
	struct sim_samples s = { 0 };

	sim_samples_sort(&s);
	assert_int_equal(sim_samples_quantile(&s, 500), 0);
	/* 1 to 2000, in an order that is not theirs. */
	for (uint64_t i = 0; i < 2000; i++)
		assert_int_equal(sim_samples_add(&s, i * 77 % 2000 + 1), 0);
	sim_samples_sort(&s);
	assert_int_equal(s.nr, 2000);
	assert_int_equal(s.sum, 2000 * 2001 / 2);
	assert_int_equal(sim_samples_quantile(&s, 0), 1);
	assert_int_equal(sim_samples_quantile(&s, 1), 2);
	assert_int_equal(sim_samples_quantile(&s, 500), 1000);
	assert_int_equal(sim_samples_quantile(&s, 990), 1980);
	assert_int_equal(sim_samples_quantile(&s, 1000), 2000);
	sim_samples_free(&s);

	assert_int_equal(sim_samples_add(&s, 5), 0);
	sim_samples_sort(&s);
	assert_int_equal(sim_samples_quantile(&s, 500), 5);
	assert_int_equal(sim_samples_quantile(&s, 990), 5);
	sim_samples_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_mixed),
		cmocka_unit_test(test_samples),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
