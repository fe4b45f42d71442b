/* SPDX-License-Identifier: BSD-3-Clause */
/* The page table of a simulated process. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mm/mmu.h"

static uint64_t window(uint64_t addr)
{
	return addr & ~(DAX_PMD_SIZE - 1);
}

static unsigned int pte_index(uint64_t addr)
{
	return (addr >> PAGE_SHIFT) & PG_PMD_COLOUR;
}

static uint64_t lower(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* -------------------------------------------------------------- entries */

static void pte_clear(struct pte *pte)
{
	if (pte->kind == PTE_ANON && !--pte->anon->refs)
		free(pte->anon);
	memset(pte, 0, sizeof(*pte));
}

static void table_clear(struct pte *ptes, bool cows)
{
	unsigned int i;

	for (i = 0; i < PG_PMD_NR; i++)
		if (cows || ptes[i].kind != PTE_ANON)
			pte_clear(&ptes[i]);
}

/* ------------------------------------------------------------ pmd slots */

/* The first slot at or behind @addr's window. */
static unsigned int pmd_index(const struct mm *mm, uint64_t addr)
{
	unsigned int lo = 0, hi = mm->nr_pmds;

	addr = window(addr);
	while (lo < hi) {
		unsigned int mid = (lo + hi) / 2;

		if (mm->pmds[mid].addr < addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

struct pmd *mm_find_pmd(struct mm *mm, uint64_t addr)
{
	unsigned int i = pmd_index(mm, addr);

	return i < mm->nr_pmds && mm->pmds[i].addr == window(addr) ?
	       &mm->pmds[i] : NULL;
}

static struct pmd *pmd_get(struct mm *mm, uint64_t addr)
{
	unsigned int i = pmd_index(mm, addr);

	if (i < mm->nr_pmds && mm->pmds[i].addr == window(addr))
		return &mm->pmds[i];
	if (mm->nr_pmds == mm->room_pmds) {
		unsigned int room = mm->room_pmds ? 2 * mm->room_pmds : 16;
		struct pmd *p = realloc(mm->pmds, room * sizeof(*p));

		if (!p)
			return NULL;
		mm->pmds = p;
		mm->room_pmds = room;
	}
	memmove(&mm->pmds[i + 1], &mm->pmds[i],
		(mm->nr_pmds - i) * sizeof(mm->pmds[0]));
	mm->nr_pmds++;
	memset(&mm->pmds[i], 0, sizeof(mm->pmds[i]));
	mm->pmds[i].addr = window(addr);
	return &mm->pmds[i];
}

/* The slot is empty afterwards; @pmd is not valid any more. */
static void pmd_remove(struct mm *mm, struct pmd *pmd)
{
	unsigned int i = pmd - mm->pmds;

	if (pmd->slot == DAX_PT_TABLE) {
		table_clear(pmd->ptes, true);
		free(pmd->ptes);
	}
	mm->nr_pmds--;
	memmove(pmd, pmd + 1, (mm->nr_pmds - i) * sizeof(*pmd));
}

void mm_drop_pmd(struct mm *mm, uint64_t addr)
{
	struct pmd *pmd = mm_find_pmd(mm, addr);

	if (pmd)
		pmd_remove(mm, pmd);
}

/* A part of the huge pmd over @addr is to go: all of it does. */
static void split_huge(struct mm *mm, struct pmd *pmd, uint64_t addr)
{
	if (mm->split)
		mm->split(mm->arg, addr);
	pmd_remove(mm, pmd);
}

void mm_split_pmd(struct mm *mm, uint64_t addr)
{
	struct pmd *pmd = mm_find_pmd(mm, addr);

	if (pmd && pmd->slot == DAX_PT_HUGE && addr != pmd->addr)
		split_huge(mm, pmd, addr);
}

/* The table that hangs in the slot over @addr, empty if it is new. */
static struct pte *table_get(struct mm *mm, uint64_t addr)
{
	struct pmd *pmd = pmd_get(mm, addr);

	if (!pmd)
		return NULL;
	if (pmd->slot == DAX_PT_TABLE)
		return pmd->ptes;
	pmd->ptes = calloc(PG_PMD_NR, sizeof(*pmd->ptes));
	if (!pmd->ptes) {
		pmd_remove(mm, pmd);
		return NULL;
	}
	pmd->slot = DAX_PT_TABLE;
	return pmd->ptes;
}

/* --------------------------------------------------------------- lookup */

struct pte *mm_find_pte(struct mm *mm, uint64_t addr)
{
	struct pmd *pmd = mm_find_pmd(mm, addr);

	return pmd && pmd->slot == DAX_PT_TABLE ? &pmd->ptes[pte_index(addr)] :
						  NULL;
}

void mm_get_slot(struct mm *mm, uint64_t addr, struct mm_slot *slot)
{
	struct pmd *pmd = mm_find_pmd(mm, addr);
	struct pte *pte = mm_find_pte(mm, addr);

	memset(slot, 0, sizeof(*slot));
	slot->pmd = pmd ? pmd->slot : DAX_PT_NONE;
	if (pte) {
		slot->present = pte->kind != PTE_NONE && !pte->hidden;
		slot->write = pte->write;
		slot->anon = pte->kind == PTE_ANON;
	} else if (pmd) {
		slot->present = !pmd->hidden;
		slot->write = pmd->write;
	}
}

enum mm_access mm_access(struct mm *mm, const struct vma *vma, uint64_t addr,
			 bool write)
{
	struct mm_slot slot;

	mm_get_slot(mm, addr, &slot);
	/* Without any access the hardware's present bit is off. */
	if (!slot.present || !(vma->flags & VMA_ACCESS))
		return MM_NOT_PRESENT;
	return write && !slot.write ? MM_NO_PERMISSION : MM_HIT;
}

/* -------------------------------------------------------------- install */

int mm_set_pte(struct mm *mm, uint64_t addr, enum pte_kind kind, bool write)
{
	struct pte *ptes = table_get(mm, addr), *pte;

	if (!ptes)
		return -ENOMEM;
	pte = &ptes[pte_index(addr)];
	pte_clear(pte);
	pte->kind = kind;
	pte->write = pte->dirty = write;
	return 0;
}

int mm_set_pmd(struct mm *mm, uint64_t addr, bool zero, bool write)
{
	struct pmd *pmd = pmd_get(mm, addr);

	if (!pmd)
		return -ENOMEM;
	pmd->slot = DAX_PT_HUGE;
	pmd->zero = zero;
	pmd->write = pmd->dirty = write;
	return 0;
}

int mm_set_anon(struct mm *mm, const struct vma *vma, uint64_t addr,
		const uint8_t *bytes)
{
	struct pte *ptes = table_get(mm, addr), *pte;
	struct anon_page *anon = calloc(1, sizeof(*anon));

	if (!ptes || !anon) {
		free(anon);
		return -ENOMEM;
	}
	if (bytes)
		memcpy(anon->bytes, bytes, sizeof(anon->bytes));
	anon->refs = 1;
	pte = &ptes[pte_index(addr)];
	pte_clear(pte);
	pte->kind = PTE_ANON;
	pte->anon = anon;
	pte->exclusive = true;
	pte->write = pte->dirty = vma->flags & VMA_WRITE;
	return 0;
}

/* ----------------------------------------------- zap and write-protect */

void mm_zap(struct mm *mm, uint64_t start, uint64_t end, bool cows)
{
	unsigned int i = pmd_index(mm, start);

	while (i < mm->nr_pmds && mm->pmds[i].addr < end) {
		struct pmd *pmd = &mm->pmds[i];
		uint64_t from = pmd->addr > start ? pmd->addr : start;
		uint64_t to = lower(pmd->addr + DAX_PMD_SIZE, end);

		if (pmd->slot == DAX_PT_HUGE) {
			if (to - from == DAX_PMD_SIZE)
				pmd_remove(mm, pmd);
			else
				split_huge(mm, pmd, from);
			continue;
		}
		for (; from < to; from += DAX_PAGE_SIZE) {
			struct pte *pte = &pmd->ptes[pte_index(from)];

			if (cows || pte->kind != PTE_ANON)
				pte_clear(pte);
		}
		i++;
	}
}

void mm_wrprotect(struct mm *mm, uint64_t start, uint64_t end)
{
	unsigned int i = pmd_index(mm, start);

	for (; i < mm->nr_pmds && mm->pmds[i].addr < end; i++) {
		struct pmd *pmd = &mm->pmds[i];
		uint64_t at = pmd->addr > start ? pmd->addr : start;
		uint64_t to = lower(pmd->addr + DAX_PMD_SIZE, end);

		if (pmd->slot == DAX_PT_HUGE) {
			pmd->write = pmd->dirty = false;
			continue;
		}
		for (; at < to; at += DAX_PAGE_SIZE) {
			struct pte *pte = &pmd->ptes[pte_index(at)];

			if (pte->kind != PTE_ANON)
				pte->write = pte->dirty = false;
		}
	}
}

bool mm_file_range(const struct vma *vma, const struct simfs_file *file,
		   uint64_t start, uint64_t nr, uint64_t *from, uint64_t *to)
{
	uint64_t last = nr <= UINT64_MAX - start ? start + nr : UINT64_MAX;
	uint64_t end = vma->pgoff + ((vma->end - vma->start) >> PAGE_SHIFT);

	if (vma->file != file || start >= end || last <= vma->pgoff)
		return false;
	if (start < vma->pgoff)
		start = vma->pgoff;
	*from = vma->start + ((start - vma->pgoff) << PAGE_SHIFT);
	*to = vma->start + ((lower(last, end) - vma->pgoff) << PAGE_SHIFT);
	return true;
}

void mm_zap_file(struct mm *mm, const struct simfs_file *file, uint64_t start,
		 uint64_t nr, bool cows)
{
	uint64_t from, to;
	unsigned int i;

	for (i = 0; i < mm->nr_vmas; i++)
		if (mm_file_range(&mm->vmas[i], file, start, nr, &from, &to))
			mm_zap(mm, from, to, cows);
}

void mm_wrprotect_file(struct mm *mm, const struct simfs_file *file,
		       uint64_t start, uint64_t nr)
{
	uint64_t from, to;
	unsigned int i;

	for (i = 0; i < mm->nr_vmas; i++)
		if (mm_file_range(&mm->vmas[i], file, start, nr, &from, &to))
			mm_wrprotect(mm, from, to);
}

/* ------------------------------------------- changes of the address space */

/* change_pte_range(): all become read-only; what may be written, may again. */
static void pte_protect(const struct mm_rules *rules, const struct vma *vma,
			struct pte *pte)
{
	pte->write = false;
	if (!rules->mprotect_upgrades_pte || !(vma->flags & VMA_WRITE))
		return;
	if (vma->flags & VMA_SHARED)
		pte->write = pte->dirty;
	else
		pte->write = pte->exclusive;
}

void mm_protect_range(struct mm *mm, const struct vma *vma)
{
	unsigned int i = pmd_index(mm, vma->start);

	for (; i < mm->nr_pmds && mm->pmds[i].addr < vma->end; i++) {
		struct pmd *pmd = &mm->pmds[i];
		uint64_t at = pmd->addr > vma->start ? pmd->addr : vma->start;
		uint64_t to = lower(pmd->addr + DAX_PMD_SIZE, vma->end);

		if (pmd->slot == DAX_PT_HUGE) {
			/* pmd_modify() loses the dirty bit. */
			pmd->write = pmd->dirty = false;
			continue;
		}
		for (; at < to; at += DAX_PAGE_SIZE)
			pte_protect(mm->rules, vma, &pmd->ptes[pte_index(at)]);
	}
}

void mm_free_tables(struct mm *mm, uint64_t start, uint64_t end)
{
	unsigned int i = pmd_index(mm, start), v;

	while (i < mm->nr_pmds && mm->pmds[i].addr < end) {
		uint64_t addr = mm->pmds[i].addr;

		for (v = 0; v < mm->nr_vmas; v++)
			if (mm->vmas[v].start < addr + DAX_PMD_SIZE &&
			    mm->vmas[v].end > addr)
				break;
		if (v == mm->nr_vmas)
			pmd_remove(mm, &mm->pmds[i]);
		else
			i++;
	}
}

static int move_ptes(struct mm *mm, uint64_t from, uint64_t to, uint64_t len)
{
	struct pte *ptes = table_get(mm, to), *old;
	uint64_t at;

	if (!ptes)
		return -ENOMEM;
	for (at = 0; at < len; at += DAX_PAGE_SIZE) {
		old = mm_find_pte(mm, from + at);
		ptes[pte_index(to + at)] = *old;
		memset(old, 0, sizeof(*old));
	}
	return 0;
}

/* move_page_tables(): whole windows where both ends are aligned, else ptes. */
int mm_move_tables(struct mm *mm, uint64_t from, uint64_t len, uint64_t to)
{
	uint64_t end = from + len, extent;
	int rc = 0;

	for (; from < end && !rc; from += extent, to += extent) {
		struct pmd *pmd = mm_find_pmd(mm, from), moved;

		extent = lower(window(from) + DAX_PMD_SIZE - from,
			       window(to) + DAX_PMD_SIZE - to);
		extent = lower(extent, end - from);
		if (!pmd)
			continue;
		if (extent == DAX_PMD_SIZE && !mm_find_pmd(mm, to)) {
			moved = *pmd;
			moved.addr = to;
			pmd->slot = DAX_PT_NONE;
			pmd_remove(mm, pmd);
			pmd = pmd_get(mm, to);
			if (!pmd)
				return -ENOMEM;
			*pmd = moved;
		} else if (pmd->slot == DAX_PT_HUGE) {
			split_huge(mm, pmd, from);
		} else {
			rc = move_ptes(mm, from, to, extent);
		}
	}
	return rc;
}

/* -------------------------------------------------------------- process */

void mm_init(struct mm *mm, const struct mm_rules *rules)
{
	memset(mm, 0, sizeof(*mm));
	mm->rules = rules;
}

void mm_exit(struct mm *mm)
{
	while (mm->nr_pmds)
		pmd_remove(mm, &mm->pmds[mm->nr_pmds - 1]);
	free(mm->pmds);
	free(mm->vmas);
	memset(mm, 0, sizeof(*mm));
}

/* copy_pte_range(): private copies become read-only and shared in both. */
static int fork_window(struct mm *child, struct pmd *pmd, uint64_t from,
		       uint64_t to)
{
	struct pte *ptes = table_get(child, pmd->addr);

	if (!ptes)
		return -ENOMEM;
	for (; from < to; from += DAX_PAGE_SIZE) {
		struct pte *pte = &pmd->ptes[pte_index(from)];

		if (pte->kind == PTE_ANON) {
			pte->anon->refs++;
			pte->exclusive = false;
		}
		pte->write = false;
		ptes[pte_index(from)] = *pte;
	}
	return 0;
}

static int fork_vma(struct mm *child, struct mm *parent,
		    const struct vma *vma)
{
	unsigned int i = pmd_index(parent, vma->start);
	int rc = 0;

	for (; !rc && i < parent->nr_pmds && parent->pmds[i].addr < vma->end;
	     i++) {
		struct pmd *pmd = &parent->pmds[i];

		if (pmd->slot == DAX_PT_TABLE)
			rc = fork_window(child, pmd,
					 pmd->addr > vma->start ? pmd->addr :
								  vma->start,
					 lower(pmd->addr + DAX_PMD_SIZE,
					       vma->end));
	}
	return rc;
}

int mm_fork(struct mm *child, struct mm *parent)
{
	unsigned int i;
	int rc = 0;

	mm_init(child, parent->rules);
	child->split = parent->split;
	child->arg = parent->arg;
	child->vmas = calloc(parent->nr_vmas + 1, sizeof(*child->vmas));
	if (!child->vmas)
		return -ENOMEM;
	child->room_vmas = parent->nr_vmas + 1;
	child->nr_vmas = parent->nr_vmas;
	for (i = 0; i < parent->nr_vmas && !rc; i++) {
		child->vmas[i] = parent->vmas[i];
		if (parent->vmas[i].flags & VMA_ANON)
			rc = fork_vma(child, parent, &parent->vmas[i]);
	}
	if (rc)
		mm_exit(child);
	return rc;
}
