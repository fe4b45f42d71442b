/* SPDX-License-Identifier: BSD-3-Clause */
/* Who reads a session's faults, on a machine with eight CPUs that need not be there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/session.h"

#define CPUS 8
/* More than enough looks for whoever is to leave. */
#define MANY 10

static struct exec execs[CPUS];
static struct worker worker[CPUS], *workers[CPUS];
static struct reader readers[CPUS];
static struct udaxd d = { .workers = workers, .nr_workers = CPUS };
static struct session s = { .d = &d, .readers = readers };
static unsigned int references;

void session_get(struct session *session)
{
	references++;
}

void session_put(struct session *session)
{
	references--;
}

void worker_poll_uffd(struct reader *r)
{
	assert_int_equal(r->state, READER_ON);
}

void worker_unpoll_uffd(struct reader *r)
{
	assert_int_equal(r->state, READER_LEAVING);
}

static void start(void)
{
	memset(readers, 0, sizeof(readers));
	references = 0;
	atomic_store(&s.state, SESSION_LIVE);
	for (unsigned int i = 0; i < CPUS; i++) {
		execs[i].id = i;
		worker[i].x = &execs[i];
		worker[i].cpu = i;
		workers[i] = &worker[i];
	}
}

/* The workers that were told to leave have done so. */
static void all_gone(void)
{
	for (unsigned int i = 0; i < CPUS; i++)
		if (readers[i].state == READER_LEAVING)
			reader_gone(&readers[i]);
}

static void see(unsigned int cpu, unsigned int times)
{
	while (times--)
		readers_seen(&s, workers[cpu]);
}

static unsigned int nr_readers(void)
{
	unsigned int cpus[READERS_MAX];

	return readers_cpus(&s, cpus);
}

static void follows_one_thread(void **state)
{
	start();
	for (unsigned int cpu = 0; cpu < CPUS; cpu++) {
		see(cpu, MANY);
		assert_int_equal(readers[cpu].state, READER_ON);
		assert_int_equal(nr_readers(), 1);
		all_gone();
		assert_true(readers_single(&s));
		assert_int_equal(references, 1);
	}
	/* Nothing is left to change. */
	assert_false(readers_seen(&s, workers[CPUS - 1]));
}

static void one_for_each_of_two(void **state)
{
	start();
	for (unsigned int i = 0; i < MANY; i++) {
		see(2, 1);
		see(5, 1);
	}
	assert_int_equal(readers[2].state, READER_ON);
	assert_int_equal(readers[5].state, READER_ON);
	assert_int_equal(nr_readers(), 2);
	assert_false(readers_single(&s));
}

/* More CPUs than readers: the room goes to those that are seen now. */
static void makes_room(void **state)
{
	start();
	for (unsigned int cpu = 0; cpu < READERS_MAX; cpu++)
		see(cpu, 1);
	assert_int_equal(nr_readers(), READERS_MAX);
	for (unsigned int i = 0; i < MANY; i++) {
		see(6, 1);
		see(7, 1);
		all_gone();
	}
	assert_int_equal(readers[6].state, READER_ON);
	assert_int_equal(readers[7].state, READER_ON);
	assert_int_equal(nr_readers(), 2);
}

/* Seen where the worker has not yet left: the last one must not leave too. */
static void somebody_reads(void **state)
{
	start();
	see(0, 1);
	see(1, MANY);
	assert_int_equal(readers[0].state, READER_LEAVING);
	see(0, MANY);
	assert_int_equal(readers[1].state, READER_ON);
	all_gone();
	see(0, MANY);
	assert_int_equal(readers[0].state, READER_ON);
	assert_int_equal(nr_readers(), 1);
}

static void nobody_after_the_end(void **state)
{
	start();
	see(0, 1);
	atomic_store(&s.state, SESSION_ENDING);
	readers_stop(&s);
	see(1, MANY);
	all_gone();
	assert_int_equal(nr_readers(), 0);
	assert_int_equal(references, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(follows_one_thread),
		cmocka_unit_test(one_for_each_of_two),
		cmocka_unit_test(makes_room),
		cmocka_unit_test(somebody_reads),
		cmocka_unit_test(nobody_after_the_end),
	};

	lock_init(&s.lock, LOCK_RANK_SESSION, "session");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
