/* SPDX-License-Identifier: BSD-3-Clause */
/* Loads and stores: translation, the page faults on the way, the bytes. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "mm/replay_model_int.h"

/* More faults than any access can need: one of them does not do its work. */
#define MAX_FAULTS	64

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

/* The mm's own copy on write, of a present pte of a private mapping. */
static void copy_private(struct replay *r, struct mm *mm, struct vma *vma,
			 uint64_t addr)
{
	struct pte *pte = mm_find_pte(mm, addr);
	uint8_t bytes[DAX_PAGE_SIZE];

	if (pte->kind == PTE_ANON && pte->anon->refs == 1) {
		pte->exclusive = pte->write = pte->dirty = true;
		return;
	}
	vma->flags |= VMA_ANON;
	model_copy_page(mm, addr, bytes);
	if (mm_set_anon(mm, vma, addr, bytes))
		replay_fail(r, -ENOMEM, "no memory for a page");
}

/* dax_finish_sync_fault(): metadata first, then the mapping. */
static unsigned int finish_sync(struct replay *r, struct mm *mm,
				struct vma *vma, struct replay_file *file,
				const struct dax_op *fault)
{
	const char *order = fault->order ? "PMD" : "PTE";
	struct dax_op op;
	char result[100];

	log_event(&r->log, "finish_sync(pg=%" PRIu64 ",%s)", fault->pgoff,
		  order);
	dax_op_init_mkwrite(&op, &model_file(file)->mapping, fault->order,
			    &fault->vma, fault->address);
	model_run(r, file, &op, mm, vma, fault->address);
	if (op.unlocked)
		log_event(&r->log, "unlock(%" PRIu64 ",%s)",
			  op.pgoff & ~((1UL << op.order) - 1), order);
	log_event(&r->log, "insert_pfn_mkwrite(%s)",
		  log_result(result, op.result));
	return op.result;
}

/* One call of the file system's fault handler. */
static unsigned int attempt(struct replay *r, struct mm *mm, struct vma *vma,
			    uint64_t addr, const struct mm_fault *f)
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
		return finish_sync(r, mm, vma, file, &op);
	return op.result;
}

static unsigned int handle_fault(struct replay *r, struct mm *mm,
				 struct vma *vma, uint64_t addr, bool write,
				 bool user)
{
	struct mm_fault f;

	mm_fault_init(&f, &r->o->variant->mm, user, write,
		      vma->flags & VMA_SHARED, vma->flags & VMA_NOHUGE);
	while (!r->error) {
		mm_get_slot(mm, addr, &f.slot);
		switch (mm_fault_step(&f)) {
		case MM_FAULT_ATTEMPT:
			f.attempt = attempt(r, mm, vma, addr, &f);
			break;
		case MM_FAULT_DROP_PMD:
			model_split(r, addr);
			mm_drop_pmd(mm, addr);
			break;
		case MM_FAULT_COPY:
			copy_private(r, mm, vma, addr);
			break;
		case MM_FAULT_DONE:
			return f.result;
		}
	}
	return 0;
}

enum replay_outcome model_access(struct replay *r, struct mm *mm, uint64_t addr,
				 bool write, bool user, bool page_fault)
{
	unsigned int faults = 0, result, allowed;
	enum mm_access access;
	struct vma *vma;

	while (!r->error) {
		vma = mm_find_vma(mm, addr);
		access = vma ? mm_access(mm, vma, addr, write) :
			       MM_NOT_PRESENT;
		if (access == MM_HIT)
			return REPLAY_OK;
		if (page_fault && replay_named(r, addr))
			log_page_fault(&r->log, replay_place(r, addr), user,
				       write, access == MM_NO_PERMISSION);
		/* x86: what may be written may be read. */
		allowed = write ? VMA_WRITE : VMA_ACCESS;
		if (!vma || !(vma->flags & allowed))
			return REPLAY_SIGSEGV;
		result = handle_fault(r, mm, vma, addr, write, user);
		if (result & DAX_FAULT_SIGBUS)
			return REPLAY_SIGBUS;
		if (result & DAX_FAULT_OOM)
			replay_fail(r, -ENOMEM, "a fault ran out of memory");
		else if (++faults == MAX_FAULTS)
			replay_fail(r, -ELOOP, "an access faults for ever");
	}
	return REPLAY_OK;
}
