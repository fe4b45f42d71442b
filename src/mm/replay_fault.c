/* SPDX-License-Identifier: BSD-3-Clause */
/* Loads and stores: translation, the page faults on the way, the bytes. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "mm/replay_model_int.h"

static uint64_t page_of(uint64_t addr)
{
	return addr & ~(DAX_PAGE_SIZE - 1);
}

static uint64_t file_offset(const struct vma *vma, uint64_t addr)
{
	return (vma->pgoff << PAGE_SHIFT) + (addr - vma->start);
}

/* ------------------------------------------------------------------ bytes */

static const uint8_t *anon_bytes(struct mm *mm, uint64_t addr)
{
	struct pte *pte = mm_find_pte(mm, addr);

	return pte && pte->kind == PTE_ANON ? pte->anon->bytes : NULL;
}

static bool maps_zeros(struct mm *mm, uint64_t addr)
{
	struct pmd *pmd = mm_find_pmd(mm, addr);
	struct pte *pte = mm_find_pte(mm, addr);

	return pte ? pte->kind == PTE_ZERO : pmd && pmd->zero;
}

void model_copy_page(struct mm *mm, uint64_t addr, uint8_t *bytes)
{
	const struct vma *vma = mm_find_vma(mm, addr);
	const uint8_t *anon = anon_bytes(mm, addr);

	if (anon)
		memcpy(bytes, anon, DAX_PAGE_SIZE);
	else if (maps_zeros(mm, addr))
		memset(bytes, 0, DAX_PAGE_SIZE);
	else
		simfs_read(vma->file, file_offset(vma, page_of(addr)), bytes,
			   DAX_PAGE_SIZE);
}

uint8_t model_load(struct mm *mm, uint64_t addr)
{
	uint8_t bytes[DAX_PAGE_SIZE];

	model_copy_page(mm, addr, bytes);
	return bytes[addr & (DAX_PAGE_SIZE - 1)];
}

void model_store(struct replay *r, struct mm *mm, uint64_t addr, uint8_t byte)
{
	const struct vma *vma = mm_find_vma(mm, addr);
	struct pte *pte = mm_find_pte(mm, addr);

	if (pte && pte->kind == PTE_ANON)
		pte->anon->bytes[addr & (DAX_PAGE_SIZE - 1)] = byte;
	else if (simfs_fill(vma->file, file_offset(vma, addr), byte, 1))
		replay_fail(r, -ENOMEM, "no memory for a page");
}

/* ----------------------------------------------------------------- faults */

/* Are all steps, and all that was ever known, to be told apart? */
static bool all_known(struct replay *r)
{
	return ((struct model *)r->arg)->all_known;
}

static bool same_pte(struct mm *mm, uint64_t addr, const struct pte *was)
{
	const struct pte *pte = mm_find_pte(mm, addr);

	return pte && pte->kind == was->kind && pte->write == was->write &&
	       pte->anon == was->anon && !pte->hidden;
}

/*
 * The mm's own copy on write, of a present pte of a private mapping: copied
 * first, then put in its place if nothing has happened to that.
 */
static void copy_private(struct replay *r, struct mm *mm, struct vma *vma,
			 uint64_t addr)
{
	struct pte *pte = mm_find_pte(mm, addr), was = *pte;
	uint64_t kind = was.kind;
	uint8_t bytes[DAX_PAGE_SIZE];

	if (pte->kind == PTE_ANON && pte->anon->refs == 1) {
		pte->exclusive = pte->write = pte->dirty = true;
		return;
	}
	vma->flags |= VMA_ANON;
	model_copy_page(mm, addr, bytes);
	model_saw(r, bytes, sizeof(bytes));
	model_saw(r, &kind, sizeof(kind));
	model_point(r);
	model_wait_ptl(r);
	if (same_pte(mm, addr, &was) && mm_set_anon(mm, vma, addr, bytes))
		replay_fail(r, -ENOMEM, "no memory for a page");
}

/* What the attempt went through is in the log: how it goes on does not depend on it. */
static void saw_synchronous(struct replay *r, const struct dax_op *fault,
			    const struct mm_fault *f)
{
	bool lock = f->vma_lock && f->rules->pte_needs_mmap_lock;
	uint64_t s[] = { fault->order, f->step, lock, f->flags };

	if (all_known(r))
		return;
	model_recall(r);
	model_saw(r, s, sizeof(s));
}

