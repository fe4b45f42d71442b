/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Executors and tasks. A task is an operation of the model together with what
 * the daemon needs to answer it; any executor may run it, one at a time. It is
 * always in exactly one place: running, on an executor's ready list, in a wait
 * queue of the model, in a file's invalidate queue, or in the pool's queue.
 */
#ifndef UDAX_DAEMON_EXEC_H
#define UDAX_DAEMON_EXEC_H

#include "daemon/daemon.h"
#include "daemon/storm.h"
#include "mm/mmfault.h"

/* Messages taken by one read; more than that many threads rarely wait. */
#define READ_BATCH 32

/*
 * Threads whose messages came in one read, each with its page installed by now, are
 * woken together: one that is woken at once takes the CPU from the worker before
 * the next is served, and many of a session on a CPU cost a switch each.
 */
struct wake_batch {
	struct session *session;	/* whose messages are being served, or NULL */
	unsigned int nr;
	uint64_t addr[READ_BATCH];
};

/* A thread that runs tasks. All fields are the thread's own unless said. */
struct exec {
	struct udaxd *d;
	unsigned int id;
	bool may_block;			/* helpers */
	struct trace_ring *trace;	/* NULL: off; trace.h */
	unsigned int arena;		/* jemalloc's, for what it allocates */
	_Atomic(struct session *) installing;	/* read by others: bracket.c */
	struct list_head ready;		/* dax_waiter.link: woken operations */
	struct report *report;		/* detect.c */
	struct list_head ready_tasks;	/* task.link: let in by an invalidate lock */
	struct list_head free;		/* task.link: spare tasks */
	unsigned int nr_free;
	struct fault_stats own;		/* of operations without a session */
	/* Threads to wake when the messages that are there have been read. */
	struct wake_later {
		struct session *session;
		uint64_t addr;
	} later[16];
	unsigned int nr_later;
	bool draining;			/* a worker reads messages */
	struct wake_batch batch;
	struct storm storm;		/* workers */
	struct around *around;		/* around.c; NULL: without fault-around */
	unsigned int held;		/* workers: timers of held tasks, hold.c */
	/* Messages served so far, and faults over; read by others: fs.c. */
	uint64_t faults, ended;
	unsigned int reads;		/* that brought messages; wraps */
};

enum task_kind { TASK_FAULT, TASK_RANGE };

/* What a handler of a verb says to the loop in task_run(). */
enum task_next {
	TASK_STEP,	/* answered: step the model */
	TASK_AWAY,	/* handed over: do not touch it any more */
};

/* What the trace remembers of a task; zero when a range operation begins. */
struct task_trace {
	uint32_t cause;			/* as in struct udax_trace_hdr */
	uint32_t woken_by;		/* seq of the wake, low bits */
};

struct task {
	struct dax_op op;
	enum task_kind kind;
	enum dax_verb verb;		/* to be done next */
	struct list_head link;
	struct file *file;		/* reference through region, or own */
	bool spare;			/* between task_free() and task_alloc() */
	bool granted;			/* the invalidate lock is ours now */
	bool locked_range;		/* TASK_RANGE: and was taken */
	bool waited;			/* has been parked */
	bool inval_held;		/* TASK_FAULT: to be released at the end */
	int8_t folio;			/* enum window_folio, -1: not looked up */
	bool pmd_waited_pte;		/* a 2M fault: has waited for a 4K entry */
	uint64_t parked_ns;		/* first PARK of this stall, 0: none */
	uint64_t stranded_ns;		/* when its sleep was; of a waiter that is */
	struct task_trace trace;	/* nobody else's; set only when tracing */
	struct fault_stats *stats;	/* task_stats() of who runs it */

	/* TASK_FAULT */
	struct region *region;		/* holds a reference */
	uint64_t addr;			/* page aligned, in the program */
	uint64_t read_ns;		/* when the message was read, 0: not sampled */
	uint32_t tid;			/* faulting thread */
	bool write, minor, wp;		/* from the message */
	bool refill;			/* the model is not asked */
	bool rebuild;			/* the tables have it, reality must not: fault.c */
	bool attempted;			/* the model has been asked */
	struct mm_fault mm;		/* the mm's part of the fault */
	bool installed;			/* MAP has seen to the thread */

	bool synced;			/* DAX_FSYNC is done */
	bool finishing;			/* nothing is left but to let the thread go */
	bool late, late_pmd;		/* and to install: install.c */
	struct list_head serving;	/* session.serving, with exact tracking */
	uint64_t again;			/* turn.c: its thread sleeps there, or 0 */
	struct zap_wait zap;		/* seq: what is to be zapped first, 0: nothing */

	/* TASK_RANGE: holds a reference of @file */
	struct session *owner;		/* who asked, alive as long as this; NULL: udaxd */
	void (*done)(struct exec *x, struct task *t);
	bool shared;			/* holds the invalidate lock shared all the time */
	/* With the invalidate lock just taken; AWAY: submits the task again. */
	enum task_next (*prepare)(struct exec *x, struct task *t);
	/* Done with the invalidate lock held, before it is released; may block. */
	void (*locked)(struct exec *x, struct task *t);
	void *arg;
	bool finished;			/* by the model; to be synced */
	/*
	 * Called when the model has finished: false ends the task, true goes on
	 * with what it has made of @op. The invalidate lock, once taken, is kept
	 * from one operation to the next.
	 */
	bool (*next)(struct exec *x, struct task *t);

