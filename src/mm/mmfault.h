/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The mm's part of a page fault: which order is tried, when a page table stands
 * in the way of 2M, what becomes of a write to something read-only. One state
 * machine for every driver; the file system's part is a dax_op that the driver
 * runs when it is told to attempt.
 *
 *	do {
 *		... store in f->slot what the page table holds at the address
 *		verb = mm_fault_step(f);
 *		... do it; after an attempt store its result in f->attempt
 *	} while (verb != MM_FAULT_DONE);
 *
 * Reference: mm/memory.c, __handle_mm_fault(), handle_pte_fault(), do_fault(),
 * do_wp_page(), wp_huge_pmd(); arch/x86/mm/fault.c, do_user_addr_fault().
 * No lock, no memory, no errors; the access is allowed by the VMA.
 */
#ifndef UDAX_MM_MMFAULT_H
#define UDAX_MM_MMFAULT_H

#include <stdbool.h>
#include <stdint.h>

#include "dax/dax.h"
#include "mm/variant.h"

/* What a page table holds at one address. */
struct mm_slot {
	enum dax_pt_slot pmd;
	bool present;		/* the huge pmd, or the pte under a table */
	bool write;
	bool anon;		/* a pte that is a private copy */
};

enum mm_fault_verb {
	MM_FAULT_ATTEMPT,	/* run a fault of @order with @flags */
	MM_FAULT_DROP_PMD,	/* zap the huge pmd at the address */
	MM_FAULT_COPY,		/* make the pte a private writable copy */
	MM_FAULT_RETRY,		/* take mmap_lock in place of the VMA's lock */
	MM_FAULT_DONE,		/* @result stands; the access is tried again */
};

struct mm_fault {
	/* Constant after mm_fault_init(). */
	const struct mm_rules *rules;
	bool write;
	bool shared;		/* MAP_SHARED */
	bool nohuge;		/* MADV_NOHUGEPAGE */
	unsigned int base_flags;

	/* The driver's, before each step and after an attempt. */
	struct mm_slot slot;
	unsigned int attempt;	/* enum dax_vm_fault bits */

	/* The question that goes with the verb. */
	unsigned int order;
	unsigned int flags;	/* enum dax_fault_flags */
	bool vma_lock;		/* the lock that the attempt runs under */
	bool cow;		/* the attempt ends in a private copy */

	unsigned int result;	/* valid at MM_FAULT_DONE */

	int step;		/* its own */
};

/*
 * @user: the access came from user space, not from a system call that touches
 * a user buffer or populates a range.
 */
void mm_fault_init(struct mm_fault *f, const struct mm_rules *rules, bool user,
		   bool write, bool shared, bool nohuge);
enum mm_fault_verb mm_fault_step(struct mm_fault *f);
/* Will the next step look at f->slot? After an attempt that succeeded it does not. */
bool mm_fault_looks(const struct mm_fault *f);

#endif
