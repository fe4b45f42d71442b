/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A session's regions: a sorted array, so that a fault finds its region by
 * binary search. A region never changes its range or protection: a change
 * replaces it by new ones, and whoever still holds the old one sees it dead.
 */
#include "daemon/session.h"
#include "daemon/trace.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

unsigned int region_index(const struct session *s, uint64_t addr)
{
	unsigned int lo = 0, hi = s->nr_regions;

	while (lo < hi) {
		unsigned int mid = lo + (hi - lo) / 2;

		if (s->regions[mid]->end <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

struct region *region_lookup(struct session *s, uint64_t addr)
{
	unsigned int i = region_index(s, addr);

	lock_assert_held(&s->lock);
	if (i == s->nr_regions || s->regions[i]->start > addr)
		return NULL;
	region_get(s->regions[i]);
	return s->regions[i];
}

void region_get(struct region *r)
{
	atomic_fetch_add(&r->refs, 1);
}

void region_put(struct region *r)
{
	if (atomic_fetch_sub(&r->refs, 1) != 1)
		return;
	pgtable_exit(&r->pt);
	file_put(r->session->d, r->file);
	session_put(r->session);
	free(r);
}

struct region *region_new(struct session *s, struct file *file, uint64_t start,
			  uint64_t end, uint64_t offset, uint32_t prot,
			  uint32_t flags, bool wp)
{
	struct region *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	if (pgtable_init(&r->pt, start, end)) {
		free(r);
		return NULL;
	}
	session_get(s);
	file_ref(file);
	r->session = s;
	r->file = file;
	r->start = start;
	r->end = end;
	r->offset = offset;
	r->prot = prot;
	r->flags = flags;
	r->wp = wp;
	atomic_store(&r->refs, 1);
	list_init(&r->file_link);
	return r;
}

static int reserve(struct session *s, unsigned int nr)
{
	unsigned int max = s->max_regions ? s->max_regions : 16;
	struct region **regions;

	if (nr <= s->max_regions)
		return 0;
	while (max < nr)
		max *= 2;
	regions = realloc(s->regions, max * sizeof(*regions));
	if (!regions)
		return -ENOMEM;
	s->regions = regions;
	s->max_regions = max;
	return 0;
}

int region_insert(struct session *s, struct region *r)
{
	unsigned int i;

	lock_assert_held(&s->lock);
	if (reserve(s, s->nr_regions + 1))
		return -ENOMEM;
	trace_region(r);
	i = region_index(s, r->start);
	memmove(s->regions + i + 1, s->regions + i,
		(s->nr_regions - i) * sizeof(*s->regions));
	s->regions[i] = r;
	s->nr_regions++;
	file_link_region(r->file, r);
	return 0;
}

/* The part [start, end) of @r as a region of its own, with what is mapped. */
static struct region *region_part(struct region *r, uint64_t start,
				  uint64_t end)
{
	struct region *part = region_new(r->session, r->file, start, end,
					 r->offset + (start - r->start),
					 r->prot, r->flags, r->wp);

	if (part) {
		part->id = r->id;
		part->anon = r->anon;
		pgtable_copy(&part->pt, &r->pt, start, end, 0);
	}
	return part;
}

/* Takes the region at @i out of the array; the reference goes to @removed. */
static int take_out(struct session *s, unsigned int i, struct region_ref *removed)
{
	struct region **refs = realloc(removed->r,
				       (removed->nr + 1) * sizeof(*refs));
	struct region *r = s->regions[i];

	if (!refs)
		return -ENOMEM;
	removed->r = refs;
	refs[removed->nr++] = r;
	atomic_store(&r->dead, true);
	file_unlink_region(r->file, r);
	s->nr_regions--;
	memmove(s->regions + i, s->regions + i + 1,
		(s->nr_regions - i) * sizeof(*s->regions));
	return 0;
}

int region_split(struct session *s, uint64_t addr, struct region_ref *removed)
{
	unsigned int i = region_index(s, addr);
	struct region *r, *left, *right;
	int err;

	if (i == s->nr_regions || s->regions[i]->start >= addr)
		return 0;
	r = s->regions[i];
	if (r->file->exact)
		shadow_split(r, addr);
	left = region_part(r, r->start, addr);
	right = region_part(r, addr, r->end);
	err = left && right ? reserve(s, s->nr_regions + 1) : -ENOMEM;
	if (!err)
		err = take_out(s, i, removed);
	if (!err) {
		region_insert(s, left);
		region_insert(s, right);
		return 0;
	}
	if (left)
		region_put(left);
	if (right)
		region_put(right);
	return err;
}

int region_remove(struct session *s, uint64_t start, uint64_t end,
		  struct region_ref *removed)
{
	unsigned int i;
	int err;

	lock_assert_held(&s->lock);
	err = region_split(s, start, removed);
	if (!err)
		err = region_split(s, end, removed);
	if (err)
		return err;
	i = region_index(s, start);
	while (i < s->nr_regions && s->regions[i]->start < end && !err) {
		struct region *r = s->regions[i];

		err = take_out(s, i, removed);
		if (!err && r->file->exact)
			shadow_removed(s, r);
	}
	return err;
}

void region_ref_put(struct region_ref *ref)
{
	for (unsigned int i = 0; i < ref->nr; i++)
		region_put(ref->r[i]);
	free(ref->r);
	memset(ref, 0, sizeof(*ref));
}
