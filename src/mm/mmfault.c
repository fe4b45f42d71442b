/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "mm/mmfault.h"

enum step {
	STEP_START,		/* look at the pmd */
	STEP_PMD_DONE,		/* a 2M attempt for an empty pmd came back */
	STEP_WP_PMD_DONE,	/* the same for a write to a present pmd */
	STEP_PTE,		/* look at the pte */
	STEP_PTE_DONE,		/* a 4K attempt came back */
	STEP_FINISHED,
};

void mm_fault_init(struct mm_fault *f, const struct mm_rules *rules, bool user,
		   bool write, bool shared, bool nohuge)
{
	memset(f, 0, sizeof(*f));
	f->rules = rules;
	f->write = write;
	f->shared = shared;
	f->nohuge = nohuge;
	f->base_flags = (user ? DAX_FAULT_FLAG_USER : 0) |
			(write ? DAX_FAULT_FLAG_WRITE : 0);
	/* Only user faults look for the VMA without mmap_lock. */
	f->vma_lock = user && rules->vma_lock;
	f->step = STEP_START;
}

static enum mm_fault_verb done(struct mm_fault *f, unsigned int result)
{
	f->result = result;
	f->step = STEP_FINISHED;
	return MM_FAULT_DONE;
}

static enum mm_fault_verb attempt(struct mm_fault *f, unsigned int order,
				  unsigned int flags, enum step next)
{
	f->order = order;
	f->flags = f->base_flags | flags;
	f->cow = !order && f->write && !f->shared;
	f->step = next;
	return MM_FAULT_ATTEMPT;
}

static enum mm_fault_verb mm_fault_pte(struct mm_fault *f);

/* wp_huge_pmd(): write to a present read-only pmd. */
static enum mm_fault_verb wp_huge_pmd(struct mm_fault *f)
{
	if (f->shared || f->rules->wp_private_pmd)
		return attempt(f, PMD_ORDER, 0, STEP_WP_PMD_DONE);
	f->step = STEP_PTE;
	return MM_FAULT_DROP_PMD;
}

static enum mm_fault_verb mm_fault_pmd(struct mm_fault *f)
{
	switch (f->slot.pmd) {
	case DAX_PT_NONE:
		if (f->nohuge)
			break;
		return attempt(f, PMD_ORDER, 0, STEP_PMD_DONE);
	case DAX_PT_HUGE:
		if (f->write && !f->slot.write)
			return wp_huge_pmd(f);
		return done(f, 0);
	case DAX_PT_TABLE:
		break;
	}
	return mm_fault_pte(f);
}

/* Starts the whole fault again under mmap_lock. */
static enum mm_fault_verb retry(struct mm_fault *f)
{
	f->vma_lock = false;
	f->step = STEP_START;
	return MM_FAULT_RETRY;
}

/* A file fault at 4K; it may be that the lock held is not enough. */
static enum mm_fault_verb file_pte(struct mm_fault *f, unsigned int flags)
{
	if (f->vma_lock && f->rules->pte_needs_mmap_lock)
		return retry(f);
	return attempt(f, 0, flags, STEP_PTE_DONE);
}

/* handle_pte_fault() */
static enum mm_fault_verb mm_fault_pte(struct mm_fault *f)
{
	if (f->slot.pmd == DAX_PT_HUGE)
		return done(f, 0);	/* raced with a 2M fault */
	if (f->slot.pmd == DAX_PT_NONE || !f->slot.present)
		return file_pte(f, 0);
	if (!f->write || f->slot.write)
		return done(f, 0);
	if (f->shared)
		return file_pte(f, DAX_FAULT_FLAG_MKWRITE);
	f->step = STEP_FINISHED;
	f->result = 0;
	return MM_FAULT_COPY;
}

bool mm_fault_looks(const struct mm_fault *f)
{
	switch ((enum step)f->step) {
	case STEP_WP_PMD_DONE:
	case STEP_PMD_DONE:
		return f->attempt & DAX_FAULT_FALLBACK;
	case STEP_PTE_DONE:
	case STEP_FINISHED:
		return false;
	case STEP_START:
	case STEP_PTE:
		break;
	}
	return true;
}

enum mm_fault_verb mm_fault_step(struct mm_fault *f)
{
	switch ((enum step)f->step) {
	case STEP_START:
		return mm_fault_pmd(f);
	case STEP_WP_PMD_DONE:
		if (!(f->attempt & DAX_FAULT_FALLBACK))
			return done(f, f->attempt);
		f->step = STEP_PTE;
		/* The file system's fallback may have dropped it already. */
		if (f->slot.pmd == DAX_PT_HUGE)
			return MM_FAULT_DROP_PMD;
		return mm_fault_pte(f);
	case STEP_PMD_DONE:
		if (!(f->attempt & DAX_FAULT_FALLBACK))
			return done(f, f->attempt);
		return mm_fault_pte(f);
	case STEP_PTE:
		return mm_fault_pte(f);
	case STEP_PTE_DONE:
		return done(f, f->attempt);
	case STEP_FINISHED:
		break;
	}
	return MM_FAULT_DONE;
}
