/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The emulated page tables where they must be the kernel's to the letter. Each
 * region has its own (mm/pgtable.h), but page tables belong to addresses: one
 * that hangs in a pmd slot serves all mappings of its window, and stays until
 * the last of them is gone. What a table loses here is zapped in reality too.
 */
#include "daemon/session.h"

#include <string.h>
#include <sys/mman.h>

#define PMD_MASK (DAX_PMD_SIZE - 1)

static const struct mm_rules *rules(const struct region *r)
{
	return &r->session->d->opt.variant->mm;
}

static bool sticks_out(const struct region *r, uint64_t window)
{
	return window < r->start || window + DAX_PMD_SIZE > r->end;
}

/* Session lock held. Does a page table of another region hang over @window? */
static bool table_of_others(struct session *s, const struct region *r,
			    uint64_t window)
{
	for (unsigned int i = region_index(s, window); i < s->nr_regions; i++) {
		struct region *o = s->regions[i];
		uint64_t at = o->start > window ? o->start : window;

		if (o->start >= window + DAX_PMD_SIZE)
			break;
		if (o != r &&
		    pgtable_slot(&o->pt, at) == DAX_PT_TABLE)
			return true;
	}
	return false;
}

void shadow_get(struct region *r, uint64_t addr, struct mm_slot *slot)
{
	struct session *s = r->session;
	uint64_t window = addr & ~PMD_MASK;

	pgtable_get(&r->pt, addr, slot);
	if (slot->pmd != DAX_PT_NONE || !r->file->exact ||
	    !sticks_out(r, window))
		return;
	lock_take(&s->lock);
	if (table_of_others(s, r, window))
		slot->pmd = DAX_PT_TABLE;
	lock_release(&s->lock);
}

static void queue_window(void *arg, uint64_t from, uint64_t to)
{
	struct region *r = arg;

	zap_queue(r->session, from > r->start ? from : r->start,
		  to < r->end ? to : r->end);
}

void shadow_split(struct region *r, uint64_t addr)
{
	if (!(addr & PMD_MASK) || addr <= r->start || addr >= r->end ||
	    !pgtable_is_huge(&r->pt, addr))
		return;
	pgtable_zap_each(&r->pt, addr, addr + DAX_PAGE_SIZE, queue_window, r);
}

/* A table over @window, for what is left of it. */
static void inherit_table(struct session *s, struct region *gone,
			  uint64_t window)
{
	uint64_t at = gone->start > window ? gone->start : window;

	if (!sticks_out(gone, window) ||
	    pgtable_slot(&gone->pt, at) != DAX_PT_TABLE)
		return;
	for (unsigned int i = region_index(s, window); i < s->nr_regions; i++) {
		struct region *r = s->regions[i];

		if (r->start >= window + DAX_PMD_SIZE)
			break;
		pgtable_set_table(&r->pt, r->start > window ? r->start : window);
	}
}

void shadow_removed(struct session *s, struct region *r)
{
	uint64_t first = r->start & ~PMD_MASK, last = (r->end - 1) & ~PMD_MASK;

	inherit_table(s, r, first);
	if (last != first)
		inherit_table(s, r, last);
}

/* vma_merge(): nothing but the place tells them apart. */
static bool mergeable(const struct region *a, const struct region *b)
{
	return a->end == b->start && a->file == b->file && a->file->exact &&
	       a->prot == b->prot && a->flags == b->flags && a->wp == b->wp &&
	       a->offset + (a->end - a->start) == b->offset;
}

/* The two become one, whose table has what both had. */
static bool merge(struct session *s, struct region *a, struct region *b,
		  struct region_ref *removed)
{
	struct region *r = region_new(s, a->file, a->start, b->end, a->offset,
				      a->prot, a->flags, a->wp);

	if (!r)
		return false;
	r->id = a->id;
	r->anon = a->anon || b->anon;
	pgtable_copy(&r->pt, &a->pt, a->start, a->end, 0);
	pgtable_copy(&r->pt, &b->pt, b->start, b->end, 0);
	/* What is there now is taken out, and a place for one stays. */
	if (region_remove(s, r->start, r->end, removed) ||
	    region_insert(s, r)) {
		region_put(r);
		return false;
	}
	return true;
}

void shadow_merge(struct session *s, uint64_t start, uint64_t end,
		  struct region_ref *removed)
{
	/* From the neighbour before it on. */
	unsigned int i = region_index(s, start ? start - 1 : 0);

