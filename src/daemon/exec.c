/* SPDX-License-Identifier: BSD-3-Clause */
#include "daemon/around.h"
#include "daemon/session.h"
#include "daemon/trace.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifdef HAVE_JEMALLOC
#include <jemalloc/jemalloc.h>
#endif

#include "daemon/detect.h"

/* Spare tasks a worker starts with, and a helper, which rarely needs one of its own. */
#define SPARE_MIN 256
#define SPARE_HELPER 16
/* What it keeps at most. AddressSanitizer sees what is done to a task that has ended. */
#ifdef __SANITIZE_ADDRESS__
#define SPARE_MAX 1
#else
#define SPARE_MAX 4096
#endif

uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + ts.tv_nsec;
}

/* An arena an executor, so that what it frees is near what it allocates. */
static unsigned int arena_new(void)
{
#ifdef HAVE_JEMALLOC
	unsigned int arena;
	size_t len = sizeof(arena);

	if (!mallctl("arenas.create", &arena, &len, NULL, 0))
		return arena;
#endif
	return 0;
}

static void *exec_malloc(struct exec *x, size_t size)
{
#ifdef HAVE_JEMALLOC
	if (x->arena)
		return mallocx(size, MALLOCX_ARENA(x->arena) |
			       MALLOCX_TCACHE_NONE | MALLOCX_ZERO);
#endif
	return calloc(1, size);
}

struct exec *exec_new(struct udaxd *d, unsigned int id, bool may_block)
{
	struct exec *x = aligned_alloc(64, (sizeof(*x) + 63) & ~63UL);

	if (!x)
		return NULL;
	memset(x, 0, sizeof(*x));
	x->d = d;
	x->id = id;
	x->may_block = may_block;
	x->arena = arena_new();
	list_init(&x->ready);
	list_init(&x->ready_tasks);
	list_init(&x->free);
	if (detect_init(x) || around_init(x, d->opt.fault_around)) {
		exec_free(x);
		return NULL;
	}
	while (x->nr_free < (may_block ? SPARE_HELPER : SPARE_MIN)) {
		struct task *t = exec_malloc(x, sizeof(*t));

		if (!t)
			break;
		t->spare = true;
		list_add(&t->link, &x->free);
		x->nr_free++;
	}
	return x;
}

void exec_free(struct exec *x)
{
	struct task *t, *n;

	list_for_each_safe(t, n, &x->free, link)
		free(t);
	detect_exit(x);
	around_exit(x);
	free(x);
}

#ifdef UDAX_DEBUG
/* The spare tasks are one thread's, and none is spare twice or written to meanwhile. */
static void check_spare(struct exec *x, const struct task *t, bool spare)
{
	static __thread struct exec *mine;

	if (!mine)
		mine = x;
	if (mine == x && t->spare == spare &&
	    (!spare || (t->link.prev == &x->free && t->link.next->prev == &t->link)))
		return;
	logmsg("task %p, kind %d, spare %d (%p, %p): of executor %u, in the thread of %u",
	       (const void *)t, t->kind, t->spare, (const void *)t->link.next,
	       (const void *)t->link.prev, x->id, mine->id);
	abort();
}
#else
static void check_spare(struct exec *x, const struct task *t, bool spare)
{
}
#endif

struct task *task_alloc(struct exec *x)
{
	struct task *t;

	if (list_empty(&x->free))
		return exec_malloc(x, sizeof(*t));
	t = list_first(&x->free, struct task, link);
	check_spare(x, t, true);
	list_del(&t->link);
	t->spare = false;
	x->nr_free--;
	return t;
}

void task_free(struct exec *x, struct task *t)
{
	check_spare(x, t, false);
	if (t->kind == TASK_FAULT)
		exec_fault_ended(x);
	if (x->nr_free >= SPARE_MAX) {
		free(t);
		return;
	}
	t->spare = true;
	list_add(&t->link, &x->free);
	x->nr_free++;
}

/* What has ended is summed up before what has begun: equal means none is left. */
bool exec_none_served(struct udaxd *d)
{
	uint64_t ended = 0, begun = 0;

	for (unsigned int i = 0; i < d->nr_execs; i++)
		ended += __atomic_load_n(&d->execs[i]->ended, __ATOMIC_ACQUIRE);
	for (unsigned int i = 0; i < d->nr_execs; i++)
		begun += __atomic_load_n(&d->execs[i]->faults, __ATOMIC_ACQUIRE);
	return ended == begun;
}

struct fault_stats *task_stats(struct exec *x, struct task *t)
{
	if (t->kind == TASK_FAULT)
		return t->region->session->stats[x->id];
	return t->owner ? t->owner->stats[x->id] : &x->own;
}

/* Nobody waits in the file, and nobody has been woken by the last step. */
static bool undisturbed(const struct task *t)
{
	return t->kind == TASK_FAULT && list_empty(&t->op.woken) &&
	       list_empty(&t->op.mapping->sleepers);
}

