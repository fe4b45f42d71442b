/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dax_iomap_pte_fault(), dax_iomap_pmd_fault() and dax_finish_sync_fault() as
 * steps. Each step is at most one critical section of i_pages; doc/fault.md has
 * the table of steps, verbs and locks.
 */
#include <errno.h>

#include "dax/dax_int.h"

static bool fault_is_cow(const struct dax_op *op)
{
	return dax_fault_write(op) && !op->vma.shared;
}

/* Kernel: dax_fault_return(). */
static unsigned int fault_of_error(int error)
{
	if (!error)
		return DAX_FAULT_NOPAGE;
	return error == -ENOMEM ? DAX_FAULT_OOM : DAX_FAULT_SIGBUS;
}

/* What the answer to DAX_MAP makes of the fault. */
static unsigned int fault_of_map(int error)
{
	return error == -ENOMEM || error == -ENOSPC ? DAX_FAULT_SIGBUS :
						      DAX_FAULT_NOPAGE;
}

static enum dax_verb fault_fallback(struct dax_op *op, enum dax_fallback reason)
{
	op->result = DAX_FAULT_FALLBACK;
	op->reason = reason;
	return dax_ask(op, DAX_SPLIT_PMD, STEP_FAULT_END);
}

static enum dax_verb fault_result(struct dax_op *op, unsigned int result)
{
	op->result = result;
	return dax_finish(op);
}

/* The fault is over but for its entry. */
static enum dax_verb fault_unlock(struct dax_op *op, unsigned int result,
				  enum dax_fallback reason)
{
	op->result = result;
	op->reason = reason;
	return dax_unlock_entry(op);
}

/* ------------------------------------------------------------------ begin */

enum dax_verb step_fault_start(struct dax_op *op)
{
	return dax_fs_lock(op, op->flags & DAX_FAULT_FLAG_GIANT, STEP_FAULT_BEGIN);
}

/* Kernel: dax_fault_check_fallback(). */
static enum dax_fallback pmd_check_fallback(const struct dax_op *op,
					    uint64_t max_pgoff)
{
	uint64_t pmd_addr = op->address & ~(DAX_PMD_SIZE - 1);

	if ((op->pgoff & PG_PMD_COLOUR) !=
	    (op->address >> PAGE_SHIFT & PG_PMD_COLOUR))
		return DAX_FALLBACK_COLOUR;
	if (fault_is_cow(op))
		return DAX_FALLBACK_PRIVATE;
	if (pmd_addr < op->vma.vm_start ||
	    op->vma.vm_end - pmd_addr < DAX_PMD_SIZE)
		return DAX_FALLBACK_VMA;
	if ((op->xas.index | PG_PMD_COLOUR) >= max_pgoff)
		return DAX_FALLBACK_EOF;
	return DAX_FALLBACK_NONE;
}

static enum dax_verb fault_iomap(struct dax_op *op, enum dax_step next)
{
	op->ask.write = dax_fault_write(op) && !fault_is_cow(op);
	return dax_ask_pages(op, DAX_IOMAP, op->xas.index, 1UL << op->order,
			     next);
}

enum dax_verb step_fault_begin(struct dax_op *op)
{
	uint64_t max_pgoff = (op->mapping->i_size + DAX_PAGE_SIZE - 1) >>
			     PAGE_SHIFT;
	enum dax_fallback reason;

	if (op->xas.index >= max_pgoff)
		return fault_result(op, DAX_FAULT_SIGBUS);
	if (op->order) {
		reason = pmd_check_fallback(op, max_pgoff);
		if (reason)
			return fault_fallback(op, reason);
	}
	if (op->flags & DAX_FAULT_FLAG_IOMAP_FIRST)
		return fault_iomap(op, STEP_GRAB);
	return step_grab(op);
}

/* ------------------------------------------------------------------- grab */

static enum dax_verb fault_grabbed(struct dax_op *op, enum dax_verb verb)
{
	if (verb != DAX_MORE)
		return verb;
	if (!dax_is_internal(op->grabbed))
		return dax_ask(op, DAX_PT_CHECK, STEP_PT_CHECKED);
	if (dax_to_fault(op->grabbed) == DAX_FAULT_FALLBACK)
		return fault_fallback(op, DAX_FALLBACK_CONFLICT);
	op->reason = DAX_FALLBACK_OOM;
	return fault_result(op, dax_to_fault(op->grabbed));
}

