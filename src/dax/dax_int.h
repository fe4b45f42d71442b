/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the files of the model share. i_pages is held in every function: each is
 * part of one step's critical section.
 */
#ifndef UDAX_DAX_DAX_INT_H
#define UDAX_DAX_DAX_INT_H

#include "dax/dax.h"

enum dax_step {
#define STEP(name, function, entry) STEP_##name,
#include "dax/tbl/steps.h"
#undef STEP
	STEP_NR
};

typedef enum dax_verb dax_step_fn(struct dax_op *op);

#define STEP(name, function, entry) dax_step_fn function;
#include "dax/tbl/steps.h"
#undef STEP

/* The driver is to answer @verb, @next reads the answer. */
static inline enum dax_verb dax_ask(struct dax_op *op, enum dax_verb verb,
				    enum dax_step next)
{
	op->step = next;
	return verb;
}

static inline enum dax_verb dax_ask_pages(struct dax_op *op, enum dax_verb verb,
					  uint64_t start, uint64_t nr,
					  enum dax_step next)
{
	op->ask.start = start;
	op->ask.nr = nr;
	op->ask.pos = start << PAGE_SHIFT;
	op->ask.len = nr << PAGE_SHIFT;
	return dax_ask(op, verb, next);
}

static inline bool dax_fault_write(const struct dax_op *op)
{
	return op->flags & (DAX_FAULT_FLAG_WRITE | DAX_FAULT_FLAG_MKWRITE);
}

/* dax.c, in the order of fs/dax.c. Comments are there. */
void dax_wake_entry(struct dax_op *op, dax_entry_t entry, enum dax_wake_mode mode);
dax_entry_t get_unlocked_entry(struct dax_op *op, unsigned int order);
dax_entry_t dax_scan_entry(struct dax_op *op);
void put_unlocked_entry(struct dax_op *op, dax_entry_t entry,
			enum dax_wake_mode mode);
void dax_lock_entry(struct dax_op *op, dax_entry_t entry);
void dax_store_unlocked(struct dax_op *op);
enum dax_verb dax_unlock_entry(struct dax_op *op);
enum dax_verb grab_mapping_entry(struct dax_op *op);
enum dax_verb grab_downgrade(struct dax_op *op);
enum dax_verb grab_downgrade_again(struct dax_op *op);
bool dax_insert_unmaps(const struct dax_op *op);
void dax_insert_entry(struct dax_op *op);
void dax_remove_entry(struct dax_op *op, dax_entry_t entry);
bool dax_invalidate_entry(struct dax_op *op, dax_entry_t entry, bool trunc);
/* The operation is through with the wake that it had, if it had one. */
void dax_wake_spent(struct dax_op *op);

/* verify.c: debug builds check, and abort with the number of what is broken. */
#ifdef UDAX_DEBUG
void dax_verify_step(const struct dax_op *op);
void dax_verify_idle(const struct dax_mapping *mapping);
#else
static inline void dax_verify_step(const struct dax_op *op)
{
}

static inline void dax_verify_idle(const struct dax_mapping *mapping)
{
}
#endif

/* op.c */
/* The invalidate lock, shared or not, unless the driver holds it already. */
enum dax_verb dax_fs_lock(struct dax_op *op, bool excl, enum dax_step next);
/* The end of every operation: gives the invalidate lock back. */
enum dax_verb dax_finish(struct dax_op *op);

#endif
