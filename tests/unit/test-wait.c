/* SPDX-License-Identifier: BSD-3-Clause */
/* The wait table: keys, order, both modes, cancel, and threads. */
#include "dax-unit.h"

#include <pthread.h>
#include <stdio.h>

#define WAITERS 6

struct fixture {
	struct world world;
	struct dax_waiter w[WAITERS];
};

static int setup(void **state)
{
	*state = calloc(1, sizeof(struct fixture));
	world_init(*state, "616");
	return 0;
}

static void sleep_on(struct fixture *f, int i, uint64_t start, bool exclusive)
{
	f->w[i].key = (struct dax_wait_key){ &f->world.m, start };
	f->w[i].exclusive = exclusive;
	f->w[i].blocker = start;
	dax_wait_sleep(&f->world.waits, &f->w[i]);
	assert_true(f->w[i].queued && f->w[i].asleep);
}

/* Wakes and returns who: bit i for waiter i, in @order the digits in order. */
static unsigned int wake(struct fixture *f, uint64_t start, enum dax_wake_mode mode,
			 unsigned int *order)
{
	struct dax_wait_key key = { &f->world.m, start };
	struct list_head woken = LIST_HEAD_INIT(woken);
	struct dax_waiter *w, *next;
	unsigned int set = 0;

	*order = 0;
	dax_wait_wake(&f->world.waits, &key, mode, &woken, &f->world.stats);
	list_for_each_safe(w, next, &woken, link) {
		list_del(&w->link);
		assert_false(w->queued);
		dax_wait_finish(w);
		set |= 1U << (w - f->w);
		*order = *order * 10 + (w - f->w);
	}
	return set;
}

static void test_next_is_fifo(void **state)
{
	struct fixture *f = *state;
	unsigned int order;

	for (int i = 0; i < 3; i++)
		sleep_on(f, i, 5, true);
	assert_int_equal(wake(f, 5, WAKE_NEXT, &order), 1);
	assert_int_equal(wake(f, 5, WAKE_NEXT, &order), 2);
	sleep_on(f, 0, 5, true);
	assert_int_equal(wake(f, 5, WAKE_NEXT, &order), 4);
	assert_int_equal(wake(f, 5, WAKE_NEXT, &order), 1);
	assert_int_equal(wake(f, 5, WAKE_NEXT, &order), 0);
	assert_int_equal(f->world.stats.wakes_next, 4);
	assert_int_equal(f->world.stats.woken, 4);
}

static void test_all(void **state)
{
	struct fixture *f = *state;
	unsigned int order;

	for (int i = 1; i < 4; i++)
		sleep_on(f, i, 5, true);
	assert_int_equal(wake(f, 5, WAKE_ALL, &order), 14);
	assert_int_equal(order, 123);
	assert_int_equal(wake(f, 5, WAKE_ALL, &order), 0);
	assert_int_equal(f->world.stats.wakes_all, 1);
	assert_int_equal(f->world.stats.woken, 3);
}

/* Non-exclusive waiters stand first, and do not use the wake up. */
static void test_non_exclusive(void **state)
{
	struct fixture *f = *state;
	unsigned int order;

	sleep_on(f, 1, 5, true);
	sleep_on(f, 2, 5, false);
	sleep_on(f, 3, 5, true);
	sleep_on(f, 4, 5, false);
	assert_int_equal(wake(f, 5, WAKE_NEXT, &order), 1 << 4 | 1 << 2 | 1 << 1);
	assert_int_equal(order, 421);
	assert_int_equal(wake(f, 5, WAKE_NEXT, &order), 1 << 3);
}

/* The whole key counts: one bucket is not enough. */
static void test_keys(void **state)
{
	struct fixture *f = *state;
	struct dax_mapping other;
	unsigned int order;

	dax_mapping_init(&other, f->world.m.proto, &f->world.waits, NULL, 0);
	other.hash = f->world.m.hash;	/* the same queues */
	for (int i = 0; i < 4; i++)
		sleep_on(f, i, i * 512, true);
	f->w[4].key = (struct dax_wait_key){ &other, 512 };
	f->w[4].exclusive = true;
	dax_wait_sleep(&f->world.waits, &f->w[4]);
	assert_int_equal(wake(f, 513, WAKE_ALL, &order), 0);
	assert_int_equal(wake(f, 512, WAKE_ALL, &order), 2);
	assert_int_equal(wake(f, 0, WAKE_ALL, &order), 1);
	assert_int_equal(wake(f, 1024, WAKE_ALL, &order), 4);
	assert_int_equal(wake(f, 1536, WAKE_ALL, &order), 8);
	assert_true(f->w[4].queued);
	assert_true(dax_wait_cancel(&f->world.waits, &f->w[4]));
	dax_wait_finish(&f->w[4]);
	dax_mapping_exit(&other);
}