/* dax_finish_sync_fault(): metadata first, then the mapping. */
static unsigned int finish_sync(struct replay *r, struct mm *mm,
				struct vma *vma, struct replay_file *file,
				const struct dax_op *fault,
				const struct mm_fault *f)
{
	const char *order = fault->order ? "PMD" : "PTE";
	struct dax_op op;
	char result[100];

	log_event(&r->log, "finish_sync(pg=%" PRIu64 ",%s)", fault->pgoff,
		  order);
	saw_synchronous(r, fault, f);
	dax_op_init_mkwrite(&op, &model_file(file)->mapping, fault->order,
			    &fault->vma, fault->address);
	model_point(r);
	model_run(r, file, &op, mm, vma, fault->address);
	if (op.unlocked)
		log_event(&r->log, "unlock(%" PRIu64 ",%s)",
			  op.pgoff & ~((1UL << op.order) - 1), order);
	log_event(&r->log, "insert_pfn_mkwrite(%s)",
		  log_result(result, op.result));
	return op.result;
}

/* dax_iomap_fault(), and what follows under the same invalidate lock. */
static unsigned int locked_attempt(struct replay *r, struct mm *mm,
				   struct vma *vma, uint64_t addr,
				   const struct mm_fault *f)
{
	struct replay_file *file = vma->owner;
	struct dax_vma dvma = {
		.vm_start = vma->start,
		.vm_end = vma->end,
		.vm_pgoff = vma->pgoff,
		.shared = vma->flags & VMA_SHARED,
		.sync = vma->flags & VMA_SYNC,
	};
	struct log_attempt a = {
		.place = replay_place(r, addr),
		.order = f->order,
		.flags = f->flags,
		.vma_lock = f->vma_lock,
	};
	struct dax_op op;

	if (f->cow)
		vma->flags |= VMA_ANON;
	dax_op_init_fault(&op, &model_file(file)->mapping, f->order, &dvma,
			  addr, f->flags);
	log_attempt_begin(&r->log);
	model_run(r, file, &op, mm, vma, addr);
	a.pgoff = op.pgoff;
	a.grabbed = op.grabbed;
	a.inserted = op.inserted;
	a.unlocked = op.unlocked;
	a.result = op.result;
	log_attempt_end(&r->log, &a);
	if (op.result & DAX_FAULT_NEEDDSYNC)
		return finish_sync(r, mm, vma, file, &op, f);
	return op.result;
}

/* Does a 2M attempt end before it looks at anything that changes? */
static bool falls_back(const struct vma *vma, const struct mm_fault *f)
{
	uint64_t distance = vma->pgoff - (vma->start >> PAGE_SHIFT);

	return f->order && distance & PG_PMD_COLOUR;
}

/* One call of the file system's fault handler. */
static unsigned int attempt(struct replay *r, struct mm *mm, struct vma *vma,
			    uint64_t addr, const struct mm_fault *f)
{
	struct model_lock *inval = &model_file(vma->owner)->inval;
	unsigned int result;

	if (!(falls_back(vma, f) && model_calm(r, vma)) && !model_solo(r))
		model_point(r);
	model_lock(r, inval, false);
	result = locked_attempt(r, mm, vma, addr, f);
	model_unlock(inval);
	return result;
}

/*
 * All that is known of @f, of what an attempt came to only what somebody asks for,
 * and of the lock that is held only where it is not enough. @answered: what @verb
 * asks for is done.
 */
static void saw_fault(struct replay *r, const struct mm_fault *f,
		      enum mm_fault_verb verb, bool answered)
{
	unsigned int asked = all_known(r) ? ~0U : DAX_FAULT_FALLBACK |
				DAX_FAULT_SIGBUS | DAX_FAULT_OOM;
	bool lock = f->vma_lock && (all_known(r) ||
				    f->rules->pte_needs_mmap_lock);
	uint64_t s[] = { verb, answered, f->step, f->attempt & asked, lock,
			 f->flags };

	model_recall(r);
	model_saw(r, s, sizeof(s));
}

/*
 * The mm looks at an entry that is there once more, with the page table locked:
 * not before whoever is changing it has done so.
 */
static void end_fault(struct replay *r, const struct mm_fault *f)
{
	if (f->slot.pmd == DAX_PT_HUGE || f->slot.present)
		model_wait_ptl(r);
}

