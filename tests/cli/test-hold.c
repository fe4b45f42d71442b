/* SPDX-License-Identifier: BSD-3-Clause */
/* Hold times, and the choice of rules by a file's path. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/rules.h"
#include "dax/protocol.h"
#include "lib/path.h"

static const struct dax_protocol protocols[] = {
	{ .name = "616" }, { .name = "buggy" },
};

const struct dax_protocol *dax_protocol_find(const char *name)
{
	for (int i = 0; i < 2; i++)
		if (!strcmp(protocols[i].name, name))
			return &protocols[i];
	return NULL;
}

const struct dax_protocol *dax_protocol_nth(unsigned int i)
{
	return i < 2 ? &protocols[i] : NULL;
}

static struct hold h;
static char why[256];

static void parsed(const char *text)
{
	if (hold_parse(text, &h, why, sizeof(why)))
		fail_msg("%s: %s", text, why);
	assert_string_equal(h.text, text);
}

static void test_forms(void **state)
{
	parsed("alloc=50us,read=0,flush=10us");
	assert_null(h.glob);
	assert_int_equal(h.seed, 1);
	assert_int_equal(h.time[HOLD_ALLOC].shape, DIST_CONSTANT);
	assert_int_equal(h.time[HOLD_ALLOC].ns, 50000);
	assert_int_equal(h.time[HOLD_READ].ns, 0);
	assert_int_equal(h.time[HOLD_FLUSH].ns, 10000);
	hold_free(&h);

	parsed("read=10us-1ms,seed=18446744073709551615");
	assert_int_equal(h.time[HOLD_READ].shape, DIST_UNIFORM);
	assert_int_equal(h.time[HOLD_READ].ns, 10000);
	assert_int_equal(h.time[HOLD_READ].max, 1000000);
	assert_int_equal(h.time[HOLD_ALLOC].ns, 0);
	assert_true(h.seed == UINT64_MAX);
	hold_free(&h);

	parsed("alloc=gate,read=1us");
	assert_int_equal(h.gates, 1 << HOLD_ALLOC);
	assert_int_equal(h.time[HOLD_READ].ns, 1000);
	hold_free(&h);

	parsed("*.db:alloc=exp:5us,flush=lognorm:50us:0.5");
	assert_string_equal(h.glob, "*.db");
	assert_int_equal(h.time[HOLD_ALLOC].shape, DIST_EXP);
	assert_int_equal(h.time[HOLD_ALLOC].ns, 5000);
	assert_int_equal(h.time[HOLD_FLUSH].shape, DIST_LOGNORM);
	assert_true(h.time[HOLD_FLUSH].sigma == 0.5);
	hold_free(&h);
}

/* Names may have in them what the grammar is made of. */
static void test_globs(void **state)
{
	static const char *const rows[][2] = {
		{ "a:alloc=1us", "a" }, { "a=b:read=1us", "a=b" },
		{ "a:b:flush=1us", "a:b" }, { "a,b:seed=3", "a,b" },
		{ "alloc=1:alloc=1us", "alloc=1" }, { "/a/*:alloc=1us", "/a/*" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		parsed(rows[i][0]);
		assert_non_null(h.glob);
		assert_string_equal(h.glob, rows[i][1]);
		hold_free(&h);
	}
}

static void test_refused(void **state)
{
	static const char *const rows[] = {
		"", "alloc", "alloc=", "alloc=5", "alloc=-5us", "alloc=5parsecs",
		"alloc=5us,", "alloc=5us,alloc=6us", "write=5us", "seed=x",
		"alloc=61s", "alloc=5us-", "alloc=9us-5us", "alloc=-", ":read=1us",
		"alloc=norm:5us", "alloc=gate:5us", "alloc=exp:", "alloc=exp:x", "alloc=lognorm:5us",
		"alloc=lognorm:5us:", "alloc=lognorm:5us:-1",
		"alloc=lognorm:5us:inf", "alloc=lognorm:5us:0x1",
		"alloc=lognorm:5us:1.2.3", "alloc=lognorm:5us:9",
		"f:alloc=lognorm:x:1", "f:", "f:g",
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		why[0] = '\0';
		if (!hold_parse(rows[i], &h, why, sizeof(why)))
			fail_msg("'%s' was taken", rows[i]);
		assert_true(*why);
		assert_null(h.text);
	}
}

#define DRAWS 20000

static double mean_of(enum hold_kind kind, double *median)
{
	double sum = 0, below = 0;

	for (uint64_t i = 0; i < DRAWS; i++) {
		uint64_t ns = hold_draw(&h, kind, i);

		sum += ns;
		below += ns < *median;
	}
	*median = below / DRAWS;
	return sum / DRAWS;
}

/* The seed is fixed, so the numbers are: no run is unlucky. */
static void test_draws(void **state)
{
	uint64_t min = UINT64_MAX, max = 0;
	double below = 1e6, mean;

	parsed("alloc=1us-3us,read=exp:1ms,flush=lognorm:1ms:0.5,seed=7");
	for (uint64_t i = 0; i < DRAWS; i++) {
		uint64_t ns = hold_draw(&h, HOLD_ALLOC, i);

		assert_true(ns >= 1000 && ns <= 3000);
		min = ns < min ? ns : min;
		max = ns > max ? ns : max;
		assert_true(hold_draw(&h, HOLD_ALLOC, i) == ns);
	}
	assert_int_equal(min, 1000);
	assert_int_equal(max, 3000);
	mean = mean_of(HOLD_READ, &below);
	assert_true(fabs(mean / 1e6 - 1) < 0.03);
	assert_true(fabs(below - (1 - exp(-1))) < 0.02);
	below = 1e6;
	mean = mean_of(HOLD_FLUSH, &below);
	assert_true(fabs(mean / (1e6 * exp(0.125)) - 1) < 0.03);
	assert_true(fabs(below - 0.5) < 0.02);
	hold_free(&h);

	parsed("alloc=42us,read=exp:60s,seed=1");
	assert_int_equal(hold_draw(&h, HOLD_ALLOC, 0), 42000);
	for (uint64_t i = 0; i < DRAWS; i++)
		assert_true(hold_draw(&h, HOLD_READ, i) <= DIST_MAX_NS);
	hold_free(&h);
}

static void test_seeds_differ(void **state)
{
	uint64_t first[2];

	parsed("alloc=exp:1ms,read=exp:1ms,seed=1");
	first[0] = hold_draw(&h, HOLD_ALLOC, 0);
	first[1] = hold_draw(&h, HOLD_READ, 0);
	assert_true(first[0] != first[1]);
	assert_true(hold_draw(&h, HOLD_ALLOC, 1) != first[0]);
	hold_free(&h);
	parsed("alloc=exp:1ms,seed=2");
	assert_true(hold_draw(&h, HOLD_ALLOC, 0) != first[0]);
	hold_free(&h);
}

static void test_path_matches(void **state)
{
	assert_true(path_matches("f", "/a/b/f"));
	assert_true(path_matches("*.db", "/a/b.db"));
	assert_true(path_matches("/a/*", "/a/b/c"));
	assert_true(path_matches("*/b/*", "/a/b/c"));
	assert_true(path_matches("f", "f"));
	assert_false(path_matches("b", "/a/b/f"));
	assert_false(path_matches("/b/*", "/a/b/f"));
	assert_false(path_matches("F", "/a/f"));
}

static void test_last_rule_counts(void **state)
{
	struct hold_rules *rules = NULL;

	assert_null(hold_rules_find(rules, "/a/f"));
	assert_int_equal(hold_rules_add(&rules, "alloc=1us", why, sizeof(why)), 0);
	assert_int_equal(hold_rules_add(&rules, "f:read=2us", why, sizeof(why)), 0);
	assert_int_not_equal(hold_rules_add(&rules, "g:read", why, sizeof(why)), 0);
	assert_int_equal(rules->nr, 2);
	assert_string_equal(hold_rules_find(rules, "/a/g")->text, "alloc=1us");
	assert_string_equal(hold_rules_find(rules, "/a/f")->text, "f:read=2us");
	assert_int_equal(hold_rules_find(rules, "/a/f")->time[HOLD_ALLOC].ns, 0);
	hold_rules_free(rules);
	rules = NULL;
	assert_int_equal(hold_rules_add(&rules, "f:read=2us", why, sizeof(why)), 0);
	assert_null(hold_rules_find(rules, "/a/g"));
	hold_rules_free(rules);
}

static void test_protocols(void **state)
{
	struct protocol_rules rules = { .normal = &protocols[0] };

	assert_int_equal(protocol_rules_add(&rules, "a:b:buggy", why, sizeof(why)), 0);
	assert_ptr_equal(protocol_rules_find(&rules, "/x/a:b"), &protocols[1]);
	assert_ptr_equal(protocol_rules_find(&rules, "/x/a"), &protocols[0]);
	assert_int_equal(protocol_rules_add(&rules, "buggy", why, sizeof(why)), 0);
	assert_ptr_equal(protocol_rules_find(&rules, "/x/a"), &protocols[1]);
	assert_int_equal(protocol_rules_add(&rules, "*:616", why, sizeof(why)), 0);
	assert_ptr_equal(protocol_rules_find(&rules, "/x/a:b"), &protocols[0]);
	assert_int_not_equal(protocol_rules_add(&rules, "f:none", why, sizeof(why)), 0);
	assert_non_null(strstr(why, "616 buggy"));
	assert_int_not_equal(protocol_rules_add(&rules, ":616", why, sizeof(why)), 0);
	protocol_rules_free(&rules);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_globs),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_draws),
		cmocka_unit_test(test_seeds_differ),
		cmocka_unit_test(test_path_matches),
		cmocka_unit_test(test_last_rule_counts),
		cmocka_unit_test(test_protocols),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
