/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An event loop on one io_uring. A loop belongs to the thread that runs it;
 * only loop_post() and loop_stop() may be called from others. What is added to
 * it (polls, timers) is a struct loop_op that the caller owns from the add to
 * the last call of its function (the one without IORING_CQE_F_MORE). The
 * user_data of each request is a struct loop_op, never anything else, and is
 * checked by its magic.
 */
#ifndef UDAX_IO_LOOP_H
#define UDAX_IO_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/list.h"

struct loop;
struct loop_op;

/*
 * @res: poll: the ready events, or -errno; timer: -ETIME when it expired;
 * -ECANCELED after loop_cancel(). @last: the operation is the caller's again
 * and may be added or freed here.
 */
typedef void loop_fn(struct loop *loop, struct loop_op *op, int res, bool last);

#define LOOP_OP_MAGIC 0x6c6f6f70u

struct loop_op {
	uint32_t magic;
	bool armed;		/* the loop's thread only */
	bool cancelled;		/* loop_cancel() was called, its answer is due */
	uint8_t type;		/* the loop's own, as the rest */
	int fd;
	uint32_t events;
	loop_fn *fn;
	uint64_t ts[2];		/* timers: struct __kernel_timespec */
};

/* A message to a loop's thread; the poster owns it until @fn runs. */
struct loop_msg {
	struct list_head link;
	void (*fn)(struct loop *loop, struct loop_msg *msg);
};

/*
 * 0 and a loop, or -errno. @entries: of the submission queue. @owner: back
 * pointer. Any thread may make a loop and add operations to it before
 * loop_run(), as many as @entries less one; the thread that is the first to
 * call loop_run() is the loop's thread from then on.
 */
int loop_new(struct loop **loop, unsigned int entries, void *owner);
/* Not while it runs. Operations are the caller's again, without a call. */
void loop_free(struct loop *loop);
void *loop_owner(const struct loop *loop);

void loop_op_init(struct loop_op *op, loop_fn *fn);
/*
 * Multishot poll for @events (POLLIN...): one call now if it is ready, then one
 * for each time that it becomes ready; whoever is called reads until EAGAIN.
 * Ends only by loop_cancel() or an error. Cancel it before @fd is closed: the
 * poll holds the file open. 0 or -errno: -EBUSY: @op is in use, or no room.
 */
int loop_poll(struct loop *loop, struct loop_op *op, int fd, unsigned int events);
/* One-shot timer, CLOCK_MONOTONIC, from now. 0 or -errno as loop_poll(). */
int loop_timeout(struct loop *loop, struct loop_op *op, uint64_t ns);
/* The same, at @ns of CLOCK_MONOTONIC; at once if that is past. */
int loop_deadline(struct loop *loop, struct loop_op *op, uint64_t ns);
/*
 * @op->fn runs once more with -ECANCELED and last = true, later, never inside
 * this call. -ENOENT: it is not armed.
 */
int loop_cancel(struct loop *loop, struct loop_op *op);

/* Any thread. Wakes the loop if it sleeps. Messages run in the order posted. */
void loop_post(struct loop *loop, struct loop_msg *msg);

/*
 * Waits for events and runs them until loop_stop(), which ends this or the next
 * run. One system call a wake, no allocation. 0 or -errno.
 */
int loop_run(struct loop *loop);
/* Any thread; async-signal-safe (a flag and a write to an eventfd). */
void loop_stop(struct loop *loop);

#endif
