/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The litmus tests, protocol by protocol: which races can lose a wakeup under
 * which protocol, with and without partial-order reduction.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mm/check.h"

#define LITMUS 13

/* L1 to L13: H somebody is lost, M a scan misses an entry. */
static const struct {
	const char *protocol, *verdicts;
} expected[] = {
	{ "616",	"............." },
	{ "615",	"............M" },
	{ "513",	"............M" },
	{ "61",		"............M" },
	{ "6370",	".....HHH.H..M" },
	{ "61c3",	".....HHH.H..M" },
	{ "23c8",	".....HHH.H..M" },
	{ "willy-v1",	".....HHH.H..M" },
	{ "dan",	".....HHH....M" },
	{ "dan-all",	"............M" },
	{ "dan-conflict", "............M" },
	{ "jan-idx",	"....HHHHHH.HM" },
	{ "jan-nx",	".....HHH.H..M" },
	{ "jan-nx-all",	"............M" },
	{ "buggy",	"H...HHHHHH..M" },
	{ "radix",	".....HHH.H..M" },
	{ "nomem",	".....HHH.H..M" },
	{ "411",	".......H.H..M" },
	{ "410",	".......H.H..M" },
	{ "47",		"H..HHHHHHH.HM" },
	{ "giant",	"............." },
};

#define PROTOCOLS (sizeof(expected) / sizeof(expected[0]))

static void run(struct checker *x, const char *protocol, unsigned int l,
		struct check_report *r)
{
	struct check_case c;

	check_litmus_case(check_litmus_nth(l), protocol, &c);
	assert_int_equal(checker_run(x, &c, r), 0);
	assert_int_equal(r->disagreed, 0);
	for (int i = 0; i < CHECK_INVARIANTS; i++)
		assert_int_equal(r->broken[i], 0);
}

static char verdict(const struct check_report *r)
{
	assert_false(r->lost && r->missed);
	return r->lost ? 'H' : r->missed ? 'M' : '.';
}

static void test_table(void **state)
{
	struct checker *x = checker_new(true, true, NULL);

	for (unsigned int i = 0; i < PROTOCOLS; i++) {
		char found[LITMUS + 1] = "";
		struct check_report r;

		for (int l = 0; l < LITMUS; l++) {
			run(x, expected[i].protocol, l, &r);
			found[l] = verdict(&r);
			/* A safe protocol leaves nobody without a source. */
			if (r.stranded && !strchr(expected[i].verdicts, 'H'))
				fail_msg("%s L%d: stranded by %s",
					 expected[i].protocol, l + 1, r.steps);
			assert_true(r.stranded >= r.lost);
		}
		print_message("%-12s %s\n", expected[i].protocol, found);
		if (strcmp(found, expected[i].verdicts))
			fail_msg("%s: %s, expected %s", expected[i].protocol,
				 found, expected[i].verdicts);
	}
	assert_null(check_protocol(PROTOCOLS));
	assert_null(check_litmus_nth(LITMUS));
	checker_free(x);
}

static void same(const char *what, uint64_t a, uint64_t b)
{
	if (!a != !b)
		fail_msg("%s: %lu with reduction, %lu without", what, a, b);
}

static void test_reduction(void **state)
{
	struct checker *por = checker_new(true, true, NULL);
	struct checker *all = checker_new(false, true, NULL);
	struct check_report p, a;

	for (unsigned int i = 0; i < PROTOCOLS; i++)
		for (int l = 0; l < LITMUS; l++) {
			run(por, expected[i].protocol, l, &p);
			run(all, expected[i].protocol, l, &a);
			assert_true(p.states <= a.states);
			assert_int_equal(p.worst, a.worst);
			same("lost", p.lost, a.lost);
			same("stranded", p.stranded, a.stranded);
			same("rescued", p.rescued, a.rescued);
			same("missed", p.missed, a.missed);
			same("delayed", p.delayed, a.delayed);
			same("misdirected", p.misdirected, a.misdirected);
			same("barged", p.barged, a.barged);
			same("useless", p.useless, a.useless);
			same("2M entry", p.made_2m, a.made_2m);
		}
	checker_free(por);
	checker_free(all);
}