/* Runs @f to its end, or to where it wants another lock. */
static enum mm_fault_verb run_fault(struct replay *r, struct mm *mm,
				    struct vma *vma, uint64_t addr,
				    struct mm_fault *f)
{
	enum mm_fault_verb verb;

	while (!r->error) {
		mm_get_slot(mm, addr, &f->slot);
		verb = mm_fault_step(f);
		saw_fault(r, f, verb, false);
		switch (verb) {
		case MM_FAULT_ATTEMPT:
			f->attempt = attempt(r, mm, vma, addr, f);
			break;
		case MM_FAULT_DROP_PMD:
			model_drop_pmd(r, mm, addr);
			break;
		case MM_FAULT_COPY:
			copy_private(r, mm, vma, addr);
			break;
		case MM_FAULT_DONE:
			end_fault(r, f);
			return verb;
		case MM_FAULT_RETRY:
			return verb;
		}
		saw_fault(r, f, verb, true);
		/* Who only goes back to the CPU is noticed by nobody. */
		if (!model_solo(r) && (all_known(r) || mm_fault_looks(f)))
			model_point(r);
	}
	return MM_FAULT_DONE;
}

/*
 * handle_mm_fault() under the lock of the address space, which the process's
 * own threads and system calls share. -1: the access is not allowed.
 */
static int handle_fault(struct replay *r, struct mm *mm, uint64_t addr,
			bool write, bool user)
{
	struct model_lock *lock = &((struct model *)r->arg)->mmap_lock;
	/* x86: what may be written may be read. */
	unsigned int allowed = write ? VMA_WRITE : VMA_ACCESS;
	enum mm_fault_verb verb = MM_FAULT_RETRY;
	bool vma_lock = user && r->o->variant->mm.vma_lock;
	struct mm_fault f = { .result = 0 };

	while (verb == MM_FAULT_RETRY) {
		struct vma *vma;

		if (!model_solo_at(r, addr))
			model_point(r);
		/* A VMA that is being changed cannot be locked by itself. */
		if (mm == &r->mm && model_lock(r, lock, false))
			vma_lock = false;
		vma = mm_find_vma(mm, addr);
		if (!vma || !(vma->flags & allowed)) {
			verb = MM_FAULT_DONE;
			f.result = -1;
		} else {
			mm_fault_init(&f, &r->o->variant->mm, user, write,
				      vma->flags & VMA_SHARED,
				      vma->flags & VMA_NOHUGE);
			f.vma_lock = vma_lock;
			verb = run_fault(r, mm, vma, addr, &f);
			vma_lock = f.vma_lock;
		}
		if (mm == &r->mm)
			model_unlock(lock);
	}
	return f.result;
}

static enum replay_outcome outcome_of(int result)
{
	if (result < 0)
		return REPLAY_SIGSEGV;
	return result & DAX_FAULT_SIGBUS ? REPLAY_SIGBUS : REPLAY_OK;
}

enum replay_outcome model_access(struct replay *r, struct mm *mm, uint64_t addr,
				 bool write, bool user, bool page_fault)
{
	enum replay_outcome outcome = REPLAY_OK;
	unsigned int faults = 0, max = ((struct model *)r->arg)->max_faults;
	enum mm_access access;
	const struct vma *vma;
	int result;

	model_mark(r);
	while (!r->error) {
		model_recall(r);
		model_saw(r, &faults, sizeof(faults));
		if (!model_solo(r))
			model_point(r);
		if (model_released(r))
			break;
		vma = mm_find_vma(mm, addr);
		access = vma ? mm_access(mm, vma, addr, write) :
			       MM_NOT_PRESENT;
		if (access == MM_HIT)
			break;
		if (faults++ == max) {
			replay_fail(r, -ELOOP, "an access faults for ever");
			break;
		}
		if (page_fault && replay_named(r, addr))
			log_page_fault(&r->log, replay_place(r, addr), user,
				       write, access == MM_NO_PERMISSION);
		/* How many there may still be is known all through it. */
		model_mark(r);
		result = handle_fault(r, mm, addr, write, user);
		model_unmark(r);
		outcome = outcome_of(result);
		if (outcome != REPLAY_OK)
			break;
		if (result & DAX_FAULT_OOM)
			replay_fail(r, -ENOMEM, "a fault ran out of memory");
	}
	model_unmark(r);
	return outcome;
}
