/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Changes of a managed file's size and blocks. The kernel's call comes first,
 * then udaxd is told: it looks at the file itself, and its own pages of the
 * range are stale from the call on. Processes that map nothing tell it too:
 * others may map the file.
 */
#include <linux/falloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "preload/shim.h"

void file_tell(int fd, uint32_t what, uint64_t off, uint64_t len)
{
	struct udax_msg msg = { .fileop = {
		.what = what, .offset = off, .len = len,
	} };
	struct guard g;
	struct file f;

	if (!shim_on() || net_dead() || !file_managed(fd, &f) || !shim_enter(&g))
		return;
	if (!net_session())
		net_call(&msg, UDAX_OP_FILEOP, fd, NULL);
	shim_leave(&g);
}

/* --------------------------------------------------------------- truncate */

EXPORT int ftruncate(int fd, off_t len)
{
	long ret = sys_cancel(SYS_ftruncate, fd, len, 0, 0, 0, 0);

	if (!ret)
		file_tell(fd, UDAX_FILEOP_TRUNCATE, 0, (uint64_t)len);
	return (int)sys_return(ret);
}

EXPORT int ftruncate64(int fd, off64_t len) __attribute__((alias("ftruncate")));

/* An O_PATH descriptor holds no lock and drops none when it is closed. */
EXPORT int truncate(const char *path, off_t len)
{
	long ret = sys_cancel(SYS_truncate, (long)path, len, 0, 0, 0, 0);
	long fd;

	if (ret || !shim_on())
		return (int)sys_return(ret);
	fd = sys4(SYS_openat, AT_FDCWD, path, O_PATH | O_CLOEXEC, 0);
	if (!sys_failed(fd)) {
		file_tell((int)fd, UDAX_FILEOP_TRUNCATE, 0, (uint64_t)len);
		sys_close((int)fd);
	}
	return 0;
}

EXPORT int truncate64(const char *path, off64_t len)
	__attribute__((alias("truncate")));

/* -------------------------------------------------------------- fallocate */

EXPORT int fallocate(int fd, int mode, off_t off, off_t len)
{
	uint32_t what = UDAX_FILEOP_ALLOCATE;
	long ret;

	/* What moves must be in the file, the image forgets it. */
	if (mode & (FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_INSERT_RANGE))
		sync_file(fd);
	ret = sys_cancel(SYS_fallocate, fd, mode, off, len, 0, 0);
	if (mode & FALLOC_FL_PUNCH_HOLE)
		what = UDAX_FILEOP_PUNCH;
	else if (mode & FALLOC_FL_ZERO_RANGE)
		what = UDAX_FILEOP_ZERO;
	else if (mode & (FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_INSERT_RANGE))
		what = UDAX_FILEOP_COLLAPSE;
	if (!ret)
		file_tell(fd, what, (uint64_t)off, (uint64_t)len);
	return (int)sys_return(ret);
}

EXPORT int fallocate64(int fd, int mode, off64_t off, off64_t len)
	__attribute__((alias("fallocate")));

/*
 * For file systems without fallocate: one byte of each block is read and, where
 * there is none or a zero, written; posix_fallocate(3), "NOTES". The kernel has
 * looked at the descriptor and the range by then (fs/open.c, vfs_fallocate()).
 * 0 or a positive errno.
 */
static int allocate_by_writing(int fd, off_t off, off_t len)
{
	off_t end = off + len, step, pos;
	struct statfs fs;
	struct stat st;
	long ret;
	char byte;

	if (sys2(SYS_fcntl, fd, F_GETFL) & O_APPEND || sys_fstat(fd, &st) ||
	    sys_fstatfs(fd, &fs))
		return EBADF;
	step = fs.f_bsize > 0 && fs.f_bsize < 4096 ? fs.f_bsize : 4096;
	for (pos = off + (len - 1) % step; pos < end; pos += step) {
		byte = 0;
		if (pos < st.st_size) {
			ret = sys4(SYS_pread64, fd, &byte, 1, pos);
			if (sys_failed(ret))
				return (int)-ret;
			if (ret == 1 && byte)
				continue;
		}
		ret = sys4(SYS_pwrite64, fd, "", 1, pos);
		if (ret != 1)
			return sys_failed(ret) ? (int)-ret : EIO;
	}
	return 0;
}

