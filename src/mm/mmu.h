/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A simulated process: VMAs, and a page table with pmd slots of 2M and ptes of
 * 4K. It keeps what a CPU would see: present, writable, dirty, and for a pte
 * what it maps: the file's page, the zero page, or a private copy.
 *
 * Page tables belong to addresses and not to VMAs, as in the kernel: a table
 * that hangs in a pmd slot stays until the last VMA over its window is gone.
 * A zap of a part of a huge pmd drops the whole (a DAX pmd is not split).
 *
 * No lock. Addresses and lengths are bytes, page aligned unless said. Errors:
 * -ENOMEM where memory is short, else the -errno of the system call.
 */
#ifndef UDAX_MM_MMU_H
#define UDAX_MM_MMU_H

#include <stdbool.h>
#include <stdint.h>

#include "mm/mmfault.h"
#include "mm/simfs.h"

enum vma_flags {
	VMA_READ	= 0x1,
	VMA_WRITE	= 0x2,
	VMA_SHARED	= 0x4,
	VMA_SYNC	= 0x8,
	VMA_NOHUGE	= 0x10,
	VMA_ANON	= 0x20,		/* has, or had, private copies */
	VMA_HUGE	= 0x40,		/* MADV_HUGEPAGE: a VMA of its own, no more */
};
#define VMA_ACCESS	(VMA_READ | VMA_WRITE)

struct vma {
	uint64_t start, end;
	uint64_t pgoff;			/* file page at @start */
	unsigned int flags;		/* enum vma_flags */
	struct simfs_file *file;
	void *owner;			/* the driver's, of the file */
};

/* A private copy; shared by processes after a fork. */
struct anon_page {
	unsigned int refs;
	uint8_t bytes[DAX_PAGE_SIZE];
};

enum pte_kind { PTE_NONE, PTE_FILE, PTE_ZERO, PTE_ANON };

struct pte {
	enum pte_kind kind;
	bool write, dirty;
	bool hidden;			/* see mm_hide() */
	bool exclusive;			/* PTE_ANON: no other process has it */
	struct anon_page *anon;		/* PTE_ANON: a reference */
};

struct pmd {
	uint64_t addr;			/* of the window, 2M aligned */
	enum dax_pt_slot slot;
	bool write, dirty, zero, hidden;	/* DAX_PT_HUGE */
	struct pte *ptes;		/* DAX_PT_TABLE: PG_PMD_NR of them */
};

struct mm {
	const struct mm_rules *rules;
	struct vma *vmas;		/* sorted, disjoint */
	unsigned int nr_vmas, room_vmas;
	struct pmd *pmds;		/* sorted by address; no empty slots */
	unsigned int nr_pmds, room_pmds;
	/* Told of each huge pmd that a zap of a part of it drops. */
	void (*split)(void *arg, uint64_t addr);
	void *arg;
};

void mm_init(struct mm *mm, const struct mm_rules *rules);
void mm_exit(struct mm *mm);
/*
 * fork(2): @child, not yet initialised, gets copies of the VMAs, and of page
 * tables only where a VMA has private copies; huge pmds refault. 0 or -ENOMEM.
 */
int mm_fork(struct mm *child, struct mm *parent);

/* ------------------------------------------------------ VMAs (vma.c) */

/* NULL when no VMA holds @addr. Valid until the next change of the VMAs. */
struct vma *mm_find_vma(struct mm *mm, uint64_t addr);
/* Maps @vma; what was there is unmapped first (MAP_FIXED). */
int mm_mmap(struct mm *mm, const struct vma *vma);
int mm_munmap(struct mm *mm, uint64_t start, uint64_t len);
/* @prot: VMA_READ, VMA_WRITE. -ENOMEM past a hole, after what lies before it. */
int mm_mprotect(struct mm *mm, uint64_t start, uint64_t len, unsigned int prot);
/* MADV_NOHUGEPAGE or MADV_HUGEPAGE; -ENOMEM if holes are inside. */
int mm_set_nohuge(struct mm *mm, uint64_t start, uint64_t len, bool nohuge);
int mm_dontneed(struct mm *mm, uint64_t start, uint64_t len);
int mm_mremap(struct mm *mm, uint64_t from, uint64_t len, uint64_t to);
/*
 * Calls @fn for each VMA's part of [start, start + len), in order, until it
 * fails. -ENOMEM if holes are inside and nothing failed. @fn must not change
 * the VMAs.
 */
