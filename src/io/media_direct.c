/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The pmem file is on tmpfs or hugetlbfs: its pages are the memory, and its page
 * index is the page frame number, so that the colour is always right.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "io/armed.h"
#include "io/fills.h"
#include "io/media_impl.h"
#include "io/witness.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22	/* 5.14 */
#endif

struct direct {
	struct media m;
	struct armed own;	/* the file; allocates single pages */
	struct witness seen;	/* heads of windows that were cleared */
	/* media_track(): */
	bool track;
	struct fills fills;	/* pages that are holes to iomap() */
	atomic_bool changed;	/* metadata, since the last synced() */
};

static struct direct *to_direct(struct media *m)
{
	return container_of(m, struct direct, m);
}

static bool hugetlb(const struct media *m)
{
	return m->page_size != MEDIA_PAGE;
}

/* All of [pos, pos+len) allocated and cleared. Blocks. */
static int allocate(struct direct *d, uint64_t pos, uint64_t len)
{
	int ret;

	do {
		ret = fallocate(d->m.fd, FALLOC_FL_KEEP_SIZE, (off_t)pos, (off_t)len);
	} while (ret < 0 && errno == EINTR);
	if (ret < 0)
		return errno == ENOMEM ? -ENOSPC : -errno;
	if (hugetlb(&d->m))
		return 0;	/* cleared at once */
	/*
	 * COLLAPSE does not clear a fresh huge folio (uffd.h), a fault does. A
	 * page that is punched meanwhile is missing: COLLAPSE will refuse then.
	 */
	ret = armed_touch(&d->own, pos, len);
	return ret == -EFAULT ? 0 : ret;
}

static int direct_fill(struct media *m, uint64_t pos, uint64_t len, unsigned int flags)
{
	struct direct *d = to_direct(m);

	if (m->readonly)
		return -EROFS;
	if (len == MEDIA_PAGE && !hugetlb(m)) {
		/*
		 * Before there is a page: nobody has written to it by then. One
		 * that is there meanwhile is none of ours, but a reader's hole.
		 */
		if (flags & MEDIA_ZERO && d->track)
			fills_set(&d->fills, pos / MEDIA_PAGE);
		return armed_zero(&d->own, pos);
	}
	return allocate(d, pos, len);
}

/* One page of the medium: the fault's own hint saves the system call. */
static int iomap_page(struct media *m, uint64_t pos, uint64_t len, unsigned int flags,
		      struct dax_iomap *iomap)
{
	bool data = flags & MEDIA_PRESENT;
	int64_t ret;

	if (hugetlb(m) && !(flags & MEDIA_ABSENT))
		data = true;
	if (!data && !(flags & MEDIA_ABSENT)) {
		ret = media_memory_extent(m->fd, pos, len, &data);
		if (ret < 0) {
			media_iomap_error(iomap, (int)ret);
			return 0;
		}
	}
	if (data)
		media_iomap_set(iomap, DAX_IOMAP_MAPPED, pos, len, false);
	else if (!(flags & MEDIA_WRITE))
		media_iomap_set(iomap, DAX_IOMAP_HOLE, pos, len, false);
	else if (m->readonly)
		media_iomap_error(iomap, -EROFS);
	else
		media_iomap_set(iomap, DAX_IOMAP_MAPPED, pos, len, true);
	return 0;
}

/*
 * A window that is a hole as a whole is to be written. One that a truncate has
 * cut short meanwhile is told so: blocks past the end of file would stay.
 */
static int iomap_allocate(struct media *m, uint64_t pos, uint64_t len, unsigned int flags,
			  struct dax_iomap *iomap)
{
	int ret;

	if (flags & MEDIA_NOWAIT)
		return -EAGAIN;
	if (pos + len > media_size(m)) {
		media_iomap_set(iomap, DAX_IOMAP_MAPPED, pos, MEDIA_PAGE, true);
		return 0;
	}
	ret = allocate(to_direct(m), pos, len);
	if (ret)
		media_iomap_error(iomap, ret);
	else
		media_iomap_set(iomap, DAX_IOMAP_MAPPED, pos, len, true);
	return 0;
}

/*
 * A reading fault of each page, in a mapping that lasts as long as the call:
 * for a file that we may not write, which cannot be armed. (A page that is
 * punched meanwhile is allocated anew, as by any reader's fault.)
 */
static int touch_readonly(int fd, uint64_t pos, uint64_t len)
{
	char *map = mmap(NULL, len, PROT_READ, MAP_SHARED, fd, (off_t)pos);
	int ret;

	if (map == MAP_FAILED)
		return -errno;
	ret = madvise(map, len, MADV_POPULATE_READ) < 0 ? -errno : 0;
	munmap(map, len);
	return ret;
}

