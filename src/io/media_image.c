/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The pmem file is anywhere: libpmem2 maps it (with MAP_SYNC where it is real
 * pmem), and a memfd of the same size is the memory that programs map. A page
 * of the memfd is loaded once, and is the truth from then on until punch() or
 * writeback() by the caller, who knows which ones are dirty.
 *
 * The kernel copies between both, by COPY and pread(): a file that is cut short
 * by somebody else is EFAULT there, not a SIGBUS here.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/image.h"

/* libpmem2's own errors lie below every errno. */
static int error_of(int ret)
{
	return ret > -4096 ? ret : -EOPNOTSUPP;
}

static int configure(struct image *im, struct pmem2_config **cfg, struct pmem2_source **src)
{
	int ret;

	ret = im->pmem2->source_from_fd(src, im->m.fd);
	if (!ret)
		ret = im->pmem2->config_new(cfg);
	/* The coarsest granularity is the one that every file can give. */
	if (!ret)
		ret = im->pmem2->config_set_required_store_granularity(*cfg,
								       PMEM2_GRANULARITY_PAGE);
	if (!ret && im->m.readonly)
		ret = im->pmem2->config_set_protection(*cfg, PMEM2_PROT_READ);
	return ret;
}

/*
 * libpmem2 unmaps before it forgets a mapping: a thread that is given the same
 * address in between fails with EEXIST. One at a time, then.
 */
static pthread_mutex_t pmem2_lock = PTHREAD_MUTEX_INITIALIZER;

static int map_new(struct image *im, struct pmem2_map **map, struct pmem2_config *cfg,
		   struct pmem2_source *src)
{
	int ret;

	pthread_mutex_lock(&pmem2_lock);
	ret = im->pmem2->map_new(map, cfg, src);
	pthread_mutex_unlock(&pmem2_lock);
	return ret;
}

static void map_delete(struct image *im)
{
	pthread_mutex_lock(&pmem2_lock);
	if (im->map)
		im->pmem2->map_delete(&im->map);
	pthread_mutex_unlock(&pmem2_lock);
}

/* Maps the whole file as it is now. The lock is held for writing. */
static int remap(struct image *im)
{
	struct pmem2_config *cfg = NULL;
	struct pmem2_source *src = NULL;
	struct pmem2_map *map;
	int ret;

	ret = configure(im, &cfg, &src);
	if (!ret)
		ret = map_new(im, &map, cfg, src);
	im->pmem2->config_delete(&cfg);
	im->pmem2->source_delete(&src);
	if (ret)
		return ret;
	map_delete(im);
	im->map = map;
	im->addr = im->pmem2->map_get_address(map);
	im->len = im->pmem2->map_get_size(map);
	im->persist = im->pmem2->map_get_store_granularity(map) == PMEM2_GRANULARITY_PAGE ?
		      NULL : im->pmem2->get_persist_fn(map);
	return 0;
}

int image_map_get(struct image *im, uint64_t end)
{
	int ret = 0;

	pthread_rwlock_rdlock(&im->lock);
	if (im->len >= end)
		return 0;
	pthread_rwlock_unlock(&im->lock);
	pthread_rwlock_wrlock(&im->lock);
	if (im->len < end && im->len < media_size(&im->m))
		ret = remap(im);
	pthread_rwlock_unlock(&im->lock);
	/* It was cut short between both looks at its size. */
	if (ret == PMEM2_E_SOURCE_EMPTY || ret == PMEM2_E_MAP_RANGE)
		ret = 0;
	if (ret)
		return error_of(ret);
	pthread_rwlock_rdlock(&im->lock);
	return 0;
}

static bool known(struct image *im, uint64_t pos, uint64_t len, uint64_t *gen)
{
	bool ret;

	lock_take(&im->known_lock);
	ret = pos >= im->known_start && pos + len <= im->known_end;
	*gen = im->known_gen;
	lock_release(&im->known_lock);
	return ret;
}

/* [pos, end) is allocated, if nothing happened to the file since @gen. */
static void known_add(struct image *im, uint64_t pos, uint64_t end, uint64_t gen)
{
	lock_take(&im->known_lock);
	if (gen == im->known_gen) {
		if (pos > im->known_end || end < im->known_start) {
			im->known_start = pos;
			im->known_end = end;
		}
		if (pos < im->known_start)
			im->known_start = pos;
		if (end > im->known_end)
			im->known_end = end;
	}
	lock_release(&im->known_lock);
}

static void known_forget(struct image *im)
{
	lock_take(&im->known_lock);
	im->known_start = im->known_end = 0;
	im->known_gen++;
	lock_release(&im->known_lock);
}