/* Those of another key are looked at, counted, and no more. */
static void test_scanned(void **state)
{
	struct fixture *f = *state;
	struct dax_wait_key a = { &f->world.m, 0 }, b = a;
	unsigned int order;

	while (++b.entry_start)
		if (dax_wait_queue(&f->world.waits, &b) ==
		    dax_wait_queue(&f->world.waits, &a))
			break;
	sleep_on(f, 0, a.entry_start, true);
	sleep_on(f, 1, b.entry_start, true);
	assert_int_equal(wake(f, b.entry_start, WAKE_NEXT, &order), 2);
	assert_int_equal(f->world.stats.scanned, 2);
	assert_int_equal(wake(f, b.entry_start, WAKE_NEXT, &order), 0);
	assert_int_equal(f->world.stats.wakes_next, 1);
	assert_int_equal(wake(f, a.entry_start, WAKE_NEXT, &order), 1);
}

static void test_cancel(void **state)
{
	struct fixture *f = *state;
	struct dax_wait_key key = { &f->world.m, 5 };
	struct list_head woken = LIST_HEAD_INIT(woken);

	sleep_on(f, 0, 5, true);
	sleep_on(f, 1, 5, true);
	assert_true(dax_wait_cancel(&f->world.waits, &f->w[0]));
	assert_false(dax_wait_cancel(&f->world.waits, &f->w[0]));
	dax_wait_finish(&f->w[0]);
	dax_wait_wake(&f->world.waits, &key, WAKE_NEXT, &woken, &f->world.stats);
	assert_false(dax_wait_cancel(&f->world.waits, &f->w[1]));
	assert_ptr_equal(list_first(&woken, struct dax_waiter, link), &f->w[1]);
	list_del(&f->w[1].link);
	dax_wait_finish(&f->w[1]);
}

/* Bit i: the blocker of waiter i was released. */
static unsigned int released(const struct fixture *f)
{
	unsigned int set = 0;

	for (int i = 0; i < WAITERS; i++)
		set |= (unsigned int)f->w[i].released << i;
	return set;
}

static void finish(struct fixture *f, int i)
{
	assert_true(dax_wait_cancel(&f->world.waits, &f->w[i]));
	dax_wait_finish(&f->w[i]);
}

/*
 * A release is told to those who sleep on this entry, of this size, whatever
 * their key, and to no other: more entries than there are lists.
 */
static void test_released(void **state)
{
	struct fixture *f = *state;
	struct dax_mapping *m = &f->world.m;

	for (int i = 0; i < 3; i++)
		sleep_on(f, i, 512, true);
	f->w[3].blocker_order = PMD_ORDER;
	sleep_on(f, 3, 512, true);
	for (uint64_t page = 0; page < 2048; page++)
		if (page != 512)
			dax_wait_note_release(m, page, 0);
	assert_int_equal(released(f), 0);
	dax_wait_note_release(m, 512, PMD_ORDER);
	assert_int_equal(released(f), 1 << 3);
	finish(f, 1);
	dax_wait_note_release(m, 512, 0);
	assert_int_equal(released(f), 1 << 3 | 1 << 2 | 1 << 0);
	/* Who sleeps again waits for the next one. */
	sleep_on(f, 1, 512, true);
	finish(f, 3);
	f->w[3].blocker_order = 0;
	sleep_on(f, 3, 513, true);
	assert_int_equal(released(f), 1 << 2 | 1 << 0);
	dax_wait_note_release(m, 512, 0);
	assert_int_equal(released(f), 1 << 2 | 1 << 1 | 1 << 0);
	for (int i = 0; i < 4; i++)
		finish(f, i);
	assert_int_equal(dax_verify(m, NULL, 0), 0);
}

/* Who was picked and has not looked up yet is still told. */
static void test_released_late(void **state)
{
	struct fixture *f = *state;
	struct dax_wait_key key = { &f->world.m, 5 };
	struct list_head woken = LIST_HEAD_INIT(woken);

	sleep_on(f, 0, 5, true);
	sleep_on(f, 1, 5, true);
	dax_wait_wake(&f->world.waits, &key, WAKE_NEXT, &woken, &f->world.stats);
	assert_false(f->w[0].released);
	assert_true(dax_wait_has_picked(&f->world.m, 5));
	dax_wait_note_release(&f->world.m, 5, 0);
	assert_int_equal(released(f), 3);
	assert_int_equal(dax_verify(&f->world.m, NULL, 0), 0);
	list_del(&f->w[0].link);
	dax_wait_finish(&f->w[0]);
	assert_false(dax_wait_has_picked(&f->world.m, 5));
	finish(f, 1);
}

/* What was marked and what is on the lists must not part. */
static void test_verify_lists(void **state)
{
	struct fixture *f = *state;
	struct dax_waiter *w = &f->w[0];
	char msg[100];

	sleep_on(f, 0, 5, true);
	assert_int_equal(dax_verify(&f->world.m, msg, sizeof(msg)), 0);
	w->released = true;
	assert_int_equal(dax_verify(&f->world.m, msg, sizeof(msg)), 10);
	w->released = false;
	list_add(&w->picked, &f->world.m.lists.picked[0]);
	assert_int_equal(dax_verify(&f->world.m, msg, sizeof(msg)), 10);
	list_del(&w->picked);
	finish(f, 0);
}

