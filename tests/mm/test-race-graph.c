/* SPDX-License-Identifier: BSD-3-Clause */
/* States of a race and what is said between them: which outcomes come of it. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mm/race_graph.h"

static struct race_graph g;

static uint32_t says(uint32_t label, const char *line)
{
	return said_line(&g.said, label, false, line, strlen(line));
}

static uint32_t state(uint64_t hash)
{
	bool fresh;

	return graph_state(&g, (uint64_t[2]){ hash, ~hash }, &fresh);
}

static void expect(const char *want)
{
	struct outcomes set;
	size_t len;
	char *text;
	FILE *out;

	outcomes_init(&set);
	assert_int_equal(graph_outcomes(&g, &set), 0);
	outcomes_sort(&set);
	out = open_memstream(&text, &len);
	for (unsigned int i = 0; i < set.nr; i++)
		outcomes_print_one(&set.list[i], out);
	fclose(out);
	assert_string_equal(text, want);
	free(text);
	outcomes_free(&set);
}

static void test_same_state_is_found(void **s)
{
	bool fresh;
	uint32_t i, nr;

	graph_init(&g);
	for (i = 0; i < 10000; i++) {
		nr = graph_state(&g, (uint64_t[2]){ i * 64UL, i }, &fresh);
		assert_true(fresh);
		assert_int_equal(nr, RACE_END + 1 + i);
	}
	assert_int_equal(graph_state(&g, (uint64_t[2]){ 640, 10 }, &fresh),
			 RACE_END + 11);
	assert_false(fresh);
	graph_state(&g, (uint64_t[2]){ 640, 11 }, &fresh);
	assert_true(fresh);
	graph_exit(&g);
}

/* Two ways to one state, two from there on: all four, each once. */
static void test_ways_that_meet(void **s)
{
	uint32_t a, b;

	graph_init(&g);
	a = state(1);
	b = state(2);
	graph_edge(&g, RACE_BEGIN, says(0, "T0: p 1"), a);
	graph_edge(&g, RACE_BEGIN, says(0, "T1: p 2"), a);
	graph_edge(&g, a, says(says(0, "= x -> ok"), "T0: p 3"), b);
	graph_edge(&g, a, says(0, "= x -> ok"), b);
	graph_edge(&g, b, 0, RACE_END);
	graph_edge(&g, b, 0, RACE_END);
	graph_finish(&g, b);
	graph_finish(&g, a);
	graph_finish(&g, RACE_BEGIN);
	expect("outcome x1\n  T0: p 1\n  = x -> ok\n"
	       "outcome x1\n  T0: p 1\n  T0: p 3\n  = x -> ok\n"
	       "outcome x1\n  T0: p 3\n  T1: p 2\n  = x -> ok\n"
	       "outcome x1\n  T1: p 2\n  = x -> ok\n");
	graph_exit(&g);
}

/* In which order threads speak does not matter, nor how often one sleeps. */
static void test_order_and_sleeps(void **s)
{
	uint32_t one, two;

	graph_init(&g);
	one = says(said_slept(&g.said, says(0, "T1: p 2"), false, "T0"), "T0: f 1");
	two = said_slept(&g.said, 0, false, "T0");
	two = said_slept(&g.said, two, false, "T0");
	two = says(says(two, "T0: f 1"), "T1: p 2");
	graph_edge(&g, RACE_BEGIN, one, RACE_END);
	graph_edge(&g, RACE_BEGIN, two, RACE_END);
	graph_finish(&g, RACE_BEGIN);
	expect("outcome x1\n  T0: f 1 WAITED\n  T1: p 2\n");
	graph_exit(&g);
}

/* A thread and the script that speaks for it: each of them waits for itself. */
static void test_two_attempts(void **s)
{
	uint32_t l;

	graph_init(&g);
	l = said_slept(&g.said, 0, true, "T0");
	l = says(l, "T0: f 1");
	l = said_line(&g.said, l, true, "T0: f 2", 7);
	/* It never ends. */
	l = said_slept(&g.said, l, false, "T0");
	graph_edge(&g, RACE_BEGIN, l, RACE_END);
	graph_finish(&g, RACE_BEGIN);
	expect("outcome x1\n  T0: f 1\n  T0: f 2 WAITED\n");
	graph_exit(&g);
}

/* From a state in a circle there is what is behind any of them. */
static void test_circle(void **s)
{
	uint32_t a, b;

	graph_init(&g);
	a = state(1);
	b = state(2);
	graph_edge(&g, RACE_BEGIN, says(0, "T0: p 1"), a);
	graph_edge(&g, RACE_BEGIN, says(0, "T0: p 2"), b);
	graph_edge(&g, a, 0, b);
	graph_edge(&g, b, 0, a);
	graph_edge(&g, a, says(0, "= x -> ok"), RACE_END);
	graph_finish(&g, b);
	graph_finish(&g, a);
	graph_finish(&g, RACE_BEGIN);
	expect("outcome x1\n  T0: p 1\n  = x -> ok\n"
	       "outcome x1\n  T0: p 2\n  = x -> ok\n");
	graph_exit(&g);
}

/* What was not tried to its end counts for nothing. */
static void test_unfinished(void **s)
{
	graph_init(&g);
	graph_edge(&g, RACE_BEGIN, says(0, "T0: p 1"), state(1));
	graph_edge(&g, RACE_BEGIN, says(0, "T0: p 2"), RACE_END);
	graph_finish(&g, RACE_BEGIN);
	expect("outcome x1\n  T0: p 2\n");
	graph_exit(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_state_is_found),
		cmocka_unit_test(test_ways_that_meet),
		cmocka_unit_test(test_order_and_sleeps),
		cmocka_unit_test(test_two_attempts),
		cmocka_unit_test(test_circle),
		cmocka_unit_test(test_unfinished),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
