/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mm/simfs_extent.h"

/* Places that differ by a multiple of this never run into each other. */
#define BASE_STEP	(1ULL << 20)
/* ext4's extent_max_zeroout_kb of 32, in pages. */
#define MAX_ZEROOUT	8

static uint64_t page_down(uint64_t off)
{
	return off >> PAGE_SHIFT;
}

static uint64_t page_up(uint64_t off)
{
	return (off >> PAGE_SHIFT) + ((off & (DAX_PAGE_SIZE - 1)) != 0);
}

void simfs_init(struct simfs *fs, const struct simfs_rules *rules)
{
	fs->rules = rules;
	fs->next_base = BASE_STEP;
	fs->used = 0;
}

void simfs_file_init(struct simfs_file *f, struct simfs *fs, uint64_t size)
{
	memset(f, 0, sizeof(*f));
	f->fs = fs;
	f->size = size;
	f->dirty = true;
}

void simfs_file_exit(struct simfs_file *f)
{
	f->fs->used -= simfs_blocks(f);
	simfs_data_exit(f);
	free(f->ext);
	memset(f, 0, sizeof(*f));
}

/* ------------------------------------------------------------ placement */

/*
 * The distance from a file's page to the medium's, never used before. Extents
 * with the same distance are contiguous in both.
 */
static uint64_t new_distance(struct simfs *fs, bool colour_ok)
{
	uint64_t base = fs->next_base;

	fs->next_base += BASE_STEP;
	return colour_ok ? base : base + 1;
}

static uint64_t distance(const struct simfs_extent *e)
{
	return e->pfn - e->page;
}

static bool colour_ok(const struct simfs_extent *e)
{
	return !(distance(e) & PG_PMD_COLOUR);
}

static const struct simfs_extent *hint_at(const struct simfs_file *f,
					  uint64_t page)
{
	unsigned int i;

	for (i = 0; i < f->nr_hint; i++)
		if (page - f->hint[i].page < f->hint[i].nr)
			return &f->hint[i];
	return NULL;
}

/* Where all of @h goes: with the part of it that is there already, if any. */
static uint64_t hint_distance(struct simfs_file *f,
			      const struct simfs_extent *h)
{
	unsigned int i = simfs_extent_index(f, h->page);

	for (; i < f->nr_ext && f->ext[i].page < simfs_extent_end(h); i++)
		if (colour_ok(&f->ext[i]) == colour_ok(h))
			return distance(&f->ext[i]);
	return new_distance(f->fs, colour_ok(h));
}

static uint64_t default_distance(struct simfs_file *f, uint64_t page,
				 uint64_t nr)
{
	uint64_t head = (page + PG_PMD_COLOUR) & ~PG_PMD_COLOUR;

	if (head + PG_PMD_NR <= page + nr)
		return new_distance(f->fs, true);
	if (page) {
		struct simfs_extent e = simfs_lookup(f, page - 1);

		if (e.state != SIMFS_HOLE)
			return distance(&e);
	}
	return new_distance(f->fs, false);
}

/* Fills the hole [page, page + *nr), or the part of it that goes in one. */
static int allocate(struct simfs_file *f, uint64_t page, uint64_t *nr,
		    enum simfs_state state)
{
	const struct simfs_extent *h = hint_at(f, page);
	struct simfs_extent e = { .page = page, .state = state };
	uint64_t used = f->fs->used;

	/* A recording may have more than there is. */
	if (used >= SIMFS_PAGES)
		return -ENOSPC;
	if (*nr > SIMFS_PAGES - used)
		*nr = SIMFS_PAGES - used;
	if (h) {
		uint64_t room = simfs_extent_end(h) - page;

		if (*nr > room)
			*nr = room;
		e.pfn = page + hint_distance(f, h);
	} else {
		e.pfn = page + default_distance(f, page, *nr);
	}
	e.nr = *nr;
	f->dirty = true;
	f->fs->used += *nr;
	return simfs_extent_set(f, &e);
}

