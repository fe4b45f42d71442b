/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Long random runs agree with the checker: rows that it has proven safe lose
 * nobody and strand nobody, those that it found losing do lose, and who is lost
 * has been found stranded.
 */
#include "unit.h"
#include "mm/sim.h"

/* Every kind of operation, few pages, so that they meet. */
static void load(struct sim_config *c, uint64_t seed)
{
	sim_config_init(c);
	c->seed = seed;
	c->cpus = 4;
	c->tasks = 24;
	c->windows = 2;
	c->pages = 4;
	c->pmd = 0.4;
	c->renew = 12;
	c->think = (struct dist){ .shape = DIST_EXP, .ns = 20000 };
	c->invalidates = 60000;
	c->writebacks = 5000;
	for (int i = 0; i < HOLD_NR; i++)
		c->hold.time[i] = (struct dist){ .shape = DIST_EXP, .ns = 20000 };
	c->faults = 20000;
}

static void run(const char *protocol, uint64_t seed, struct sim_result *r)
{
	struct sim_config c;

	load(&c, seed);
	assert_int_equal(sim_run(&c, dax_protocol_find(protocol), r), 0);
}

static void test_safe(void **state)
{
	static const char *const safe[] = {
		"616", "615", "513", "61", "dan-all", "dan-conflict", "jan-nx-all",
	};

	for (size_t i = 0; i < sizeof(safe) / sizeof(safe[0]); i++)
		for (uint64_t seed = 1; seed <= 2; seed++) {
			struct sim_result r;

			run(safe[i], seed, &r);
			if (r.lost || r.stats.stranded || r.faults != 20000)
				fail_msg("%s, seed %lu: %lu lost, %lu stranded, %lu faults",
					 safe[i], seed, r.lost, r.stats.stranded,
					 r.faults);
			/* The load is one that tells protocols apart. */
			assert_true(r.stats.wakes_all > 100);
			assert_true(r.stats.downgrades > 100);
			assert_true(r.invalidates > 1000 && r.writebacks > 100);
			sim_result_free(&r);
		}
}

static void test_losing(void **state)
{
	static const char *const losing[] = {
		"buggy", "jan-idx", "6370", "61c3", "23c8", "willy-v1", "jan-nx",
		"radix", "dan",
	};

	for (size_t i = 0; i < sizeof(losing) / sizeof(losing[0]); i++) {
		uint64_t lost = 0;

		for (uint64_t seed = 1; seed <= 3; seed++) {
			struct sim_result r;

			run(losing[i], seed, &r);
			lost += r.lost;
			if (r.lost + r.stats.rescued > r.stats.stranded)
				fail_msg("%s, seed %lu: %lu lost and %lu rescued of %lu",
					 losing[i], seed, r.lost, r.stats.rescued,
					 r.stats.stranded);
			sim_result_free(&r);
		}
		if (!lost)
			fail_msg("%s lost nobody", losing[i]);
	}
}

/* By page faults alone, the bug of 2018 loses; the 2021 one needs removals. */
static void test_faults_alone(void **state)
{
	static const struct {
		const char *name;
		bool loses;
	} rows[] = {
		{ "buggy", true }, { "jan-idx", true }, { "6370", false },
		{ "dan", false }, { "616", false },
	};
	struct sim_config c;

	load(&c, 5);
	c.invalidates = c.writebacks = 0;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sim_result r;

		assert_int_equal(sim_run(&c, dax_protocol_find(rows[i].name), &r), 0);
		if (rows[i].loses != (r.lost != 0))
			fail_msg("%s: %lu lost", rows[i].name, r.lost);
		sim_result_free(&r);
	}
}

/* Kicked, everybody comes to an end. */
static void test_kick(void **state)
{
	struct sim_config c;
	struct sim_result r;

	load(&c, 1);
	c.kick = true;
	c.kick_after = 100000;
	assert_int_equal(sim_run(&c, dax_protocol_find("buggy"), &r), 0);
	assert_true(r.kicked > 0);
	assert_int_equal(r.lost, 0);
	assert_int_equal(r.faults, 20000);
	sim_result_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_safe),
		cmocka_unit_test(test_losing),
		cmocka_unit_test(test_faults_alone),
		cmocka_unit_test(test_kick),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
