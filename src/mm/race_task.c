/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One run of a race script: its threads, and the script itself, as flows of
 * control with stacks of their own, of which one runs until its next point. The
 * operations are the model driver's; the threads are not.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

#include "mm/race_int.h"

#define STACK_SIZE	(256 * 1024)
/* Keys collide, as in any table; the order in a queue is by key. */
#define WAIT_BITS	2

/* ----------------------------------------------------------------- tasks */

static void switch_to(struct race *x, struct race_task *t)
{
	struct race_task *from = &x->task[x->current];

	if (t == from)
		return;
	from->log = x->r.log;
	x->r.log = t->log;
	x->current = t - x->task;
	swapcontext(&from->context, &t->context);
}

/* The run ends here, or is given up; its tasks do not go on. */
static void leave(struct race *x)
{
	setcontext(&x->explorer);
}

/*
 * What the script has learnt is told when an operation has ended: the next one
 * acts by what it finds.
 */
static void begin_op(struct race *x)
{
	struct race_task *t = x->task;

	if (x->current || x->known_op == x->r.op || !x->race->por)
		return;
	x->known_op = x->r.op;
	memset(t->seen, 0, sizeof(t->seen));
	race_mix(t->seen, x->r.op - x->script->ops);
}

/* The running task is at a point, or cannot go on. */
static void schedule(struct race *x)
{
	struct race_task *next;

	race_hear(x);
	begin_op(x);
	x->task[x->current].local = false;
	/* A step further, even if it saw nothing. */
	race_mix(x->task[x->current].seen, 0);
	next = x->r.error ? NULL : race_choose(x);
	if (!next)
		leave(x);
	else
		switch_to(x, next);
}

/* Until task @other has nothing to do, or has made its access. */
static void wait_for(struct race *x, unsigned int other, bool access)
{
	struct race_task *t = &x->task[x->current];

	if (x->task[other].state == RACE_IDLE ||
	    (access && x->task[other].finished))
		return;
	t->access_only = access;
	t->state = RACE_WAITS;
	t->other = other;
	schedule(x);
	t->state = RACE_READY;
}

static void race_point(struct replay *r)
{
	schedule(race_of(r));
}

static void race_saw(struct replay *r, const void *data, size_t len)
{
	struct race *x = race_of(r);

	begin_op(x);
	race_mix_bytes(x->task[x->current].seen, data, len);
}

static void race_mark(struct replay *r)
{
	struct race *x = race_of(r);
	struct race_task *t = &x->task[x->current];

	begin_op(x);
	assert(t->nr_marks < RACE_MARKS);
	memcpy(t->mark[t->nr_marks++], t->seen, sizeof(t->seen));
}

static void race_recall(struct replay *r)
{
	struct race *x = race_of(r);
	struct race_task *t = &x->task[x->current];

	memcpy(t->seen, t->mark[t->nr_marks - 1], sizeof(t->seen));
}

static void race_unmark(struct replay *r)
{
	struct race *x = race_of(r);

	x->task[x->current].nr_marks--;
}

static void race_park(struct replay *r, struct dax_op *op)
{
	struct race *x = race_of(r);
	struct race_task *t = &x->task[x->current];

	op->driver = t;
	t->state = RACE_PARKED;
	race_hear_sleep(x);
	schedule(x);
}

static void race_woken(struct replay *r, struct dax_op *op)
{
	struct race_task *t = op->driver;

	t->state = RACE_READY;
}

static void race_block(struct replay *r, const struct model_lock *l, bool excl)
{
	struct race *x = race_of(r);
	struct race_task *t = &x->task[x->current];

	t->state = RACE_BLOCKED;
	t->lock = l;
	t->excl = excl;
	schedule(x);
	t->state = RACE_READY;
}

static bool race_calm(struct replay *r)
{
	struct race *x = race_of(r);

	return x->race->por && !x->sync && r->op - r->script->ops >=
	       (ptrdiff_t)x->calm_from;
}

static bool race_alone(struct replay *r)
{
	struct race *x = race_of(r);
	unsigned int i, n = 0;

	for (i = 0; i < RACE_TASKS; i++)
		n += x->task[i].state != RACE_IDLE &&
		     x->task[i].state != RACE_WAITS;
	return n <= 2;
}

