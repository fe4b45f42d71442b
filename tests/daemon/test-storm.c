/* SPDX-License-Identifier: BSD-3-Clause */
/* When a worker steps back, and when it does so no more. Time is given. */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "daemon/storm.h"

#define MS 1000000ull

static uint64_t now;

/* @faults a millisecond for @ms milliseconds. */
static void serve(struct storm *s, unsigned int faults, unsigned int ms)
{
	while (ms--) {
		now += MS;
		storm_served(s, faults, now);
	}
}

static void start(struct storm *s)
{
	now = 1000 * MS;
	storm_init(s);
	serve(s, 0, 10);
	assert_false(s->on);
}

static void comes_and_goes(void **state)
{
	struct storm s;

	start(&s);
	serve(&s, 5, 50);
	assert_false(s.on);
	serve(&s, 60, 10);
	assert_true(s.on);
	assert_int_equal(sched_getscheduler(0), SCHED_BATCH);
	serve(&s, 80, 100);
	assert_true(s.on);
	/* The program does something else. */
	now += 500 * MS;
	storm_served(&s, 1, now);
	assert_false(s.on);
	assert_int_equal(sched_getscheduler(0), SCHED_OTHER);
}

static void backs_off(void **state)
{
	struct storm s;
	unsigned int times = 0;

	start(&s);
	/* Whenever it steps back it is starved by somebody who computes. */
	for (unsigned int ms = 0; ms < 20000; ms++) {
		bool was = s.on;

		serve(&s, s.on ? 1 : 60, 1);
		times += s.on && !was;
	}
	assert_false(s.on && s.backoff < 1000 * MS);
	assert_in_range(times, 2, 10);
}

/* Of @times it might read on, how often does it, if one in @every finds something? */
static unsigned int read_on(struct storm *s, unsigned int times,
			    unsigned int every)
{
	unsigned int made = 0;

	while (times--) {
		if (!storm_reads_on(s, 1))
			continue;
		made++;
		storm_read(s, !(made % every));
	}
	return made;
}

static void reads_on_while_it_pays(void **state)
{
	struct storm s;

	start(&s);
	/* It finds out by itself, with the first that it tries. */
	assert_in_range(read_on(&s, 100, 1), 80, 90);
	read_on(&s, 1000, 1);
	assert_int_equal(read_on(&s, 1000, 1), 1000);
	/* The others that the worker serves are not forgotten. */
	assert_true(storm_reads_on(&s, 10));
	assert_false(storm_reads_on(&s, 1000));
	/* Hardly ever: few are made, but it is tried again. */
	read_on(&s, 100, 1000);
	assert_in_range(read_on(&s, 6400, 1000), 200, 480);
	/* One that finds something is followed by another at once. */
	while (!storm_reads_on(&s, 1))
		;
	storm_read(&s, true);
	assert_true(storm_reads_on(&s, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comes_and_goes),
		cmocka_unit_test(backs_off),
		cmocka_unit_test(reads_on_while_it_pays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
