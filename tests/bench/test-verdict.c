/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What e3 concludes follows from its data: made-up reports, two of which must give
 * opposite answers, and some that must give none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "results.h"
#include "verdict.h"

struct made_up {
	double rate, p99;	/* of dan-all over 616 */
	double share;		/* of fault time that dan-all's 2M faults wait */
	double useful;		/* part of these waits */
	double noise;		/* each round differs by up to so much */
	int rounds;
};

static json_t *round_of(const struct made_up *m, int nr, int dan)
{
	/* Both protocols of a round share most of its luck; the rest is noise. */
	double luck = 1 + 0.1 * (nr % 3), noise = 1 + m->noise * (nr % 5 - 2) / 2;
	double waits = dan ? 1000 : 0;

	return json_pack("{s:f,s:f,s:f,s:{s:{s:f},s:f,s:f,s:f,s:{s:{s:f,s:f}}}}",
		"touches", 10000.0, "ns", 1e9 * luck / (dan ? m->rate * noise : 1),
		"p99_ns", 50000.0 * luck * (dan ? m->p99 * noise : 1),
		"counters", "faults", "total", 10000.0, "fault_ns", 1e9,
		"conflicts", 2000.0, "useful_waits", waits * m->useful,
		"stalls", "pmd_on_pte", "n", waits, "ns",
		dan ? 1e9 * m->share * (1 + m->noise * (nr % 3 - 1)) : 0.0);
}

static json_t *variant(const struct made_up *m, const char *name, int dan)
{
	json_t *rounds = json_array();

	for (int i = 0; i < m->rounds; i++)
		json_array_append_new(rounds, round_of(m, i, dan));
	return json_pack("{s:s,s:s,s:b,s:o}", "name", name, "protocol", name,
			 "hung", 0, "rounds", rounds);
}

static json_t *load(const struct made_up *m, const char *name)
{
	return json_pack("{s:s,s:s,s:s,s:b,s:[o,o]}", "driver", "live", "group",
			 "load", "name", name, "decides", 1, "variants",
			 variant(m, "616", 0), variant(m, "dan-all", 1));
}

static struct verdict judge(json_t *report)
{
	struct verdict v;

	verdict_of(report, &v);
	for (int i = 0; i < 3; i++)
		assert_in_range(strlen(v.answer[i]), 20, sizeof(v.answer[i]) - 1);
	json_decref(report);
	return v;
}

static struct verdict judge_one(const struct made_up *m)
{
	return judge(json_pack("{s:i,s:[o]}", "seed", 1, "cells", load(m, "made up")));
}

static const struct made_up waiting_hurts = { .rate = 0.8, .p99 = 1.6, .share = 0.2,
	.useful = 0, .noise = 0.01, .rounds = 9 };
static const struct made_up waiting_is_free = { .rate = 1, .p99 = 1, .share = 0.001,
	.useful = 0, .noise = 0.01, .rounds = 9 };

static void test_opposite(void **state)
{
	struct verdict a = judge_one(&waiting_hurts), b = judge_one(&waiting_is_free);

	(void)state;
	assert_int_equal(a.converging, JUDGED_NO);
	assert_int_equal(a.early, JUDGED_YES);
	assert_int_equal(b.converging, JUDGED_YES);
	assert_int_equal(b.early, JUDGED_NO);
	assert_string_not_equal(a.answer[2], b.answer[2]);
	assert_non_null(strstr(a.answer[2], "would not have been right"));
	assert_null(strstr(b.answer[2], "would not have been right"));
	assert_non_null(strstr(a.answer[1], "20.00 %"));
}

static void test_better_is_right_too(void **state)
{
	struct made_up m = waiting_is_free;

	(void)state;
	m.rate = 1.3;
	m.p99 = 0.7;
	assert_int_equal(judge_one(&m).converging, JUDGED_YES);
	/* A better rate does not make up for a worse tail. */
	m.p99 = 1.2;
	assert_int_equal(judge_one(&m).converging, JUDGED_NO);
}

static void test_useful_waits(void **state)
{
	struct made_up m = waiting_hurts;

	(void)state;
	m.useful = 0.5;
	assert_int_equal(judge_one(&m).early, JUDGED_NO);
}

static void test_undecided(void **state)
{
	struct made_up m = waiting_is_free;

	(void)state;
	m.noise = 0.2;
	assert_int_equal(judge_one(&m).converging, JUDGED_OPEN);
	m = waiting_hurts;
	m.share = 0.01;
	m.noise = 0.5;
	assert_int_equal(judge_one(&m).early, JUDGED_OPEN);
}

static void test_too_few_rounds(void **state)
{
	struct made_up m = waiting_hurts;

	(void)state;
	m.rounds = VERDICT_ROUNDS - 1;
	assert_int_equal(judge_one(&m).converging, JUDGED_UNKNOWN);
	assert_int_equal(judge_one(&m).early, JUDGED_UNKNOWN);
}

/* On every load it must hold. */
static void test_two_loads(void **state)
{
	struct verdict v = judge(json_pack("{s:i,s:[o,o]}", "seed", 1, "cells",
					   load(&waiting_is_free, "a"),
					   load(&waiting_hurts, "b")));

	(void)state;
	assert_int_equal(v.converging, JUDGED_NO);
	assert_int_equal(v.early, JUDGED_NO);
}

static void test_nothing(void **state)
{
	json_t *hung = json_pack("{s:i,s:[o]}", "seed", 1, "cells",
				 load(&waiting_hurts, "a"));
	json_t *v = json_array_get(json_object_get(json_array_get(
		json_object_get(hung, "cells"), 0), "variants"), 1);

	(void)state;
	assert_int_equal(judge(json_object()).converging, JUDGED_UNKNOWN);
	assert_int_equal(judge(json_pack("{s:s}", "cells", "none")).early,
			 JUDGED_UNKNOWN);
	json_array_clear(json_object_get(v, "rounds"));
	assert_int_equal(judge(hung).converging, JUDGED_UNKNOWN);
}

/* The rule is there before any number, and the tables come from the cells. */
static void test_report(void **state)
{
	json_t *report = json_pack("{s:i,s:[o],s:[]}", "seed", 1, "cells",
				   load(&waiting_hurts, "made up"), "tables");
	FILE *null = fopen("/dev/null", "w");

	(void)state;
	verdict_rule(report);
	verdict_tables(report);
	assert_true(json_array_size(json_object_get(report, "tables")) > 0);
	verdict_print(report, null);
	fclose(null);
	assert_int_equal(json_array_size(json_object_get(report, "answer")), 3);
	assert_true(json_array_size(json_object_get(report, "rule")) >= 2);
	assert_string_equal(json_string_value(json_object_get(json_object_get(
		report, "verdict"), "converging")), "no");
	json_decref(report);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_opposite),
		cmocka_unit_test(test_better_is_right_too),
		cmocka_unit_test(test_useful_waits),
		cmocka_unit_test(test_undecided),
		cmocka_unit_test(test_too_few_rounds),
		cmocka_unit_test(test_two_loads),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_report),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
