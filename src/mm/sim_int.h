/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of the simulator share. */
#ifndef UDAX_MM_SIM_INT_H
#define UDAX_MM_SIM_INT_H

#include "dax/dax_int.h"
#include "mm/sim.h"
#include "mm/sim_event.h"

struct sim_task;

struct sim_file {
	struct dax_mapping m;
	void *memory;		/* the table's */
	uint64_t size;
	uint64_t locked_until;	/* i_pages */
	struct list_head spinners;	/* tasks that want it, in order */
	unsigned int inval_shared;	/* the invalidate lock: holders, ... */
	bool inval_excl;
	struct list_head inval_waiters;	/* ... and tasks, in order */
	uint64_t nr_ranges;	/* windows of the file ever used */
	struct list_head idle;	/* ranges to use again */
	struct list_head all;
};

/* A 2M window of a file, between being new and being used again. */
struct sim_range {
	struct list_head link;	/* sim_file.idle */
	struct list_head every;	/* sim_file.all */
	struct sim_file *file;
	uint64_t head;		/* first page */
	unsigned int refs;	/* requests in it, and a slot whose it is */
	unsigned int owed;	/* unlocked, the wake is the next step */
	uint64_t blocks[PG_PMD_NR / 64];	/* pages that have one */
	struct list_head asleep;	/* tasks, until a wake picks them */
};

/* One of the windows that the load knows; it gets a new range now and then. */
struct sim_slot {
	struct sim_range *range;
	uint64_t requests, generation;
};

enum sim_purpose {		/* numbers of a request's random bits */
	DRAW_ARRIVAL, DRAW_WORK, DRAW_SLOT, DRAW_PAGE, DRAW_PMD, DRAW_WRITE,
	DRAW_CONFLICT, DRAW_OTHER_PAGE, DRAW_OFFSET, DRAW_PARTNER,
	DRAW_HOLD,		/* + kind, + HOLD_NR for 2M */
};

typedef void sim_task_fn(struct sim *s, struct sim_task *t);

enum sim_role { ROLE_FAULTER, ROLE_PARTNER, ROLE_WORKER };

struct sim_task {
	struct dax_op op;
	enum sim_role role;
	/* the CPU's */
	struct list_head link;	/* run queue, or list of those with nothing to do */
	sim_task_fn *next;	/* where it goes on when it has a CPU */
	uint64_t remaining;	/* of work that may be interrupted */
	uint64_t slice_end;
	uint64_t hold_end;	/* when the medium is through */
	uint64_t spin_start;
	/* the load's */
	uint64_t stream, number;	/* which request */
	uint64_t key;		/* of its random bits */
	uint64_t due;		/* when it arrived */
	bool counts;		/* after the warm-up */
	bool write;
	uint64_t page;		/* in the file */
	unsigned int order;	/* of the operation */
	enum sim_order tried;	/* first */
	struct sim_range *range;
	struct sim_task *other;	/* ROLE_PARTNER: who is to meet us, not yet started */
	/* the sleep's */
	struct list_head asleep;	/* sim_range.asleep */
	bool off_cpu;		/* asleep, and its CPU is given up */
	bool woken;		/* woken before it gave it up */
	bool target_free;	/* its own lookup would not sleep, since: */
	uint64_t free_since, free_ns;	/* free_ns: before */
	uint64_t stranded_at;
	bool kick_armed;
	/* the attempt's */
	bool stalled;		/* has slept */
	enum sim_stall stall;
	uint64_t stall_start, locked_at;
};

struct sim {
	const struct sim_config *c;
	const struct dax_protocol *proto;
	struct sim_result *r;
	uint64_t now;
	struct sim_queue queue;
	bool nomem;
	/* the machine */
	unsigned int idle_cpus;
	struct list_head run_queue;
	struct dax_wait_table waits;
	uint64_t *queue_until;	/* a wait queue is locked until */
	struct dax_stats stats;	/* all of them; the result leaves the warm-up out */
	struct dax_stats stats_before;
	/* the load */
	struct sim_file *files;
	struct sim_slot *slots;
	struct sim_task *tasks;
	struct sim_task **extras;	/* partners and workers, made as needed */
	unsigned int nr_extras, max_extras;
	struct list_head idle_extras;
	uint64_t started;	/* requests */
	bool counting, over;	/* warm-up is over; no request starts any more */
	struct list_head idle_tasks;	/* SIM_POISSON: nothing to do */
	uint64_t arrival_number, arrival_time;
	bool arrival_armed;
	struct {
		uint64_t number, time;
		bool armed;
	} background[2];	/* invalidations, writebacks */
};