static void test_one_queue(void **state)
{
	struct dax_wait_table table;
	struct dax_mapping mapping = { .hash = 1 };
	struct dax_wait_key key = { &mapping, 12345 };
	void *memory = aligned_alloc(64, dax_wait_table_size(0));

	dax_wait_table_init(&table, 0, memory);
	assert_ptr_equal(dax_wait_queue(&table, &key), &table.queues[0]);
	dax_wait_table_exit(&table);
	free(memory);
}

static void test_spread(void **state)
{
	struct fixture *f = *state;
	void *memory = aligned_alloc(64, dax_wait_table_size(6));
	unsigned int used = 0, count[64] = { 0 };
	struct dax_wait_table table;

	dax_wait_table_init(&table, 6, memory);
	/* Heads of windows must not all meet in a few queues. */
	for (uint64_t i = 0; i < 1024; i++) {
		struct dax_wait_key key = { &f->world.m, i << PMD_ORDER };

		count[dax_wait_queue(&table, &key) - table.queues]++;
	}
	for (unsigned int i = 0; i < 64; i++)
		used += count[i] != 0;
	assert_true(used >= 56);
	dax_wait_table_exit(&table);
	free(memory);
}

/* --------------------------------------------------------------- threads */

struct racers {
	struct dax_wait_table waits;
	struct dax_mapping m[2];
	long slept, woken;
};

struct racer {
	struct racers *r;
	int nr;
};

/*
 * Two mappings share every queue, two threads each mapping: one of the two
 * sleeps, the other wakes. Whoever slept must be woken.
 */
static void *race(void *arg)
{
	const struct racer *me = arg;
	struct racers *r = me->r;
	struct dax_mapping *m = &r->m[me->nr & 1];
	struct dax_waiter own[16] = { 0 }, *w, *next;
	struct dax_stats stats = { 0 };
	long slept = 0, woken = 0;

	for (int round = 0; round < 2000; round++) {
		struct list_head list = LIST_HEAD_INIT(list);

		for (int i = 0; i < 16; i++) {
			struct dax_wait_key key = { m, i };

			lock_take(&m->i_pages);
			own[i].key = key;
			own[i].exclusive = i & 1;
			dax_wait_sleep(&r->waits, &own[i]);
			slept++;
			lock_release(&m->i_pages);
		}
		for (int i = 0; i < 16; i++) {
			struct dax_wait_key key = { m, i };

			lock_take(&m->i_pages);
			dax_wait_wake(&r->waits, &key, WAKE_ALL, &list, &stats);
			list_for_each_safe(w, next, &list, link) {
				list_del(&w->link);
				dax_wait_finish(w);
				woken++;
			}
			lock_release(&m->i_pages);
		}
		/* Another thread of this mapping may hold some of ours: none now. */
		lock_take(&m->i_pages);
		for (int i = 0; i < 16; i++)
			assert_false(own[i].asleep);
		lock_release(&m->i_pages);
	}
	__atomic_add_fetch(&r->slept, slept, __ATOMIC_RELAXED);
	__atomic_add_fetch(&r->woken, woken, __ATOMIC_RELAXED);
	return NULL;
}

static void test_threads(void **state)
{
	void *memory = aligned_alloc(64, dax_wait_table_size(1));
	struct racers r = { 0 };
	struct racer racer[4];
	pthread_t thread[4];

	dax_wait_table_init(&r.waits, 1, memory);
	for (int i = 0; i < 2; i++)
		dax_mapping_init(&r.m[i], dax_protocol_nth(0), &r.waits, NULL, 0);
	for (int i = 0; i < 4; i++) {
		racer[i] = (struct racer){ &r, i };
		assert_int_equal(pthread_create(&thread[i], NULL, race, &racer[i]), 0);
	}
	for (int i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	assert_int_equal(r.slept, 4 * 2000 * 16);
	assert_int_equal(r.woken, r.slept);
	for (int i = 0; i < 2; i++)
		dax_mapping_exit(&r.m[i]);
	dax_wait_table_exit(&r.waits);
	free(memory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_next_is_fifo, setup, world_teardown),
		cmocka_unit_test_setup_teardown(test_all, setup, world_teardown),
		cmocka_unit_test_setup_teardown(test_non_exclusive, setup, world_teardown),
		cmocka_unit_test_setup_teardown(test_keys, setup, world_teardown),
		cmocka_unit_test_setup_teardown(test_scanned, setup, world_teardown),
		cmocka_unit_test_setup_teardown(test_cancel, setup, world_teardown),
		cmocka_unit_test_setup_teardown(test_released, setup, world_teardown),
		cmocka_unit_test_setup_teardown(test_released_late, setup, world_teardown),
		cmocka_unit_test_setup_teardown(test_verify_lists, setup, world_teardown),
		cmocka_unit_test(test_one_queue),
		cmocka_unit_test_setup_teardown(test_spread, setup, world_teardown),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
