/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Threads that nobody can notice but by the page table that they hang in its
 * slot: they map single pages, each its own, of windows that nobody maps at 2M.
 */
#include "mm/race_int.h"

static uint64_t file_page(const struct vma *vma, uint64_t addr)
{
	return vma->pgoff + ((addr - vma->start) >> PAGE_SHIFT);
}

/* May a fault of @vma lock an entry of 2M? */
static bool maps_2m(const struct vma *vma)
{
	uint64_t distance = vma->pgoff - (vma->start >> PAGE_SHIFT);

	return !(vma->flags & VMA_NOHUGE) && !(distance & PG_PMD_COLOUR);
}

/* Does an access to @other keep away from the one to @addr in @vma? */
static bool apart(struct race *x, const struct vma *vma, uint64_t addr,
		  uint64_t other)
{
	const struct vma *o = mm_find_vma(&x->r.mm, other);
	uint64_t page = file_page(vma, addr), at;

	if (!o)
		return true;
	if (maps_2m(o) && (addr ^ other) < DAX_PMD_SIZE)
		return false;
	if (o->file != vma->file)
		return true;
	at = file_page(o, other);
	return at != page && !(maps_2m(o) && (at ^ page) < PG_PMD_NR);
}

/* The same for what an operation of the script will do. */
static bool op_apart(struct race *x, const struct vma *vma, uint64_t addr,
		     const struct script_op *op)
{
	switch (op->kind) {
	case SCRIPT_TOUCH:
	case SCRIPT_ATOUCH:
	case SCRIPT_ARM:
		return apart(x, vma, addr,
			     x->r.map[op->map].start + op->off);
	case SCRIPT_PREAD:
		return false;
	default:
		return true;
	}
}

bool race_is_solo(struct race *x, const struct race_task *t)
{
	const struct vma *vma = mm_find_vma(&x->r.mm, t->addr);
	const struct script *s = x->script;
	const struct script_op *op;
	const struct dax_table *table;
	unsigned int i;

	if (!vma || !(vma->flags & VMA_SHARED) || maps_2m(vma) ||
	    x->race->protocol->keymode != KEY_ENTRY)
		return false;
	table = &model_file(vma->owner)->mapping.table;
	if (dax_is_pmd_entry(dax_table_load(table, file_page(vma, t->addr), 0,
					    NULL)))
		return false;
	for (i = 1; i < RACE_TASKS; i++) {
		const struct race_task *o = &x->task[i];

		if (o != t && (o->armed || o->state != RACE_IDLE) &&
		    !apart(x, vma, t->addr, o->addr))
			return false;
	}
	for (op = x->r.op + 1; op < s->ops + s->nr; op++)
		if (!op_apart(x, vma, t->addr, op))
			return false;
	return true;
}