static bool race_solo(struct replay *r)
{
	struct race *x = race_of(r);

	return x->task[x->current].solo;
}

static bool race_released(struct replay *r)
{
	struct race *x = race_of(r);

	return x->task[x->current].released;
}

static const struct model_sched sched = {
	.point = race_point,
	.saw = race_saw,
	.mark = race_mark,
	.recall = race_recall,
	.unmark = race_unmark,
	.park = race_park,
	.woken = race_woken,
	.block = race_block,
	.calm = race_calm,
	.alone = race_alone,
	.solo = race_solo,
	.released = race_released,
};

/*
 * A run that was given up has left frames on the stack, and AddressSanitizer's marks
 * around their variables, which nothing else takes away: it knows swapcontext(), not
 * setcontext().
 */
static void forget_frames(struct race_task *t)
{
#ifdef __SANITIZE_ADDRESS__
	__asan_unpoison_memory_region(t->stack, STACK_SIZE);
#endif
}

/* A pointer in two ints, as makecontext() wants it. */
static void begin(struct race *x, struct race_task *t,
		  void (*fn)(unsigned int hi, unsigned int lo))
{
	uintptr_t p = (uintptr_t)x;

	forget_frames(t);
	getcontext(&t->context);
	t->context.uc_stack.ss_sp = t->stack;
	t->context.uc_stack.ss_size = STACK_SIZE;
	t->context.uc_link = NULL;
	makecontext(&t->context, (void (*)(void))fn, 2,
		    (unsigned int)((uint64_t)p >> 32), (unsigned int)p);
	t->state = RACE_READY;
	t->local = true;
	t->log = x->r.log;
}

static struct race *race_arg(unsigned int hi, unsigned int lo)
{
	return (struct race *)(uintptr_t)((uint64_t)hi << 32 | lo);
}

/* The running task has nothing more to do. */
static void finish(struct race *x)
{
	x->task[x->current].state = RACE_IDLE;
	schedule(x);
}

/* --------------------------------------------------- threads of the script */

static void access_done(struct race_task *t)
{
	t->finished = true;
	race_mix(t->said, t->access.outcome << 8 | t->access.value);
}

static void thread_main(unsigned int hi, unsigned int lo)
{
	struct race *x = race_arg(hi, lo);
	struct race_task *t = &x->task[x->current];

	model_access_as(&x->r, t->op, t->addr, &t->access);
	if (!t->released)
		access_done(t);
	memset(t->seen, 0, sizeof(t->seen));
	finish(x);
}

bool race_may_release(struct race *x, const struct race_task *t)
{
	const struct vma *vma;

	if (t == x->task || t->state == RACE_IDLE || t->local || t->released ||
	    x->m.ptl.excl)
		return false;
	vma = mm_find_vma(&x->r.mm, t->addr);
	return vma && mm_access(&x->r.mm, vma, t->addr, t->op->write) == MM_HIT;
}

void race_release(struct race *x, struct race_task *t)
{
	model_hit(&x->r, &x->r.mm, t->op, t->addr, &t->access);
	t->released = true;
	access_done(t);
}

static struct race_task *thread(struct race *x, unsigned int nr)
{
	return &x->task[nr + 1];
}

static void release(struct race *x, struct race_task *t)
{
	t->armed = false;
	t->finished = t->released = false;
	t->access = (struct replay_access){ .write = t->op->write };
	begin(x, t, thread_main);
}

/* A thread does one thing after the other. */
static void race_touch(struct replay *r, uint64_t addr, struct replay_access *a)
{
	wait_for(race_of(r), r->op->thread + 1, true);
	model_access_as(r, r->op, addr, a);
}

static void race_start(struct replay *r, uint64_t addr)
{
	struct race *x = race_of(r);
	struct race_task *t = thread(x, r->op->thread);

	wait_for(x, r->op->thread + 1, false);
	t->op = r->op;
	t->addr = addr;
	t->solo = false;
	release(x, t);
}

static void race_arm(struct replay *r, uint64_t addr)
{
	struct race *x = race_of(r);
	struct race_task *t = thread(x, r->op->thread);

	wait_for(x, r->op->thread + 1, false);
	t->op = r->op;
	t->addr = addr;
	t->armed = true;
}

