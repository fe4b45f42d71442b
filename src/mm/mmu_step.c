/* SPDX-License-Identifier: BSD-3-Clause */
/* Changes of a page table in the steps that other threads can tell apart. */
#include "mm/mmu.h"

static uint64_t higher(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t lower(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

bool mm_next_slot(struct mm *mm, uint64_t at, uint64_t end, uint64_t *from,
		  uint64_t *to)
{
	unsigned int i;

	for (i = 0; i < mm->nr_pmds && mm->pmds[i].addr < end; i++) {
		*from = higher(mm->pmds[i].addr, at);
		*to = lower(mm->pmds[i].addr + DAX_PMD_SIZE, end);
		if (*from < *to)
			return true;
	}
	return false;
}

bool mm_next_part(struct mm *mm, const struct simfs_file *file, uint64_t start,
		  uint64_t nr, uint64_t at, uint64_t *from, uint64_t *to)
{
	uint64_t first, end;
	unsigned int i;

	for (i = 0; i < mm->nr_vmas; i++)
		if (mm_file_range(&mm->vmas[i], file, start, nr, &first, &end) &&
		    mm_next_slot(mm, higher(first, at), end, from, to))
			return true;
	return false;
}

static bool hide_pte(struct pte *pte, bool writable)
{
	if (pte->kind == PTE_NONE ||
	    (writable && (pte->kind == PTE_ANON || !(pte->write || pte->dirty))))
		return false;
	pte->hidden = true;
	return true;
}

/* The ptes of @pmd's table that map [from, to). */
static struct pte *first_pte(const struct pmd *pmd, uint64_t from, uint64_t to,
			     unsigned int *nr)
{
	from = higher(from, pmd->addr);
	to = lower(to, pmd->addr + DAX_PMD_SIZE);
	*nr = (to - from) >> PAGE_SHIFT;
	return &pmd->ptes[(from - pmd->addr) >> PAGE_SHIFT];
}

bool mm_hide(struct mm *mm, uint64_t from, uint64_t to, bool writable)
{
	bool any = false;
	unsigned int i, nr;

	for (i = 0; i < mm->nr_pmds; i++) {
		struct pmd *pmd = &mm->pmds[i];
		struct pte *pte;

		if (pmd->addr >= to || pmd->addr + DAX_PMD_SIZE <= from)
			continue;
		if (pmd->slot == DAX_PT_HUGE) {
			if (writable && !pmd->write && !pmd->dirty)
				continue;
			pmd->hidden = any = true;
			continue;
		}
		for (pte = first_pte(pmd, from, to, &nr); nr; nr--, pte++)
			any |= hide_pte(pte, writable);
	}
	return any;
}

void mm_show(struct mm *mm, uint64_t from, uint64_t to)
{
	unsigned int i, nr;

	for (i = 0; i < mm->nr_pmds; i++) {
		struct pmd *pmd = &mm->pmds[i];
		struct pte *pte;

		if (pmd->addr >= to || pmd->addr + DAX_PMD_SIZE <= from)
			continue;
		pmd->hidden = false;
		if (pmd->slot != DAX_PT_TABLE)
			continue;
		for (pte = first_pte(pmd, from, to, &nr); nr; nr--, pte++)
			pte->hidden = false;
	}
}

void mm_free_empty_table(struct mm *mm, uint64_t addr)
{
	struct pmd *pmd = mm_find_pmd(mm, addr);
	unsigned int i;

	if (!pmd || pmd->slot != DAX_PT_TABLE)
		return;
	for (i = 0; i < PG_PMD_NR; i++)
		if (pmd->ptes[i].kind != PTE_NONE)
			return;
	mm_drop_pmd(mm, addr);
}