/* Its folios may still have to be cleared, which COLLAPSE does not do. */
static int iomap_full(struct media *m, uint64_t pos, uint64_t len, unsigned int flags,
		      struct dax_iomap *iomap)
{
	int ret;

	if (flags & MEDIA_NOWAIT)
		return -EAGAIN;
	if (m->readonly)
		ret = touch_readonly(m->fd, pos, len);
	else
		ret = armed_touch(&to_direct(m)->own, pos, len);
	if (ret && ret != -EFAULT)
		media_iomap_error(iomap, ret);
	else
		media_iomap_set(iomap, DAX_IOMAP_MAPPED, pos, len, false);
	return 0;
}

/* ---------------------------------------------- where holes are tracked */

static void add_changed(struct direct *d, struct dax_iomap *iomap)
{
	if (iomap->flags & DAX_IOMAP_F_NEW)
		atomic_store(&d->changed, true);
	if (atomic_load(&d->changed))
		iomap->flags |= DAX_IOMAP_F_DIRTY;
}

static void track_page(struct direct *d, uint64_t pos, unsigned int flags,
		       struct dax_iomap *iomap)
{
	uint64_t page = pos / MEDIA_PAGE;

	if (fills_test(&d->fills, page))
		flags = (flags & ~MEDIA_PRESENT) | MEDIA_ABSENT;
	iomap_page(&d->m, pos, MEDIA_PAGE, flags, iomap);
	if (flags & MEDIA_WRITE && !iomap->error)
		fills_clear(&d->fills, page, page);
}

/* Neither a hole nor full: what the first page is, which is no 2M extent. */
static void track_mixed(struct direct *d, uint64_t pos, unsigned int flags,
			struct dax_iomap *iomap)
{
	/* The rest of the window decides; this page is not allocated for it. */
	iomap_page(&d->m, pos, MEDIA_PAGE,
		   fills_test(&d->fills, pos / MEDIA_PAGE) ?
		   MEDIA_ABSENT : 0, iomap);
	if (flags & MEDIA_WRITE && !iomap->error)
		iomap->type = DAX_IOMAP_MAPPED;
}

static int track_window(struct direct *d, uint64_t pos, uint64_t len,
			unsigned int flags, struct dax_iomap *iomap)
{
	uint64_t page = pos / MEDIA_PAGE, nr = len / MEDIA_PAGE;
	uint64_t fills = fills_count(&d->fills, page, nr);
	uint64_t there = media_memory_pages(d->m.fd, pos, len);
	int ret = 0;

	if (there == nr && !fills)
		ret = iomap_full(&d->m, pos, len, flags, iomap);
	else if (there > fills)
		track_mixed(d, pos, flags, iomap);
	else if (!(flags & MEDIA_WRITE))
		media_iomap_set(iomap, DAX_IOMAP_HOLE, pos, len, false);
	else if (d->m.readonly)
		media_iomap_error(iomap, -EROFS);
	else
		ret = iomap_allocate(&d->m, pos, len, flags, iomap);
	if (!ret && flags & MEDIA_WRITE && iomap->length == len)
		fills_clear(&d->fills, page, page + nr - 1);
	return ret;
}

static int direct_iomap_tracked(struct media *m, uint64_t pos, uint64_t len,
				unsigned int flags, struct dax_iomap *iomap)
{
	struct direct *d = to_direct(m);
	int ret = 0;

	if (len <= MEDIA_PAGE)
		track_page(d, pos, flags, iomap);
	else
		ret = track_window(d, pos, len, flags, iomap);
	if (!ret && !iomap->error)
		add_changed(d, iomap);
	return ret;
}

/*
 * A window. Where it is not full its extents come from SEEK_DATA, for which a
 * folio that is allocated and not yet cleared is a hole, as an unwritten extent
 * is to a file system.
 */
static int direct_iomap(struct media *m, uint64_t pos, uint64_t len, unsigned int flags,
			struct dax_iomap *iomap)
{
	int64_t got;
	bool data;

