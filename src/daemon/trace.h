/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the fault service tells the trace (--trace; udax/trace.h has the format),
 * and the probes (probes.h). Off, each call here is one test of exec.trace. On, a record is written to the
 * executor's own ring: no lock, no allocation. Sessions, files and regions are
 * made known in a ring of their own, under a lock (LOCK_RANK_LEAF).
 */
#ifndef UDAX_DAEMON_TRACE_H
#define UDAX_DAEMON_TRACE_H

#include "daemon/exec.h"
#include "daemon/probes.h"
#include "lib/trace_ring.h"

struct trace {
	struct trace_writer writer;
	struct lock lock;		/* LOCK_RANK_LEAF: the last ring */
	struct trace_ring *known;	/* sessions, files and regions */
	_Atomic uint32_t regions;
};

/* --trace: makes the file, arms the executors. 0, or -errno; it has been said. */
int trace_start(struct udaxd *d);
/* No executor runs any more. */
void trace_end(struct udaxd *d);
/* Records dropped so far; 0 without a trace. Any thread. */
static inline uint64_t trace_drops(const struct udaxd *d)
{
	return d->trace ? trace_dropped(&d->trace->writer) : 0;
}

/* Before a record can name them. Any thread; any lock may be held but a leaf. */
void trace_session(struct session *s);
void trace_file_known(struct udaxd *d, const struct file *f);
void trace_region(struct region *r);

/* The ones below do what trace_*() do if there is a trace. */
void trace_do_page_fault(struct exec *x, struct task *t, bool refill);
void trace_do_drop(struct exec *x, struct session *s, uint64_t addr,
		   uint32_t tid, enum udax_trace_drop_why why);
void trace_do_refill(struct exec *x, struct task *t, int error);
void trace_do_attempt(struct exec *x, struct task *t);
void trace_do_done(struct exec *x, struct task *t);
void trace_do_nothing(struct exec *x, struct task *t);
void trace_do_split(struct exec *x, struct task *t);
void trace_do_stranded(struct exec *x, struct task *t);
enum dax_verb trace_do_step(struct exec *x, struct task *t);

/* The program's thread that @t works for. */
static inline uint32_t trace_tid(const struct task *t)
{
	return t->kind == TASK_FAULT ? t->tid : 0;
}

/* A record of @t's, or NULL (also without a trace); trace_commit() follows. */
static inline void *trace_task_begin(struct exec *x, const struct task *t,
				     enum udax_trace_type type,
				     unsigned int size)
{
	struct udax_trace_hdr *hdr;

	hdr = x->trace ? trace_begin(x->trace, type, size) : NULL;
	if (hdr) {
		hdr->tid = trace_tid(t);
		hdr->cause = t->trace.cause;
	}
	return hdr;
}

static inline bool tracing(const struct exec *x)
{
	return __builtin_expect(x->trace != NULL, 0);
}

/* A message has become the fault @t. */
static inline void trace_page_fault(struct exec *x, struct task *t, bool refill)
{
	PROBE_FAULT_BEGIN(t->addr, t->tid, t->write, refill);
	if (tracing(x))
		trace_do_page_fault(x, t, refill);
}

/* A message came to nothing but a wake. */
static inline void trace_drop(struct exec *x, struct session *s, uint64_t addr,
			      uint32_t tid, enum udax_trace_drop_why why)
{
	if (tracing(x))
		trace_do_drop(x, s, addr, tid, why);
}

/* The fault @t found nothing left to do: it ends without an attempt. */
static inline void trace_nothing(struct exec *x, struct task *t)
{
	if (tracing(x))
		trace_do_nothing(x, t);
}

/* The huge translation at the address is about to be dropped. */
static inline void trace_split(struct exec *x, struct task *t)
{
	if (tracing(x))
		trace_do_split(x, t);
}

/* A refill has been installed, or not; or the kernel may make its own copy. */
static inline void trace_refill(struct exec *x, struct task *t, int error)
{
	if (tracing(x))
		trace_do_refill(x, t, error);
}

/* t->op is a new attempt of the fault handler. */
static inline void trace_attempt(struct exec *x, struct task *t)
{
	if (tracing(x))
		trace_do_attempt(x, t);
}

/* ... and is over. */
static inline void trace_done(struct exec *x, struct task *t)
{
	PROBE_ATTEMPT_DONE(t->addr, t->tid, t->op.order, t->op.result,
			   t->op.reason);
	if (tracing(x))
		trace_do_done(x, t);
}

/* The sleeping task, of whichever executor, has been found stranded. i_pages held. */
static inline void trace_stranded(struct exec *x, struct task *t)
{
	PROBE_STRANDED(t->file->id, trace_tid(t), t->op.waiter.key.entry_start,
		       t->op.order, t->op.waiter.blocker,
		       t->op.waiter.blocker_order);
	if (tracing(x))
		trace_do_stranded(x, t);
}

/*
 * dax_op_step(), with what it did to entries, and with what the driver did since
 * the step before. i_pages held.
 */
static inline enum dax_verb trace_step(struct exec *x, struct task *t)
{
	return tracing(x) || probing_steps() ? trace_do_step(x, t) :
					       dax_op_step(&t->op);
}

#endif
