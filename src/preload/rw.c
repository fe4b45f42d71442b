/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * read(2) and write(2) of a file whose image this process maps see the file, not
 * the image: said once. A process without an image pays for one test, and a
 * write for another.
 */
#include <sys/uio.h>
#include <unistd.h>

#include "preload/shim.h"

static bool told;	/* atomic */

/* Is the file behind @fd mapped as an image here? Lock held. */
static bool is_mapped(int fd)
{
	struct stat st;
	size_t i;

	if (sys_fstat(fd, &st) || !S_ISREG(st.st_mode))
		return false;
	for (i = 0; i < ranges_nr(); i++) {
		const struct range *r = ranges_get(i);

		if (r->media == UDAX_MEDIA_IMAGE && r->ino == st.st_ino &&
		    r->dev == st.st_dev)
			return true;
	}
	return false;
}

static __attribute__((noinline)) void look(int fd)
{
	struct guard g;
	struct stat st;
	bool yes;

	/* Pipes, sockets and terminals do not take the lock. */
	if (sys_fstat(fd, &st) || !S_ISREG(st.st_mode) || !shim_enter(&g))
		return;
	yes = is_mapped(fd) && !__atomic_exchange_n(&told, true, __ATOMIC_RELAXED);
	shim_leave(&g);
	if (yes && !env.quiet)
		say("%d: read(2) or write(2) on descriptor %d, whose file is mapped: %s",
		    (long)sys_getpid(), (long)fd,
		    "the two are not coherent on image media");
}

static inline void check(int fd)
{
	if (unlikely(ranges_images() && !__atomic_load_n(&told, __ATOMIC_RELAXED)))
		look(fd);
}

static ssize_t transfer(long nr, int fd, const void *buf, size_t len, off_t a, long b,
			long c)
{
	check(fd);
	return sys_return(sys_cancel(nr, fd, (long)buf, (long)len, a, b, c));
}

/* Where @n bytes have just been stored. @off -1: at the descriptor's position. */
static uint64_t stored_at(int fd, off_t off, ssize_t n)
{
	long mode = sys2(SYS_fcntl, fd, F_GETFL), pos;
	struct stat st;

	/* pwrite(2) appends too. */
	if (!sys_failed(mode) && mode & O_APPEND && !sys_fstat(fd, &st))
		return (uint64_t)(st.st_size - n);
	if (off != -1)
		return (uint64_t)off;
	pos = sys3(SYS_lseek, fd, 0, SEEK_CUR);
	return pos < n ? 0 : (uint64_t)(pos - n);
}

/* With exact tracking udaxd is told: the kernel invalidates what were holes. */
static __attribute__((noinline)) void wrote(int fd, off_t off, ssize_t n)
{
	struct file f;

	if (file_managed(fd, &f) && f.memory)
		file_tell(fd, UDAX_FILEOP_WRITE, stored_at(fd, off, n),
			  (uint64_t)n);
}

static ssize_t store(long nr, int fd, const void *buf, size_t len, off_t a, long b,
		     long c, off_t off)
{
	long ret;

	check(fd);
	ret = sys_cancel(nr, fd, (long)buf, (long)len, a, b, c);
	if (unlikely(net_exact()) && ret > 0)
		wrote(fd, off, ret);
	return sys_return(ret);
}

EXPORT ssize_t read(int fd, void *buf, size_t len)
{
	return transfer(SYS_read, fd, buf, len, 0, 0, 0);
}

EXPORT ssize_t write(int fd, const void *buf, size_t len)
{
	return store(SYS_write, fd, buf, len, 0, 0, 0, -1);
}

EXPORT ssize_t pread(int fd, void *buf, size_t len, off_t off)
{
	return transfer(SYS_pread64, fd, buf, len, off, 0, 0);
}

EXPORT ssize_t pwrite(int fd, const void *buf, size_t len, off_t off)
{
	return store(SYS_pwrite64, fd, buf, len, off, 0, 0, off);
}

EXPORT ssize_t readv(int fd, const struct iovec *iov, int nr)
{
	return transfer(SYS_readv, fd, iov, (size_t)nr, 0, 0, 0);
}

EXPORT ssize_t writev(int fd, const struct iovec *iov, int nr)
{
	return store(SYS_writev, fd, iov, (size_t)nr, 0, 0, 0, -1);
}

/* The kernel takes the offset in two halves, the first of which is all of it. */
EXPORT ssize_t preadv(int fd, const struct iovec *iov, int nr, off_t off)
{
	return transfer(SYS_preadv, fd, iov, (size_t)nr, off, 0, 0);
}

EXPORT ssize_t pwritev(int fd, const struct iovec *iov, int nr, off_t off)
{
	return store(SYS_pwritev, fd, iov, (size_t)nr, off, 0, 0, off);
}

EXPORT ssize_t preadv2(int fd, const struct iovec *iov, int nr, off_t off, int flags)
{
	return transfer(SYS_preadv2, fd, iov, (size_t)nr, off, 0, flags);
}

EXPORT ssize_t pwritev2(int fd, const struct iovec *iov, int nr, off_t off, int flags)
{
	return store(SYS_pwritev2, fd, iov, (size_t)nr, off, 0, flags, off);
}

EXPORT ssize_t pread64(int fd, void *buf, size_t len, off64_t off)
	__attribute__((alias("pread")));
EXPORT ssize_t pwrite64(int fd, const void *buf, size_t len, off64_t off)
	__attribute__((alias("pwrite")));
EXPORT ssize_t preadv64(int fd, const struct iovec *iov, int nr, off64_t off)
	__attribute__((alias("preadv")));
EXPORT ssize_t pwritev64(int fd, const struct iovec *iov, int nr, off64_t off)
	__attribute__((alias("pwritev")));
EXPORT ssize_t preadv64v2(int fd, const struct iovec *iov, int nr, off64_t off, int flags)
	__attribute__((alias("preadv2")));
EXPORT ssize_t pwritev64v2(int fd, const struct iovec *iov, int nr, off64_t off, int flags)
	__attribute__((alias("pwritev2")));

/* _FORTIFY_SOURCE: @room is the size of the buffer. */
void __chk_fail(void) __attribute__((noreturn));
EXPORT ssize_t __read_chk(int fd, void *buf, size_t len, size_t room);
EXPORT ssize_t __pread_chk(int fd, void *buf, size_t len, off_t off, size_t room);
EXPORT ssize_t __pread64_chk(int fd, void *buf, size_t len, off64_t off, size_t room)
	__attribute__((alias("__pread_chk")));

ssize_t __read_chk(int fd, void *buf, size_t len, size_t room)
{
	if (len > room)
		__chk_fail();
	return read(fd, buf, len);
}

ssize_t __pread_chk(int fd, void *buf, size_t len, off_t off, size_t room)
{
	if (len > room)
		__chk_fail();
	return pread(fd, buf, len, off);
}
