/* SPDX-License-Identifier: BSD-3-Clause */
/* Medium image: from the memory back to the pmem file. */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "io/guard.h"
#include "io/image.h"

/* The end of a range of which the length may mean "to the end of file". */
static uint64_t range_end(uint64_t pos, uint64_t len)
{
	return len > UINT64_MAX - pos ? UINT64_MAX : pos + len;
}

/* Why the kernel could not store to the mapping at @pos. 0: try again. */
static int store_error(struct image *im, uint64_t pos, bool again)
{
	int ret;

	if (pos >= media_size(&im->m))
		return -EFAULT;
	ret = image_allocate(im, pos & ~(MEDIA_PAGE - 1), MEDIA_PAGE);
	return ret ? ret : again ? 0 : -EIO;
}

/* Memory to mapping, [pos, end). What was cut off meanwhile is no error. */
static int copy_out(struct image *im, uint64_t pos, uint64_t end)
{
	bool again = true;
	ssize_t n;
	int ret;

	while (pos < end) {
		n = pread(im->m.memfd, im->addr + pos, end - pos, (off_t)pos);
		if (n > 0) {
			pos += (uint64_t)n;
			again = true;
			continue;
		}
		if (!n)
			break;
		if (errno == EINTR)
			continue;
		if (errno != EFAULT)
			return -errno;
		ret = store_error(im, pos, again);
		if (ret)
			return ret == -EFAULT ? 0 : ret;
		again = false;
	}
	return 0;
}

struct flush {
	pmem2_persist_fn persist;
	const void *addr;
	size_t len;
};

static void flush_fn(void *arg)
{
	struct flush *f = arg;

	f->persist(f->addr, f->len);
}

/* A range that was cut short meanwhile: what is left of it, page by page. */
static int flush_pages(struct flush f)
{
	size_t left = f.len;
	int ret = 0;

	for (; left && ret != -EIO; left -= f.len) {
		f.len = left < MEDIA_PAGE ? left : MEDIA_PAGE;
		ret = guard_run(flush_fn, &f);
		f.addr = (const char *)f.addr + f.len;
	}
	return ret == -EIO ? ret : 0;
}

/* Out of the CPU's caches, where that makes it durable. */
static int flush(struct image *im, uint64_t pos, uint64_t end)
{
	struct flush f = { im->persist, im->addr + pos, end - pos };
	int ret;

	if (!f.persist)
		return 0;
	ret = guard_run(flush_fn, &f);
	return ret == -EFAULT ? flush_pages(f) : ret;
}

/*
 * Locks the mapping for the part of [pos, *end) that the file has. 1, 0 if there
 * is none (then it is not locked), or -errno.
 */
static int clip_get(struct image *im, uint64_t pos, uint64_t *end)
{
	uint64_t size = media_size(&im->m);
	int ret;

	if (*end > size)
		*end = size;
	if (im->m.readonly || pos >= *end)
		return 0;
	ret = image_map_get(im, *end);
	if (ret)
		return ret;
	if (*end > im->len)
		*end = im->len;
	if (pos < *end)
		return 1;
	image_map_put(im);
	return 0;
}

/*
 * Copies what the memory has of the range: a page that was never loaded, or was
 * dropped, has nothing to say about the file.
 */
int image_store(struct media *m, uint64_t pos, uint64_t len)
{
	struct image *im = to_image(m);
	uint64_t end = range_end(pos, len);
	int64_t got;
	bool data;
	int ret;

	ret = clip_get(im, pos, &end);
	if (ret <= 0)
		return ret;
	for (ret = 0; pos < end && !ret; pos += (uint64_t)got) {
		got = media_memory_extent(m->memfd, pos, end - pos, &data);
		if (got < 0) {
			ret = (int)got;
			break;
		}
		if (!data)
			continue;
		ret = copy_out(im, pos, pos + (uint64_t)got);
		if (!ret)
			ret = flush(im, pos, pos + (uint64_t)got);
	}
	image_map_put(im);
	return ret;
}

/*
 * Where the granularity is a page libpmem2's persist function is msync(), whose
 * error it drops (its type is void); so it is called here directly, for a failed
 * write-back must fail the call that asked for it. The finer granularities are
 * durable once the CPU's caches are flushed, which store() has done.
 */
int image_sync(struct media *m, uint64_t pos, uint64_t len)
{
	struct image *im = to_image(m);
	uint64_t end = range_end(pos, len);
	int ret;

	pos &= ~(MEDIA_PAGE - 1);
	ret = clip_get(im, pos, &end);
	if (ret <= 0)
		return ret;
	ret = 0;
	if (!im->persist && msync(im->addr + pos, end - pos, MS_SYNC) < 0)
		ret = -errno;
	image_map_put(im);
	return ret;
}

int image_writeback(struct media *m, uint64_t pos, uint64_t len)
{
	int ret = image_store(m, pos, len);

	return ret ? ret : image_sync(m, pos, len);
}