int mm_for_each(struct mm *mm, uint64_t start, uint64_t len,
		int (*fn)(void *arg, struct vma *vma, uint64_t from,
			  uint64_t to),
		void *arg);

/* ----------------------------------------------- page tables (mmu.c) */

enum mm_access { MM_HIT, MM_NOT_PRESENT, MM_NO_PERMISSION };

/* What a load or store at @addr meets, as the CPU sees it. */
enum mm_access mm_access(struct mm *mm, const struct vma *vma, uint64_t addr,
			 bool write);
void mm_get_slot(struct mm *mm, uint64_t addr, struct mm_slot *slot);
/* The pte that maps @addr; NULL under a huge pmd, or none. */
struct pte *mm_find_pte(struct mm *mm, uint64_t addr);
struct pmd *mm_find_pmd(struct mm *mm, uint64_t addr);

/* Install; a store is done at once, so writable implies dirty. */
int mm_set_pte(struct mm *mm, uint64_t addr, enum pte_kind kind, bool write);
int mm_set_pmd(struct mm *mm, uint64_t addr, bool zero, bool write);
/* A private copy of @bytes (NULL: zeros) at @addr; what was there goes. */
int mm_set_anon(struct mm *mm, const struct vma *vma, uint64_t addr,
		const uint8_t *bytes);

/* @cows: private copies go too. Page tables stay. */
void mm_zap(struct mm *mm, uint64_t start, uint64_t end, bool cows);
void mm_drop_pmd(struct mm *mm, uint64_t addr);
/* Write-protects and cleans what maps the file. */
void mm_wrprotect(struct mm *mm, uint64_t start, uint64_t end);

/* Pages [start, start + nr) of @file, in every VMA: see the two above. */
void mm_zap_file(struct mm *mm, const struct simfs_file *file, uint64_t start,
		 uint64_t nr, bool cows);
void mm_wrprotect_file(struct mm *mm, const struct simfs_file *file,
		       uint64_t start, uint64_t nr);

/* ------------------------- as other threads see it change (mmu_step.c) */

/*
 * The first part, from address @at on, of a slot in which pages [start, start +
 * nr) of @file may be mapped: [*from, *to), inside one window. False: there is
 * no more.
 */
bool mm_next_part(struct mm *mm, const struct simfs_file *file, uint64_t start,
		  uint64_t nr, uint64_t at, uint64_t *from, uint64_t *to);
/* The same for the slots of a range of addresses. */
bool mm_next_slot(struct mm *mm, uint64_t at, uint64_t end, uint64_t *from,
		  uint64_t *to);
/*
 * The kernel changes an entry by clearing it first: the CPU finds nothing there
 * meanwhile. What is in the range, with @writable what is writable or dirty and
 * the file's alone, is hidden; false when that is nothing. The caller keeps
 * others from changing it until it is shown again.
 */
bool mm_hide(struct mm *mm, uint64_t from, uint64_t to, bool writable);
void mm_show(struct mm *mm, uint64_t from, uint64_t to);
/* Frees the table of @addr's window if nothing is in it. */
void mm_free_empty_table(struct mm *mm, uint64_t addr);

/* For vma.c and mmu_step.c. */
/* Pages [start, start + nr) in @vma, as addresses; false when none is. */
bool mm_file_range(const struct vma *vma, const struct simfs_file *file,
		   uint64_t start, uint64_t nr, uint64_t *from, uint64_t *to);
/* Drops the huge pmd that reaches across @addr, if one does. */
void mm_split_pmd(struct mm *mm, uint64_t addr);
/* New protection of @vma, all of whose huge pmds lie inside it. */
void mm_protect_range(struct mm *mm, const struct vma *vma);
/* Frees the tables of windows in the range that no VMA is left in. */
void mm_free_tables(struct mm *mm, uint64_t start, uint64_t end);
int mm_move_tables(struct mm *mm, uint64_t from, uint64_t len, uint64_t to);

#endif