/* sim.c */
void sim_at(struct sim *s, uint64_t time, sim_event_fn *fn, void *arg);
void sim_sample(struct sim *s, struct sim_samples *samples, uint64_t value);

static inline uint64_t sim_cost(const struct sim *s, enum sim_cost cost)
{
	return s->c->cost[cost];
}

static inline uint64_t sim_draw(const struct sim_task *t, unsigned int purpose)
{
	return dist_bits(t->key, purpose);
}

static inline bool sim_chance(const struct sim_task *t, unsigned int purpose,
			      double part)
{
	return dist_unit(sim_draw(t, purpose)) < part;
}

/* sim_cpu.c */
/* @t becomes runnable @delay from now, and goes on at @next on a CPU. */
void sim_ready(struct sim *s, struct sim_task *t, uint64_t delay,
	       sim_task_fn *next);
/* @t keeps its CPU for @ns, and goes on at @next. */
void sim_busy(struct sim *s, struct sim_task *t, uint64_t ns,
	      sim_task_fn *next);
/* The same; others may have the CPU in between when its quantum is over. */
void sim_compute(struct sim *s, struct sim_task *t, uint64_t ns,
		 sim_task_fn *next);
/* The task that runs gives its CPU to the next one. */
void sim_yield(struct sim *s);

/* sim_work.c: the load. */
int sim_work_init(struct sim *s);
/* A fault, or a worker's operation, has ended; @t has a CPU. */
void sim_request_done(struct sim *s, struct sim_task *t);
/* @t holds its entry for @hold, or sleeps: the one who is to meet it may start. */
void sim_partner_holds(struct sim *s, struct sim_task *t, uint64_t hold);

/* sim_range.c: windows. */
int sim_ranges_init(struct sim *s);
void sim_ranges_exit(struct sim *s);
/* The slot's range; the caller has a reference then. */
struct sim_range *sim_range_get(struct sim *s, unsigned int slot);
void sim_range_put(struct sim *s, struct sim_range *range);
/* A window of the slot that nobody has touched takes the place of the old. */
void sim_slot_renew(struct sim *s, unsigned int slot);
/* Page number @nr of those that are used of the slot's windows, of 0 to 511. */
uint64_t sim_slot_page(const struct sim *s, unsigned int slot, unsigned int nr);
/* Answers DAX_IOMAP; says what the medium is doing. */
enum hold_kind sim_iomap(struct sim_range *range, struct dax_op *op);
bool sim_grow_table(struct sim_file *f);

/* sim_step.c: the model's operations. */
/* Starts the operation of the request; on a CPU. */
void sim_op_start(struct sim *s, struct sim_task *t);
/* Wakes @t, which is stranded, though nobody else does. */
void sim_kick(struct sim *s, struct sim_task *t);
/* Takes @t, which is asleep, out of its queue and to its end: for the end. */
void sim_give_up(struct sim *s, struct sim_task *t);

/* sim_wait.c: sleeps, and what they were good for. */
struct sim_before {
	dax_entry_t entry;
	uint64_t done;
	unsigned int step;
	bool asleep;
	struct dax_stats stats;
};

void sim_note_before(const struct sim *s, const struct sim_task *t,
		     struct sim_before *b);
void sim_note_step(struct sim *s, struct sim_task *t,
		   const struct sim_before *b, enum dax_verb verb);
/* A wake has picked @t. */
void sim_note_picked(struct sim *s, struct sim_task *t);

static inline struct sim_task *sim_task_of(struct dax_waiter *w)
{
	return container_of(dax_waiter_op(w), struct sim_task, op);
}

#endif