static int release(struct simfs_file *f, uint64_t page, uint64_t nr)
{
	uint64_t before = simfs_blocks(f);
	int rc = simfs_extent_remove(f, page, nr);

	f->fs->used -= before - simfs_blocks(f);
	return rc;
}

/* Holes of [page, end) become unwritten. */
static int allocate_holes(struct simfs_file *f, uint64_t page, uint64_t end)
{
	int rc = 0;

	while (page < end && !rc) {
		struct simfs_extent e = simfs_lookup(f, page);
		uint64_t nr = simfs_extent_end(&e) - page;

		if (nr > end - page)
			nr = end - page;
		if (e.state == SIMFS_HOLE)
			rc = allocate(f, page, &nr, SIMFS_UNWRITTEN);
		page += nr;
	}
	return rc;
}

/* ----------------------------------------------------------- conversion */

static bool joins_written(const struct simfs_file *f,
			  const struct simfs_extent *e, uint64_t neighbour)
{
	struct simfs_extent n = simfs_lookup(f, neighbour);

	return n.state == SIMFS_WRITTEN && distance(&n) == distance(e);
}

/*
 * What a split of the unwritten extent @e around [page, page + nr) initialises
 * besides: ext4_ext_convert_to_initialized(). Nothing where the written part
 * just moves a boundary, and nothing past the end of file.
 */
static void zeroout(const struct simfs_file *f, const struct simfs_extent *e,
		    uint64_t *page, uint64_t *nr)
{
	uint64_t end = simfs_extent_end(e), rest = end - *page;
	uint64_t eof = page_up(f->size);

	if (*page == e->page && *page && joins_written(f, e, *page - 1))
		return;
	if (*page + *nr == end && joins_written(f, e, end))
		return;
	if (rest == *nr || end > eof)
		return;
	if (rest <= MAX_ZEROOUT)
		*nr = rest;
	if (*page - e->page + *nr < MAX_ZEROOUT) {
		*nr += *page - e->page;
		*page = e->page;
	}
}

/* Unwritten pages from @page on, *nr of them, become written. */
static int convert(struct simfs_file *f, uint64_t page, uint64_t *nr,
		   const struct simfs_extent *e)
{
	const struct simfs_extent *h = hint_at(f, page);
	uint64_t n;

	if (h && h->state == SIMFS_WRITTEN && *nr > simfs_extent_end(h) - page)
		*nr = simfs_extent_end(h) - page;
	n = *nr;
	if (f->fs->rules->split_zeroes)
		zeroout(f, e, &page, &n);
	f->dirty = true;
	return simfs_extent_set_state(f, page, n, SIMFS_WRITTEN);
}

void simfs_iomap(struct simfs_file *f, uint64_t pos, uint64_t len, bool write,
		 struct dax_iomap *iomap)
{
	uint64_t page = page_down(pos), want = page_up(len), nr;
	struct simfs_extent e = simfs_lookup(f, page);

	memset(iomap, 0, sizeof(*iomap));
	nr = simfs_extent_end(&e) - page;
	if (nr > want)
		nr = want;
	if (write && e.state == SIMFS_HOLE)
		iomap->error = allocate(f, page, &nr, SIMFS_WRITTEN);
	else if (write && e.state == SIMFS_UNWRITTEN)
		iomap->error = convert(f, page, &nr, &e);
	if (write && e.state != SIMFS_WRITTEN)
		iomap->flags |= DAX_IOMAP_F_NEW;
	if (iomap->error)
		return;
	e = simfs_lookup(f, page);
	iomap->type = e.state == SIMFS_WRITTEN ? DAX_IOMAP_MAPPED :
		      e.state == SIMFS_UNWRITTEN ? DAX_IOMAP_UNWRITTEN :
						   DAX_IOMAP_HOLE;
	if (f->dirty)
		iomap->flags |= DAX_IOMAP_F_DIRTY;
	iomap->length = nr << PAGE_SHIFT;
	if (e.state != SIMFS_HOLE)
		iomap->pfn = e.pfn + (page - e.page);
}

/* ----------------------------------------------------------- operations */

static void set_size(struct simfs_file *f, uint64_t size)
{
	if (size != f->size)
		f->dirty = true;
	f->size = size;
}