static void race_go(struct replay *r)
{
	struct race *x = race_of(r);
	unsigned int i;

	for (i = 0; i < SCRIPT_THREADS; i++)
		if (thread(x, i)->armed)
			thread(x, i)->solo = race_calm(r) &&
				race_is_solo(x, thread(x, i));
	for (i = 0; i < SCRIPT_THREADS; i++)
		if (thread(x, i)->armed)
			release(x, thread(x, i));
}

static bool race_join(struct replay *r, struct replay_access *a)
{
	struct race *x = race_of(r);
	struct race_task *t = thread(x, r->op->thread);
	bool finished;

	wait_for(x, r->op->thread + 1, true);
	finished = t->finished;
	*a = t->access;
	t->finished = false;
	return finished;
}

/* ------------------------------------------------------------------- runs */

static void script_main(unsigned int hi, unsigned int lo)
{
	struct race *x = race_arg(hi, lo);

	replay_run(&x->r);
	finish(x);
}

static void fs_begin(struct replay *r)
{
	struct race *x = race_of(r);
	uint64_t hash[2] = { 0, 0 };

	race_point(r);
	/* The caller acts by what it finds there. */
	race_hash_extents(x, hash);
	race_saw(r, hash, sizeof(hash));
}

static void destroy(struct replay *r, struct replay_file *file)
{
	struct model_file *mf = model_file(file);

	if (!race_of(r)->given_up) {
		model_driver.destroy(r, file);
		return;
	}
	/* In the middle of operations: nothing to be checked. */
	lock_destroy(&mf->mapping.i_pages);
	free(mf->table);
	free(mf);
}

static void task_reset(struct race_task *t)
{
	char *stack = t->stack;

	memset(t, 0, sizeof(*t));
	t->stack = stack;
}

static void run_init(struct race *x)
{
	const struct race_options *o = x->race;
	void *queues = x->m.waits.queues;
	unsigned int i;

	memset(&x->m, 0, sizeof(x->m));
	x->m.sched = &sched;
	x->m.protocol = o->protocol;
	x->m.max_faults = o->max_faults;
	x->m.all_known = !o->por;
	dax_wait_table_init(&x->m.waits, WAIT_BITS, queues);
	for (i = 0; i < RACE_TASKS; i++)
		task_reset(&x->task[i]);
	rewind(x->o.out);
	x->heard = 0;
	x->log_op = NULL;
	x->depth = 0;
	x->at = RACE_BEGIN;
	x->label = 0;
	x->known_op = NULL;
	x->hang = false;
	x->given_up = true;
	replay_init(&x->r, x->script, &x->o, &x->driver, &x->m);
	x->current = 0;
}

void race_run(struct race *x)
{
	volatile bool begun = false;

	run_init(x);
	begin(x, &x->task[0], script_main);
	getcontext(&x->explorer);
	if (!begun) {
		begun = true;
		setcontext(&x->task[0].context);
	}
	fflush(x->o.out);
}

void race_run_exit(struct race *x)
{
	if (x->given_up && x->m.child)
		mm_exit(x->m.child);
	replay_exit(&x->r);
	if (!x->given_up)
		dax_wait_table_exit(&x->m.waits);
}

int race_tasks_init(struct race *x)
{
	uint64_t size = dax_wait_table_size(WAIT_BITS);
	unsigned int i;

	x->driver = model_driver;
	x->driver.destroy = destroy;
	x->driver.fs_begin = fs_begin;
	x->driver.touch = race_touch;
	x->driver.start = race_start;
	x->driver.arm = race_arm;
	x->driver.go = race_go;
	x->driver.join = race_join;
	x->m.waits.queues = aligned_alloc(64, size);
	x->task[0].stack = malloc(STACK_SIZE);
	if (!x->m.waits.queues || !x->task[0].stack)
		return -ENOMEM;
	for (i = 0; i < x->script->nr; i++) {
		const struct script_op *op = &x->script->ops[i];
		struct race_task *t = thread(x, op->thread);

		if (op->kind != SCRIPT_ARM && op->kind != SCRIPT_ATOUCH)
			continue;
		if (!t->stack)
			t->stack = malloc(STACK_SIZE);
		if (!t->stack)
			return -ENOMEM;
	}
	return 0;
}

void race_tasks_exit(struct race *x)
{
	unsigned int i;

	for (i = 0; i < RACE_TASKS; i++)
		free(x->task[i].stack);
	free(x->m.waits.queues);
}
