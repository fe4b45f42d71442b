/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Hold times: how long the medium works while an entry is locked (lib/hold.h). A
 * task that is held waits for a timer of a worker's ring, and goes on with the
 * answer that it has; nobody else waits with it.
 */
#ifndef UDAX_DAEMON_HOLD_H
#define UDAX_DAEMON_HOLD_H

#include "daemon/exec.h"
#include "daemon/rules.h"

/* Away until the time is over, or not at all. */
enum task_next hold_begin(struct exec *x, struct task *t,
			  const struct hold *hold, enum hold_kind kind);

static inline bool hold_has(const struct file *f)
{
	return atomic_load_explicit(&f->hold, memory_order_relaxed);
}

/* The answer to IOMAP or FLUSH is there; from here on it takes its time. */
static inline enum task_next hold_answer(struct exec *x, struct task *t,
					 enum hold_kind kind)
{
	const struct hold *hold = atomic_load_explicit(&t->file->hold,
						       memory_order_acquire);

	return hold ? hold_begin(x, t, hold, kind) : TASK_STEP;
}

/* The rule for @f, whose path may have changed. Daemon lock held. */
void hold_choose(struct udaxd *d, struct file *f);
/*
 * Other rules from now on, of which this takes possession; who waits at a gate
 * goes on, whatever they say. Any thread that holds no lock.
 */
void hold_set_rules(struct udaxd *d, struct hold_rules *rules);
/* Who waits at a gate for session @s, which is over, goes on; NULL: for anybody. */
void hold_open_gates(struct udaxd *d, const struct session *s);

#endif