int simfs_prealloc(struct simfs_file *f, uint64_t off, uint64_t len)
{
	int rc = allocate_holes(f, page_down(off), page_up(off + len));

	if (!rc && off + len > f->size)
		set_size(f, off + len);
	return rc;
}

int simfs_punch(struct simfs_file *f, uint64_t off, uint64_t len)
{
	uint64_t first = page_up(off), end = page_down(off + len);
	int rc = simfs_clear(f, off, len);

	if (rc || first >= end)
		return rc;
	f->dirty = true;
	return release(f, first, end - first);
}

int simfs_zero(struct simfs_file *f, uint64_t off, uint64_t len)
{
	uint64_t first = page_up(off), end = page_down(off + len);
	int rc = simfs_clear(f, off, len);

	f->dirty = true;
	if (!rc)
		rc = allocate_holes(f, page_down(off), page_up(off + len));
	if (!rc && first < end)
		rc = simfs_extent_set_state(f, first, end - first,
					    SIMFS_UNWRITTEN);
	if (!rc && off + len > f->size)
		set_size(f, off + len);
	return rc;
}

int simfs_collapse_check(const struct simfs_file *f, uint64_t off,
			 uint64_t len)
{
	if ((off | len) & (DAX_PAGE_SIZE - 1) || off + len >= f->size)
		return -EINVAL;
	return 0;
}

int simfs_collapse(struct simfs_file *f, uint64_t off, uint64_t len)
{
	int rc = simfs_collapse_check(f, off, len);

	if (!rc)
		rc = release(f, page_down(off), page_down(len));
	if (!rc)
		rc = simfs_clear(f, off, len);
	if (rc)
		return rc;
	simfs_extent_shift(f, page_down(off + len), page_down(len));
	simfs_shift(f, off + len, len);
	set_size(f, f->size - len);
	return 0;
}

int simfs_truncate(struct simfs_file *f, uint64_t size)
{
	uint64_t end = page_up(size);
	uint64_t from = size < f->size ? size : f->size;
	int rc;

	/* What a mapping stored behind the old end is not file data either. */
	rc = simfs_clear(f, from, UINT64_MAX - from);
	if (!rc && size < f->size)
		rc = release(f, end, UINT64_MAX - end);
	set_size(f, size);
	return rc;
}

int simfs_write_begin(struct simfs_file *f, uint64_t off, uint64_t len,
		      uint64_t *nr, bool *fresh)
{
	uint64_t in_page = off & (DAX_PAGE_SIZE - 1);
	struct dax_iomap iomap;

	simfs_iomap(f, off - in_page, in_page + len, true, &iomap);
	if (iomap.error)
		return iomap.error;
	*nr = iomap.length - in_page;
	if (*nr > len)
		*nr = len;
	*fresh = iomap.flags & DAX_IOMAP_F_NEW;
	return 0;
}

void simfs_write_end(struct simfs_file *f, uint64_t end)
{
	if (end > f->size)
		set_size(f, end);
}

uint64_t simfs_blocks(const struct simfs_file *f)
{
	uint64_t blocks = 0;
	unsigned int i;

	for (i = 0; i < f->nr_ext; i++)
		blocks += f->ext[i].nr;
	return blocks;
}

int simfs_set_extents(struct simfs_file *f, const struct simfs_extent *ext,
		      unsigned int nr)
{
	struct simfs_file new = *f;
	unsigned int i;
	int rc = 0;

	new.ext = NULL;
	new.nr_ext = new.room_ext = 0;
	for (i = 0; i < nr && !rc; i++) {
		struct simfs_extent e = ext[i];

		e.pfn = e.page + hint_distance(f, &ext[i]);
		rc = simfs_extent_set(&new, &e);
	}
	if (rc) {
		free(new.ext);
		return rc;
	}
	f->fs->used -= simfs_blocks(f);
	f->fs->used += simfs_blocks(&new);
	free(f->ext);
	f->ext = new.ext;
	f->nr_ext = new.nr_ext;
	f->room_ext = new.room_ext;
	return 0;
}
