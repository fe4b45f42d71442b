/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Loads small enough to be worked out by hand. Steps cost nothing here unless a
 * test says so: all time is the medium's, 50 us a fault.
 */
#include "unit.h"
#include "mm/sim.h"

#define H 50000UL

static struct sim_config quiet(unsigned int tasks, uint64_t faults)
{
	struct sim_config c;

	sim_config_init(&c);
	memset(c.cost, 0, sizeof(c.cost));
	c.cpus = 8;
	c.tasks = tasks;
	c.faults = faults;
	c.think = (struct dist){ 0 };
	c.windows = 1;
	c.pages = 1;
	c.pmd = 0;
	c.write = 0;
	c.renew = 0;
	for (int i = 0; i < HOLD_NR; i++)
		c.hold.time[i].ns = H;
	return c;
}

static void run(const struct sim_config *c, const char *protocol,
		struct sim_result *r)
{
	const struct dax_protocol *proto = dax_protocol_find(protocol);

	assert_non_null(proto);
	assert_int_equal(sim_run(c, proto, r), 0);
}

static uint64_t largest(const struct sim_samples *s)
{
	return sim_samples_quantile(s, 1000);
}

/*
 * One after another on one page: the second stalls as long as the first holds.
 * Not where the extent is looked up before the entry is locked, or where faults
 * exclude each other before that.
 */
static void test_two_on_a_page(void **state)
{
	struct sim_config c = quiet(2, 2);
	const struct dax_protocol *p;

	for (unsigned int i = 0; (p = dax_protocol_nth(i)); i++) {
		struct sim_result r;

		run(&c, p->name, &r);
		assert_int_equal(r.faults, 2);
		assert_int_equal(r.lost, 0);
		if (p->iomap_before_lock || p->giant_lock) {
			assert_int_equal(r.end, p->giant_lock ? 2 * H : H);
			assert_true(r.stats.waits <= !p->giant_lock);
			sim_result_free(&r);
			continue;
		}
		assert_int_equal(r.end, 2 * H);
		assert_int_equal(r.stall[SIM_PTE_ON_PTE].nr, 1);
		assert_int_equal(r.stall[SIM_PTE_ON_PTE].sum, H);
		assert_int_equal(r.latency[SIM_PTE].sum, H + 2 * H);
		assert_int_equal(r.stats.waits, 1);
		assert_int_equal(r.stats.wakes_next + r.stats.wakes_all, 1);
		assert_int_equal(r.stats.misdirected + r.stats.barged +
				 r.stats.useless, 0);
		assert_int_equal(r.late.sum, 0);
		assert_int_equal(r.held, 2 * H);
		assert_int_equal(r.lost, 0);
		sim_result_free(&r);
	}
}

/* As above, with costs: each shows up where it belongs. */
static void test_costs(void **state)
{
	struct sim_config c = quiet(2, 2);
	struct sim_result r;

	c.cost[SIM_COST_entry] = 1000;
	c.cost[SIM_COST_lookup] = 100;
	c.cost[SIM_COST_insert] = 30;
	c.cost[SIM_COST_map] = 40;
	c.cost[SIM_COST_unlock] = 20;
	c.cost[SIM_COST_wake] = 500;
	c.cost[SIM_COST_scan] = 7;
	c.cost[SIM_COST_run] = 2000;
	c.cost[SIM_COST_exit] = 10;
	run(&c, "616", &r);
	/*
	 * Both look up at 1000, one at a time: the first holds from 1000 on, the
	 * second sleeps from 1100 on. The first is through with its lookup at 1100,
	 * runs again 2000 after its hold, inserts and maps (70), unlocks (20), and
	 * wakes at 1100 + H + 2090; the second runs 7 + 500 + 2000 later.
	 */
	assert_int_equal(r.stall[SIM_PTE_ON_PTE].sum,
			 H + 2090 + 7 + 500 + 2000);
	/* Free from when the unlocked entry was stored: the section's 20. */
	assert_int_equal(r.late.sum, 20);
	assert_int_equal(r.spun, 100);
	/* Awake at 1100 + stall; it then goes the first one's way. */
	assert_int_equal(largest(&r.latency[SIM_PTE]),
			 1100 + r.stall[SIM_PTE_ON_PTE].sum + 100 + H + 2090 +
			 10);
	sim_result_free(&r);
}

/* Three on a page: the second and the third wait H and 2 H. */
static void test_queue(void **state)
{
	struct sim_config c = quiet(3, 3);
	struct sim_result r;

	run(&c, "dan-all", &r);
	assert_int_equal(r.stall[SIM_PTE_ON_PTE].nr, 2);
	assert_int_equal(r.stall[SIM_PTE_ON_PTE].sum, 3 * H);
	assert_int_equal(largest(&r.stall[SIM_PTE_ON_PTE]), 2 * H);
	assert_int_equal(r.end, 3 * H);
	sim_result_free(&r);
}

