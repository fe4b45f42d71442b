/* SPDX-License-Identifier: BSD-3-Clause */
#include "mm/pgtable.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

/* Up to this the windows are allocated, above they are a sparse mapping. */
#define SMALL_BYTES (64u << 10)

int pgtable_init(struct pgtable *pt, uint64_t start, uint64_t end)
{
	uint64_t bytes;

	pt->base = start & ~(DAX_PMD_SIZE - 1);
	pt->nr = (end - pt->base + DAX_PMD_SIZE - 1) >> PMD_SHIFT;
	bytes = pt->nr * sizeof(struct pgt_window);
	pt->bytes = bytes > SMALL_BYTES ? bytes : 0;
	if (pt->bytes) {
		pt->windows = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
				   -1, 0);
		if (pt->windows == MAP_FAILED)
			pt->windows = NULL;
	} else {
		pt->windows = calloc(pt->nr, sizeof(struct pgt_window));
	}
	return pt->windows ? 0 : -ENOMEM;
}

void pgtable_exit(struct pgtable *pt)
{
	if (pt->bytes)
		munmap(pt->windows, pt->bytes);
	else
		free(pt->windows);
	pt->windows = NULL;
}

static struct pgt_window *window(struct pgtable *pt, uint64_t addr)
{
	return &pt->windows[(addr - pt->base) >> PMD_SHIFT];
}

static unsigned int slot_of(uint64_t addr)
{
	return (addr >> PAGE_SHIFT) & PG_PMD_COLOUR;
}

enum dax_pt_slot pgtable_slot(struct pgtable *pt, uint64_t addr)
{
	switch (atomic_load(&window(pt, addr)->pmd)) {
	case PGT_NONE:
		return DAX_PT_NONE;
	case PGT_TABLE:
		return DAX_PT_TABLE;
	default:
		return DAX_PT_HUGE;
	}
}

bool pgtable_has(struct pgtable *pt, uint64_t addr, bool write)
{
	struct pgt_window *w = window(pt, addr);
	unsigned int slot = slot_of(addr);
	_Atomic uint64_t *words = write ? w->write : w->present;

	switch (atomic_load(&w->pmd)) {
	case PGT_NONE:
		return false;
	case PGT_HUGE_R:
		return !write;
	case PGT_HUGE_W:
		return true;
	default:
		return atomic_load(&words[slot / 64]) >> (slot % 64) & 1;
	}
}

void pgtable_get(struct pgtable *pt, uint64_t addr, struct mm_slot *slot)
{
	*slot = (struct mm_slot){
		.pmd = pgtable_slot(pt, addr),
		.present = pgtable_has(pt, addr, false),
		.write = pgtable_has(pt, addr, true),
	};
}

bool pgtable_is_huge(struct pgtable *pt, uint64_t addr)
{
	return pgtable_slot(pt, addr) == DAX_PT_HUGE;
}

static void clear_all(struct pgt_window *w)
{
	for (unsigned int i = 0; i < PGT_WORDS; i++) {
		atomic_store(&w->write[i], 0);
		atomic_store(&w->dirty[i], 0);
		atomic_store(&w->present[i], 0);
	}
}

void pgtable_set_pte(struct pgtable *pt, uint64_t addr, bool write)
{
	struct pgt_window *w = window(pt, addr);
	unsigned int slot = slot_of(addr);
	uint64_t bit = 1ULL << (slot % 64);

	if (atomic_load(&w->pmd) != PGT_TABLE &&
	    atomic_exchange(&w->pmd, PGT_TABLE) >= PGT_HUGE_R)
		clear_all(w);
	atomic_fetch_or(&w->present[slot / 64], bit);
	if (write)
		atomic_fetch_or(&w->write[slot / 64], bit);
}

void pgtable_set_pmd(struct pgtable *pt, uint64_t addr, bool write)
{
	struct pgt_window *w = window(pt, addr);

	clear_all(w);
	atomic_store(&w->pmd, write ? PGT_HUGE_W : PGT_HUGE_R);
}

/* The bits of word @i that [first, last) of a window's slots covers. */
static uint64_t word_mask(unsigned int i, unsigned int first, unsigned int last)
{
	uint64_t mask = ~0ULL;

	if (first >= (i + 1) * 64 || last <= i * 64)
		return 0;
	if (first > i * 64)
		mask &= ~0ULL << (first - i * 64);
	if (last < (i + 1) * 64)
		mask &= ~0ULL >> ((i + 1) * 64 - last);
	return mask;
}

/* True: @report is to be told of the window. */
typedef bool window_fn(struct pgt_window *w, unsigned int first,
		       unsigned int last, bool *whole);

/* @fn for each window of [start, end) with the slots that the range covers. */
static void for_windows(struct pgtable *pt, uint64_t start, uint64_t end,
			window_fn *fn, pgtable_fn *report, void *arg)
{
	while (start < end) {
		uint64_t head = start & ~(DAX_PMD_SIZE - 1);
		uint64_t stop = head + DAX_PMD_SIZE;
		bool whole = false;

		if (stop > end)
			stop = end;
		if (fn(window(pt, start), slot_of(start),
		       (stop - head) >> PAGE_SHIFT, &whole) && report)
			report(arg, whole ? head : start,
			       whole ? head + DAX_PMD_SIZE : stop);
		start = stop;
	}
}

static bool zap_window(struct pgt_window *w, unsigned int first,
		       unsigned int last, bool *whole)
{
	uint8_t pmd = atomic_load(&w->pmd);
	uint64_t had = 0;

	if (pmd == PGT_NONE)
		return false;
	if (pmd >= PGT_HUGE_R) {
		atomic_store(&w->pmd, PGT_NONE);
		*whole = true;
		return true;
	}
	for (unsigned int i = 0; i < PGT_WORDS; i++) {
		uint64_t mask = word_mask(i, first, last);

		atomic_fetch_and(&w->write[i], ~mask);
		atomic_fetch_and(&w->dirty[i], ~mask);
		had |= atomic_fetch_and(&w->present[i], ~mask) & mask;
	}
	return had;
}

