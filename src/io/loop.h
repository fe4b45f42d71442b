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
 * @res: what the kernel returned (poll: the ready events, or -errno;
 * -ECANCELED after loop_cancel). @last: the operation is the caller's again.
 */
typedef void loop_fn(struct loop *loop, struct loop_op *op, int res, bool last);

#define LOOP_OP_MAGIC 0x6c6f6f70u

struct loop_op {
	uint32_t magic;
	bool armed;		/* the loop's thread only */
	loop_fn *fn;
	uint64_t ts[2];		/* timers: struct __kernel_timespec */
};

/* A message to a loop's thread; the poster owns it until @fn runs. */
struct loop_msg {
	struct list_head link;
	void (*fn)(struct loop *loop, struct loop_msg *msg);
};

/* 0 and a loop, or -errno. @entries: of the submission queue. @owner: back pointer. */
int loop_new(struct loop **loop, unsigned int entries, void *owner);
void loop_free(struct loop *loop);
void *loop_owner(const struct loop *loop);

void loop_op_init(struct loop_op *op, loop_fn *fn);
/* Multishot poll for @events (POLLIN...). 0 or -errno. */
int loop_poll(struct loop *loop, struct loop_op *op, int fd, unsigned int events);
/* One-shot timer. */
int loop_timeout(struct loop *loop, struct loop_op *op, uint64_t ns);
/* @op->fn runs once more with -ECANCELED and last = true. */
int loop_cancel(struct loop *loop, struct loop_op *op);

/* Any thread. Wakes the loop if it sleeps. */
void loop_post(struct loop *loop, struct loop_msg *msg);

/* Waits for events and runs them until loop_stop(). 0 or -errno. */
int loop_run(struct loop *loop);
/* Any thread; async-signal-safe (a flag and a write to an eventfd). */
void loop_stop(struct loop *loop);

#endif
