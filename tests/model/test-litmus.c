/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The litmus tests: which protocol can lose a wakeup, and in which of these
 * races. Each cell is every interleaving of the tasks; "hang" is a reachable
 * state with a sleeper in which nobody is runnable. Faults read holes, so that
 * invalidations find clean entries.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "explore.h"

#define LITMUS 12

static const struct {
	enum explore_table table;
	const char *tasks;
} litmus[LITMUS] = {
	{ TABLE_EMPTY, "P1 M0" },		/* L1: the lost wakeup of 4.20 */
	{ TABLE_EMPTY, "P0 M0" },		/* L2: at the head, no loss */
	{ TABLE_REAL_PTE0, "P1 M0" },		/* L3: the first entry is unlocked */
	{ TABLE_EMPTY, "P1 M0 P0" },		/* L4: L1, rescued */
	{ TABLE_EMPTY, "P1 M0 M1 M2" },		/* L5 */
	{ TABLE_EMPTY, "P1 I1 I1 I1" },		/* L6: the lost wakeup of 2021 */
	{ TABLE_EMPTY, "P1 P1 I1 I1" },		/* L7 */
	{ TABLE_REAL_PMD, "W0 I0 P1 P2" },	/* L8 */
	{ TABLE_ZERO_PMD, "M0 P1 M0 M2" },	/* L9 */
	{ TABLE_ZERO_PMD, "M0 I0 P1 M2" },	/* L10 */
	{ TABLE_EMPTY, "P1 P2 P1 P2" },		/* L11 */
	{ TABLE_EMPTY, "P1 P1 M2 P0" },		/* L12: why Jan's rule was unsafe */
};

/* 'H' hangs, in the order L1 to L12. */
static const struct {
	const char *protocol, *hangs;
} expected[] = {
	{ "616",	"............" },
	{ "615",	"............" },
	{ "513",	"............" },
	{ "61",		"............" },
	{ "6370",	".....HHH.H.." },
	{ "61c3",	".....HHH.H.." },
	{ "23c8",	".....HHH.H.." },
	{ "willy-v1",	".....HHH.H.." },
	{ "dan",	".....HHH...." },
	{ "dan-all",	"............" },
	{ "dan-conflict", "............" },
	{ "jan-idx",	"....HHHHHH.H" },
	{ "jan-nx",	".....HHH.H.." },
	{ "jan-nx-all",	"............" },
	{ "buggy",	"H...HHHHHH.." },
	{ "radix",	".....HHH.H.." },
	{ "nomem",	".....HHH.H.." },
	{ "411",	".......H.H.." },
	{ "410",	".......H.H.." },
	{ "47",		"H..HHHHHHH.H" },
	{ "giant",	"............" },
};

static void test_table(void **state)
{
	for (unsigned int i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		const struct dax_protocol *p = dax_protocol_find(expected[i].protocol);
		char hangs[LITMUS + 1] = "";
		struct explore_result r;

		assert_non_null(p);
		for (int l = 0; l < LITMUS; l++) {
			/* An invalidation keeps what a read has dirtied. */
			explore(p, litmus[l].table, litmus[l].tasks, true, &r);
			hangs[l] = r.hang ? 'H' : '.';
			if (r.hang != (strlen(r.schedule) > 0))
				fail_msg("%s L%d: schedule", p->name, l + 1);
			/* Who is lost was stranded; a safe protocol strands nobody. */
			if (r.hang && !r.stranded)
				fail_msg("%s L%d: lost, not stranded", p->name, l + 1);
			if (r.stranded && !strchr(expected[i].hangs, 'H'))
				fail_msg("%s L%d: stranded", p->name, l + 1);
		}
		print_message("%-12s %s\n", p->name, hangs);
		if (strcmp(hangs, expected[i].hangs))
			fail_msg("%s: %s, expected %s", p->name, hangs,
				 expected[i].hangs);
	}
	assert_null(dax_protocol_nth(sizeof(expected) / sizeof(expected[0])));
}