void pgtable_zap(struct pgtable *pt, uint64_t start, uint64_t end)
{
	for_windows(pt, start, end, zap_window, NULL, NULL);
}

void pgtable_zap_each(struct pgtable *pt, uint64_t start, uint64_t end,
		      pgtable_fn *fn, void *arg)
{
	for_windows(pt, start, end, zap_window, fn, arg);
}

static bool window_used(struct pgt_window *w, unsigned int first,
			unsigned int last, bool *whole)
{
	return atomic_load(&w->pmd) != PGT_NONE;
}

void pgtable_each(struct pgtable *pt, uint64_t start, uint64_t end,
		  pgtable_fn *fn, void *arg)
{
	for_windows(pt, start, end, window_used, fn, arg);
}

static bool wrprotect_window(struct pgt_window *w, unsigned int first,
			     unsigned int last, bool *whole)
{
	uint8_t pmd = PGT_HUGE_W;

	if (atomic_compare_exchange_strong(&w->pmd, &pmd, PGT_HUGE_R) ||
	    pmd != PGT_TABLE)
		return false;
	for (unsigned int i = 0; i < PGT_WORDS; i++) {
		uint64_t mask = word_mask(i, first, last);

		atomic_fetch_and(&w->write[i], ~mask);
		atomic_fetch_and(&w->dirty[i], ~mask);
	}
	return false;
}

void pgtable_wrprotect(struct pgtable *pt, uint64_t start, uint64_t end)
{
	for_windows(pt, start, end, wrprotect_window, NULL, NULL);
}

/* change_pte_range() with nothing that may be written. */
static bool readonly_window(struct pgt_window *w, unsigned int first,
			    unsigned int last, bool *whole)
{
	uint8_t pmd = PGT_HUGE_W;

	if (atomic_compare_exchange_strong(&w->pmd, &pmd, PGT_HUGE_R) ||
	    pmd != PGT_TABLE)
		return false;
	for (unsigned int i = 0; i < PGT_WORDS; i++) {
		uint64_t mask = word_mask(i, first, last);
		uint64_t had = atomic_fetch_and(&w->write[i], ~mask) & mask;

		atomic_fetch_or(&w->dirty[i], had);
	}
	return false;
}

/* can_change_pte_writable(): what is dirty is writable at once. */
static bool upgrade_window(struct pgt_window *w, unsigned int first,
			   unsigned int last, bool *whole)
{
	for (unsigned int i = 0; i < PGT_WORDS; i++) {
		uint64_t mask = word_mask(i, first, last);
		uint64_t had = atomic_fetch_and(&w->dirty[i], ~mask) & mask;

		atomic_fetch_or(&w->write[i], had);
	}
	return false;
}

void pgtable_protect(struct pgtable *pt, uint64_t start, uint64_t end,
		     bool write)
{
	for_windows(pt, start, end, readonly_window, NULL, NULL);
	if (write)
		for_windows(pt, start, end, upgrade_window, NULL, NULL);
}

static bool free_table(struct pgt_window *w, unsigned int first,
		       unsigned int last, bool *whole)
{
	uint8_t pmd = PGT_TABLE;

	if (!first && last == PG_PMD_NR &&
	    atomic_compare_exchange_strong(&w->pmd, &pmd, PGT_NONE))
		clear_all(w);
	return false;
}

void pgtable_free_tables(struct pgtable *pt, uint64_t start, uint64_t end)
{
	for_windows(pt, start, end, free_table, NULL, NULL);
}

void pgtable_set_table(struct pgtable *pt, uint64_t addr)
{
	uint8_t none = PGT_NONE;

	atomic_compare_exchange_strong(&window(pt, addr)->pmd, &none, PGT_TABLE);
}

static bool is_dirty(struct pgtable *pt, uint64_t addr)
{
	unsigned int slot = slot_of(addr);

	return atomic_load(&window(pt, addr)->dirty[slot / 64]) >> (slot % 64) & 1;
}

static void set_dirty(struct pgtable *pt, uint64_t addr)
{
	unsigned int slot = slot_of(addr);

	atomic_fetch_or(&window(pt, addr)->dirty[slot / 64],
			1ULL << (slot % 64));
}

static void copy_slots(struct pgtable *to, struct pgtable *from, uint64_t addr,
		       uint64_t stop, uint64_t delta)
{
	for (; addr < stop; addr += DAX_PAGE_SIZE) {
		pgtable_set_table(to, addr + delta);
		if (!pgtable_has(from, addr, false))
			continue;
		pgtable_set_pte(to, addr + delta, pgtable_has(from, addr, true));
		if (is_dirty(from, addr))
			set_dirty(to, addr + delta);
	}
}

void pgtable_copy(struct pgtable *to, struct pgtable *from, uint64_t start,
		  uint64_t end, uint64_t delta)
{
	while (start < end) {
		uint64_t head = start & ~(DAX_PMD_SIZE - 1);
		uint64_t stop = head + DAX_PMD_SIZE;
		bool whole = start == head && stop <= end &&
			     !(delta & (DAX_PMD_SIZE - 1));
		uint8_t pmd = atomic_load(&window(from, start)->pmd);

		if (stop > end)
			stop = end;
		if (pmd >= PGT_HUGE_R && whole)
			pgtable_set_pmd(to, start + delta, pmd == PGT_HUGE_W);
		else if (pmd == PGT_TABLE)
			copy_slots(to, from, start, stop, delta);
		start = stop;
	}
}