	struct {			/* hold.c; the medium works */
		uint64_t until;		/* CLOCK_MONOTONIC, ns; UINT64_MAX: a gate */
		enum hold_kind kind;
		struct loop_op timer;
		struct loop_msg msg;
	} hold;
};

/* fs.c */
void fs_quiet_check(struct udaxd *d);

struct exec *exec_new(struct udaxd *d, unsigned int id, bool may_block);
void exec_free(struct exec *x);

struct task *task_alloc(struct exec *x);
void task_free(struct exec *x, struct task *t);

/*
 * A fault of a message that was counted in x->faults, here or elsewhere, is over.
 * Who waits for silence makes every thread pass a barrier between setting
 * quiet_wanted and looking at the sums, so none is needed here.
 */
static inline void exec_fault_ended(struct exec *x)
{
	counter_add(&x->ended, 1);
	atomic_signal_fence(memory_order_seq_cst);
	if (atomic_load_explicit(&x->d->quiet_wanted, memory_order_relaxed))
		fs_quiet_check(x->d);
}

/* Runs @t until it is done or waits somewhere else, then all that it woke. */
void task_run(struct exec *x, struct task *t);
void exec_run_ready(struct exec *x);
/* TASK_RANGE: the model has finished. Calls t->done, on a helper. */
void range_done(struct exec *x, struct task *t);

/*
 * Wakes a thread so that it faults again: at once, or, by an executor that is
 * reading messages, when no more are there. The resolve may have failed because
 * a fork event waits behind them.
 */
void exec_wake_later(struct exec *x, struct session *s, uint64_t addr);

/* Is a thread of @s to be installed for without a wake, and then noted here? */
static inline bool exec_batches(const struct exec *x, const struct session *s)
{
	return x->batch.session == s && x->batch.nr < READ_BATCH;
}

static inline void exec_wake_joins(struct exec *x, uint64_t addr)
{
	x->batch.addr[x->batch.nr++] = addr;
}

/* No fault is being served, or waits, in all of the daemon. */
bool exec_none_served(struct udaxd *d);

/*
 * answer.c: does what t->verb asks for, and writes the answer into the operation.
 * answer_held() is for what may be answered with i_pages held; false: it is not.
 */
enum task_next answer(struct exec *x, struct task *t);
bool answer_held(struct task *t);
/* DAX_UNMAP; DAX_SPLIT_PMD, and MM_FAULT_DROP_PMD. */
void exec_unmap(struct task *t, uint64_t start, uint64_t nr, bool cows);
void exec_drop_pmd(struct exec *x, struct task *t);

/* The counters that this executor keeps for the task; t->stats while it runs. */
struct fault_stats *task_stats(struct exec *x, struct task *t);

/* fault.c: one message of a program's userfaultfd. */
void fault_message(struct exec *x, struct session *s,
		   const struct uffd_msg *msg, uint64_t now);
/*
 * Between two attempts: false when the fault is over, or elsewhere; else an
 * attempt is to be run. fault_done() goes before, after an attempt.
 */
bool fault_next(struct exec *x, struct task *t);
void fault_done(struct exec *x, struct task *t);
/* It is over, its thread has been seen to. Frees @t. */
void fault_end(struct exec *x, struct task *t);
/* A page fault of it. False: it is over, nothing could be served. */
bool fault_serve(struct exec *x, struct session *s, const struct uffd_msg *msg,
		 uint64_t now);

/* install.c */
enum task_next install_map(struct exec *x, struct task *t);
enum task_next install_private(struct exec *x, struct task *t);
/* Serves a slot that the emulated page table has. Takes over @t. */
void install_refill(struct exec *x, struct task *t);
/*
 * MAP while the process has still to zap something: the slot is set, and what is
 * installed when that is done. False: elsewhere.
 */
bool install_late(struct exec *x, struct task *t);
/* The fault ends in SIGBUS. */
void install_sigbus(struct exec *x, struct task *t);

/* inval.c: the file system's invalidate lock */
enum task_next inval_lock(struct exec *x, struct task *t);
void inval_unlock(struct exec *x, struct task *t);
/* Shared, if no writer has it or waits. Any lock may be held. */
bool inval_trylock_shared(struct file *f);

/* pool.c: helper threads */
int pool_start(struct pool **pool, struct udaxd *d, unsigned int threads,
	       struct exec **execs);
void pool_stop(struct pool *pool);
/* Any thread. The helper calls task_run(). */
void pool_submit(struct pool *pool, struct task *t);
/* Any thread, any lock held. The helper calls @job->fn, which may free it. */
void pool_run(struct pool *pool, struct pool_job *job);
/* CLOCK_MONOTONIC, ns. */
uint64_t now_ns(void);

#endif