/* One CPU, and a medium that needs it: faults of different pages are a queue. */
static void test_spin(void **state)
{
	struct sim_config c = quiet(2, 2);
	struct sim_result r;

	c.cpus = 1;
	c.pages = 512;
	c.quantum = 0;
	run(&c, "616", &r);
	assert_int_equal(r.end, H);
	sim_result_free(&r);

	c.spin = true;
	run(&c, "616", &r);
	assert_int_equal(r.end, 2 * H);
	assert_int_equal(r.busy, 2 * H);
	assert_int_equal(r.stats.waits, 0);
	sim_result_free(&r);
}

/*
 * The end of a hold that a CPU waits for: of two holds at a time on one CPU the
 * second is over when the CPU is free again, at its time.
 */
static void test_spun_end(void **state)
{
	struct sim_config c = quiet(2, 2);
	struct sim_result r;

	c.cpus = 1;
	c.pages = 512;
	c.quantum = 0;
	c.cost[SIM_COST_spin] = 20000;
	run(&c, "616", &r);
	assert_int_equal(r.end, H);
	assert_int_equal(r.busy, 20000);
	sim_result_free(&r);

	/* Shorter than that: nothing but spun. */
	c.cost[SIM_COST_spin] = H;
	run(&c, "616", &r);
	assert_int_equal(r.end, 2 * H);
	assert_int_equal(r.busy, 2 * H);
	sim_result_free(&r);
}

/*
 * One CPU, two tasks, one page, and no time to think. A task that serves itself
 * keeps its CPU and takes the page again before the one that it woke gets there;
 * a served one stands behind it.
 */
static void test_served(void **state)
{
	struct sim_config c = quiet(2, 1000);
	struct sim_result r;

	c.cpus = 1;
	c.quantum = 0;
	run(&c, "616", &r);
	assert_true(r.stats.barged > 400);
	assert_true(largest(&r.stall[SIM_PTE_ON_PTE]) > 100 * H);
	sim_result_free(&r);

	c.served = true;
	run(&c, "616", &r);
	assert_int_equal(r.stats.barged, 0);
	assert_int_equal(largest(&r.stall[SIM_PTE_ON_PTE]), H);
	sim_result_free(&r);
}

/* Round robin: two tasks that compute 10 us share a CPU by the microsecond. */
static void test_quantum(void **state)
{
	struct sim_config c = quiet(2, 2);
	struct sim_result r;

	c.cpus = 1;
	memset(c.hold.time, 0, sizeof(c.hold.time));
	c.work.ns = 10000;
	c.quantum = 0;
	run(&c, "616", &r);
	assert_int_equal(r.end, 20000);
	assert_int_equal(r.start, 0);
	sim_result_free(&r);

	c.quantum = 1000;
	c.cost[SIM_COST_switch] = 100;
	run(&c, "616", &r);
	/* The first is dispatched, then one switch after each slice but the last. */
	assert_int_equal(r.end, 20000 + 20 * 100);
	sim_result_free(&r);
}

/*
 * A 2M fault and a page that is held: who waits, stalls the rest of the hold and
 * falls back all the same; who does not, falls back at once.
 */
static struct sim_config conflict(void)
{
	struct sim_config c = quiet(1, 1);

	c.pages = 512;
	c.pmd = 1;
	c.write = 1;
	c.conflict = 1;
	return c;
}

static void test_conflict(void **state)
{
	struct sim_config c = conflict();
	struct sim_result dan, jan, now;
	uint64_t stall;

	run(&c, "616", &now);
	assert_int_equal(now.faults, 2);	/* the partner's too */
	assert_int_equal(now.conflicts_arranged, 1);
	assert_int_equal(now.fallback[DAX_FALLBACK_CONFLICT], 1);
	assert_int_equal(now.stats.waits, 0);
	assert_int_equal(now.latency[SIM_PMD].sum, H);

	run(&c, "dan-all", &dan);
	stall = dan.stall[SIM_PMD_ON_PTE].sum;
	assert_int_equal(dan.stall[SIM_PMD_ON_PTE].nr, 1);
	assert_true(stall > 0 && stall <= H);
	assert_int_equal(dan.latency[SIM_PMD].sum, stall + H);
	assert_int_equal(dan.pmd_waits_pte, 1);
	assert_int_equal(dan.pmd_useful, 0);
	assert_int_equal(dan.stats.useless, 1);
	assert_int_equal(dan.fallback[DAX_FALLBACK_CONFLICT], 1);

	/* The same moment, drawn by the request's number. */
	run(&c, "jan-nx-all", &jan);
	assert_int_equal(jan.stall[SIM_PMD_ON_PTE].sum, stall);
	assert_int_equal(jan.latency[SIM_PMD].sum, stall + H);
	sim_result_free(&dan);
	sim_result_free(&jan);
	sim_result_free(&now);
}

