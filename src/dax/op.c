/* SPDX-License-Identifier: BSD-3-Clause */
/* Mappings and operations: their life, and the dispatch of steps. */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "dax/dax_int.h"

static dax_step_fn *const steps[STEP_NR] = {
#define STEP(name, function, entry) [STEP_##name] = function,
#include "dax/tbl/steps.h"
#undef STEP
};

void dax_mapping_init(struct dax_mapping *mapping,
		      const struct dax_protocol *proto,
		      struct dax_wait_table *waits, void *table_mem,
		      uint64_t table_size)
{
	memset(mapping, 0, sizeof(*mapping));
	lock_init(&mapping->i_pages, LOCK_RANK_MAPPING, "i_pages");
	dax_table_init(&mapping->table, table_mem, table_size);
	mapping->proto = proto;
	mapping->fault_flags =
		(proto->iomap_before_lock ? DAX_FAULT_FLAG_IOMAP_FIRST : 0) |
		(proto->giant_lock ? DAX_FAULT_FLAG_GIANT : 0);
	mapping->waits = waits;
	list_init(&mapping->sleepers);
	dax_sleeper_lists_init(&mapping->lists);
	mapping->hash = (uintptr_t)mapping;
}

void dax_mapping_exit(struct dax_mapping *mapping)
{
	assert(list_empty(&mapping->sleepers) && !mapping->wakes_pending);
	dax_verify_idle(mapping);
	lock_destroy(&mapping->i_pages);
}

static void op_init(struct dax_op *op, enum dax_op_kind kind,
		    struct dax_mapping *mapping, uint64_t index,
		    unsigned int order, enum dax_step step)
{
	size_t size = sizeof(*op);

	/*
	 * A size that the compiler does not know: it calls the C library, whose
	 * vector stores take a third of the time of the `rep stos` it would use.
	 */
	__asm__("" : "+r"(size));
	memset(op, 0, size);
	op->kind = kind;
	op->mapping = mapping;
	op->order = order;
	op->pgoff = index;
	op->end = index;
	op->xas.index = order ? index & ~PG_PMD_COLOUR : index;
	op->xas.order = order;
	op->step = step;
	list_init(&op->woken);
}

static uint64_t vma_pgoff(const struct dax_vma *vma, uint64_t address)
{
	return ((address - vma->vm_start) >> PAGE_SHIFT) + vma->vm_pgoff;
}

void dax_op_init_fault(struct dax_op *op, struct dax_mapping *mapping,
		       unsigned int order, const struct dax_vma *vma,
		       uint64_t address, unsigned int flags)
{
	assert(order == 0 || order == PMD_ORDER);
	op_init(op, DAX_OP_FAULT, mapping, vma_pgoff(vma, address), order,
		STEP_FAULT_START);
	op->vma = *vma;
	op->address = address;
	op->flags = flags | mapping->fault_flags;
}

void dax_op_init_mkwrite(struct dax_op *op, struct dax_mapping *mapping,
			 unsigned int order, const struct dax_vma *vma,
			 uint64_t address)
{
	assert(order == 0 || order == PMD_ORDER);
	op_init(op, DAX_OP_MKWRITE, mapping, vma_pgoff(vma, address), order,
		STEP_MKWRITE_START);
	op->vma = *vma;
	op->address = address;
	op->flags = DAX_FAULT_FLAG_WRITE;
}

void dax_op_init_range(struct dax_op *op, enum dax_op_kind kind,
		       struct dax_mapping *mapping, uint64_t start,
		       uint64_t end)
{
	static const uint16_t first[] = {
		[DAX_OP_WRITEBACK] = STEP_WB_START,
		[DAX_OP_INVALIDATE] = STEP_INVALIDATE,
		[DAX_OP_DELETE] = STEP_INVALIDATE,
		[DAX_OP_DELETE_RANGE] = STEP_SCAN_START,
		[DAX_OP_LAYOUT_BUSY] = STEP_SCAN_START,
		[DAX_OP_LOCK_ENTRY] = STEP_LOCK_ENTRY,
	};

	assert(kind != DAX_OP_FAULT && kind != DAX_OP_MKWRITE && start <= end);
	op_init(op, kind, mapping, start, 0, first[kind]);
	op->end = end;
}

