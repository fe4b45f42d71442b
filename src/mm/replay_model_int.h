/* SPDX-License-Identifier: BSD-3-Clause */
/* Shared by the parts of the model's driver, and by nobody else. */
#ifndef UDAX_MM_REPLAY_MODEL_INT_H
#define UDAX_MM_REPLAY_MODEL_INT_H

#include <assert.h>

#include "mm/replay_model.h"

/* A lock of the simulated kernel; not even a lock where nobody else runs. */
struct model_lock {
	unsigned int shared;
	bool excl;
};

/*
 * For a driver in whose runs several threads are under way. What happens between
 * two points is atomic. @point: another may run before what comes next.
 * @saw: what the thread has learnt, and may act by. @mark: notes how much that
 * is; @recall: it acts by no more than that, and by what it sees from here on;
 * @unmark: the note is not needed any more. They nest. @park: until @op is woken.
 * @woken: @op, which was parked, is. @block: until @l may be free. @calm: from
 * here on nobody does anything but faults, none of them synchronous; then some
 * steps are noticed by nobody (doc/kernel-map.md). @alone: at most one other.
 * @solo: and the thread keeps to a page that is nobody else's, in a window that
 * nobody can map at 2M. @released: the thread has made its access, only its fault goes on.
 */
struct model_sched {
	void (*point)(struct replay *r);
	void (*saw)(struct replay *r, const void *data, size_t len);
	void (*mark)(struct replay *r);
	void (*recall)(struct replay *r);
	void (*unmark)(struct replay *r);
	void (*park)(struct replay *r, struct dax_op *op);
	void (*woken)(struct replay *r, struct dax_op *op);
	void (*block)(struct replay *r, const struct model_lock *l, bool excl);
	bool (*calm)(struct replay *r);
	bool (*alone)(struct replay *r);
	bool (*solo)(struct replay *r);
	bool (*released)(struct replay *r);
};

/* A file's part: replay_file.driver. */
struct model_file {
	struct dax_mapping mapping;
	void *table;			/* the mapping's memory */
	struct model_lock inval;	/* mapping->invalidate_lock */
};

/* A thread between its release and its join, or before. */
struct model_thread {
	const struct script_op *armed;	/* waits for `go`, at: */
	uint64_t addr;
	bool finished;			/* @access waits for `join` */
	struct replay_access access;
};

/* The run's part: replay.arg. */
struct model {
	const struct model_sched *sched;	/* NULL: nobody else runs */
	const struct dax_protocol *protocol;
	struct dax_wait_table waits;
	struct dax_stats stats;
	struct mm *child;		/* or NULL */
	struct model_lock mmap_lock;	/* of the process; the VMAs' too */
	struct model_lock ptl;		/* of its page table */
	unsigned int max_faults;	/* of one access */
	bool all_known;			/* @saw is told what nobody reads any more, too */
	struct model_thread thread[SCRIPT_THREADS];
	unsigned int armed[SCRIPT_THREADS], nr_armed;	/* in order */
};

static inline struct model_file *model_file(const struct replay_file *file)
{
	return file->driver;
}

static inline void model_point(struct replay *r)
{
	const struct model *m = r->arg;

	if (m->sched)
		m->sched->point(r);
}

/* Does nobody notice the step of a fault, unless it changes @addr's slot? */
static inline bool model_solo(struct replay *r)
{
	const struct model *m = r->arg;

	return m->sched && m->sched->solo(r);
}

/* The same for one that looks at, or fills, the slot: then a table is there. */
static inline bool model_solo_at(struct replay *r, uint64_t addr)
{
	const struct pmd *pmd = mm_find_pmd(&r->mm, addr);

	return model_solo(r) && pmd && pmd->slot == DAX_PT_TABLE;
}

static inline void model_saw(struct replay *r, const void *data, size_t len)
{
	const struct model *m = r->arg;

	if (m->sched)
		m->sched->saw(r, data, len);
}