enum dax_verb step_grab(struct dax_op *op)
{
	op->step = STEP_GRAB;
	return fault_grabbed(op, grab_mapping_entry(op));
}

/* The table lacked memory: look again, for anything may have happened. */
enum dax_verb step_grab_nomem(struct dax_op *op)
{
	if (!op->ans.error && op->downgraded &&
	    op->mapping->proto->stale_downgrade_flag)
		return fault_grabbed(op, grab_downgrade_again(op));
	if (!op->ans.error)
		return step_grab(op);
	op->grabbed = dax_make_fault(DAX_FAULT_OOM);
	return fault_grabbed(op, DAX_MORE);
}

enum dax_verb step_grab_downgrade(struct dax_op *op)
{
	return fault_grabbed(op, grab_downgrade(op));
}

/* ----------------------------------------------------------- with an entry */

enum dax_verb step_pt_checked(struct dax_op *op)
{
	/* A racing fault of the other size was first: the CPU tries again. */
	if (!op->order && op->ans.slot == DAX_PT_HUGE)
		return fault_unlock(op, DAX_FAULT_NOPAGE, DAX_FALLBACK_NONE);
	if (op->order && op->ans.slot == DAX_PT_TABLE)
		return fault_unlock(op, 0, DAX_FALLBACK_NONE);
	/*
	 * The extent is looked up under the entry's lock: a write(2) that
	 * allocates meanwhile waits for the entry when it invalidates.
	 */
	if (op->flags & DAX_FAULT_FLAG_IOMAP_FIRST)
		return step_iomapped(op);
	return fault_iomap(op, STEP_IOMAPPED);
}

static enum dax_verb fault_insert(struct dax_op *op, dax_entry_t new_entry)
{
	op->new_entry = new_entry;
	if (!dax_insert_unmaps(op))
		return step_insert(op);
	op->ask.cows = false;
	return dax_ask_pages(op, DAX_UNMAP,
			     dax_entry_first(op->entry, op->xas.index),
			     1UL << dax_entry_order(op->entry), STEP_INSERT);
}

/* The extent cannot be mapped: a 2M fault falls back, a page fault fails. */
static enum dax_verb fault_no_extent(struct dax_op *op, unsigned int result)
{
	if (op->order)
		return fault_unlock(op, DAX_FAULT_FALLBACK, DAX_FALLBACK_EXTENT);
	return fault_unlock(op, result, DAX_FALLBACK_NONE);
}

/* Kernel: dax_fault_iter(). */
enum dax_verb step_iomapped(struct dax_op *op)
{
	const struct dax_iomap *iomap = &op->ans.iomap;
	uint64_t flags = op->order ? DAX_PMD : 0;

	if (iomap->error)
		return fault_no_extent(op, fault_of_error(iomap->error));
	if (iomap->length < DAX_PAGE_SIZE << op->order)
		return fault_no_extent(op, fault_of_error(-EIO));
	if (fault_is_cow(op)) {
		op->ask.map = iomap->type == DAX_IOMAP_MAPPED ? DAX_MAP_PTE :
			      DAX_MAP_PTE_ZERO;
		op->ask.pfn = iomap->type == DAX_IOMAP_MAPPED ? iomap->pfn : 0;
		return dax_ask(op, DAX_COPY, STEP_COPIED);
	}
	if (iomap->type != DAX_IOMAP_MAPPED && !op->ask.write)
		return fault_insert(op, dax_make_entry(0, flags | DAX_ZERO_PAGE));
	if (iomap->type != DAX_IOMAP_MAPPED)
		return fault_no_extent(op, DAX_FAULT_SIGBUS);
	if (op->order && iomap->pfn & PG_PMD_COLOUR)
		return fault_no_extent(op, DAX_FAULT_SIGBUS);
	op->needs_sync = op->ask.write && op->vma.sync &&
			 iomap->flags & DAX_IOMAP_F_DIRTY;
	return fault_insert(op, dax_make_entry(iomap->pfn, flags));
}

/* Kernel: finish_fault() installs nothing where something is already. */
enum dax_verb step_copied(struct dax_op *op)
{
	unsigned int result = DAX_FAULT_DONE_COW;

	if (op->ans.error == -EEXIST)
		result = DAX_FAULT_NOPAGE;
	else if (op->ans.error)
		result = fault_of_error(op->ans.error);
	return fault_unlock(op, result, DAX_FALLBACK_NONE);
}

