/* SPDX-License-Identifier: BSD-3-Clause */
/* What is said of a sleeper, to people and to the control socket. */
#ifndef UDAX_DAEMON_SLEEPER_H
#define UDAX_DAEMON_SLEEPER_H

#include "daemon/exec.h"

/* A copy: of one moment, and good for ever. */
struct sleeper {
	pid_t pid;			/* 0: an operation of udaxd's own */
	uint32_t tid;			/* 0: no thread's fault, or not known */
	char comm[16];			/* of the program */
	enum dax_op_kind kind;
	unsigned int order;
	uint64_t index, page;		/* looked up, and asked for */
	uint64_t key;			/* slept on */
	uint64_t blocker;		/* first page of the entry that it saw locked */
	unsigned int blocker_order;
	uint64_t wakes;			/* the key that releasing that entry wakes */
	bool released;			/* which has happened since */
	bool exclusive, stranded;
	bool woken;			/* and has not run yet */
	uint64_t since_ns;		/* CLOCK_MONOTONIC: first wait of this stall */
};

static inline struct task *task_of(struct dax_op *op)
{
	return container_of(op, struct task, op);
}

/* Whose operation it is; NULL: udaxd's own. */
struct session *task_session(const struct task *t);

/* Of a parked operation; i_pages held. */
void sleeper_copy(struct sleeper *to, struct dax_op *op);

#define SLEEPER_NAME 64
/* "db_bench/2445", with the thread's name as ps has it. May read /proc. */
void sleeper_name(const struct sleeper *s, char *buf, size_t len);

#endif
