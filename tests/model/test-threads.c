/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The model under real threads: each thread runs its own operations on two files
 * whose waiters share every queue. A thread whose operation is parked sleeps
 * until the thread that woke it says so; some give up instead.
 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "dax/dax.h"

#define THREADS	4
#define FILES	2
#define ROUNDS	20000
#define MEMORY	16384
#define PAGES	(2 * PG_PMD_NR)

struct shared {
	struct dax_wait_table waits;
	struct dax_mapping file[FILES];
	void *memory[FILES];
};

struct runner {
	struct shared *s;
	struct dax_op op;
	struct dax_stats stats;
	uint64_t seed, cancelled;
	pthread_mutex_t mutex;
	pthread_cond_t cond;
	bool awake;		/* under mutex */
	pthread_t thread;
};

static uint64_t rnd(struct runner *r, uint64_t n)
{
	r->seed = r->seed * 6364136223846793005UL + 1442695040888963407UL;
	return (r->seed >> 33) % n;
}

static void wake_runner(struct runner *r)
{
	pthread_mutex_lock(&r->mutex);
	r->awake = true;
	pthread_cond_signal(&r->cond);
	pthread_mutex_unlock(&r->mutex);
}

/* True: woken. False: given up, nobody will wake it. */
static bool sleep_runner(struct runner *r)
{
	bool cancelled = false;

	if (!rnd(r, 16)) {
		lock_take(&r->op.mapping->i_pages);
		cancelled = dax_op_cancel(&r->op);
		lock_release(&r->op.mapping->i_pages);
	}
	r->cancelled += cancelled;
	if (cancelled)
		return false;
	pthread_mutex_lock(&r->mutex);
	while (!r->awake)
		pthread_cond_wait(&r->cond, &r->mutex);
	r->awake = false;
	pthread_mutex_unlock(&r->mutex);
	return true;
}

static void start_op(struct runner *r)
{
	struct dax_vma vma = {
		.vm_start = 1UL << 40,
		.vm_end = (1UL << 40) + PAGES * DAX_PAGE_SIZE, .shared = true,
	};
	static const enum dax_op_kind kinds[] = {
		DAX_OP_WRITEBACK, DAX_OP_INVALIDATE, DAX_OP_DELETE,
		DAX_OP_LOCK_ENTRY, DAX_OP_DELETE_RANGE, DAX_OP_LAYOUT_BUSY,
	};
	struct dax_mapping *m = &r->s->file[rnd(r, FILES)];
	uint64_t page = rnd(r, PAGES), what = rnd(r, 24);

	if (what >= sizeof(kinds) / sizeof(kinds[0])) {
		dax_op_init_fault(&r->op, m, what & 1 ? PMD_ORDER : 0, &vma,
				  vma.vm_start + (page << PAGE_SHIFT),
				  what & 2 ? DAX_FAULT_FLAG_WRITE : 0);
	} else {
		dax_op_init_range(&r->op, kinds[what], m, page, PAGES - 1);
	}
	r->op.stats = &r->stats;
}

/* Nobody maps anything: what must agree here is the table and the queues. */
static void answer(struct runner *r, enum dax_verb verb)
{
	struct dax_op *op = &r->op;

	op->ans.error = 0;
	op->ans.busy = false;
	op->ans.slot = DAX_PT_NONE;
	if (verb == DAX_IOMAP)
		op->ans.iomap = (struct dax_iomap){
			.type = op->ask.write ? DAX_IOMAP_MAPPED : DAX_IOMAP_HOLE,
			.length = rnd(r, 4) ? op->ask.len : DAX_PAGE_SIZE,
			.pfn = op->ask.pos >> PAGE_SHIFT,
		};
	if (!rnd(r, 8))
		sched_yield();
}

static enum dax_verb step(struct runner *r)
{
	struct dax_mapping *m = r->op.mapping;
	struct list_head woken = LIST_HEAD_INIT(woken);
	struct dax_waiter *w, *next;
	enum dax_verb verb;

	lock_take(&m->i_pages);
	verb = dax_op_step(&r->op);
	list_splice_tail(&r->op.woken, &woken);
	if (dax_count_stranded(m, &r->stats))
		abort();
	lock_release(&m->i_pages);
	list_for_each_safe(w, next, &woken, link) {
		list_del(&w->link);
		wake_runner(container_of(dax_waiter_op(w), struct runner, op));
	}
	return verb;
}

static void *run(void *arg)
{
	struct runner *r = arg;

	for (int round = 0; round < ROUNDS; round++) {
		enum dax_verb verb;

		start_op(r);
		while ((verb = step(r)) != DAX_DONE) {
			if (verb == DAX_PARK)
				sleep_runner(r);
			else
				answer(r, verb);
		}
	}
	return NULL;
}

static void test_threads(void **state)
{
	struct runner *r = calloc(THREADS, sizeof(*r));
	struct shared s;
	void *queues = aligned_alloc(64, dax_wait_table_size(0));
	uint64_t waits = 0, ended = 0;

	memset(&s, 0, sizeof(s));
	dax_wait_table_init(&s.waits, 0, queues);
	for (int i = 0; i < FILES; i++) {
		s.memory[i] = aligned_alloc(64, MEMORY);
		memset(s.memory[i], 0, MEMORY);
		dax_mapping_init(&s.file[i], dax_protocol_find("616"), &s.waits,
				 s.memory[i], MEMORY);
		s.file[i].i_size = PAGES * DAX_PAGE_SIZE;
	}
	/* A hang is a failure, too. */
	alarm(300);
	for (int i = 0; i < THREADS; i++) {
		r[i].s = &s;
		r[i].seed = i + 1;
		pthread_mutex_init(&r[i].mutex, NULL);
		pthread_cond_init(&r[i].cond, NULL);
		assert_int_equal(pthread_create(&r[i].thread, NULL, run, &r[i]), 0);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(r[i].thread, NULL);
	alarm(0);
	for (int i = 0; i < THREADS; i++) {
		waits += r[i].stats.waits;
		ended += r[i].stats.woken + r[i].cancelled;
	}
	print_message("%lu waits\n", waits);
	assert_int_equal(waits, ended);
	assert_true(waits > 0);
	for (int i = 0; i < FILES; i++) {
		char msg[128] = "";

		if (dax_verify(&s.file[i], msg, sizeof(msg)))
			fail_msg("%s", msg);
		dax_mapping_exit(&s.file[i]);
		free(s.memory[i]);
	}
	dax_wait_table_exit(&s.waits);
	free(queues);
	free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