	while (i + 1 < s->nr_regions) {
		struct region *a = s->regions[i], *b = s->regions[i + 1];

		if (a->start > end)
			break;
		if (a->end < start || !mergeable(a, b) ||
		    !merge(s, a, b, removed))
			i++;
	}
}

struct moving {
	struct region *to, *from;
	uint64_t delta;
};

/* A huge pmd that was not taken along: what maps it in reality was. */
static void drop_moved(void *arg, uint64_t from, uint64_t to)
{
	struct moving *m = arg;

	if (pgtable_is_huge(&m->from->pt, from) &&
	    !pgtable_is_huge(&m->to->pt, from + m->delta))
		zap_queue(m->to->session, from + m->delta, to + m->delta);
}

/* move_page_tables() makes a table for each that it finds, be it of a neighbour. */
static void move_table(struct moving *m, uint64_t from, uint64_t to)
{
	uint64_t window = from & ~PMD_MASK;

	if (pgtable_slot(&m->from->pt, from) != DAX_PT_NONE ||
	    !sticks_out(m->from, window) ||
	    !table_of_others(m->to->session, m->from, window))
		return;
	pgtable_set_table(&m->to->pt, from + m->delta);
	pgtable_set_table(&m->to->pt, to - 1 + m->delta);
}

void shadow_moved(struct region *new, struct region *old, uint64_t from,
		  uint64_t stop, uint64_t delta)
{
	struct moving m = { .to = new, .from = old, .delta = delta };
	uint64_t first = (from & ~PMD_MASK) + DAX_PMD_SIZE;
	uint64_t last = (stop - 1) & ~PMD_MASK;

	new->anon = old->anon;
	move_table(&m, from, first < stop ? first : stop);
	if (last > from)
		move_table(&m, last, stop);
	pgtable_each(&old->pt, from, stop, drop_moved, &m);
}

unsigned int shadow_shared_tables(struct region *r)
{
	uint64_t first = r->start & ~PMD_MASK, last = (r->end - 1) & ~PMD_MASK;
	unsigned int tables = 0;

	if (!r->file->exact || !r->anon)
		return 0;
	if (sticks_out(r, first) && table_of_others(r->session, r, first))
		tables |= SHADOW_FIRST;
	if (sticks_out(r, last) && table_of_others(r->session, r, last))
		tables |= SHADOW_LAST;
	return tables;
}

static void drop_huge(void *arg, uint64_t from, uint64_t to)
{
	struct region *r = arg;

	if (pgtable_is_huge(&r->pt, from))
		pgtable_zap(&r->pt, from, from + DAX_PAGE_SIZE);
}

/*
 * copy_page_range() copies the tables of mappings with private copies; huge pmds
 * of files fault again, and so do all shared mappings: the shim zaps those in
 * the child.
 */
void shadow_forked(struct region *r, struct region *parent,
		   unsigned int tables)
{
	r->anon = parent->anon;
	if (!parent->file->exact || !parent->anon)
		return;
	if (tables & SHADOW_FIRST)
		pgtable_set_table(&r->pt, r->start);
	if (tables & SHADOW_LAST)
		pgtable_set_table(&r->pt, r->end - 1);
	pgtable_copy(&r->pt, &parent->pt, r->start, r->end, 0);
	pgtable_each(&r->pt, r->start, r->end, drop_huge, r);
	pgtable_wrprotect(&r->pt, r->start, r->end);
}

static void protect_window(void *arg, uint64_t from, uint64_t to)
{
	const struct region *r = arg;

	/* A fork event that is unread forbids it: then a store goes unseen. */
	uffd_writeprotect(r->session->uffd, from, to - from, true, false);
}

void shadow_protect(struct session *s, uint64_t start, uint64_t end)
{
	for (unsigned int i = region_index(s, start); i < s->nr_regions; i++) {
		struct region *r = s->regions[i];

		if (r->start >= end)
			break;
		if (r->file->exact && r->wp)
			pgtable_each(&r->pt, r->start > start ? r->start : start,
				     r->end < end ? r->end : end,
				     protect_window, r);
	}
}

void shadow_dontneed(struct region *r, uint64_t start, uint64_t end)
{
	shadow_split(r, start);
	shadow_split(r, end);
	pgtable_zap(&r->pt, start, end);
	if (rules(r)->dontneed_frees_table)
		pgtable_free_tables(&r->pt, start, end);
}

void shadow_mprotect(struct region *r, uint64_t start, uint64_t end)
{
	bool write = r->prot & PROT_WRITE && rules(r)->mprotect_upgrades_pte;

	pgtable_protect(&r->pt, start, end, write);
}
