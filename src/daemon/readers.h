/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which workers read a session's userfaultfd. A fault wakes every reader, and one
 * on another CPU is woken by an interrupt, ten times as dear as the fault: a thread
 * is best served on the CPU where it faults, by one reader. So readers follow the
 * program. There is one at first, on the CPU of its main thread; now and then a
 * reader looks on which CPU a thread that faulted is. That CPU's worker becomes a
 * reader, and those on whose CPU no thread was seen for some looks leave.
 *
 * Where the kernel does not tell the CPU, all workers on the program's CPUs read.
 */
#ifndef UDAX_DAEMON_READERS_H
#define UDAX_DAEMON_READERS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "io/loop.h"

struct session;
struct udaxd;
struct worker;

/* Every reader is woken by every fault: few are enough. */
#define READERS_MAX 4

enum reader_state {
	READER_OFF,
	READER_ON,
	READER_LEAVING,		/* the worker has been told to stop */
};

/* A worker's part in a session; session.readers[worker]. */
struct reader {
	enum reader_state state;	/* session lock */
	unsigned int unseen;		/* session lock: looks without a thread here */
	uint32_t served, look_at;	/* the worker's: faults since the last look */
	struct loop_op op;
	struct loop_msg msg, del;
	struct session *session;	/* ON and LEAVING: a reference */
	struct worker *worker;
};

/* The worker on the CPU where a thread runs, or slept; NULL: there is none, or unknown. */
struct worker *worker_near(const struct udaxd *d, pid_t tid);
/*
 * The session's userfaultfd is there: somebody begins to read it. @near: where it
 * is likely to fault if its process is not known yet; may be NULL. Any thread.
 */
void readers_start(struct session *s, struct worker *near);
/* The session ends. Any thread. */
void readers_stop(struct session *s);
/* The CPUs whose workers read it now; how many. Session lock held. */
unsigned int readers_cpus(const struct session *s, unsigned int cpus[READERS_MAX]);
/* Is one worker all that reads it, or has yet to serve what it read? The same lock. */
bool readers_single(const struct session *s);
/*
 * A thread was seen on @near's CPU: its worker begins to read, if there is room, and
 * those leave on whose CPU none was for some looks. True: that has changed something.
 * The same lock.
 */
bool readers_seen(struct session *s, const struct worker *near);
/* On the reader's worker: @n messages were served; @tid of the last, 0: no fault. */
void reader_served(struct reader *r, unsigned int n, uint32_t tid);
/* On the reader's worker: it polls no more. */
void reader_gone(struct reader *r);

#endif
