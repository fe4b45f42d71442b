/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "io/media.h"
#include "io/media_impl.h"

#ifndef SYS_cachestat
#define SYS_cachestat 451	/* all architectures; Debian 12's headers lack it */
#endif

int media_fail(int err, char *why, unsigned int why_len, const char *fmt, ...)
{
	va_list ap;

	if (why && why_len) {
		va_start(ap, fmt);
		vsnprintf(why, why_len, fmt, ap);
		va_end(ap);
	}
	return err;
}

int64_t media_extent(int fd, uint64_t pos, uint64_t len, bool *data)
{
	off_t next = lseek(fd, (off_t)pos, SEEK_DATA);

	*data = next == (off_t)pos;
	/* Nobody asks for less than a page. */
	if (*data && len <= MEDIA_PAGE)
		return (int64_t)len;
	if (*data)
		next = lseek(fd, (off_t)pos, SEEK_HOLE);
	if (next < 0) {
		if (errno != ENXIO)
			return -errno;
		*data = false;
		return (int64_t)len;
	}
	/* Punched between both calls: a hole, of a length that is not known. */
	if (next == (off_t)pos) {
		*data = false;
		return (int64_t)(len < MEDIA_PAGE ? len : MEDIA_PAGE);
	}
	return (uint64_t)next - pos < len ? next - (off_t)pos : (int64_t)len;
}

uint64_t media_memory_pages(int fd, uint64_t pos, uint64_t len)
{
	uint64_t range[2] = { pos, len };
	struct {
		uint64_t cache, dirty, writeback, evicted, recently_evicted;
	} stat;

	return syscall(SYS_cachestat, fd, range, &stat, 0) ? 0 :
	       stat.cache + stat.evicted;
}

bool media_memory_full(int fd, uint64_t pos, uint64_t len)
{
	return media_memory_pages(fd, pos, len) * MEDIA_PAGE >= len;
}

int64_t media_memory_extent(int fd, uint64_t pos, uint64_t len, bool *data)
{
	*data = media_memory_full(fd, pos, len);
	return *data ? (int64_t)len : media_extent(fd, pos, len, data);
}

void media_rwlock_init(pthread_rwlock_t *lock)
{
	pthread_rwlockattr_t attr;

	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(lock, &attr);
	pthread_rwlockattr_destroy(&attr);
}

/* Which medium, and the page size of its memory; or -EOPNOTSUPP and why. */
static int find_kind(int fd, struct stat *st, uint64_t *page_size, char *why,
		     unsigned int why_len)
{
	struct statfs fs;

	if (fstat(fd, st) < 0 || fstatfs(fd, &fs) < 0)
		return media_fail(-errno, why, why_len, "%s", strerror(errno));
	if (!S_ISREG(st->st_mode))
		return media_fail(-EOPNOTSUPP, why, why_len, "not a regular file");
	*page_size = MEDIA_PAGE;
	switch (fs.f_type) {
	case TMPFS_MAGIC:
		return MEDIA_DIRECT;
	case HUGETLBFS_MAGIC:
		*page_size = (uint64_t)fs.f_bsize;
		if (*page_size == MEDIA_WINDOW)
			return MEDIA_DIRECT;
		return media_fail(-EOPNOTSUPP, why, why_len,
				  "hugetlbfs with pages of %llu MiB, not 2",
				  (unsigned long long)(*page_size >> 20));
	case PROC_SUPER_MAGIC:
	case SYSFS_MAGIC:
		return media_fail(-EOPNOTSUPP, why, why_len,
				  "a file that the kernel makes up");
	default:
		return MEDIA_IMAGE;
	}
}

int media_kind_of(int fd)
{
	struct stat st;
	uint64_t page_size;

	return find_kind(fd, &st, &page_size, NULL, 0);
}

/*
 * A descriptor of our own: read-write whatever the caller's is, for the file's
 * blocks are allocated through it. It is a new open file, not a dup: an error of
 * a write-back is reported once an open file, and it must be ours.
 */
static int reopen(int fd, bool *readonly)
{
	char path[32];
	int own;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	*readonly = false;
	own = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY);
	if (own >= 0)
		return own;
	*readonly = true;
	own = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (own >= 0)
		return own;
	/* A dup would do, but our SEEK_DATA would move the program's offset. */
	return -errno;
}

bool media_cleared(struct media *m, uint64_t pos)
{
	if (m->ops->cleared)
		return m->ops->cleared(m, pos);
	return lseek(m->fd, (off_t)pos, SEEK_DATA) == (off_t)pos;
}

int media_path(int fd, char *path, size_t size)
{
	static const char deleted[] = " (deleted)";
	size_t mark = sizeof(deleted) - 1;
	char link[32];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, size - 1);
	if (n < 0)
		return -errno;
	path[n] = '\0';
	if ((size_t)n > mark && !strcmp(path + n - mark, deleted))
		path[n - mark] = '\0';
	return 0;
}

uint64_t media_present(struct media *m, uint64_t pos, uint64_t len, bool *data)
{
	int64_t got = media_memory_extent(m->memfd >= 0 ? m->memfd : m->fd, pos,
					  len, data);

	return got > 0 ? (uint64_t)got : 0;
}

static void set_name(struct media *m, int fd)
{
	char target[4096];
	char *base;

	if (media_path(fd, target, sizeof(target)))
		snprintf(target, sizeof(target), "inode %llu", (unsigned long long)m->ino);
	base = strrchr(target, '/');
	base = base ? base + 1 : target;
	snprintf(m->name, sizeof(m->name), "%.*s", (int)sizeof(m->name) - 1, base);
}

int media_open(struct media **m, int fd, char *why, unsigned int why_len)
{
	struct media base = { .memfd = -1 };
	struct stat st;
	int kind, ret;

	kind = find_kind(fd, &st, &base.page_size, why, why_len);
	if (kind < 0)
		return kind;
	base.kind = (enum media_kind)kind;
	base.dev = st.st_dev;
	base.ino = st.st_ino;
	base.size = (uint64_t)st.st_size;
	set_name(&base, fd);
	base.fd = reopen(fd, &base.readonly);
	if (base.fd < 0)
		return media_fail(base.fd, why, why_len, "cannot be opened again: %s",
				  strerror(-base.fd));
	ret = kind == MEDIA_DIRECT ? media_direct_new(m, &base, why, why_len) :
				     media_image_new(m, &base, why, why_len);
	if (ret)
		close(base.fd);
	return ret;
}

int media_track(struct media *m)
{
	return m->kind == MEDIA_DIRECT && m->page_size == MEDIA_PAGE ?
	       media_direct_track(m) : -EOPNOTSUPP;
}

void media_close(struct media *m)
{
	if (m)
		m->ops->close(m);
}

uint64_t media_size(struct media *m)
{
	struct stat st;

	if (!fstat(m->fd, &st))
		__atomic_store_n(&m->size, (uint64_t)st.st_size, __ATOMIC_RELAXED);
	return __atomic_load_n(&m->size, __ATOMIC_RELAXED);
}