/* L4: the lost wakeup of L1, but a later fault at the head wakes its victim. */
static void test_rescue(void **state)
{
	struct checker *x = checker_new(true, true, NULL);
	struct check_report r;

	run(x, "buggy", 3, &r);
	assert_int_equal(r.worst, CHECK_STRANDED);
	assert_true(r.stranded && r.rescued && !r.lost);
	run(x, "buggy", 0, &r);
	assert_int_equal(r.worst, CHECK_LOST);
	assert_true(r.stranded && !r.rescued && r.lost);
	run(x, "616", 3, &r);
	assert_false(r.stranded || r.rescued || r.lost);
	checker_free(x);
}

static void run_one(struct checker *x, const char *protocol, const char *ops,
		    enum check_table table, bool blocks, struct check_report *r)
{
	struct check_case c = {
		.protocol = protocol, .table = table, .blocks = blocks,
	};

	assert_true(check_parse_operations(&c, ops));
	assert_int_equal(checker_run(x, &c, r), 0);
}

/* An empty range: can a 2M entry ever be made? */
static void test_2m_made(void **state)
{
	struct checker *x = checker_new(true, false, NULL);
	struct check_report r;
	const char *name;

	for (unsigned int i = 0; (name = check_protocol(i)); i++) {
		bool never = !strcmp(name, "61c3") || !strcmp(name, "23c8");

		run_one(x, name, "M0", CHECK_EMPTY, false, &r);
		assert_int_equal(r.made_2m, !never);
	}
	checker_free(x);
}

/*
 * A scan waits for a locked entry and looks at it again, also when it deletes. One
 * that goes on behind it has used up a wake, too: the next who waits there is lost.
 */
static void test_scans(void **state)
{
	static const char *const scans[] = { "W1,S0", "W1,W2,B0", "W1,W1,S0" };
	struct checker *x = checker_new(true, true, NULL);
	struct check_report r;

	for (int i = 0; i < 3; i++) {
		run_one(x, "616", scans[i], CHECK_PAGES12, true, &r);
		assert_false(r.missed || r.lost);
		run_one(x, "615", scans[i], CHECK_PAGES12, true, &r);
		assert_true(r.missed);
		assert_int_equal(r.lost > 0, i == 2);
		run_one(x, "513", scans[i], CHECK_PAGES12, true, &r);
		assert_true(r.missed && !r.lost);
	}
	checker_free(x);
}

/* Alike operations may change places: many of them make few states more. */
static void test_symmetry(void **state)
{
	struct checker *x = checker_new(true, false, NULL);
	struct check_report same_page, other_pages;

	run_one(x, "616", "P1,P1,P1", CHECK_EMPTY, false, &same_page);
	run_one(x, "616", "P0,P1,P2", CHECK_EMPTY, false, &other_pages);
	/* Without folding the first has more: there they wait for each other. */
	assert_true(same_page.states < other_pages.states);
	checker_free(x);
}

/* What the two sides of 2019 said of each other, as far as states can say. */
static void test_waits(void **state)
{
	struct checker *x = checker_new(true, true, NULL);
	struct check_report conflict, converged;

	/* One queue for both sizes wakes those whose page is locked still. */
	run(x, "616", 10, &conflict);
	run(x, "dan-all", 10, &converged);
	assert_int_equal(conflict.misdirected, 0);
	assert_true(converged.misdirected > 0);
	checker_free(x);
}

static void test_errors(void **state)
{
	struct checker *x;
	struct check_report r;
	struct check_case c = { .protocol = "no such", .nr = 1, .op = { { 'P', 0 } } };
	volatile sig_atomic_t stop = 1;

	x = checker_new(true, true, &stop);
	assert_int_equal(checker_run(x, &c, &r), -EINVAL);
	c.protocol = "616";
	assert_int_equal(checker_run(x, &c, &r), -EINTR);
	stop = 0;
	assert_int_equal(checker_run(x, &c, &r), 0);
	checker_free(x);
	checker_free(NULL);
	assert_false(check_parse_operations(&c, ""));
	assert_false(check_parse_operations(&c, "P"));
	assert_false(check_parse_operations(&c, "P3"));
	assert_false(check_parse_operations(&c, "X1"));
	assert_false(check_parse_operations(&c, "P1,"));
	assert_false(check_parse_operations(&c, "P1 M0"));
	assert_false(check_parse_operations(&c, "P1,P1,P1,P1,P1,P1,P1,P1,P1"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_reduction),
		cmocka_unit_test(test_rescue),
		cmocka_unit_test(test_2m_made),
		cmocka_unit_test(test_scans),
		cmocka_unit_test(test_symmetry),
		cmocka_unit_test(test_waits),
		cmocka_unit_test(test_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