	if (to_direct(m)->track)
		return direct_iomap_tracked(m, pos, len, flags, iomap);
	if (len <= m->page_size)
		return iomap_page(m, pos, len, flags, iomap);
	if (flags & MEDIA_PRESENT) {
		media_iomap_set(iomap, DAX_IOMAP_MAPPED, pos, len, false);
		return 0;
	}
	if (!hugetlb(m) && media_memory_full(m->fd, pos, len))
		return iomap_full(m, pos, len, flags, iomap);
	got = media_extent(m->fd, pos, len, &data);
	if (got < 0)
		media_iomap_error(iomap, (int)got);
	else if ((flags & MEDIA_WHOLE) && (flags & MEDIA_WRITE) &&
		 (!data || (uint64_t)got < len) && !m->readonly)
		return iomap_allocate(m, pos, len, flags, iomap);
	else if (data)
		media_iomap_set(iomap, DAX_IOMAP_MAPPED, pos, (uint64_t)got, false);
	else if (!(flags & MEDIA_WRITE))
		media_iomap_set(iomap, DAX_IOMAP_HOLE, pos, (uint64_t)got, false);
	else if (m->readonly)
		media_iomap_error(iomap, -EROFS);
	else if ((uint64_t)got == len)
		return iomap_allocate(m, pos, len, flags, iomap);
	else
		media_iomap_set(iomap, DAX_IOMAP_MAPPED, pos, (uint64_t)got, true);
	return 0;
}

/* The pages are the file's: nothing is to be copied, nothing more durable. */
static int direct_writeback(struct media *m, uint64_t pos, uint64_t len)
{
	return 0;
}

static int direct_resize(struct media *m)
{
	struct direct *d = to_direct(m);
	uint64_t size;

	size = media_size(m);
	fills_clear(&d->fills, (size + MEDIA_PAGE - 1) / MEDIA_PAGE, UINT64_MAX);
	atomic_store(&d->changed, true);
	return 0;
}

/* The pages are the file's: they are gone already. */
static int direct_punch(struct media *m, uint64_t pos, uint64_t len)
{
	struct direct *d = to_direct(m);
	uint64_t first = (pos + MEDIA_PAGE - 1) / MEDIA_PAGE;
	uint64_t end = (pos + len) / MEDIA_PAGE;

	if (first < end)
		fills_clear(&d->fills, first, end - 1);
	atomic_store(&d->changed, true);
	return 0;
}

/*
 * The page at the window's head speaks for all of it: COLLAPSE fails to clear one
 * huge folio only, which is cleared and leaves the file as a whole. Small folios it
 * copies, and clears on the way.
 */
static bool direct_cleared(struct media *m, uint64_t pos)
{
	struct direct *d = to_direct(m);

	if (witness_holds(&d->seen, pos))
		return true;
	if (lseek(m->fd, (off_t)pos, SEEK_DATA) != (off_t)pos)
		return false;
	if (!m->readonly)
		witness_watch(&d->seen, pos);
	return true;
}

static void direct_set_huge(struct media *m, uint64_t pos)
{
	witness_mark(&to_direct(m)->seen, pos);
}

/* A folio that was split and lost a part still has its head. */
static bool direct_is_huge(struct media *m, uint64_t pos)
{
	return witness_marked(&to_direct(m)->seen, pos) &&
	       media_memory_full(m->fd, pos, MEDIA_WINDOW);
}

static void direct_written(struct media *m, uint64_t pos, uint64_t len)
{
	struct direct *d = to_direct(m);
	uint64_t first = pos / MEDIA_PAGE, last = (pos + len - 1) / MEDIA_PAGE;

	fills_clear(&d->fills, first, last);
	/* It may have allocated; only the file system would know. */
	atomic_store(&d->changed, true);
}

static void direct_synced(struct media *m)
{
	atomic_store(&to_direct(m)->changed, false);
}

static void direct_close(struct media *m)
{
	struct direct *d = to_direct(m);

	armed_exit(&d->own);
	witness_exit(&d->seen);
	fills_exit(&d->fills);
	close(m->fd);
	free(d);
}

static const struct media_ops direct_ops = {
	.name = "direct",
	.iomap = direct_iomap,
	.fill = direct_fill,
	.writeback = direct_writeback,
	.store = direct_writeback,
	.sync = direct_writeback,
	.resize = direct_resize,
	.punch = direct_punch,
	.cleared = direct_cleared,
	.set_huge = direct_set_huge,
	.is_huge = direct_is_huge,
	.written = direct_written,
	.synced = direct_synced,
	.close = direct_close,
};

int media_direct_new(struct media **out, const struct media *base, char *why,
		     unsigned int why_len)
{
	struct direct *d = calloc(1, sizeof(*d));

	if (!d)
		return media_fail(-ENOMEM, why, why_len, "no memory");
	d->m = *base;
	d->m.ops = &direct_ops;
	d->m.kind = MEDIA_DIRECT;
	armed_init(&d->own, d->m.fd);
	witness_init(&d->seen, d->m.fd);
	*out = &d->m;
	return 0;
}

int media_direct_track(struct media *m)
{
	struct direct *d = to_direct(m);
	int ret = fills_init(&d->fills);

	d->track = !ret;
	/* What was done to the file before is nobody's business. */
	atomic_store(&d->changed, false);
	return ret;
}
