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
	dax_mapping_init(&mf->mapping, m->protocol, &m->waits, mf->table,
			 FIRST_TABLE);
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

/* A slot after the other, VMA by VMA: others may come between. */
static void zap(struct replay *r, struct mm *mm, struct replay_file *file,
		uint64_t start, uint64_t nr, bool cows)
{
	uint64_t from, to = 0;

	model_point(r);
	model_mark(r);
	while (mm_next_part(mm, &file->fs, start, nr, to, &from, &to)) {
		model_saw_walk(r, to);
		model_wait_ptl(r);
		mm_zap(mm, from, to, cows);
		model_point(r);
	}
	model_end_walk(r);
}

void model_unmap(struct replay *r, struct replay_file *file, uint64_t start,
		 uint64_t nr, bool cows)
{
	struct model *m = r->arg;

	zap(r, &r->mm, file, start, nr, cows);
	if (m->child)
		zap(r, m->child, file, start, nr, cows);
}

static void do_unmap(struct replay *r, struct replay_file *file,
		     uint64_t start, uint64_t nr, bool cows)
{
	/* The whole file is 0 pages in the kernel's call. */
	log_event(&r->log, "unmap(%" PRIu64 ",%" PRIu64 ",cows=%d)", start,
		  nr > REPLAY_LAST ? 0 : nr, cows);
	model_unmap(r, file, start, nr, cows);
}

/* As zap(). An entry is gone for the CPU until its new value is there. */
static void wrprotect(struct replay *r, struct mm *mm, struct replay_file *file,
		      const struct dax_op *op)
{
	struct model *m = r->arg;
	uint64_t from, to = 0;

	model_point(r);
	model_mark(r);
	while (mm_next_part(mm, &file->fs, op->ask.start, op->ask.nr, to, &from,
			    &to)) {
		model_saw_walk(r, to);
		model_lock(r, &m->ptl, true);
		if (mm_hide(mm, from, to, true))
			model_point(r);
		mm_wrprotect(mm, from, to);
		mm_show(mm, from, to);
		model_unlock(&m->ptl);
		model_point(r);
	}
	model_end_walk(r);
}

static void do_wrprotect(struct replay *r, struct replay_file *file,
			 const struct dax_op *op)
{
	struct model *m = r->arg;

	wrprotect(r, &r->mm, file, op);
	if (m->child)
		wrprotect(r, m->child, file, op);
}

/*
 * insert_pmd(): what is there already stays, and may become writable if it maps
 * the same. -EEXIST: something was there.
 */
static int install_pmd(struct mm *mm, uint64_t addr, bool zero, bool write)
{
	struct pmd *pmd = mm_find_pmd(mm, addr);

	if (!pmd)
		return mm_set_pmd(mm, addr, zero, write);
	if (write && pmd->slot == DAX_PT_HUGE && pmd->zero == zero)
		pmd->write = pmd->dirty = true;
	return -EEXIST;
}

/* The same for insert_page_into_pte_locked(). */
static int install_pte(struct mm *mm, uint64_t addr, bool zero, bool write)
{
	enum pte_kind kind = zero ? PTE_ZERO : PTE_FILE;
	struct pmd *pmd = mm_find_pmd(mm, addr);
	struct pte *pte = mm_find_pte(mm, addr);

	if (pmd && pmd->slot == DAX_PT_HUGE)
		return -EEXIST;
	if (!pte || pte->kind == PTE_NONE)
		return mm_set_pte(mm, addr, kind, write);
	if (write && pte->kind == kind)
		pte->write = pte->dirty = true;
	return -EEXIST;
}

static int do_map(struct replay *r, const struct dax_op *op, struct mm *mm,
		  const struct vma *vma, uint64_t addr)
{
	bool zero = op->ask.map == DAX_MAP_PTE_ZERO ||
		    op->ask.map == DAX_MAP_PMD_ZERO;
	/* maybe_mkwrite(): only where the VMA allows it. */
	bool write = op->ask.write && vma->flags & VMA_WRITE;

	if (!model_solo_at(r, addr))
		model_point(r);
	model_wait_ptl(r);
	log_event(&r->log, "install-%s(%s)", op->order ? "pmd" : "pte",
		  write ? "w" : "r");
	if (op->order)
		return install_pmd(mm, addr, zero, write);
	return install_pte(mm, addr, zero, write);
}

/* Copy, then finish_fault(): not where something has been mapped meanwhile. */
static int do_copy(struct replay *r, const struct dax_op *op,
		   struct replay_file *file, struct mm *mm,
		   const struct vma *vma, uint64_t addr)
{
	uint8_t bytes[DAX_PAGE_SIZE] = { 0 };
	struct mm_slot slot;

	model_point(r);
	if (op->ask.map != DAX_MAP_PTE_ZERO)
		simfs_read(&file->fs, op->pgoff << PAGE_SHIFT, bytes,
			   sizeof(bytes));
	model_saw(r, bytes, sizeof(bytes));
	model_point(r);
	model_wait_ptl(r);
	mm_get_slot(mm, addr, &slot);
	if (slot.present)
		return -EEXIST;
	return mm_set_anon(mm, vma, addr, bytes);
}

