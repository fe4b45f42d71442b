/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The extent list of a simulated file: sorted, no two overlap, no two that
 * could be one are apart.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mm/simfs_extent.h"

uint64_t simfs_extent_end(const struct simfs_extent *e)
{
	return e->page + e->nr;
}

/* The first extent that ends behind @page; nr_ext when there is none. */
unsigned int simfs_extent_index(const struct simfs_file *f, uint64_t page)
{
	unsigned int lo = 0, hi = f->nr_ext;

	while (lo < hi) {
		unsigned int mid = (lo + hi) / 2;

		if (simfs_extent_end(&f->ext[mid]) > page)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

struct simfs_extent simfs_lookup(const struct simfs_file *f, uint64_t page)
{
	unsigned int i = simfs_extent_index(f, page);
	struct simfs_extent hole = { .page = 0, .state = SIMFS_HOLE };
	uint64_t end = UINT64_MAX;

	if (i < f->nr_ext) {
		if (f->ext[i].page <= page)
			return f->ext[i];
		end = f->ext[i].page;
	}
	if (i)
		hole.page = simfs_extent_end(&f->ext[i - 1]);
	hole.nr = end - hole.page;
	return hole;
}

static bool mergeable(const struct simfs_extent *a,
		      const struct simfs_extent *b)
{
	return simfs_extent_end(a) == b->page && a->state == b->state &&
	       a->pfn + a->nr == b->pfn;
}

static int insert_at(struct simfs_file *f, unsigned int i,
		     const struct simfs_extent *e)
{
	if (f->nr_ext == f->room_ext) {
		unsigned int room = f->room_ext ? 2 * f->room_ext : 16;
		struct simfs_extent *ext = realloc(f->ext, room * sizeof(*ext));

		if (!ext)
			return -ENOMEM;
		f->ext = ext;
		f->room_ext = room;
	}
	memmove(&f->ext[i + 1], &f->ext[i],
		(f->nr_ext - i) * sizeof(f->ext[0]));
	f->ext[i] = *e;
	f->nr_ext++;
	return 0;
}

static void remove_at(struct simfs_file *f, unsigned int i)
{
	f->nr_ext--;
	memmove(&f->ext[i], &f->ext[i + 1],
		(f->nr_ext - i) * sizeof(f->ext[0]));
}

/* No extent reaches across @page afterwards. */
static int split_at(struct simfs_file *f, uint64_t page)
{
	unsigned int i = simfs_extent_index(f, page);
	struct simfs_extent right;
	int rc;

	if (i == f->nr_ext || f->ext[i].page >= page)
		return 0;
	right = f->ext[i];
	right.nr = simfs_extent_end(&f->ext[i]) - page;
	right.pfn += page - right.page;
	right.page = page;
	rc = insert_at(f, i + 1, &right);
	if (!rc)
		f->ext[i].nr = page - f->ext[i].page;
	return rc;
}

static void merge_around(struct simfs_file *f, unsigned int i)
{
	if (i + 1 < f->nr_ext && mergeable(&f->ext[i], &f->ext[i + 1])) {
		f->ext[i].nr += f->ext[i + 1].nr;
		remove_at(f, i + 1);
	}
	if (i && i < f->nr_ext && mergeable(&f->ext[i - 1], &f->ext[i])) {
		f->ext[i - 1].nr += f->ext[i].nr;
		remove_at(f, i);
	}
}

int simfs_extent_remove(struct simfs_file *f, uint64_t page, uint64_t nr)
{
	uint64_t end = nr < UINT64_MAX - page ? page + nr : UINT64_MAX;
	unsigned int i, k;
	int rc;

	rc = split_at(f, page);
	if (!rc)
		rc = split_at(f, end);
	if (rc)
		return rc;
	i = simfs_extent_index(f, page);
	for (k = i; k < f->nr_ext && f->ext[k].page < end; k++)
		;
	if (i == k)
		return 0;
	memmove(&f->ext[i], &f->ext[k], (f->nr_ext - k) * sizeof(f->ext[0]));
	f->nr_ext -= k - i;
	return 0;
}

int simfs_extent_set(struct simfs_file *f, const struct simfs_extent *e)
{
	unsigned int i;
	int rc;

	rc = simfs_extent_remove(f, e->page, e->nr);
	if (rc)
		return rc;
	i = simfs_extent_index(f, e->page);
	rc = insert_at(f, i, e);
	if (!rc)
		merge_around(f, i);
	return rc;
}

int simfs_extent_set_state(struct simfs_file *f, uint64_t page, uint64_t nr,
			   enum simfs_state state)
{
	while (nr) {
		struct simfs_extent e = simfs_lookup(f, page);
		uint64_t n = simfs_extent_end(&e) - page;
		int rc;

		if (n > nr)
			n = nr;
		if (e.state != SIMFS_HOLE && e.state != state) {
			e.pfn += page - e.page;
			e.page = page;
			e.nr = n;
			e.state = state;
			rc = simfs_extent_set(f, &e);
			if (rc)
				return rc;
		}
		page += n;
		nr -= n;
	}
	return 0;
}

void simfs_extent_shift(struct simfs_file *f, uint64_t page, uint64_t by)
{
	unsigned int i = simfs_extent_index(f, page);
	unsigned int k;

	for (k = i; k < f->nr_ext; k++)
		f->ext[k].page -= by;
	if (i < f->nr_ext)
		merge_around(f, i);
}
