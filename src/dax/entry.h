/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The entry word: what a file's table holds for a 4K page or a 2M window.
 * Reference: fs/dax.c, DAX_LOCKED and the functions after it; xarray.h for the
 * value and internal forms. Values only: nothing here owns memory, takes a lock
 * or can fail.
 *
 *	63                                            5   4   3   2   1   0
 *	+-----------------------------------------------+---+---+---+---+---+
 *	| pfn: page of the medium (offset >> 12)        | E | Z | P | L | 1 |
 *	+-----------------------------------------------+---+---+---+---+---+
 *
 *	bit 0	1: a value entry. The kernel stores xa_mk_value(v) = (v << 1) | 1
 *	L	DAX_LOCKED: somebody holds the entry
 *	P	DAX_PMD: covers the 2M window, in its one slot
 *	Z	DAX_ZERO_PAGE: reads as zeros, no block behind it
 *	E	DAX_EMPTY: no page at all, only a place to hang the lock on
 *	none of Z and E: a real page, at pfn
 *
 * 0 is "no entry" and differs from every entry by bit 0.
 *
 * Words with the low bits 10 are internal: they are handed from function to
 * function and never stored (kernel: xa_mk_internal).
 *
 *	256		DAX_CONFLICT, XA_RETRY_ENTRY in the kernel: a 2M lookup met
 *			a 4K entry
 *	257		DAX_SLEPT: ours; the operation was parked, where the kernel
 *			sleeps inside the call
 *	0x1...0x2000	in the results of grab_mapping_entry() alone: a vm_fault
 *			code. Two numbers coincide with those above, as in the
 *			kernel; nobody returns both kinds.
 */
#ifndef UDAX_DAX_ENTRY_H
#define UDAX_DAX_ENTRY_H

#include <stdbool.h>
#include <stdint.h>

/* Build-time geometry; tests shrink it until collisions are certain. */
#ifndef PMD_ORDER
#define PMD_ORDER 9
#endif
#define PG_PMD_NR	(1UL << PMD_ORDER)	/* pages in a window */
#define PG_PMD_COLOUR	(PG_PMD_NR - 1)
#define PAGE_SHIFT	12
#define PMD_SHIFT	(PAGE_SHIFT + PMD_ORDER)
#define DAX_PAGE_SIZE	(1UL << PAGE_SHIFT)
#define DAX_PMD_SIZE	(1UL << PMD_SHIFT)

typedef uint64_t dax_entry_t;

#define DAX_VALUE	(1UL << 0)
#define DAX_LOCKED	(1UL << 1)
#define DAX_PMD		(1UL << 2)
#define DAX_ZERO_PAGE	(1UL << 3)
#define DAX_EMPTY	(1UL << 4)
#define DAX_SHIFT	5

#define DAX_INTERNAL(n)	(((dax_entry_t)(n) << 2) | 2)
#define DAX_CONFLICT	DAX_INTERNAL(256)
#define DAX_SLEPT	DAX_INTERNAL(257)

_Static_assert(sizeof(dax_entry_t) == 8, "an entry is one 64-bit word");
_Static_assert((DAX_VALUE | DAX_LOCKED | DAX_PMD | DAX_ZERO_PAGE | DAX_EMPTY) ==
	       (1UL << DAX_SHIFT) - 1, "flags fill the bits below the pfn");
_Static_assert(((DAX_CONFLICT | DAX_SLEPT) & DAX_VALUE) == 0,
	       "an internal word is no value entry");
_Static_assert(PMD_ORDER >= 1 && PMD_ORDER <= 9,
	       "a window has between 2 and 512 pages");

/* @flags: of DAX_PMD, DAX_ZERO_PAGE, DAX_EMPTY. @pfn: below 2^59. */
static inline dax_entry_t dax_make_entry(uint64_t pfn, uint64_t flags)
{
	return pfn << DAX_SHIFT | flags | DAX_VALUE;
}

static inline uint64_t dax_to_pfn(dax_entry_t entry)
{
	return entry >> DAX_SHIFT;
}

static inline bool dax_is_value(dax_entry_t entry)
{
	return entry & DAX_VALUE;
}

static inline bool dax_is_locked(dax_entry_t entry)
{
	return entry & DAX_LOCKED;
}

static inline bool dax_is_pmd_entry(dax_entry_t entry)
{
	return entry & DAX_PMD;
}

static inline bool dax_is_pte_entry(dax_entry_t entry)
{
	return !(entry & DAX_PMD);
}

static inline bool dax_is_zero_entry(dax_entry_t entry)
{
	return entry & DAX_ZERO_PAGE;
}

static inline bool dax_is_empty_entry(dax_entry_t entry)
{
	return entry & DAX_EMPTY;
}

/* 0 for "no entry" too: ask for NULL before you compare orders. */
static inline unsigned int dax_entry_order(dax_entry_t entry)
{
	return entry & DAX_PMD ? PMD_ORDER : 0;
}

static inline bool dax_is_conflict(dax_entry_t entry)
{
	return entry == DAX_CONFLICT;
}

/* What grab_mapping_entry() returns when there is no entry to be had. */
static inline dax_entry_t dax_make_fault(unsigned int vm_fault)
{
	return DAX_INTERNAL(vm_fault);
}

static inline bool dax_is_internal(dax_entry_t entry)
{
	return (entry & 3) == 2;
}

static inline unsigned int dax_to_fault(dax_entry_t entry)
{
	return entry >> 2;
}

/* First and last page that an entry found at @index stands for. */
static inline uint64_t dax_entry_first(dax_entry_t entry, uint64_t index)
{
	return dax_is_pmd_entry(entry) ? index & ~PG_PMD_COLOUR : index;
}

static inline uint64_t dax_entry_last(dax_entry_t entry, uint64_t index)
{
	return dax_is_pmd_entry(entry) ? index | PG_PMD_COLOUR : index;
}

#endif