enum dax_verb dax_fs_lock(struct dax_op *op, bool excl, enum dax_step next)
{
	op->step = next;
	if (op->flags & DAX_FAULT_FLAG_INVAL_LOCKED)
		return steps[next](op);
	op->ask.excl = excl;
	op->fs_locked = true;
	return DAX_FSLOCK;
}

enum dax_verb dax_finish(struct dax_op *op)
{
	dax_wake_spent(op);
	op->step = STEP_DONE;
	if (!op->fs_locked)
		return DAX_DONE;
	op->fs_locked = false;
	return DAX_FSUNLOCK;
}

enum dax_verb step_done(struct dax_op *op)
{
	return DAX_DONE;
}

bool dax_op_cancel(struct dax_op *op)
{
	if (!op->waiter.asleep ||
	    !dax_wait_cancel(op->mapping->waits, &op->waiter))
		return false;
	dax_wait_finish(&op->waiter);
	op->step = STEP_CANCELLED;
	return true;
}

bool dax_op_kick(struct dax_op *op, struct list_head *woken)
{
	if (!op->waiter.asleep ||
	    !dax_wait_cancel(op->mapping->waits, &op->waiter))
		return false;
	op->waiter.kicked = true;
	list_add_tail(&op->waiter.link, woken);
	return true;
}

enum dax_verb step_cancelled(struct dax_op *op)
{
	op->result = DAX_FAULT_RETRY;
	op->error = -EINTR;
	return dax_finish(op);
}

enum dax_verb dax_op_step(struct dax_op *op)
{
	enum dax_verb verb;

	assert(!op->waiter.queued);
	list_init(&op->woken);
	verb = steps[op->step](op);
	dax_verify_step(op);
	return verb;
}

/* ------------------------------------------------------------------ names */

const char *dax_verb_name(enum dax_verb verb)
{
	static const char *const names[] = {
		[DAX_MORE] = "more",
		[DAX_PARK] = "park",
		[DAX_FSLOCK] = "fslock",
		[DAX_PT_CHECK] = "pt-check",
		[DAX_IOMAP] = "iomap",
		[DAX_ALLOC] = "alloc",
		[DAX_UNMAP] = "unmap",
		[DAX_WRPROTECT] = "wrprotect",
		[DAX_FLUSH] = "flush",
		[DAX_SPLIT_PMD] = "split-pmd",
		[DAX_COPY] = "copy",
		[DAX_FSYNC] = "fsync",
		[DAX_PAGE_BUSY] = "page-busy",
		[DAX_MAP] = "map",
		[DAX_FSUNLOCK] = "fsunlock",
		[DAX_DONE] = "done",
	};

	return names[verb];
}

const char *dax_fallback_name(enum dax_fallback reason)
{
	static const char *const names[DAX_FALLBACK_NR] = {
		[DAX_FALLBACK_NONE] = "none",
		[DAX_FALLBACK_COLOUR] = "colour",
		[DAX_FALLBACK_PRIVATE] = "private",
		[DAX_FALLBACK_VMA] = "vma",
		[DAX_FALLBACK_EOF] = "eof",
		[DAX_FALLBACK_CONFLICT] = "conflict",
		[DAX_FALLBACK_OOM] = "oom",
		[DAX_FALLBACK_EXTENT] = "extent",
	};

	return names[reason];
}

const char *dax_kind_name(enum dax_op_kind kind)
{
	static const char *const names[] = {
		[DAX_OP_FAULT] = "fault",
		[DAX_OP_MKWRITE] = "mkwrite",
		[DAX_OP_WRITEBACK] = "writeback",
		[DAX_OP_INVALIDATE] = "invalidate",
		[DAX_OP_DELETE] = "delete",
		[DAX_OP_DELETE_RANGE] = "delete-range",
		[DAX_OP_LAYOUT_BUSY] = "layout-busy",
		[DAX_OP_LOCK_ENTRY] = "lock-entry",
	};

	return names[kind];
}

const char *dax_step_name(const struct dax_op *op)
{
	static const char *const names[STEP_NR] = {
#define STEP(name, function, entry) [STEP_##name] = #name,
#include "dax/tbl/steps.h"
#undef STEP
	};

	return names[op->step];
}
