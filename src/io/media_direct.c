/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The pmem file is on tmpfs or hugetlbfs: its pages are the memory, and its page
 * index is the page frame number, so that the colour is always right.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "io/media_impl.h"
#include "io/uffd.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22	/* 5.14 */
#endif

/* The medium's own mapping grows in such steps; address space costs nothing. */
#define MAP_STEP (1ull << 30)

struct direct {
	struct media m;

	/*
	 * The medium's own mapping of the file, made at the first use and made
	 * anew when the file has outgrown it. It is armed for missing pages by
	 * a userfaultfd, whose ZEROPAGE allocates a single page where every
	 * other way allocates a huge one on a mount with huge=. SIGBUS mode:
	 * a touch of a hole fails, instead of waiting for somebody to fill it.
	 */
	pthread_rwlock_t lock;	/* guards the three below; a leaf */
	char *map;
	uint64_t map_len;
	int uffd;
};

static struct direct *to_direct(struct media *m)
{
	return container_of(m, struct direct, m);
}

static bool hugetlb(const struct media *m)
{
	return m->page_size != MEDIA_PAGE;
}

/* A new mapping of at least @len bytes, armed. The lock is held for writing. */
static int remap(struct direct *d, uint64_t len)
{
	uint64_t granted;
	char *map;
	int ret;

	if (d->uffd < 0) {
		d->uffd = uffd_open(-1, true);
		if (d->uffd < 0)
			return d->uffd;
		ret = uffd_api(d->uffd, UFFD_FEATURE_MISSING_SHMEM | UFFD_FEATURE_SIGBUS,
			       0, &granted);
		if (ret)
			goto err_uffd;
	}
	len = (len + MAP_STEP - 1) & ~(MAP_STEP - 1);
	map = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, d->m.fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	ret = uffd_register(d->uffd, (uintptr_t)map, len, UFFD_MISSING);
	if (ret) {
		munmap(map, len);
		return ret;
	}
	if (d->map)
		munmap(d->map, d->map_len);
	d->map = map;
	d->map_len = len;
	return 0;

err_uffd:
	close(d->uffd);
	d->uffd = -1;
	return ret;
}

/* Takes the lock for reading, with a mapping of [0, @end). 0 or -errno. */
static int map_get(struct direct *d, uint64_t end)
{
	int ret = 0;

	pthread_rwlock_rdlock(&d->lock);
	if (d->map_len >= end)
		return 0;
	pthread_rwlock_unlock(&d->lock);
	pthread_rwlock_wrlock(&d->lock);
	if (d->map_len < end)
		ret = remap(d, end);
	pthread_rwlock_unlock(&d->lock);
	if (ret)
		return ret;
	/* It never shrinks, so that it is still long enough. */
	pthread_rwlock_rdlock(&d->lock);
	return 0;
}

static void map_put(struct direct *d)
{
	pthread_rwlock_unlock(&d->lock);
}

/*
 * Reads [pos, pos+len) through the medium's own mapping, so that what is there
 * is cleared and up to date. -EFAULT: a page is missing. The lock is held; only
 * the file's pages are wanted, mapped here they would count as in use.
 */
static int touch(struct direct *d, uint64_t pos, uint64_t len)
{
	int ret = madvise(d->map + pos, len, MADV_POPULATE_READ) < 0 ? -errno : 0;

	madvise(d->map + pos, len, MADV_DONTNEED);
	return ret;
}

static int fill_page(struct direct *d, uint64_t pos)
{
	int ret = map_get(d, pos + MEDIA_PAGE);

	if (ret)
		return ret;
	ret = uffd_zeropage(d->uffd, (uintptr_t)d->map + pos, MEDIA_PAGE, false);
	if (!ret)
		madvise(d->map + pos, MEDIA_PAGE, MADV_DONTNEED);
	else if (ret == -EEXIST)
		ret = 0;
	else if (ret == -ENOMEM)
		/* It allocates before it looks whether there is a page. */
		ret = touch(d, pos, MEDIA_PAGE) ? -ENOSPC : 0;
	map_put(d);
	return ret;
}

/*
 * fallocate() reserves folios and leaves them as they are, to be cleared by the
 * first fault. COLLAPSE does not clear them (uffd.h), so a reading fault through
 * the medium's own mapping does. A page that is punched meanwhile is missing:
 * COLLAPSE will refuse the window then.
 */
static int clear_window(struct direct *d, uint64_t pos, uint64_t len)
{
	int ret = map_get(d, pos + len);

	if (ret)
		return ret;
	ret = touch(d, pos, len);
	map_put(d);
	return ret == -EFAULT ? 0 : ret;
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
	/* hugetlbfs clears at once; only a reserve may be short there. */
	return hugetlb(&d->m) ? 0 : clear_window(d, pos, len);
}

static int direct_fill(struct media *m, uint64_t pos, uint64_t len, unsigned int flags)
{
	struct direct *d = to_direct(m);

	if (m->readonly)
		return -EROFS;
	if (len == MEDIA_PAGE && !hugetlb(m))
		return fill_page(d, pos);
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
		ret = media_extent(m->fd, pos, len, &data);
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
 * A window. Its extents come from SEEK_DATA, for which a folio that is allocated
 * and not yet cleared is a hole, as an unwritten extent is to a file system.
 */
static int direct_iomap(struct media *m, uint64_t pos, uint64_t len, unsigned int flags,
			struct dax_iomap *iomap)
{
	int64_t got;
	bool data;

	if (len <= m->page_size)
		return iomap_page(m, pos, len, flags, iomap);
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

static int direct_writeback(struct media *m, uint64_t pos, uint64_t len)
{
	return 0;
}

static int direct_resize(struct media *m)
{
	media_size(m);
	return 0;
}

/* The pages are the file's: they are gone already. */
static int direct_punch(struct media *m, uint64_t pos, uint64_t len)
{
	return 0;
}

static void direct_close(struct media *m)
{
	struct direct *d = to_direct(m);

	if (d->map)
		munmap(d->map, d->map_len);
	if (d->uffd >= 0)
		close(d->uffd);
	pthread_rwlock_destroy(&d->lock);
	close(m->fd);
	free(d);
}

static const struct media_ops direct_ops = {
	.name = "direct",
	.iomap = direct_iomap,
	.fill = direct_fill,
	.writeback = direct_writeback,
	.resize = direct_resize,
	.punch = direct_punch,
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
	d->uffd = -1;
	media_rwlock_init(&d->lock);
	*out = &d->m;
	return 0;
}