void model_drop_pmd(struct replay *r, struct mm *mm, uint64_t addr)
{
	struct pmd *pmd = mm_find_pmd(mm, addr);

	/* Whoever falls back had none, and gets none. */
	if (!(pmd && pmd->slot == DAX_PT_HUGE) &&
	    model_calm(r, mm_find_vma(mm, addr)))
		return;
	model_point(r);
	model_wait_ptl(r);
	pmd = mm_find_pmd(mm, addr);
	if (!pmd || pmd->slot != DAX_PT_HUGE)
		return;
	model_split(r, addr);
	mm_drop_pmd(mm, addr);
}

/*
 * While an entry is held and all is calm: what the file system says of its pages
 * does not change any more, whoever asks. Where short unwritten neighbours of
 * what is written become written, it may.
 */
static bool stable(struct replay *r, const struct replay_file *file,
		   const struct vma *vma)
{
	unsigned int i;

	if (!model_calm(r, vma))
		return false;
	for (i = 0; r->o->variant->simfs.split_zeroes && i < file->fs.nr_ext; i++)
		if (file->fs.ext[i].state == SIMFS_UNWRITTEN)
			return false;
	return true;
}

/*
 * Does the fault go on to map what it was told of? Else it lets go of its entry at
 * once, and who is to see it held needs a point before that.
 */
static bool mappable(const struct dax_op *op)
{
	const struct dax_iomap *iomap = &op->ans.iomap;

	if (iomap->error || iomap->length < DAX_PAGE_SIZE << op->order)
		return false;
	if (iomap->type != DAX_IOMAP_MAPPED)
		return !op->ask.write;
	return !op->order || !(iomap->pfn & PG_PMD_COLOUR);
}

/*
 * Does what @verb asks for. Each answer is a step of its own, after a point; so
 * is the section that follows, but where nobody can notice it: then *@quiet.
 */
static void answer(struct replay *r, struct replay_file *file,
		   struct dax_op *op, enum dax_verb verb, struct mm *mm,
		   const struct vma *vma, uint64_t addr, bool *quiet)
{
	struct model *m = r->arg;
	struct mm_slot slot;

	op->ans.error = 0;
	switch (verb) {
	case DAX_MORE:
		/* Unlocked, and nobody is there for the wake that follows. */
		*quiet = op->kind == DAX_OP_FAULT && model_calm(r, vma) &&
			 list_empty(&op->mapping->sleepers) &&
			 m->sched->alone(r);
		break;
	case DAX_FSLOCK:	/* its driver has it, and holds it longer */
	case DAX_FSUNLOCK:
	case DAX_DONE:
		break;
	case DAX_PARK:
		log_event(&r->log, "wait");
		if (m->sched)
			m->sched->park(r, op);
		else
			replay_fail(r, -EDEADLK,
				    "a sleeper that nobody would wake");
		*quiet = true;
		break;
	case DAX_PT_CHECK:
		if (!model_calm(r, vma))
			model_point(r);
		mm_get_slot(mm, addr, &slot);
		op->ans.slot = slot.pmd;
		/* If it goes on, it goes on to its next question. */
		*quiet = slot.pmd !=
			 (op->order ? DAX_PT_TABLE : DAX_PT_HUGE);
		break;
	case DAX_IOMAP:
		*quiet = stable(r, file, vma);
		if (!*quiet)
			model_point(r);
		simfs_iomap(&file->fs, op->ask.pos, op->ask.len, op->ask.write,
			    &op->ans.iomap);
		*quiet &= mappable(op);
		break;
	case DAX_ALLOC:
		op->ans.error = grow_table(model_file(file));
		break;
	case DAX_UNMAP:
		do_unmap(r, file, op->ask.start, op->ask.nr, op->ask.cows);
		break;
	case DAX_WRPROTECT:
		do_wrprotect(r, file, op);
		*quiet = true;
		break;
	case DAX_FLUSH:
		log_event(&r->log, "wb-one(%" PRIu64 ",%" PRIu64 ")",
			  op->ask.start, op->ask.nr);
		break;
	case DAX_SPLIT_PMD:
		model_drop_pmd(r, mm, addr);
		*quiet = true;
		break;
	case DAX_COPY:
		op->ans.error = do_copy(r, op, file, mm, vma, addr);
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
	}
}

/*
 * @op without what nobody reads any more, up to its end: an answer that the step
 * behind it has taken, the extent behind the entry that was made of it, and what
 * a fault or a writeback had of an entry that it has let go.
 */
