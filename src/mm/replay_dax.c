/* SPDX-License-Identifier: BSD-3-Clause */
/* Runs the model's operations and does what they ask for. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "mm/replay_int.h"

#define FIRST_TABLE	(64 * 1024)

static void *table_memory(uint64_t size)
{
	void *mem = aligned_alloc(64, size);

	if (mem)
		memset(mem, 0, size);
	return mem;
}

struct replay_file *replay_file_create(struct replay *r, uint64_t size)
{
	struct replay_file *file = calloc(1, sizeof(*file));
	const struct dax_protocol *proto;

	if (!file)
		return NULL;
	file->table = table_memory(FIRST_TABLE);
	if (!file->table) {
		free(file);
		return NULL;
	}
	proto = dax_protocol_find(r->o->variant->protocol);
	dax_mapping_init(&file->mapping, proto, &r->waits, file->table,
			 FIRST_TABLE);
	file->mapping.i_size = size;
	simfs_file_init(&file->fs, &r->fs, size);
	file->next = r->files;
	r->files = file;
	return file;
}

void replay_file_free(struct replay_file *file)
{
	dax_mapping_exit(&file->mapping);
	simfs_file_exit(&file->fs);
	free(file->table);
	free(file);
}

static int grow_table(struct replay_file *file)
{
	uint64_t size = file->mapping.table.size;
	void *mem = table_memory(2 * size);

	if (!mem)
		return -ENOMEM;
	memcpy(mem, file->table, size);
	dax_table_set_memory(&file->mapping.table, mem, 2 * size);
	free(file->table);
	file->table = mem;
	return 0;
}

/* --------------------------------------------------------------- answers */

static void do_unmap(struct replay *r, struct replay_file *file,
		     uint64_t start, uint64_t nr, bool cows)
{
	unsigned int i;

	/* The whole file is 0 pages in the kernel's call. */
	log_event(&r->log, "unmap(%" PRIu64 ",%" PRIu64 ",cows=%d)", start,
		  nr > REPLAY_LAST ? 0 : nr, cows);
	for (i = 0; i < 2; i++)
		if (r->mm[i])
			mm_zap_file(r->mm[i], &file->fs, start, nr, cows);
}

static void do_wrprotect(struct replay *r, struct replay_file *file,
			 const struct dax_op *op)
{
	unsigned int i;

	for (i = 0; i < 2; i++)
		if (r->mm[i])
			mm_wrprotect_file(r->mm[i], &file->fs, op->ask.start,
					  op->ask.nr);
}

static int do_map(struct replay *r, const struct dax_op *op, struct mm *mm,
		  const struct vma *vma, uint64_t addr)
{
	bool zero = op->ask.map == DAX_MAP_PTE_ZERO ||
		    op->ask.map == DAX_MAP_PMD_ZERO;
	/* maybe_mkwrite(): only where the VMA allows it. */
	bool write = op->ask.write && vma->flags & VMA_WRITE;

	log_event(&r->log, "install-%s(%s)", op->order ? "pmd" : "pte",
		  write ? "w" : "r");
	if (op->order)
		return mm_set_pmd(mm, addr, zero, write);
	return mm_set_pte(mm, addr, zero ? PTE_ZERO : PTE_FILE, write);
}

static int do_copy(const struct dax_op *op, struct replay_file *file,
		   struct mm *mm, const struct vma *vma, uint64_t addr)
{
	uint8_t bytes[DAX_PAGE_SIZE];

	if (op->ask.map == DAX_MAP_PTE_ZERO)
		return mm_set_anon(mm, vma, addr, NULL);
	simfs_read(&file->fs, op->pgoff << PAGE_SHIFT, bytes, sizeof(bytes));
	return mm_set_anon(mm, vma, addr, bytes);
}

static void do_split(struct replay *r, struct mm *mm, uint64_t addr)
{
	struct pmd *pmd = mm_find_pmd(mm, addr);

	if (!pmd || pmd->slot != DAX_PT_HUGE)
		return;
	replay_split(r, addr);
	mm_drop_pmd(mm, addr);
}

