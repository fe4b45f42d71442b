/* SPDX-License-Identifier: BSD-3-Clause */
#include <assert.h>
#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "io/loop.h"
#include "lib/lock.h"

enum op_type { OP_POLL = 1, OP_TIMER, OP_DEADLINE };

_Static_assert(sizeof(((struct loop_op *)0)->ts) == sizeof(struct __kernel_timespec),
	       "loop_op.ts holds a struct __kernel_timespec");

struct loop {
	struct io_uring ring;
	bool enabled;		/* the ring belongs to a thread */
	int wake_fd;		/* eventfd; written to wake, never read */
	struct loop_op wake_op;	/* poll of @wake_fd */
	struct loop_op cancel_op;	/* user_data of every cancel request */
	void *owner;

	/*
	 * True from before the loop looks at @posted for the last time until it
	 * is back from the kernel: a poster who sees false need not write to
	 * @wake_fd, for the loop still looks.
	 */
	atomic_bool sleeping;
	atomic_bool stop;
	atomic_bool pending;	/* @posted is not empty */
	struct lock lock;	/* guards @posted */
	struct list_head posted;
};

/*
 * The ring starts disabled, so that it binds to the thread that runs the loop
 * and not to the one that makes it. Kernels before 6.1 refuse the flags; they
 * get a plain ring, which costs an interrupt of the loop's thread a completion.
 */
static int ring_setup(struct io_uring *ring, unsigned int entries)
{
	static const unsigned int tries[] = {
		IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
			IORING_SETUP_COOP_TASKRUN,
		IORING_SETUP_COOP_TASKRUN,
		0,
	};
	unsigned int i;
	int ret = -EINVAL;

	for (i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
		ret = io_uring_queue_init(entries, ring, tries[i] | IORING_SETUP_R_DISABLED);
		if (ret != -EINVAL)
			break;
	}
	return ret;
}

/* io_uring_enable_rings(), which liburing 2.3 declares and does not export. */
static int ring_enable(struct io_uring *ring)
{
	return syscall(SYS_io_uring_register, ring->ring_fd,
		       IORING_REGISTER_ENABLE_RINGS, NULL, 0) < 0 ? -errno : 0;
}

static void wake_fn(struct loop *loop, struct loop_op *op, int res, bool last)
{
	/* The messages are run by the loop itself; here is nothing to do. */
}

static void cancel_fn(struct loop *loop, struct loop_op *op, int res, bool last)
{
	/* The operation that was cancelled answers by itself. */
}

int loop_new(struct loop **out, unsigned int entries, void *owner)
{
	struct loop *loop;
	int ret;

	loop = calloc(1, sizeof(*loop));
	if (!loop)
		return -ENOMEM;
	loop->owner = owner;
	lock_init(&loop->lock, LOCK_RANK_LEAF, "loop mailbox");
	list_init(&loop->posted);
	loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (loop->wake_fd < 0) {
		ret = -errno;
		goto err_lock;
	}
	ret = ring_setup(&loop->ring, entries);
	if (ret < 0)
		goto err_wake_fd;
	loop_op_init(&loop->cancel_op, cancel_fn);
	loop_op_init(&loop->wake_op, wake_fn);
	ret = loop_poll(loop, &loop->wake_op, loop->wake_fd, POLLIN);
	if (ret < 0)
		goto err_ring;
	*out = loop;
	return 0;

err_ring:
	io_uring_queue_exit(&loop->ring);
err_wake_fd:
	close(loop->wake_fd);
err_lock:
	lock_destroy(&loop->lock);
	free(loop);
	return ret;
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	io_uring_queue_exit(&loop->ring);
	close(loop->wake_fd);
	lock_destroy(&loop->lock);
	free(loop);
}

void *loop_owner(const struct loop *loop)
{
	return loop->owner;
}

void loop_op_init(struct loop_op *op, loop_fn *fn)
{
	memset(op, 0, sizeof(*op));
	op->magic = LOOP_OP_MAGIC;
	op->fn = fn;
	op->fd = -1;
}

/* A free request; submits the queue when it is full. */
static struct io_uring_sqe *get_sqe(struct loop *loop)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&loop->ring);

	if (sqe || !loop->enabled)
		return sqe;
	io_uring_submit(&loop->ring);
	return io_uring_get_sqe(&loop->ring);
}

static int arm(struct loop *loop, struct loop_op *op)
{
	struct io_uring_sqe *sqe = get_sqe(loop);

	if (!sqe)
		return -EBUSY;
	if (op->type == OP_POLL)
		io_uring_prep_poll_multishot(sqe, op->fd, op->events);
	else
		io_uring_prep_timeout(sqe, (struct __kernel_timespec *)op->ts, 0,
				      op->type == OP_DEADLINE ? IORING_TIMEOUT_ABS : 0);
	io_uring_sqe_set_data(sqe, op);
	op->armed = true;
	return 0;
}

int loop_poll(struct loop *loop, struct loop_op *op, int fd, unsigned int events)
{
	assert(op->magic == LOOP_OP_MAGIC);
	if (op->armed)
		return -EBUSY;
	op->type = OP_POLL;
	op->cancelled = false;
	op->fd = fd;
	op->events = events;
	return arm(loop, op);
}