int image_allocate(struct image *im, uint64_t pos, uint64_t len)
{
	int ret;

	do {
		ret = fallocate(im->m.fd, FALLOC_FL_KEEP_SIZE, (off_t)pos, (off_t)len);
	} while (ret < 0 && errno == EINTR);
	if (ret < 0 && errno != EOPNOTSUPP && errno != ENOSYS)
		return -errno;
	return 0;
}

/*
 * The extent of the pmem file at @pos in whole pages, not clipped. A page that
 * is data in part (blocks smaller than a page, the end of file) is @partial: one
 * page of data of which some may have to be allocated.
 */
static int64_t page_extent(struct image *im, uint64_t pos, bool *data, bool *partial)
{
	int64_t got = media_extent(im->m.fd, pos, INT64_MAX - pos, data);

	*partial = got >= 0 && (uint64_t)got < MEDIA_PAGE;
	if (got < 0)
		return got;
	*data |= *partial;
	return *partial ? (int64_t)MEDIA_PAGE : got & ~(int64_t)(MEDIA_PAGE - 1);
}

/*
 * To be written, and not all there. Only a window that is a hole as a whole,
 * inside the file, is allocated; a single page always.
 */
static void iomap_allocate(struct image *im, uint64_t pos, uint64_t len, uint64_t got,
			   uint64_t gen, struct dax_iomap *iomap)
{
	int ret;

	if (len > MEDIA_PAGE && (got < len || pos + len > media_size(&im->m))) {
		got = got < len ? got : MEDIA_PAGE;
		media_iomap_set(iomap, DAX_IOMAP_MAPPED, pos, got, true);
		return;
	}
	ret = image_allocate(im, pos, len);
	if (ret) {
		media_iomap_error(iomap, ret);
		return;
	}
	known_add(im, pos, pos + len, gen);
	media_iomap_set(iomap, DAX_IOMAP_MAPPED, pos, len, true);
}

static int image_iomap(struct media *m, uint64_t pos, uint64_t len, unsigned int flags,
		       struct dax_iomap *iomap)
{
	struct image *im = to_image(m);
	bool write = flags & MEDIA_WRITE, data, partial;
	uint64_t gen;
	int64_t got;

	if (write && m->readonly) {
		media_iomap_error(iomap, -EROFS);
		return 0;
	}
	if (known(im, pos, len, &gen) ||
	    (!write && len <= MEDIA_PAGE && (flags & MEDIA_PRESENT))) {
		media_iomap_set(iomap, DAX_IOMAP_MAPPED, pos, len, false);
		return 0;
	}
	if (flags & MEDIA_NOWAIT)
		return -EAGAIN;
	got = page_extent(im, pos, &data, &partial);
	if (got < 0) {
		media_iomap_error(iomap, (int)got);
		return 0;
	}
	if (data && !partial)
		known_add(im, pos, pos + (uint64_t)got, gen);
	if ((uint64_t)got > len)
		got = (int64_t)len;
	if (write && (!data || partial))
		iomap_allocate(im, pos, len, (uint64_t)got, gen, iomap);
	else
		media_iomap_set(iomap, data ? DAX_IOMAP_MAPPED : DAX_IOMAP_HOLE, pos,
				(uint64_t)got, false);
	return 0;
}

static uint64_t memory_size(struct image *im)
{
	struct stat st;

	return fstat(im->m.memfd, &st) < 0 ? 0 : (uint64_t)st.st_size;
}

/*
 * Holes of the pmem file are read as what they are, zeros, through the mapping:
 * that allocates nothing in it. A window is filled as far as the memory goes.
 */
static int image_fill(struct media *m, uint64_t pos, uint64_t len, unsigned int flags)
{
	struct image *im = to_image(m);
	uint64_t end = page_up(memory_size(im)), mapped;
	int ret;

	if (pos >= end)
		return -EFAULT;
	end = pos + len < end ? pos + len : end;
	ret = image_map_get(im, end);
	if (ret)
		return ret;
	/* The last page of the file is a whole page of the mapping. */
	mapped = page_up(im->len) < end ? page_up(im->len) : end;
	if (pos < mapped) {
		if (mapped - pos > MEDIA_PAGE)
			madvise(im->addr + pos, mapped - pos, MADV_WILLNEED);
		ret = armed_copy(&im->own, pos, mapped - pos, im->addr + pos);
		pos = mapped;
	}
	image_map_put(im);
	for (; pos < end && !ret; pos += MEDIA_PAGE)
		ret = armed_zero(&im->own, pos);
	return ret;
}

