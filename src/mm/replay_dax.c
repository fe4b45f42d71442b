/* SPDX-License-Identifier: BSD-3-Clause */
/* Runs the model's operations and does what they ask for. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "mm/replay_model_int.h"

#define FIRST_TABLE	(64 * 1024)

static void *table_memory(uint64_t size)
{
	void *mem = aligned_alloc(64, size);

	if (mem)
		memset(mem, 0, size);
	return mem;
}

int model_create(struct replay *r, struct replay_file *file)
{
	struct model *m = r->arg;
	struct model_file *mf = calloc(1, sizeof(*mf));

	if (!mf)
		return -ENOMEM;
	mf->table = table_memory(FIRST_TABLE);
	if (!mf->table) {
		free(mf);
		return -ENOMEM;
	}
	dax_mapping_init(&mf->mapping,
			 dax_protocol_find(r->o->variant->protocol), &m->waits,
			 mf->table, FIRST_TABLE);
	mf->mapping.i_size = file->fs.size;
	file->driver = mf;
	return 0;
}

void model_destroy(struct replay *r, struct replay_file *file)
{
	struct model_file *mf = model_file(file);

	dax_mapping_exit(&mf->mapping);
	free(mf->table);
	free(mf);
}

static int grow_table(struct model_file *mf)
{
	uint64_t size = mf->mapping.table.size;
	void *mem = table_memory(2 * size);

	if (!mem)
		return -ENOMEM;
	memcpy(mem, mf->table, size);
	dax_table_set_memory(&mf->mapping.table, mem, 2 * size);
	free(mf->table);
	mf->table = mem;
	return 0;
}

/* --------------------------------------------------------------- answers */

void model_unmap(struct replay *r, struct replay_file *file, uint64_t start,
		 uint64_t nr, bool cows)
{
	struct model *m = r->arg;

	mm_zap_file(&r->mm, &file->fs, start, nr, cows);
	if (m->child)
		mm_zap_file(m->child, &file->fs, start, nr, cows);
}

static void do_unmap(struct replay *r, struct replay_file *file,
		     uint64_t start, uint64_t nr, bool cows)
{
	/* The whole file is 0 pages in the kernel's call. */
	log_event(&r->log, "unmap(%" PRIu64 ",%" PRIu64 ",cows=%d)", start,
		  nr > REPLAY_LAST ? 0 : nr, cows);
	model_unmap(r, file, start, nr, cows);
}

static void do_wrprotect(struct replay *r, struct replay_file *file,
			 const struct dax_op *op)
{
	struct model *m = r->arg;

	mm_wrprotect_file(&r->mm, &file->fs, op->ask.start, op->ask.nr);
	if (m->child)
		mm_wrprotect_file(m->child, &file->fs, op->ask.start,
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
	model_split(r, addr);
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
		op->ans.error = grow_table(model_file(file));
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

void model_run(struct replay *r, struct replay_file *file, struct dax_op *op,
	       struct mm *mm, const struct vma *vma, uint64_t addr)
{
	struct model *m = r->arg;
	uint64_t downgrades;
	enum dax_verb verb;

	op->stats = &m->stats;
	do {
		downgrades = m->stats.downgrades;
		lock_take(&op->mapping->i_pages);
		verb = dax_op_step(op);
		lock_release(&op->mapping->i_pages);
		if (m->stats.downgrades > downgrades)
			log_event(&r->log, "wakeall");
	} while (!answer(r, file, op, verb, mm, vma, addr));
}

/* ---------------------------------------------------------------- ranges */

static void run_range(struct replay *r, struct replay_file *file,
		      enum dax_op_kind kind, uint64_t first, uint64_t last)
{
	struct dax_op op;

	dax_op_init_range(&op, kind, &model_file(file)->mapping, first, last);
	model_run(r, file, &op, NULL, NULL, 0);
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

/* Nothing happens unless the file has a dirty entry somewhere. */
static void write_back(struct replay *r, struct replay_file *file,
		       uint64_t first, uint64_t last)
{
	const struct dax_table *table = &model_file(file)->mapping.table;
	uint64_t index = 0;

	if (!dax_table_next_marked(table, &index, REPLAY_LAST, DAX_MARK_DIRTY))
		return;
	range_event(r, "wb-range", first, last);
	run_range(r, file, DAX_OP_WRITEBACK, first, last);
}

/* One call of the kernel's an entry. */
static void delete_each(struct replay *r, struct replay_file *file,
			uint64_t first, uint64_t last)
{
	const struct dax_table *table = &model_file(file)->mapping.table;

	while (first <= last && dax_table_next(table, &first, last)) {
		log_event(&r->log, "delete(%" PRIu64 ")", first);
		run_range(r, file, DAX_OP_DELETE, first, first);
	}
}

void model_range(struct replay *r, struct replay_file *file,
		 enum dax_op_kind kind, uint64_t first, uint64_t last)
{
	switch (kind) {
	case DAX_OP_WRITEBACK:
		write_back(r, file, first, last);
		break;
	case DAX_OP_DELETE:
		delete_each(r, file, first, last);
		break;
	case DAX_OP_INVALIDATE:
		if (!model_file(file)->mapping.table.nr_entries)
			break;
		run_range(r, file, kind, first, last);
		/* Page tables once, after the entries. */
		do_unmap(r, file, first, last - first + 1, false);
		break;
	default:
		range_event(r, kind == DAX_OP_LAYOUT_BUSY ? "layout" :
			    "delete-range", first, last);
		run_range(r, file, kind, first, last);
		break;
	}
}