/* L4: the lost wakeup of L1, but a later fault at the head wakes its victim. */
static void test_rescue(void **state)
{
	struct explore_result r;

	explore(dax_protocol_find("buggy"), TABLE_EMPTY, "P1 M0 P0", true, &r);
	assert_false(r.hang);
	assert_true(r.stranded && r.rescued);
	explore(dax_protocol_find("buggy"), TABLE_EMPTY, "P1 M0", true, &r);
	assert_true(r.hang && r.stranded);
	assert_false(r.rescued);
	explore(dax_protocol_find("616"), TABLE_EMPTY, "P1 M0 P0", true, &r);
	assert_false(r.hang || r.stranded || r.rescued);
}

/* With blocks behind the file: 2M entries become real ones. */
static void test_today_with_blocks(void **state)
{
	struct explore_result r;

	for (int l = 0; l < LITMUS; l++) {
		explore(dax_protocol_find("616"), litmus[l].table,
			litmus[l].tasks, false, &r);
		if (r.hang)
			fail_msg("616 L%d: hangs by %s", l + 1, r.schedule);
	}
}

/* An empty range: can a 2M entry ever be created? */
static void test_pmd_created(void **state)
{
	const struct dax_protocol *p;
	struct explore_result r;

	for (unsigned int i = 0; (p = dax_protocol_nth(i)); i++) {
		explore(p, TABLE_EMPTY, "M0", true, &r);
		assert_int_equal(r.pmd, !p->null_is_conflict);
	}
}

/* L13: a scan visits every entry that stays, also one that was locked. */
static void test_scan(void **state)
{
	static const char *const bad[] = { "615", "513", "61", "6370", "radix" };
	static const char *const scans[] = { "W1 B0", "W1 S0", "W1 W2 B0" };
	struct explore_result r;

	for (int s = 0; s < 3; s++) {
		explore(dax_protocol_find("616"), TABLE_REAL_PTE12, scans[s],
			false, &r);
		if (r.missed || r.hang)
			fail_msg("616 %s: by %s", scans[s], r.schedule);
		for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
			explore(dax_protocol_find(bad[i]), TABLE_REAL_PTE12,
				scans[s], false, &r);
			assert_true(r.missed);
			assert_false(r.hang);
		}
	}
}

/* What the two sides of 2019 said of each other, as far as a table can say. */
static void test_waits(void **state)
{
	struct explore_result conflict, dan;

	/* A 2M fault beside a page fault: one waits, the other falls back. */
	explore(dax_protocol_find("616"), TABLE_REAL_PTE1, "W1 M0", true, &conflict);
	explore(dax_protocol_find("dan-all"), TABLE_REAL_PTE1, "W1 M0", true, &dan);
	assert_int_equal(conflict.waits, 0);
	assert_true(dan.waits > 0);
	/* One queue for both sizes wakes those whose page is locked still. */
	explore(dax_protocol_find("616"), TABLE_EMPTY, "P1 P2 P1 P2", true, &conflict);
	explore(dax_protocol_find("dan-all"), TABLE_EMPTY, "P1 P2 P1 P2", true, &dan);
	assert_int_equal(conflict.misdirected, 0);
	assert_true(dan.misdirected > 0);
}

/* Every three operations of eight, from every table: none hangs today. */
static void test_exhaustive(void **state)
{
	static const char *const ops[] = {
		"P0", "P1", "P2", "M0", "M2", "I0", "I1", "W1",
	};
	static const char *const safe[] = { "616", "513", "dan-all", "jan-nx-all" };
	struct explore_result r;
	char tasks[16];

	for (int t = TABLE_EMPTY; t <= TABLE_REAL_PTE1; t++)
		for (int n = 0; n < 8 * 8 * 8; n++) {
			int a = n / 64, b = n / 8 % 8, c = n % 8;

			if (a > b || b > c || t == TABLE_REAL_PTE0)
				continue;
			strcpy(tasks, ops[a]);
			strcat(strcat(tasks, " "), ops[b]);
			strcat(strcat(tasks, " "), ops[c]);
			for (int p = 0; p < 4; p++) {
				explore(dax_protocol_find(safe[p]), t, tasks, true, &r);
				if (r.hang)
					fail_msg("%s, table %d, %s: by %s",
						 safe[p], t, tasks, r.schedule);
			}
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_rescue),
		cmocka_unit_test(test_today_with_blocks),
		cmocka_unit_test(test_pmd_created),
		cmocka_unit_test(test_scan),
		cmocka_unit_test(test_waits),
		cmocka_unit_test(test_exhaustive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
