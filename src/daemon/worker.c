/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Workers: a thread a CPU, pinned, with an event loop each. A worker reads the
 * userfaultfds of the sessions that were given to it and serves what it reads,
 * on the CPU of the program; it never blocks.
 */
#include "daemon/session.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#define LOOP_ENTRIES 256
/* So few are woken one by one: an ioctl of its own costs more. */
#define WAKE_BATCH_MIN 4
/*
 * Of an executor's first reads each is timed, later one in so many: a clock costs
 * as much as the tables, and the histograms have enough.
 */
#define TIMED_FIRST 4096
#define TIMED_EVERY 8
/* Between looks for forked children that died unnamed. */
#define SWEEP_NS 1000000000ull

static void wake_later(struct exec *x)
{
	for (unsigned int i = 0; i < x->nr_later; i++) {
		struct session *s = x->later[i].session;

		uffd_wake(s->uffd, x->later[i].addr, DAX_PAGE_SIZE);
		session_put(s);
	}
	x->nr_later = 0;
}

/* When the messages were read; 0: this time nobody looks at the clock. */
static uint64_t read_time(struct exec *x)
{
	unsigned int reads = x->reads++;

	return reads < TIMED_FIRST || !(reads % TIMED_EVERY) ? now_ns() : 0;
}

/*
 * One wake of the range that they span also wakes whoever sleeps in between. No
 * message of one of those may have been read: the thread would fault again, and be
 * served and counted twice. So there must be no other reader, which the session lock
 * keeps so, and no other fault in service. Threads whose message nobody has read take
 * it with them, and bring another.
 */
static bool wake_range(struct exec *x, struct session *s)
{
	const struct wake_batch *b = &x->batch;
	uint64_t start = UINT64_MAX, end = 0;
	bool alone;

	for (unsigned int i = 0; i < b->nr; i++) {
		start = b->addr[i] < start ? b->addr[i] : start;
		end = b->addr[i] > end ? b->addr[i] : end;
	}
	lock_take(&s->lock);
	alone = readers_single(s) && exec_none_served(x->d);
	if (alone)
		uffd_wake(s->uffd, start, end + DAX_PAGE_SIZE - start);
	lock_release(&s->lock);
	return alone;
}

static void wake_batch(struct exec *x, struct session *s)
{
	struct wake_batch *b = &x->batch;

	b->session = NULL;
	if (b->nr < WAKE_BATCH_MIN || !wake_range(x, s))
		for (unsigned int i = 0; i < b->nr; i++)
			uffd_wake(s->uffd, b->addr[i], DAX_PAGE_SIZE);
	b->nr = 0;
}

/* The thread that faulted last, 0: none did. */
static uint32_t last_tid(const struct uffd_msg *msgs, unsigned int n)
{
	const struct uffd_msg *last = &msgs[n - 1];

	return last->event == UFFD_EVENT_PAGEFAULT ? last->arg.pagefault.feat.ptid : 0;
}

static void serve_messages(struct reader *r, const struct uffd_msg *msgs,
			   unsigned int n)
{
	struct exec *x = r->worker->x;
	struct session *s = r->session;
	uint64_t now = read_time(x);

	/* A full one has others behind it, which a wake of the range would hit. */
	if (n >= WAKE_BATCH_MIN && n < READ_BATCH)
		x->batch.session = s;
	for (unsigned int i = 0; i < n; i++)
		fault_message(x, s, &msgs[i], now);
	if (x->batch.session)
		wake_batch(x, s);
	storm_served(&x->storm, n, now);
	reader_served(r, n, last_tid(msgs, n));
}

/* Reads and serves all messages that are there. */
static void drain(struct reader *r)
{
	struct exec *x = r->worker->x;
	struct uffd_msg msgs[READ_BATCH];
	unsigned int reads = 0;
	bool again = false;
	int n;

	x->draining = true;
	do {
		n = uffd_read(r->session->uffd, msgs, READ_BATCH);
		if (again)
			storm_read(&x->storm, n > 0);
		if (n <= 0)
			break;
		serve_messages(r, msgs, n);
		/* Timers of held tasks want the ring looked at. */
		again = !x->held && storm_reads_on(&x->storm, ++reads);
	} while (n == READ_BATCH || x->nr_later || again);
	x->draining = false;
	wake_later(x);
}