/* The residual time of a hold is uniform; a part of 2M faults meets one. */
static void test_conflict_part(void **state)
{
	struct sim_config c = conflict();
	struct sim_result r;
	uint64_t mean;

	c.faults = 20000;
	c.conflict = 0.3;
	run(&c, "dan-all", &r);
	assert_true(r.conflicts_arranged > 5700 && r.conflicts_arranged < 6300);
	assert_int_equal(r.stall[SIM_PMD_ON_PTE].nr, r.conflicts_arranged);
	mean = r.stall[SIM_PMD_ON_PTE].sum / r.stall[SIM_PMD_ON_PTE].nr;
	assert_true(mean > H * 48 / 100 && mean < H * 52 / 100);
	/* Who meets nobody gets 2M. */
	assert_int_equal(r.mapped_pmd, 20000 - r.conflicts_arranged);
	assert_int_equal(r.mapped_pte, 2 * r.conflicts_arranged);
	sim_result_free(&r);
}

/* 2018's bug: nobody wakes the 2M fault. */
static void test_lost(void **state)
{
	struct sim_config c = conflict();
	struct sim_result r;

	run(&c, "buggy", &r);
	assert_int_equal(r.lost, 1);
	assert_int_equal(r.lost_faults, 1);
	assert_int_equal(r.stats.stranded, 1);
	assert_int_equal(r.stats.rescued, 0);
	assert_int_equal(r.faults, 1);
	sim_result_free(&r);

	c.kick = true;
	c.kick_after = 7000;
	run(&c, "buggy", &r);
	assert_int_equal(r.lost, 0);
	/* Kicked, it sees the page locked still, and sleeps again. */
	assert_int_equal(r.kicked, r.stats.stranded);
	assert_true(r.kicked >= 1 && r.kicked <= 1 + H / 7000);
	assert_int_equal(r.faults, 2);
	sim_result_free(&r);
}

/*
 * Requests are the same for all, whatever they meet: an open loop's arrivals at
 * a server that is never busy are counted by the same clock.
 */
static void test_common_numbers(void **state)
{
	struct sim_config c = quiet(64, 5000);
	struct sim_result a, b;

	c.arrivals = SIM_POISSON;
	c.rate = 100000;
	c.windows = 64;
	c.pages = 512;
	c.pmd = 0.3;
	c.write = 0.5;
	run(&c, "616", &a);
	run(&c, "dan-all", &b);
	assert_int_equal(a.faults, 5000);
	assert_int_equal(a.start, b.start);
	assert_int_equal(a.pmd, b.pmd);
	assert_int_equal(a.writes, b.writes);
	/* 5000 at 100000 a second: 50 ms, give or take. */
	assert_true(a.end > 45000000 && a.end < 55000000);
	sim_result_free(&a);
	sim_result_free(&b);
}

/* A queue with one server, exponential times: waiting is known in the mean. */
static void test_mm1(void **state)
{
	struct sim_config c = quiet(1, 200000);
	struct sim_result r;
	double mean;

	c.arrivals = SIM_POISSON;
	c.rate = 10000;			/* rho = 0.5 */
	c.hold.time[HOLD_READ] = (struct dist){ .shape = DIST_EXP, .ns = H };
	run(&c, "616", &r);
	mean = (double)r.latency[SIM_PTE].sum / r.latency[SIM_PTE].nr;
	assert_true(mean > 0.97 * 2 * H && mean < 1.03 * 2 * H);
	/* The median of an exponential time of that mean. */
	assert_true(sim_samples_quantile(&r.latency[SIM_PTE], 500) >
		    0.97 * 0.6931 * 2 * H);
	assert_true(sim_samples_quantile(&r.latency[SIM_PTE], 500) <
		    1.03 * 0.6931 * 2 * H);
	sim_result_free(&r);
}

static void test_warmup(void **state)
{
	struct sim_config c = quiet(1, 10);
	struct sim_result r;

	c.warmup = 5;
	run(&c, "616", &r);
	assert_int_equal(r.faults, 10);
	assert_int_equal(r.start, 5 * H);
	assert_int_equal(r.end, 15 * H);
	assert_int_equal(r.latency[SIM_PTE].nr, 10);
	sim_result_free(&r);

	c.warmup = c.faults = 0;
	c.time = 20 * H;
	run(&c, "616", &r);
	assert_int_equal(r.faults, 20);
	sim_result_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_two_on_a_page),
		cmocka_unit_test(test_costs),
		cmocka_unit_test(test_queue),
		cmocka_unit_test(test_spin),
		cmocka_unit_test(test_spun_end),
		cmocka_unit_test(test_served),
		cmocka_unit_test(test_quantum),
		cmocka_unit_test(test_conflict),
		cmocka_unit_test(test_conflict_part),
		cmocka_unit_test(test_lost),
		cmocka_unit_test(test_common_numbers),
		cmocka_unit_test(test_mm1),
		cmocka_unit_test(test_warmup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