/* Returns the error; errno is not touched. */
EXPORT int posix_fallocate(int fd, off_t off, off_t len)
{
	long ret = sys_cancel(SYS_fallocate, fd, 0, off, len, 0, 0);

	if (ret == -EOPNOTSUPP)
		ret = -allocate_by_writing(fd, off, len);
	if (!ret)
		file_tell(fd, UDAX_FILEOP_ALLOCATE, (uint64_t)off, (uint64_t)len);
	return (int)-ret;
}

EXPORT int posix_fallocate64(int fd, off64_t off, off64_t len)
	__attribute__((alias("posix_fallocate")));

/* ------------------------------------------------------------------- open */

/* Only O_TRUNC is of interest: it is a truncate to nothing. */
static int do_open(int dir, const char *path, int flags, mode_t mode)
{
	long fd = sys_cancel(SYS_openat, dir, (long)path, flags, mode, 0, 0);

	if (unlikely(flags & O_TRUNC) && !sys_failed(fd) && !(flags & O_PATH))
		file_tell((int)fd, UDAX_FILEOP_TRUNCATE, 0, 0);
	return (int)sys_return(fd);
}

/* open(2): there is a mode with these only. */
static bool has_mode(int flags)
{
	return flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE;
}

EXPORT int open(const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list ap;

	if (has_mode(flags)) {
		va_start(ap, flags);
		mode = va_arg(ap, mode_t);
		va_end(ap);
	}
	return do_open(AT_FDCWD, path, flags, mode);
}

EXPORT int openat(int dir, const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list ap;

	if (has_mode(flags)) {
		va_start(ap, flags);
		mode = va_arg(ap, mode_t);
		va_end(ap);
	}
	return do_open(dir, path, flags, mode);
}

EXPORT int creat(const char *path, mode_t mode)
{
	return do_open(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

EXPORT int open64(const char *path, int flags, ...) __attribute__((alias("open")));
EXPORT int openat64(int dir, const char *path, int flags, ...)
	__attribute__((alias("openat")));
EXPORT int creat64(const char *path, mode_t mode) __attribute__((alias("creat")));

/*
 * The C library's fopen() does not come back through open(). Its other name calls
 * it without looking anything up; there is none for freopen().
 */
FILE *_IO_fopen(const char *path, const char *mode);

EXPORT FILE *fopen(const char *path, const char *mode)
{
	FILE *f = _IO_fopen(path, mode);

	if (f && mode[0] == 'w')
		file_tell(fileno_unlocked(f), UDAX_FILEOP_TRUNCATE, 0, 0);
	return f;
}

EXPORT FILE *fopen64(const char *path, const char *mode)
	__attribute__((alias("fopen")));

/*
 * What _FORTIFY_SOURCE makes of calls without a mode, and glibc's own names for
 * programs that call them. A missing mode ends the program, as in glibc.
 */
void __chk_fail(void) __attribute__((noreturn));
EXPORT int __open_2(const char *path, int flags);
EXPORT int __openat_2(int dir, const char *path, int flags);
EXPORT int __open64_2(const char *path, int flags) __attribute__((alias("__open_2")));
EXPORT int __openat64_2(int dir, const char *path, int flags)
	__attribute__((alias("__openat_2")));
EXPORT int __open(const char *path, int flags, ...)
	__attribute__((alias("open"), nonnull(1)));
EXPORT int __open64(const char *path, int flags, ...)
	__attribute__((alias("open"), nonnull(1)));

int __open_2(const char *path, int flags)
{
	if (has_mode(flags))
		__chk_fail();
	return do_open(AT_FDCWD, path, flags, 0);
}

int __openat_2(int dir, const char *path, int flags)
{
	if (has_mode(flags))
		__chk_fail();
	return do_open(dir, path, flags, 0);
}