static struct dax_op forget_read(struct dax_op op, enum dax_verb verb,
				 bool answered)
{
	bool fault = op.kind == DAX_OP_FAULT;
	unsigned int isnew = op.order ? 0 : DAX_IOMAP_F_NEW;

	if (!answered || verb != DAX_PT_CHECK)
		op.ans.slot = DAX_PT_NONE;
	if (!answered)
		op.ans.error = 0;
	if (fault && op.inserted) {
		op.ans.iomap = (struct dax_iomap){
			.flags = op.ans.iomap.flags & isnew,
		};
		op.new_entry = 0;
	}
	if (fault && (op.unlocked || verb == DAX_DONE)) {
		op.ans.iomap = (struct dax_iomap){ 0 };
		op.new_entry = 0;
		op.xas.at = 0;
		op.ask.map = 0;
		op.needs_sync = false;
	}
	if (op.kind == DAX_OP_WRITEBACK)
		op.unlocked = 0;
	return op;
}

/*
 * What of @op decides what it does next, and what the log will tell of it, less
 * what it was given: that, and no more, is what is known. @answered: @verb has been.
 * An answer has points of its own, and may change nothing.
 */
static void saw_op(struct replay *r, const struct dax_op *op,
		   enum dax_verb verb, bool answered, bool slept)
{
	bool all = ((struct model *)r->arg)->all_known;
	const struct dax_op o = all ? *op : forget_read(*op, verb, answered);
	uint64_t s[] = {
		verb, answered, o.step, o.xas.index, o.xas.at, o.entry,
		o.new_entry, o.grabbed, o.inserted, o.unlocked,
		o.result, o.reason, o.error, o.ans.slot, o.ans.error,
		o.ans.iomap.error, o.ans.iomap.type, o.ans.iomap.flags,
		o.ans.iomap.length, o.ans.iomap.pfn, o.ask.map,
		o.needs_sync * 2UL + o.downgraded,
		verb == DAX_PARK ? o.waiter.blocker : 0,
		verb == DAX_PARK ? o.waiter.blocker_order : 0,
		all && slept,
	};

	model_recall(r);
	/* What an operation over a range has done is seen by whoever looks. */
	if (all || verb != DAX_DONE || op->kind == DAX_OP_FAULT ||
	    op->kind == DAX_OP_MKWRITE)
		model_saw(r, &s, sizeof(s));
	else
		model_saw(r, "done", 4);
}

static void step_woken(struct replay *r, struct dax_op *op)
{
	struct model *m = r->arg;
	struct dax_waiter *w, *next;

	list_for_each_safe(w, next, &op->woken, link) {
		list_del(&w->link);
		m->sched->woken(r, dax_waiter_op(w));
	}
}

/* Its first step follows upon what the caller did before. */
void model_run(struct replay *r, struct replay_file *file, struct dax_op *op,
	       struct mm *mm, const struct vma *vma, uint64_t addr)
{
	struct model *m = r->arg;
	uint64_t downgrades;
	enum dax_verb verb;
	bool quiet = true, slept = false;

	model_mark(r);
	op->stats = &m->stats;
	op->flags |= DAX_FAULT_FLAG_INVAL_LOCKED;
	do {
		if (!quiet && !model_solo(r))
			model_point(r);
		downgrades = m->stats.downgrades;
		lock_take(&op->mapping->i_pages);
		verb = dax_op_step(op);
		lock_release(&op->mapping->i_pages);
		slept |= verb == DAX_PARK;
		saw_op(r, op, verb, false, slept);
		step_woken(r, op);
		if (m->stats.downgrades > downgrades)
			log_event(&r->log, "wakeall");
		quiet = false;
		answer(r, file, op, verb, mm, vma, addr, &quiet);
		saw_op(r, op, verb, true, slept);
	} while (verb != DAX_DONE && !r->error);
	model_unmark(r);
}

/* ---------------------------------------------------------------- ranges */

static void run_range(struct replay *r, struct replay_file *file,
		      enum dax_op_kind kind, uint64_t first, uint64_t last)
{
	struct dax_op op;

	model_point(r);
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
	bool dirty;

	model_point(r);
	dirty = dax_table_next_marked(table, &index, REPLAY_LAST,
				      DAX_MARK_DIRTY);
	model_saw(r, &dirty, sizeof(dirty));
	if (!dirty)
		return;
	range_event(r, "wb-range", first, last);
	run_range(r, file, DAX_OP_WRITEBACK, first, last);
}

/* One call of the kernel's an entry. */
static void delete_each(struct replay *r, struct replay_file *file,
			uint64_t first, uint64_t last)
{
	const struct dax_table *table = &model_file(file)->mapping.table;

	model_point(r);
	while (first <= last && dax_table_next(table, &first, last)) {
		model_saw(r, &first, sizeof(first));
		log_event(&r->log, "delete(%" PRIu64 ")", first);
		run_range(r, file, DAX_OP_DELETE, first, first);
		model_point(r);
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
		model_point(r);
		if (!model_file(file)->mapping.table.nr_entries)
			break;
		model_saw(r, "entries", 7);
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