/*
 * Critical sections of the model: one, or as many as nobody else has a part in.
 * The operation may be run by another executor as soon as the lock is released,
 * if it parked: what it woke is taken off it before.
 */
static enum dax_verb step(struct exec *x, struct task *t)
{
	struct dax_mapping *mapping = t->op.mapping;
	enum dax_verb verb;
	bool lost;

	t->op.stats = &t->stats->dax;
	lock_take(&mapping->i_pages);
	do {
		verb = trace_step(x, t);
		t->verb = verb;
	} while (undisturbed(t) && answer_held(t));
	if (verb == DAX_PARK) {
		t->waited = true;
		if (!t->parked_ns)
			t->parked_ns = now_ns();
	}
	list_splice_tail(&t->op.woken, &x->ready);
	lost = mapping->unsettled && detect(x, t->file);
	lock_release(&mapping->i_pages);
	if (lost)
		detect_report(x);
	return verb;
}

void exec_wake_later(struct exec *x, struct session *s, uint64_t addr)
{
	const unsigned int max = sizeof(x->later) / sizeof(x->later[0]);

	if (!x->draining || x->nr_later == max) {
		uffd_wake(s->uffd, addr, DAX_PAGE_SIZE);
		return;
	}
	session_get(s);
	x->later[x->nr_later++] = (struct wake_later){ s, addr };
}

static void stall_over(struct exec *x, struct task *t)
{
	uint64_t ns = now_ns() - t->parked_ns;
	bool large = t->op.order, on_large = t->op.waiter.blocker_order;

	hist_add(&t->stats->stall, ns);
	hist_add(&t->stats->stall_by[large][on_large], ns);
	t->parked_ns = 0;
	t->pmd_waited_pte |= large && !on_large;
}

/*
 * Also when nothing was dirty: another write-back may have stored it and not
 * have synced it yet.
 */
static int sync_range(struct task *t)
{
	struct media *m = t->file->media;
	uint64_t last = (media_size(m) + DAX_PAGE_SIZE - 1) >> PAGE_SHIFT;
	uint64_t end = t->op.end < last ? t->op.end + 1 : last;

	if (t->op.kind != DAX_OP_WRITEBACK || m->kind != MEDIA_IMAGE ||
	    m->readonly || end <= t->op.pgoff)
		return 0;
	return m->ops->sync(m, t->op.pgoff << PAGE_SHIFT,
			    (end - t->op.pgoff) << PAGE_SHIFT);
}

void range_done(struct exec *x, struct task *t)
{
	int err;

	if (!x->may_block) {
		t->finished = true;
		pool_submit(x->d->pool, t);
		return;
	}
	if (t->shared) {
		t->op.ask.excl = false;
		inval_unlock(x, t);
	}
	err = sync_range(t);
	if (err && !t->op.error)
		t->op.error = err;
	t->done(x, t);
}

/* False: the task is over, or elsewhere. */
static bool goes_on(struct exec *x, struct task *t)
{
	if (t->kind == TASK_FAULT) {
		fault_done(x, t);
		return fault_next(x, t);
	}
	if (t->next)
		return t->next(x, t);
	range_done(x, t);
	return false;
}

static void run_one(struct exec *x, struct task *t)
{
	t->stats = task_stats(x, t);
	if (t->kind == TASK_FAULT && t->refill) {
		install_refill(x, t);
		return;
	}
	if (t->kind == TASK_FAULT && t->verb == DAX_DONE && !fault_next(x, t))
		return;
	if (t->kind == TASK_RANGE && t->verb == DAX_DONE && t->next &&
	    !t->next(x, t))
		return;
	if (t->kind == TASK_RANGE && t->finished) {
		range_done(x, t);
		return;
	}
	if (t->kind == TASK_RANGE && t->shared && !t->locked_range) {
		t->op.ask.excl = false;
		if (inval_lock(x, t) == TASK_AWAY)
			return;
		t->locked_range = true;
	}
	for (;;) {
		enum dax_verb verb;

		if (answer(x, t) == TASK_AWAY)
			return;
		verb = step(x, t);
		if (verb == DAX_PARK)
			return;
		if (t->parked_ns && t->kind == TASK_FAULT && verb != DAX_MORE)
			stall_over(x, t);
		if (verb != DAX_DONE)
			continue;
		if (t->inval_held)
			inval_unlock(x, t);
		t->inval_held = false;
		if (!goes_on(x, t))
			return;
	}
}

void exec_run_ready(struct exec *x)
{
	for (;;) {
		struct task *t;

		if (!list_empty(&x->ready)) {
			struct dax_waiter *w = list_first(&x->ready,
						struct dax_waiter, link);

			list_del(&w->link);
			t = container_of(dax_waiter_op(w), struct task, op);
			if (w->stranded)
				detect_woken(x, t);
		} else if (!list_empty(&x->ready_tasks)) {
			t = list_first(&x->ready_tasks, struct task, link);
			list_del(&t->link);
		} else {
			return;
		}
		run_one(x, t);
	}
}

void task_run(struct exec *x, struct task *t)
{
	run_one(x, t);
	exec_run_ready(x);
}
