/* SPDX-License-Identifier: BSD-3-Clause */
/* A mapping for one test, and the steps of operations on it, verb by verb. */
#ifndef UDAX_TESTS_DAX_UNIT_H
#define UDAX_TESTS_DAX_UNIT_H

#include "unit.h"

#include <errno.h>

#include "dax/dax.h"

#define WORLD_MEMORY	(1UL << 20)
#define WORLD_SIZE	(8 * DAX_PMD_SIZE)	/* bytes of the file */
#define VMA_START	0x10000000000UL
#define RACER_MAX	8

struct world {
	struct dax_mapping m;
	struct dax_wait_table waits;
	struct dax_stats stats;
	struct dax_op op[RACER_MAX];
	void *memory, *queues;
};

static inline void world_init(struct world *w, const char *protocol)
{
	memset(w, 0, sizeof(*w));
	w->queues = aligned_alloc(64, dax_wait_table_size(2));
	w->memory = aligned_alloc(64, WORLD_MEMORY);
	memset(w->memory, 0, WORLD_MEMORY);
	dax_wait_table_init(&w->waits, 2, w->queues);
	dax_mapping_init(&w->m, dax_protocol_find(protocol), &w->waits, w->memory,
			 WORLD_MEMORY);
	w->m.i_size = WORLD_SIZE;
}

static inline int world_setup(void **state)
{
	*state = malloc(sizeof(struct world));
	world_init(*state, "616");
	return 0;
}

static inline int world_teardown(void **state)
{
	struct world *w = *state;

	dax_mapping_exit(&w->m);
	dax_wait_table_exit(&w->waits);
	free(w->queues);
	free(w->memory);
	free(w);
	return 0;
}

/* A shared mapping of the whole file whose colour is right. */
static inline struct dax_vma whole_vma(void)
{
	return (struct dax_vma){
		.vm_start = VMA_START, .vm_end = VMA_START + WORLD_SIZE,
		.shared = true,
	};
}

static inline struct dax_op *new_fault(struct world *w, unsigned int i,
				       unsigned int order, uint64_t page,
				       unsigned int flags)
{
	struct dax_vma vma = whole_vma();

	dax_op_init_fault(&w->op[i], &w->m, order, &vma,
			  VMA_START + (page << PAGE_SHIFT) + 123, flags);
	w->op[i].stats = &w->stats;
	return &w->op[i];
}

static inline struct dax_op *new_range(struct world *w, unsigned int i,
				       enum dax_op_kind kind, uint64_t start,
				       uint64_t end)
{
	dax_op_init_range(&w->op[i], kind, &w->m, start, end);
	w->op[i].stats = &w->stats;
	return &w->op[i];
}

/* One step, which must end in @verb. */
#define step_is(op, verb) do { \
	enum dax_verb verb_ = dax_op_step(op); \
	char msg_[128] = ""; \
	if (dax_verify((op)->mapping, msg_, sizeof(msg_))) \
		fail_msg("%s", msg_); \
	if (verb_ != (verb)) \
		fail_msg("verb %s, not %s; then step %s", dax_verb_name(verb_), \
			 dax_verb_name(verb), dax_step_name(op)); \
} while (0)

/* Is @other woken by the last step of @op? Takes it off the list. */
static inline bool woke(struct dax_op *op, struct dax_op *other)
{
	struct dax_waiter *w;

	list_for_each(w, &op->woken, link)
		if (dax_waiter_op(w) == other) {
			list_del(&w->link);
			return true;
		}
	return false;
}

static inline bool woke_nobody(const struct dax_op *op)
{
	return list_empty(&op->woken);
}

static inline void answer_mapped(struct dax_op *op, uint64_t pfn, uint64_t length,
				 unsigned int flags)
{
	op->ans.iomap = (struct dax_iomap){
		.type = DAX_IOMAP_MAPPED, .flags = flags, .length = length,
		.pfn = pfn,
	};
}

static inline void answer_hole(struct dax_op *op, uint64_t length)
{
	op->ans.iomap = (struct dax_iomap){
		.type = DAX_IOMAP_HOLE, .length = length,
	};
}

/* A fault to its DAX_IOMAP, with its entry locked. */
#define to_iomap(op) do { \
	step_is(op, DAX_FSLOCK); \
	step_is(op, DAX_PT_CHECK); \
	(op)->ans.slot = DAX_PT_NONE; \
	step_is(op, DAX_IOMAP); \
} while (0)

/* From the answer to DAX_IOMAP on, when all goes well. */
#define map_and_end(op) do { \
	step_is(op, DAX_MAP); \
	(op)->ans.error = 0; \
	step_is(op, DAX_MORE); \
	step_is(op, DAX_FSUNLOCK); \
	step_is(op, DAX_DONE); \
} while (0)

#define unlock_and_end(op) do { \
	step_is(op, DAX_MORE); \
	step_is(op, DAX_FSUNLOCK); \
	step_is(op, DAX_DONE); \
} while (0)

/* A whole fault on a mapped block at pfn = page; the entry stays behind. */
#define make_entry(w, order, page, flags) do { \
	struct dax_op *op_ = new_fault(w, RACER_MAX - 1, order, page, flags); \
	uint64_t page_ = (order) ? (page) & ~PG_PMD_COLOUR : (page); \
	to_iomap(op_); \
	answer_mapped(op_, page_, DAX_PAGE_SIZE << (order), 0); \
	map_and_end(op_); \
	assert_int_equal(op_->result, DAX_FAULT_NOPAGE); \
} while (0)

/* The same on a hole that is read: a zero entry. */
#define make_zero(w, order, page) do { \
	struct dax_op *op_ = new_fault(w, RACER_MAX - 1, order, page, 0); \
	to_iomap(op_); \
	answer_hole(op_, DAX_PAGE_SIZE << (order)); \
	map_and_end(op_); \
} while (0)

static inline dax_entry_t entry_at(struct world *w, uint64_t page)
{
	return dax_table_load(&w->m.table, page, 0, NULL);
}

static inline bool dirty(struct world *w, uint64_t page)
{
	return dax_table_get_mark(&w->m.table, page, DAX_MARK_DIRTY);
}

#endif
