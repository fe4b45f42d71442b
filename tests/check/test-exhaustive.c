/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every few operations, from every table: who loses a wakeup, and who never
 * does. The most operations of all protocols are 4, unless $UDAX_CHECK_OPERATIONS
 * says another number.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mm/check.h"

/* @most: operations that this protocol is run with, if more than the others. */
static const struct {
	const char *protocol;
	bool safe;
	unsigned int most;
} rows[] = {
	{ "616", true, 5 },
	{ "615", true, 0 },
	{ "513", true, 0 },
	{ "61", true, 0 },
	{ "6370", false, 0 },
	{ "61c3", false, 0 },
	{ "23c8", false, 0 },
	{ "willy-v1", false, 0 },
	{ "dan", false, 0 },
	{ "dan-all", true, 5 },
	{ "dan-conflict", true, 5 },
	{ "jan-idx", false, 0 },
	{ "jan-nx", false, 0 },
	{ "jan-nx-all", true, 5 },
	{ "buggy", false, 0 },
	{ "radix", false, 0 },
	{ "nomem", false, 0 },
	{ "411", false, 0 },
	{ "410", false, 0 },
	{ "47", false, 0 },
	{ "giant", true, 0 },
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

static unsigned int operations(void)
{
	const char *text = getenv("UDAX_CHECK_OPERATIONS");

	return text ? atoi(text) : 4;
}

/* The schedule, run again, ends with somebody lost. */
static void replay(const char *schedule)
{
	char msg[120], *text;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (check_replay(schedule, out, msg, sizeof(msg)))
		fail_msg("%s: %s", schedule, msg);
	fclose(out);
	if (!strstr(text, "\nLOST: "))
		fail_msg("%s loses nobody", schedule);
	free(text);
}

static void run(struct checker *x, const char *protocol, bool safe, bool blocks,
		unsigned int n)
{
	struct check_totals t;

	assert_int_equal(check_exhaustive(x, protocol, blocks, n, &t, NULL), 0);
	print_message("%-12s %u operations%s: %lu cases, %lu lost, %lu stranded\n",
		      protocol, n, blocks ? ", blocks" : "", t.done, t.lost,
		      t.stranded);
	assert_int_equal(t.done, t.cases);
	assert_int_equal(t.broken, 0);
	/* Whoever is lost has no source, and the other way round at the end. */
	assert_int_equal(t.disagreed, 0);
	assert_true(t.stranded >= t.lost);
	if (safe && (t.lost || t.stranded))
		fail_msg("%s: %lu lost, %lu stranded: %s", protocol, t.lost,
			 t.stranded, t.first);
	if (t.lost)
		replay(t.first);
	/* Fewer than four, or none that is clean, need not be enough to lose one. */
	if (!safe && n >= 4 && !blocks)
		assert_true(t.lost > 0);
}

static void test_all(void **state)
{
	struct checker *x = checker_new(true, false, NULL);
	unsigned int n = operations();

	for (unsigned int i = 0; i < ROWS; i++) {
		run(x, rows[i].protocol, rows[i].safe, false, n);
		if (n == 4 && rows[i].most)
			run(x, rows[i].protocol, rows[i].safe, false,
			    rows[i].most);
	}
	assert_null(check_protocol(ROWS));
	checker_free(x);
}

/* Written entries are dirty, and an invalidation keeps them. */
static void test_blocks(void **state)
{
	struct checker *x = checker_new(true, false, NULL);

	for (unsigned int i = 0; i < ROWS; i++)
		run(x, rows[i].protocol, rows[i].safe, true, 3);
	checker_free(x);
}

/* The reduction changes no count of cases, from every table. */
static void test_reduction(void **state)
{
	struct checker *por = checker_new(true, false, NULL);
	struct checker *all = checker_new(false, false, NULL);
	struct check_totals p, a;

	for (unsigned int i = 0; i < ROWS; i++) {
		assert_int_equal(check_exhaustive(por, rows[i].protocol, false,
						  3, &p, NULL), 0);
		assert_int_equal(check_exhaustive(all, rows[i].protocol, false,
						  3, &a, NULL), 0);
		assert_int_equal(p.cases, a.cases);
		assert_int_equal(p.lost, a.lost);
		assert_int_equal(p.lost_without_invalidate,
				 a.lost_without_invalidate);
		assert_int_equal(p.stranded, a.stranded);
		assert_true(p.states < a.states);
	}
	checker_free(por);
	checker_free(all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_blocks),
		cmocka_unit_test(test_reduction),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