static inline void model_mark(struct replay *r)
{
	const struct model *m = r->arg;

	if (m->sched)
		m->sched->mark(r);
}

static inline void model_recall(struct replay *r)
{
	const struct model *m = r->arg;

	if (m->sched)
		m->sched->recall(r);
}

static inline void model_unmark(struct replay *r)
{
	const struct model *m = r->arg;

	if (m->sched)
		m->sched->unmark(r);
}

/*
 * On a walk of page tables, which begins with model_mark(): it is on its way to
 * @to. How many steps that took does not tell: slots come and go meanwhile.
 */
static inline void model_saw_walk(struct replay *r, uint64_t to)
{
	model_recall(r);
	model_saw(r, &to, sizeof(to));
}

static inline void model_end_walk(struct replay *r)
{
	model_recall(r);
	model_unmark(r);
}

static inline bool model_released(struct replay *r)
{
	const struct model *m = r->arg;

	return m->sched && m->sched->released(r);
}

/* Is it so calm that faults of @vma, which is shared, can be told apart less? */
static inline bool model_calm(struct replay *r, const struct vma *vma)
{
	const struct model *m = r->arg;

	return m->sched && vma && vma->flags & VMA_SHARED && m->sched->calm(r);
}

/* True: not at once. */
static inline bool model_lock(struct replay *r, struct model_lock *l, bool excl)
{
	const struct model *m = r->arg;
	bool waited = false;

	while (l->excl || (excl && l->shared)) {
		assert(m->sched);
		m->sched->block(r, l, excl);
		waited = true;
	}
	if (excl)
		l->excl = true;
	else
		l->shared++;
	return waited;
}

static inline void model_unlock(struct model_lock *l)
{
	if (l->excl)
		l->excl = false;
	else
		l->shared--;
}

/* Until nobody is in the middle of changing an entry of the page table. */
static inline void model_wait_ptl(struct replay *r)
{
	struct model *m = r->arg;

	model_lock(r, &m->ptl, true);
	model_unlock(&m->ptl);
}

extern const struct replay_driver model_driver;

/* Tells the log of a huge pmd that a zap of a part of it drops. */
void model_split(void *arg, uint64_t addr);

/* The load or store of @op itself; @addr is mapped for it. */
void model_hit(struct replay *r, struct mm *mm, const struct script_op *op,
	       uint64_t addr, struct replay_access *a);
/* As a thread of the script: @op, a touch, an atouch or an arm. */
void model_access_as(struct replay *r, const struct script_op *op,
		     uint64_t addr, struct replay_access *a);

/* replay_dax.c: operations of the model, run to their end. */

int model_create(struct replay *r, struct replay_file *file);
void model_destroy(struct replay *r, struct replay_file *file);
/* An operation; @mm, @vma and @addr of a fault, else NULL and 0. */
void model_run(struct replay *r, struct replay_file *file, struct dax_op *op,
	       struct mm *mm, const struct vma *vma, uint64_t addr);
void model_range(struct replay *r, struct replay_file *file,
		 enum dax_op_kind kind, uint64_t first, uint64_t last);
void model_unmap(struct replay *r, struct replay_file *file, uint64_t start,
		 uint64_t nr, bool cows);
/* Drops the huge pmd at @addr, if there is one. */
void model_drop_pmd(struct replay *r, struct mm *mm, uint64_t addr);

/* replay_fault.c: accesses. @page_fault: the log gets a p line. */

enum replay_outcome model_access(struct replay *r, struct mm *mm, uint64_t addr,
				 bool write, bool user, bool page_fault);
/* After an access that was REPLAY_OK. */
uint8_t model_load(struct mm *mm, uint64_t addr);
void model_store(struct replay *r, struct mm *mm, uint64_t addr, uint8_t byte);
void model_copy_page(struct mm *mm, uint64_t addr, uint8_t *bytes);

#endif
