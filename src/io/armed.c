/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>

#include "io/armed.h"
#include "io/media_impl.h"
#include "io/uffd.h"
#include "io/uffd_own.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22	/* 5.14 */
#endif

/* It grows in such steps; address space costs nothing. */
#define MAP_STEP (1ull << 30)

void armed_init(struct armed *a, int fd)
{
	a->fd = fd;
	a->map = NULL;
	a->len = 0;
	a->uffd = -1;
	media_rwlock_init(&a->lock);
}

void armed_exit(struct armed *a)
{
	if (a->map)
		munmap(a->map, a->len);
	pthread_rwlock_destroy(&a->lock);
}

/* A new mapping of at least @len bytes. The lock is held for writing. */
static int remap(struct armed *a, uint64_t len)
{
	char *map;
	int ret;

	if (a->uffd < 0)
		a->uffd = uffd_own();
	if (a->uffd < 0)
		return a->uffd;
	len = (len + MAP_STEP - 1) & ~(MAP_STEP - 1);
	map = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, a->fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	ret = uffd_register(a->uffd, (uintptr_t)map, len, UFFD_MISSING);
	if (ret) {
		munmap(map, len);
		return ret;
	}
	if (a->map)
		munmap(a->map, a->len);
	a->map = map;
	a->len = len;
	return 0;
}

/* Takes the lock for reading, with a mapping of [0, @end). 0 or -errno. */
static int get(struct armed *a, uint64_t end)
{
	int ret = 0;

	pthread_rwlock_rdlock(&a->lock);
	if (a->len >= end)
		return 0;
	pthread_rwlock_unlock(&a->lock);
	pthread_rwlock_wrlock(&a->lock);
	if (a->len < end)
		ret = remap(a, end);
	pthread_rwlock_unlock(&a->lock);
	if (ret)
		return ret;
	/* It never shrinks, so that it is still long enough. */
	pthread_rwlock_rdlock(&a->lock);
	return 0;
}

static void put(struct armed *a)
{
	pthread_rwlock_unlock(&a->lock);
}

/* Only the file's pages are wanted; mapped here they would count as in use. */
static void unmap_pages(struct armed *a, uint64_t pos, uint64_t len)
{
	madvise(a->map + pos, len, MADV_DONTNEED);
}

static int touch(struct armed *a, uint64_t pos, uint64_t len)
{
	int ret = madvise(a->map + pos, len, MADV_POPULATE_READ) < 0 ? -errno : 0;

	unmap_pages(a, pos, len);
	return ret;
}

int armed_touch(struct armed *a, uint64_t pos, uint64_t len)
{
	int ret = get(a, pos + len);

	if (ret)
		return ret;
	ret = touch(a, pos, len);
	put(a);
	return ret;
}

/* The error of a verb for one page, as armed.h gives it; 0: there is a page. */
static int verb_error(struct armed *a, uint64_t pos, int ret)
{
	if (ret == -EEXIST)
		return 0;
	/* The verbs allocate before they look whether there is a page. */
	if (ret == -ENOMEM)
		return touch(a, pos, MEDIA_PAGE) ? -ENOSPC : 0;
	return ret;
}

static int zero(struct armed *a, uint64_t pos)
{
	int ret = uffd_zeropage(a->uffd, (uintptr_t)a->map + pos, MEDIA_PAGE, false);

	if (ret)
		return verb_error(a, pos, ret);
	unmap_pages(a, pos, MEDIA_PAGE);
	return 0;
}

int armed_zero(struct armed *a, uint64_t pos)
{
	int ret = get(a, pos + MEDIA_PAGE);

	if (ret)
		return ret;
	ret = zero(a, pos);
	put(a);
	return ret;
}

int armed_copy(struct armed *a, uint64_t pos, uint64_t len, const void *src)
{
	uint64_t off, done;
	int ret = get(a, pos + len);

	if (ret)
		return ret;
	for (off = 0; off < len && !ret; off += done) {
		ret = uffd_copy(a->uffd, (uintptr_t)a->map + pos + off,
				(uintptr_t)src + off, len - off, false, &done);
		if (done || ret == -EAGAIN) {
			ret = 0;
			continue;
		}
		/* Either side may be cut short; zero() fails if it is ours. */
		ret = ret == -EFAULT ? zero(a, pos + off) :
				       verb_error(a, pos + off, ret);
		done = MEDIA_PAGE;
	}
	unmap_pages(a, pos, len);
	put(a);
	return ret;
}