/* Newly allocated blocks make the fault a major one; of page faults only. */
static unsigned int fault_major(const struct dax_op *op, unsigned int result)
{
	if (!op->order && result != DAX_FAULT_SIGBUS &&
	    op->ans.iomap.flags & DAX_IOMAP_F_NEW)
		result |= DAX_FAULT_MAJOR;
	return result;
}

enum dax_verb step_insert(struct dax_op *op)
{
	bool zero = dax_is_zero_entry(op->new_entry);

	dax_insert_entry(op);
	if (op->needs_sync) {
		op->result = fault_major(op, DAX_FAULT_NEEDDSYNC);
		return dax_ask(op, DAX_MORE, STEP_UNLOCK);
	}
	if (op->order)
		op->ask.map = zero ? DAX_MAP_PMD_ZERO : DAX_MAP_PMD;
	else
		op->ask.map = zero ? DAX_MAP_PTE_ZERO : DAX_MAP_PTE;
	op->ask.pfn = zero ? 0 : op->ans.iomap.pfn;
	return dax_ask_pages(op, DAX_MAP, op->xas.index, 1UL << op->order,
			     STEP_MAPPED);
}

enum dax_verb step_mapped(struct dax_op *op)
{
	if (op->ans.error == -EEXIST && op->ask.map == DAX_MAP_PMD_ZERO &&
	    op->mapping->proto->zero_pmd_falls_back)
		return fault_unlock(op, DAX_FAULT_FALLBACK,
				    DAX_FALLBACK_EXTENT);
	op->result = fault_major(op, fault_of_map(op->ans.error));
	return dax_unlock_entry(op);
}

enum dax_verb step_unlock(struct dax_op *op)
{
	return dax_unlock_entry(op);
}

enum dax_verb step_unlock_wake(struct dax_op *op)
{
	op->mapping->wakes_pending--;
	dax_wake_entry(op, op->unlocked, WAKE_NEXT);
	if (op->result & DAX_FAULT_FALLBACK)
		return fault_fallback(op, op->reason);
	return dax_finish(op);
}

enum dax_verb step_fault_end(struct dax_op *op)
{
	return dax_finish(op);
}

/* ------------------------------------------- completion of MAP_SYNC faults */

enum dax_verb step_mkwrite_start(struct dax_op *op)
{
	return dax_fs_lock(op, false, STEP_MKWRITE_SYNC);
}

/* From the page that faulted, also for 2M: as the kernel does. */
enum dax_verb step_mkwrite_sync(struct dax_op *op)
{
	return dax_ask_pages(op, DAX_FSYNC, op->pgoff, 1UL << op->order,
			     STEP_MKWRITE_SYNCED);
}

enum dax_verb step_mkwrite_synced(struct dax_op *op)
{
	if (op->ans.error)
		return fault_result(op, DAX_FAULT_SIGBUS);
	return step_mkwrite_lookup(op);
}

/*
 * Kernel: dax_insert_pfn_mkwrite(). An entry that is not what the fault left
 * there means that the fault is simply taken again.
 */
enum dax_verb step_mkwrite_lookup(struct dax_op *op)
{
	dax_entry_t entry;

	op->step = STEP_MKWRITE_LOOKUP;
	entry = get_unlocked_entry(op, op->order);
	if (entry == DAX_SLEPT)
		return DAX_PARK;
	if (!entry || dax_is_conflict(entry) ||
	    dax_entry_order(entry) != op->order || dax_is_locked(entry) ||
	    dax_is_zero_entry(entry) || dax_is_empty_entry(entry)) {
		put_unlocked_entry(op, entry, WAKE_NEXT);
		return fault_result(op, DAX_FAULT_NOPAGE);
	}
	dax_table_set_mark(&op->mapping->table, op->xas.index, DAX_MARK_DIRTY);
	dax_lock_entry(op, entry);
	op->grabbed = op->inserted = entry;
	op->ask.map = op->order ? DAX_MAP_PMD : DAX_MAP_PTE;
	op->ask.pfn = dax_to_pfn(entry);
	op->ask.write = true;
	return dax_ask_pages(op, DAX_MAP, op->xas.index, 1UL << op->order,
			     STEP_MKWRITE_MAPPED);
}

enum dax_verb step_mkwrite_mapped(struct dax_op *op)
{
	op->result = fault_of_map(op->ans.error);
	return dax_unlock_entry(op);
}