static int timer(struct loop *loop, struct loop_op *op, enum op_type type,
		 uint64_t ns)
{
	assert(op->magic == LOOP_OP_MAGIC);
	if (op->armed)
		return -EBUSY;
	op->type = type;
	op->cancelled = false;
	op->ts[0] = ns / 1000000000u;
	op->ts[1] = ns % 1000000000u;
	return arm(loop, op);
}

int loop_timeout(struct loop *loop, struct loop_op *op, uint64_t ns)
{
	return timer(loop, op, OP_TIMER, ns);
}

int loop_deadline(struct loop *loop, struct loop_op *op, uint64_t ns)
{
	return timer(loop, op, OP_DEADLINE, ns);
}

int loop_cancel(struct loop *loop, struct loop_op *op)
{
	struct io_uring_sqe *sqe;

	assert(op->magic == LOOP_OP_MAGIC);
	if (!op->armed)
		return -ENOENT;
	if (op->cancelled)
		return 0;
	sqe = get_sqe(loop);
	if (!sqe)
		return -EBUSY;
	io_uring_prep_cancel(sqe, op, 0);
	io_uring_sqe_set_data(sqe, &loop->cancel_op);
	op->cancelled = true;
	return 0;
}

/*
 * One completion. A poll that the kernel ended without an error (it ends one
 * whose completion found no room) is armed again behind the caller's back.
 * A cancelled operation says so, and nothing else: what its events were is of
 * no interest any more, also if it ended by itself meanwhile.
 */
static void complete(struct loop *loop, struct loop_op *op, int res, unsigned int flags)
{
	bool last = !(flags & IORING_CQE_F_MORE);

	assert(op->magic == LOOP_OP_MAGIC);
	if (op == &loop->cancel_op)
		return;
	if (op->cancelled) {
		if (!last)
			return;
		res = -ECANCELED;
	} else if (last && op->type == OP_POLL && res >= 0) {
		op->armed = false;
		if (arm(loop, op))
			res = -EBUSY;
		else
			last = false;
	}
	if (last)
		op->armed = false;
	op->fn(loop, op, res, last);
}

/* What overflowed the queue comes with the next wait, which has room then. */
static void run_completions(struct loop *loop)
{
	struct io_uring_cqe *cqe;
	unsigned int head, nr = 0;

	io_uring_for_each_cqe(&loop->ring, head, cqe) {
		complete(loop, io_uring_cqe_get_data(cqe), cqe->res, cqe->flags);
		nr++;
	}
	io_uring_cq_advance(&loop->ring, nr);
}

static void run_messages(struct loop *loop)
{
	struct list_head todo;
	struct loop_msg *msg;

	list_init(&todo);
	lock_take(&loop->lock);
	list_splice_tail(&loop->posted, &todo);
	atomic_store_explicit(&loop->pending, false, memory_order_relaxed);
	lock_release(&loop->lock);
	while (!list_empty(&todo)) {
		msg = list_first(&todo, struct loop_msg, link);
		list_del(&msg->link);
		msg->fn(loop, msg);
	}
}

/* Async-signal-safe. A full counter (it never is) wakes as well. */
static void wake(struct loop *loop)
{
	uint64_t one = 1;
	ssize_t n;

	do {
		n = write(loop->wake_fd, &one, sizeof(one));
	} while (n < 0 && errno == EINTR);
}

/*
 * No message is left behind: the poster stores @pending, then loads @sleeping;
 * the loop stores @sleeping, then loads @pending, all of them sequentially
 * consistent. So one of both sees the other's store: the loop does not sleep,
 * or the poster wakes it. @wake_fd is never read: the poll is edge triggered,
 * each write is a completion.
 */
void loop_post(struct loop *loop, struct loop_msg *msg)
{
	lock_take(&loop->lock);
	list_add_tail(&msg->link, &loop->posted);
	atomic_store(&loop->pending, true);
	lock_release(&loop->lock);
	if (atomic_load(&loop->sleeping) && atomic_exchange(&loop->sleeping, false))
		wake(loop);
}

void loop_stop(struct loop *loop)
{
	int saved = errno;

	atomic_store(&loop->stop, true);
	wake(loop);
	errno = saved;
}

/* Submits what is queued and waits, in one system call. 0 or -errno. */
static int wait_events(struct loop *loop)
{
	unsigned int min = 1;
	int ret;

	atomic_store(&loop->sleeping, true);
	if (atomic_load(&loop->pending) || atomic_load(&loop->stop))
		min = 0;
	ret = io_uring_submit_and_wait(&loop->ring, min);
	atomic_store_explicit(&loop->sleeping, false, memory_order_relaxed);
	/* EBUSY, EAGAIN: completions must be taken first; they are next. */
	if (ret == -EINTR || ret == -EBUSY || ret == -EAGAIN)
		return 0;
	return ret < 0 ? ret : 0;
}

int loop_run(struct loop *loop)
{
	int ret = 0;

	if (!loop->enabled) {
		ret = ring_enable(&loop->ring);
		if (ret)
			return ret;
		loop->enabled = true;
	}
	/* Saves a lookup of the descriptor a call; kernels before 5.18 lack it. */
	io_uring_register_ring_fd(&loop->ring);
	while (!atomic_load_explicit(&loop->stop, memory_order_acquire)) {
		ret = wait_events(loop);
		if (ret)
			break;
		run_completions(loop);
		if (atomic_load_explicit(&loop->pending, memory_order_acquire))
			run_messages(loop);
	}
	atomic_store(&loop->stop, false);
	io_uring_unregister_ring_fd(&loop->ring);
	return ret;
}
