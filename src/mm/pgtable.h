/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The emulated page table of one mapping: for each 2M window of the address
 * range a pmd slot (none, page table, huge) and, under a page table, present
 * and writable bits of its 512 slots. What the real page tables hold may be
 * less (a collapse elsewhere retracts them) or, where stores are not tracked,
 * more writable.
 *
 * No lock: words are atomic, each call is atomic a window word at most. Whoever
 * needs more (a change of the address space) excludes installs by other means.
 * The memory is sparse (NORESERVE): untouched windows cost nothing.
 */
#ifndef UDAX_MM_PGTABLE_H
#define UDAX_MM_PGTABLE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "dax/dax.h"
#include "mm/mmfault.h"

#define PGT_WORDS ((PG_PMD_NR + 63) / 64)

struct pgt_window {
	_Atomic uint8_t pmd;		/* enum pgt_pmd */
	_Atomic uint64_t present[PGT_WORDS];
	_Atomic uint64_t write[PGT_WORDS];
	/* Stored to, but made read-only by mprotect since. */
	_Atomic uint64_t dirty[PGT_WORDS];
};

enum pgt_pmd { PGT_NONE, PGT_TABLE, PGT_HUGE_R, PGT_HUGE_W };

struct pgtable {
	uint64_t base;			/* address of the first window, 2M aligned */
	uint64_t nr;			/* windows */
	uint64_t bytes;			/* of @windows when mmapped, 0: allocated */
	struct pgt_window *windows;
};

/* For [start, end), bytes, page aligned. 0 or -ENOMEM. */
int pgtable_init(struct pgtable *pt, uint64_t start, uint64_t end);
void pgtable_exit(struct pgtable *pt);

/* The pmd slot over @addr. */
enum dax_pt_slot pgtable_slot(struct pgtable *pt, uint64_t addr);
/* Would an access hit? @write: with permission to write. */
bool pgtable_has(struct pgtable *pt, uint64_t addr, bool write);
bool pgtable_is_huge(struct pgtable *pt, uint64_t addr);
/* What the table holds at @addr; it does not know private copies. */
void pgtable_get(struct pgtable *pt, uint64_t addr, struct mm_slot *slot);

/* Install. A pte under a huge pmd replaces the pmd by a page table. */
void pgtable_set_pte(struct pgtable *pt, uint64_t addr, bool write);
void pgtable_set_pmd(struct pgtable *pt, uint64_t addr, bool write);

/*
 * Zap [start, end): a huge pmd that the range touches goes as a whole (the
 * kernel's split of a DAX pmd drops it); page tables stay, empty.
 */
void pgtable_zap(struct pgtable *pt, uint64_t start, uint64_t end);
/*
 * The same, and calls @fn for what a window had: [from, to) is the part of the
 * range in it, or, where a huge pmd went, the window.
 */
typedef void pgtable_fn(void *arg, uint64_t from, uint64_t to);
void pgtable_zap_each(struct pgtable *pt, uint64_t start, uint64_t end,
		      pgtable_fn *fn, void *arg);
/* Calls @fn for the part of [start, end) in each window that is not empty. */
void pgtable_each(struct pgtable *pt, uint64_t start, uint64_t end,
		  pgtable_fn *fn, void *arg);
/* Write-protect and clean [start, end). */
void pgtable_wrprotect(struct pgtable *pt, uint64_t start, uint64_t end);
/*
 * mprotect: all become read-only; a pte that was stored to since it was clean is
 * writable again where @write. A huge pmd is not: pmd_modify() loses its dirty
 * bit.
 */
void pgtable_protect(struct pgtable *pt, uint64_t start, uint64_t end,
		     bool write);
/* Frees the page tables of windows that lie in [start, end) as a whole. */
void pgtable_free_tables(struct pgtable *pt, uint64_t start, uint64_t end);
/* A page table hangs in the slot over @addr, if nothing else does. */
void pgtable_set_table(struct pgtable *pt, uint64_t addr);
/*
 * Copies what @from has in [start, end) to @to, whose addresses are @delta
 * higher (may be negative as two's complement). Huge pmds are kept only where
 * @delta is a multiple of 2M and the window lies inside the range; page tables
 * stay tables, be they empty.
 */
void pgtable_copy(struct pgtable *to, struct pgtable *from, uint64_t start,
		  uint64_t end, uint64_t delta);

#endif