/* Does what @verb asks for; true when the operation is over. */
static bool answer(struct replay *r, struct replay_file *file,
		   struct dax_op *op, enum dax_verb verb, struct mm *mm,
		   const struct vma *vma, uint64_t addr)
{
	struct mm_slot slot;

	op->ans.error = 0;
	switch (verb) {
	case DAX_MORE:
	case DAX_FSLOCK:	/* nobody else runs */
	case DAX_FSUNLOCK:
		break;
	case DAX_PARK:
		replay_fail(r, -EDEADLK, "a sleeper that nobody would wake");
		return true;
	case DAX_PT_CHECK:
		mm_get_slot(mm, addr, &slot);
		op->ans.slot = slot.pmd;
		break;
	case DAX_IOMAP:
		simfs_iomap(&file->fs, op->ask.pos, op->ask.len, op->ask.write,
			    &op->ans.iomap);
		break;
	case DAX_ALLOC:
		op->ans.error = grow_table(file);
		break;
	case DAX_UNMAP:
		do_unmap(r, file, op->ask.start, op->ask.nr, op->ask.cows);
		break;
	case DAX_WRPROTECT:
		do_wrprotect(r, file, op);
		break;
	case DAX_FLUSH:
		log_event(&r->log, "wb-one(%" PRIu64 ",%" PRIu64 ")",
			  op->ask.start, op->ask.nr);
		break;
	case DAX_SPLIT_PMD:
		do_split(r, mm, addr);
		break;
	case DAX_COPY:
		op->ans.error = do_copy(op, file, mm, vma, addr);
		break;
	case DAX_FSYNC:
		replay_sync(r, file, op->ask.start,
			    op->ask.start + op->ask.nr - 1);
		break;
	case DAX_PAGE_BUSY:
		op->ans.busy = false;
		break;
	case DAX_MAP:
		op->ans.error = do_map(r, op, mm, vma, addr);
		break;
	case DAX_DONE:
		return true;
	}
	return false;
}

void replay_run(struct replay *r, struct replay_file *file, struct dax_op *op,
		struct mm *mm, const struct vma *vma, uint64_t addr)
{
	uint64_t downgrades;
	enum dax_verb verb;

	op->stats = &r->stats;
	do {
		downgrades = r->stats.downgrades;
		lock_take(&file->mapping.i_pages);
		verb = dax_op_step(op);
		lock_release(&file->mapping.i_pages);
		if (r->stats.downgrades > downgrades)
			log_event(&r->log, "wakeall");
	} while (!answer(r, file, op, verb, mm, vma, addr));
}

/* ---------------------------------------------------------------- ranges */

static void run_range(struct replay *r, struct replay_file *file,
		      enum dax_op_kind kind, uint64_t first, uint64_t last)
{
	struct dax_op op;

	dax_op_init_range(&op, kind, &file->mapping, first, last);
	replay_run(r, file, &op, NULL, NULL, 0);
}

/* "name(first,last)", where the end of all files has a name of its own. */
static void range_event(struct replay *r, const char *name, uint64_t first,
			uint64_t last)
{
	if (last == REPLAY_LAST)
		log_event(&r->log, "%s(%" PRIu64 ",end)", name, first);
	else
		log_event(&r->log, "%s(%" PRIu64 ",%" PRIu64 ")", name, first,
			  last);
}

void replay_writeback(struct replay *r, struct replay_file *file,
		      uint64_t first, uint64_t last)
{
	uint64_t index = 0;

	/* Nothing happens unless the file has a dirty entry somewhere. */
	if (first > last ||
	    !dax_table_next_marked(&file->mapping.table, &index, REPLAY_LAST,
				   DAX_MARK_DIRTY))
		return;
	range_event(r, "wb-range", first, last);
	run_range(r, file, DAX_OP_WRITEBACK, first, last);
}

void replay_sync(struct replay *r, struct replay_file *file, uint64_t first,
		 uint64_t last)
{
	replay_writeback(r, file, first, last);
	file->fs.dirty = false;
}

void replay_delete(struct replay *r, struct replay_file *file, uint64_t first,
		   uint64_t last)
{
	while (first <= last &&
	       dax_table_next(&file->mapping.table, &first, last)) {
		log_event(&r->log, "delete(%" PRIu64 ")", first);
		run_range(r, file, DAX_OP_DELETE, first, first);
	}
}

void replay_break_layout(struct replay *r, struct replay_file *file)
{
	range_event(r, "layout", 0, REPLAY_LAST);
	run_range(r, file, DAX_OP_LAYOUT_BUSY, 0, REPLAY_LAST);
	if (!r->o->variant->simfs.layout_deletes)
		return;
	range_event(r, "delete-range", 0, REPLAY_LAST);
	run_range(r, file, DAX_OP_DELETE_RANGE, 0, REPLAY_LAST);
}

void replay_invalidate(struct replay *r, struct replay_file *file,
		       uint64_t first, uint64_t last)
{
	if (!file->mapping.table.nr_entries)
		return;
	run_range(r, file, DAX_OP_INVALIDATE, first, last);
	/* Page tables once, after the entries. */
	do_unmap(r, file, first, last - first + 1, false);
}