static void on_uffd(struct loop *loop, struct loop_op *op, int res, bool last)
{
	struct reader *r = container_of(op, struct reader, op);

	if (res > 0)
		drain(r);
	if (last)
		reader_gone(r);
}

static void poll_on_worker(struct loop *loop, struct loop_msg *msg)
{
	struct reader *r = container_of(msg, struct reader, msg);
	int err;

	loop_op_init(&r->op, on_uffd);
	err = loop_poll(loop, &r->op, r->session->uffd, POLLIN);
	if (err) {
		logmsg("cannot poll the userfaultfd of pid %d: %s",
		       (int)r->session->pid, strerror(-err));
		reader_gone(r);
		return;
	}
	/* What came before the poll was there. */
	drain(r);
}

void worker_poll_uffd(struct reader *r)
{
	r->msg.fn = poll_on_worker;
	loop_post(r->worker->loop, &r->msg);
}

static void unpoll_on_worker(struct loop *loop, struct loop_msg *msg)
{
	struct reader *r = container_of(msg, struct reader, del);
	struct session *s = r->session;

	if (r->op.armed)
		loop_cancel(loop, &r->op);
	session_put(s);
}

void worker_unpoll_uffd(struct reader *r)
{
	session_get(r->session);
	r->del.fn = unpoll_on_worker;
	loop_post(r->worker->loop, &r->del);
}

static void on_accept(struct loop *loop, struct loop_op *op, int res, bool last)
{
	struct worker *w = container_of(op, struct worker, accept_op);

	if (res > 0)
		conn_accept(w);
}

static void on_sweep(struct loop *loop, struct loop_op *op, int res, bool last)
{
	struct worker *w = container_of(op, struct worker, sweep_op);

	session_sweep(w->x->d);
	if (session_unnamed(w->x->d))
		loop_timeout(loop, op, SWEEP_NS);
}

static void forked_on_worker(struct loop *loop, struct loop_msg *msg)
{
	struct worker *w = container_of(msg, struct worker, fork_msg);

	atomic_store(&w->fork_posted, false);
	conn_forked(w);
	if (w->sweep_op.armed || !session_unnamed(w->x->d))
		return;
	loop_op_init(&w->sweep_op, on_sweep);
	loop_timeout(loop, &w->sweep_op, SWEEP_NS);
}

void worker_forked(struct udaxd *d)
{
	struct worker *w = d->workers[0];

	if (atomic_exchange(&w->fork_posted, true))
		return;
	w->fork_msg.fn = forked_on_worker;
	loop_post(w->loop, &w->fork_msg);
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;
	cpu_set_t set;
	int err;

	CPU_ZERO(&set);
	CPU_SET(w->cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
	storm_init(&w->x->storm);
	err = loop_run(w->loop);
	if (err) {
		logmsg("worker on CPU %u: %s", w->cpu, strerror(-err));
		udaxd_stop(w->x->d);
	}
	return NULL;
}

int worker_new(struct udaxd *d, unsigned int i, unsigned int cpu)
{
	struct worker *w = calloc(1, sizeof(*w));
	int err;

	if (!w)
		return -ENOMEM;
	w->x = d->execs[i];
	w->cpu = cpu;
	list_init(&w->forked);
	err = loop_new(&w->loop, LOOP_ENTRIES, w);
	if (err) {
		free(w);
		return err;
	}
	d->workers[i] = w;
	return 0;
}

int worker_start(struct worker *w, int listen)
{
	int err = 0;

	if (listen >= 0) {
		loop_op_init(&w->accept_op, on_accept);
		err = loop_poll(w->loop, &w->accept_op, listen, POLLIN);
	}
	return err ? err : -pthread_create(&w->thread, NULL, worker_main, w);
}

void worker_stop(struct worker *w)
{
	loop_stop(w->loop);
	pthread_join(w->thread, NULL);
}

void worker_free(struct worker *w)
{
	loop_free(w->loop);
	free(w);
}
