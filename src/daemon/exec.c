/* SPDX-License-Identifier: BSD-3-Clause */
#include "daemon/around.h"
#include "daemon/session.h"
#include "daemon/trace.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifdef HAVE_JEMALLOC
#include <jemalloc/jemalloc.h>
#endif

#include "daemon/detect.h"
#include "daemon/hold.h"

/* Spare tasks a worker starts with, and a helper, which rarely needs one of its own. */
#define SPARE_MIN 256
#define SPARE_HELPER 16
/* What it keeps at most. */
#define SPARE_MAX 4096

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

struct task *task_alloc(struct exec *x)
{
	struct task *t;

	if (list_empty(&x->free))
		return exec_malloc(x, sizeof(*t));
	t = list_first(&x->free, struct task, link);
	list_del(&t->link);
	x->nr_free--;
	return t;
}

void task_free(struct exec *x, struct task *t)
{
	if (t->kind == TASK_FAULT)
		exec_fault_ended(x);
	if (x->nr_free >= SPARE_MAX) {
		free(t);
		return;
	}
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

/*
 * Answers that need no lock and no system call: they may be given, and the next
 * step run, without i_pages being dropped in between. That is one of the orders
 * in which the steps of all operations may run, the one in which nobody comes
 * between; the steps stay what they are. Faults alone: a scan has no end.
 */
static bool answer_held(struct task *t)
{
	struct dax_op *op = &t->op;

	switch (t->verb) {
	case DAX_MORE:
		return true;
	case DAX_FSLOCK:
		return !op->ask.excl && inval_trylock_shared(t->file);
	case DAX_FSUNLOCK:
		/* Released by run_one(), once i_pages is. */
		t->inval_held = true;
		return true;
	case DAX_PT_CHECK:
		if (t->file->exact)
			return false;
		op->ans.slot = pgtable_slot(&t->region->pt, t->addr);
		return true;
	case DAX_IOMAP:
		if (t->file->exact || t->file->fs || hold_has(t->file) || !install_known_present(t))
			return false;
		op->ans.iomap = (struct dax_iomap) {
			.type = DAX_IOMAP_MAPPED,
			.length = op->ask.len,
			.pfn = op->ask.pos >> PAGE_SHIFT,
		};
		return true;
	default:
		return false;
	}
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

static enum task_next iomapped(struct exec *x, struct task *t)
{
	return hold_answer(x, t, t->op.ans.iomap.flags & DAX_IOMAP_F_NEW ?
			   HOLD_ALLOC : HOLD_READ);
}

/* The answer of the client that is the file's file system. */
static enum task_next fs_answer(struct exec *x, struct task *t)
{
	if (!x->may_block) {
		pool_submit(x->d->pool, t);
		return TASK_AWAY;
	}
	fs_iomap(t->file, &t->op);
	return iomapped(x, t);
}

/* The medium's answer, or the pool's turn. */
static enum task_next do_iomap(struct exec *x, struct task *t)
{
	struct dax_op *op = &t->op;
	struct media *m = t->file->media;
	unsigned int flags = 0;

	if (t->file->fs)
		return fs_answer(x, t);
	if (!x->may_block)
		flags |= MEDIA_NOWAIT;
	if (op->ask.write)
		flags |= MEDIA_WRITE;
	if (op->order && dax_is_zero_entry(op->entry))
		flags |= MEDIA_WHOLE;
	else if (op->order && m->kind == MEDIA_DIRECT && install_window_full(t))
		flags |= MEDIA_PRESENT;
	/* What the message said is old once the fault has waited. */
	if (t->kind == TASK_FAULT && !t->waited && !op->order)
		flags |= t->minor || (t->wp && t->file->exact) ?
			 MEDIA_PRESENT : MEDIA_ABSENT;
	if (m->ops->iomap(m, op->ask.pos, op->ask.len, flags,
			  &op->ans.iomap) == -EAGAIN) {
		pool_submit(x->d->pool, t);
		return TASK_AWAY;
	}
	return iomapped(x, t);
}

static enum task_next do_flush(struct exec *x, struct task *t)
{
	struct media *m = t->file->media;
	uint64_t len = t->op.ask.nr << PAGE_SHIFT;

	if (m->kind == MEDIA_DIRECT) {
		t->op.ans.error = 0;
		return hold_answer(x, t, HOLD_FLUSH);
	}
	if (!x->may_block) {
		pool_submit(x->d->pool, t);
		return TASK_AWAY;
	}
	/* Durable when the task ends: one journal commit for all of it. */
	t->op.ans.error = m->ops->store(m, t->op.ask.start << PAGE_SHIFT, len);
	/* The run's, not a session's: it may be over. */
	lock_take(&x->d->lock);
	t->file->group->ended.writeback_bytes += len;
	lock_release(&x->d->lock);
	return hold_answer(x, t, HOLD_FLUSH);
}

static enum task_next do_fslock(struct exec *x, struct task *t)
{
	if (t->kind == TASK_FAULT)
		return inval_lock(x, t);
	if (!t->locked_range) {
		if (inval_lock(x, t) == TASK_AWAY)
			return TASK_AWAY;
		t->locked_range = true;
	}
	if (t->prepare) {
		enum task_next (*prepare)(struct exec *, struct task *) =
			t->prepare;

		if (!x->may_block) {
			pool_submit(x->d->pool, t);
			return TASK_AWAY;
		}
		t->prepare = NULL;
		return prepare(x, t);
	}
	return TASK_STEP;
}

static enum task_next do_fsunlock(struct exec *x, struct task *t)
{
	if (t->next)	/* when the last operation is over */
		return TASK_STEP;
	if (t->kind == TASK_RANGE && t->locked) {
		if (!x->may_block) {
			pool_submit(x->d->pool, t);
			return TASK_AWAY;
		}
		t->locked(x, t);
	}
	inval_unlock(x, t);
	return TASK_STEP;
}

static struct session *task_session(const struct task *t)
{
	return t->kind == TASK_FAULT ? t->region->session : t->owner;
}

/* The program has to zap something before the fault ends. */
static void note_zap(struct task *t, uint64_t seq)
{
	if (t->kind != TASK_FAULT || !seq)
		return;
	t->zap.seq = seq;
	/* The page that a message said is protected is not mapped any more. */
	t->minor |= t->wp;
	t->wp = false;
}

void exec_unmap(struct task *t, uint64_t start, uint64_t nr, bool cows)
{
	if (t->file->exact)
		note_zap(t, zap_file(t->file, start, nr, task_session(t)));
	else
		file_unmap(t->file, start, nr, cows);
}

void exec_drop_pmd(struct exec *x, struct task *t)
{
	struct region *r = t->region;

	if (!pgtable_is_huge(&r->pt, t->addr))
		return;
	trace_split(x, t);
	if (t->file->exact)
		note_zap(t, zap_region(r, t->addr, t->addr + DAX_PAGE_SIZE));
	else
		pgtable_zap(&r->pt, t->addr, t->addr + DAX_PAGE_SIZE);
}

/*
 * The metadata of a MAP_SYNC fault is made durable: what the kernel's fsync of
 * the range does. The fault holds no entry meanwhile.
 */
static void fsync_done(struct exec *x, struct task *w)
{
	struct task *t = w->arg;
	struct media *m = w->file->media;

	if (m->ops->synced)
		m->ops->synced(m);
	t->op.ans.error = w->op.error;
	t->synced = true;
	task_free(x, w);
	pool_submit(x->d->pool, t);
}

static enum task_next do_fsync(struct exec *x, struct task *t)
{
	const struct dax_op *op = &t->op;
	struct task *w;

	if (t->synced) {
		t->synced = false;
		return TASK_STEP;
	}
	t->op.ans.error = 0;
	/* An image has no metadata of its own: nothing can be pending. */
	if (!t->file->exact)
		return TASK_STEP;
	w = task_alloc(x);
	if (!w) {
		t->op.ans.error = -ENOMEM;
		return TASK_STEP;
	}
	memset(w, 0, sizeof(*w));
	dax_op_init_range(&w->op, DAX_OP_WRITEBACK, op->mapping, op->ask.start,
			  op->ask.start + op->ask.nr - 1);
	w->op.driver = w;
	w->kind = TASK_RANGE;
	w->verb = DAX_MORE;
	w->file = t->file;
	w->done = fsync_done;
	w->arg = t;
	pool_submit(x->d->pool, w);
	return TASK_AWAY;
}

static enum task_next do_wrprotect(struct exec *x, struct task *t)
{
	if (!x->may_block) {
		pool_submit(x->d->pool, t);
		return TASK_AWAY;
	}
	file_wrprotect(x, t->file, t->op.ask.start, t->op.ask.nr);
	return TASK_STEP;
}

static enum task_next answer(struct exec *x, struct task *t)
{
	struct dax_op *op = &t->op;
	struct mm_slot slot;

	switch (t->verb) {
	case DAX_FSLOCK:
		return do_fslock(x, t);
	case DAX_FSUNLOCK:
		return do_fsunlock(x, t);
	case DAX_PT_CHECK:
		shadow_get(t->region, t->addr, &slot);
		op->ans.slot = slot.pmd;
		return TASK_STEP;
	case DAX_IOMAP:
		return do_iomap(x, t);
	case DAX_ALLOC:
		op->ans.error = file_grow_table(t->file);
		return TASK_STEP;
	case DAX_UNMAP:
		exec_unmap(t, op->ask.start, op->ask.nr, op->ask.cows);
		return TASK_STEP;
	case DAX_WRPROTECT:
		return do_wrprotect(x, t);
	case DAX_FLUSH:
		return do_flush(x, t);
	case DAX_SPLIT_PMD:
		exec_drop_pmd(x, t);
		return TASK_STEP;
	case DAX_COPY:
		return install_private(x, t);
	case DAX_MAP:
		return install_map(x, t);
	case DAX_FSYNC:
		return do_fsync(x, t);
	case DAX_PAGE_BUSY:
		op->ans.busy = false;
		return TASK_STEP;
	case DAX_MORE:
	case DAX_PARK:
	case DAX_DONE:
		break;
	}
	return TASK_STEP;
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