/* The memfd has the file's size, so that a touch past the end is SIGBUS. */
static int image_resize(struct media *m)
{
	struct image *im = to_image(m);
	int ret;

	known_forget(im);
	pthread_mutex_lock(&im->resize);
	ret = ftruncate(m->memfd, (off_t)media_size(m)) < 0 ? -errno : 0;
	pthread_mutex_unlock(&im->resize);
	return ret;
}

/*
 * What is still there of [pos, end) is overwritten by the file's contents: a
 * punch in a huge folio that somebody holds a reference to leaves the folio
 * whole and writes zeros, which would pass for a page that is loaded. Never
 * makes the memfd longer: @resize is held, @end inside.
 */
static int reload(struct image *im, uint64_t pos, uint64_t end)
{
	int64_t got;
	ssize_t n;
	bool data;
	int ret;

	ret = image_map_get(im, end);
	if (ret)
		return ret;
	if (end > im->len)
		end = im->len;
	for (; pos < end; pos += (uint64_t)got) {
		got = media_memory_extent(im->m.memfd, pos, end - pos, &data);
		if (got < 0) {
			ret = (int)got;
			break;
		}
		if (!data)
			continue;
		/* Past the end of either, zeros are what it holds. */
		n = pwrite(im->m.memfd, im->addr + pos, (size_t)got, (off_t)pos);
		if (n <= 0)
			break;
		got = n;
	}
	image_map_put(im);
	return ret;
}

static int drop(struct image *im, uint64_t pos, uint64_t len)
{
	uint64_t size = memory_size(im), end;

	if (pos >= size || !len)
		return 0;
	end = len < size - pos ? pos + len : size;
	if (fallocate(im->m.memfd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		      (off_t)pos, (off_t)(end - pos)) < 0)
		return -errno;
	pos = page_up(pos);
	end = end == size ? end : end & ~(MEDIA_PAGE - 1);
	return pos < end ? reload(im, pos, end) : 0;
}

/* Whole pages are loaded again; of a page in part the bytes become zeros. */
static int image_punch(struct media *m, uint64_t pos, uint64_t len)
{
	struct image *im = to_image(m);
	int ret;

	known_forget(im);
	pthread_mutex_lock(&im->resize);
	ret = drop(im, pos, len);
	pthread_mutex_unlock(&im->resize);
	return ret;
}

static void image_close(struct media *m)
{
	struct image *im = to_image(m);

	armed_exit(&im->own);
	map_delete(im);
	pthread_rwlock_destroy(&im->lock);
	pthread_mutex_destroy(&im->resize);
	lock_destroy(&im->known_lock);
	close(m->memfd);
	close(m->fd);
	free(im);
}

static const struct media_ops image_ops = {
	.name = "image",
	.iomap = image_iomap,
	.fill = image_fill,
	.writeback = image_writeback,
	.store = image_store,
	.sync = image_sync,
	.resize = image_resize,
	.punch = image_punch,
	.close = image_close,
};

static int make_memfd(struct media *m)
{
	char name[sizeof(m->name)];
	int fd, err;

	/* The kernel takes 249 bytes. */
	snprintf(name, sizeof(name), "udax:%.240s", m->name);
	fd = memfd_create(name, MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)m->size) < 0) {
		err = -errno;
		close(fd);
		return err;
	}
	m->memfd = fd;
	return 0;
}

int media_image_new(struct media **out, const struct media *base, char *why,
		    unsigned int why_len)
{
	const char *error;
	const struct pmem2_api *pmem2 = pmem2_load(&error);
	struct image *im;
	int ret;

	if (!pmem2)
		return media_fail(-EOPNOTSUPP, why, why_len, "%s", error);
	im = calloc(1, sizeof(*im));
	if (!im)
		return media_fail(-ENOMEM, why, why_len, "no memory");
	im->m = *base;
	im->pmem2 = pmem2;
	im->m.ops = &image_ops;
	im->m.kind = MEDIA_IMAGE;
	ret = im->m.size ? remap(im) : 0;
	if (ret) {
		media_fail(ret, why, why_len, "libpmem2: %s", pmem2->errormsg());
		ret = error_of(ret);
		goto err_free;
	}
	ret = make_memfd(&im->m);
	if (ret) {
		media_fail(ret, why, why_len, "memfd: %s", strerror(-ret));
		goto err_map;
	}
	armed_init(&im->own, im->m.memfd);
	media_rwlock_init(&im->lock);
	pthread_mutex_init(&im->resize, NULL);
	lock_init(&im->known_lock, LOCK_RANK_LEAF, "image extents");
	*out = &im->m;
	return 0;

err_map:
	map_delete(im);
err_free:
	free(im);
	return ret;
}
