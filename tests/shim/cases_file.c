/* SPDX-License-Identifier: BSD-3-Clause */
/* Sizes and blocks of files, durability, and files whose memory is an image. */
#include <errno.h>
#include <linux/falloc.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "cases.h"

#define RW (PROT_READ | PROT_WRITE)
#define IMAGE "HELLO:new UFFD OPEN MAP#"

int __open_2(const char *path, int flags);
int __openat64_2(int dir, const char *path, int flags);

static void truncating(void)
{
	int fd = make_file(dirs.pmem, "f", 4 * PAGE, O_RDWR);
	int other = make_file(dirs.other, "f", PAGE, O_RDWR);
	struct stat st;

	CHECK(!ftruncate(fd, 3 * PAGE));
	CHECK(!ftruncate64(fd, 2 * PAGE));
	CHECK(!truncate(path_of(dirs.pmem, "f"), PAGE));
	CHECK(!truncate64(path_of(dirs.pmem, "f"), 8 * PAGE));
	CHECK(truncate(path_of(dirs.pmem, "none"), 0) == -1 && errno == ENOENT);
	CHECK(ftruncate(fd, -1) == -1 && errno == EINVAL);
	CHECK(ftruncate(12345, 0) == -1 && errno == EBADF);
	CHECK(!ftruncate(other, 0));
	CHECK(!truncate(path_of(dirs.other, "f"), 5));
	CHECK(!fstat(fd, &st) && st.st_size == 8 * PAGE);
}

static void allocating(void)
{
	int fd = make_file(dirs.pmem, "f", 8 * PAGE, O_RDWR);
	struct stat st;
	char c;

	CHECK(!fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, PAGE, PAGE));
	CHECK(pread(fd, &c, 1, PAGE) == 1 && c == 0);
	CHECK(!fallocate64(fd, 0, 0, 16 * PAGE));
	CHECK(!fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 32 * PAGE));
	errno = 4711;
	CHECK(!posix_fallocate(fd, 0, 20 * PAGE));
	CHECK(!posix_fallocate64(fd, 0, 21 * PAGE));
	CHECK(!fstat(fd, &st) && st.st_size == 21 * PAGE);
	CHECK(posix_fallocate(fd, -1, PAGE) == EINVAL && errno == 4711);
	CHECK(posix_fallocate(12345, 0, PAGE) == EBADF && errno == 4711);
	/* tmpfs has neither: the kernel's error, and nobody is told. */
	CHECK(fallocate(fd, FALLOC_FL_ZERO_RANGE, 0, PAGE) == -1 && errno == EOPNOTSUPP);
	CHECK(fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 0, PAGE) == -1 &&
	      errno == EOPNOTSUPP);
}

/* Only O_TRUNC is told; the mode is passed on where there is one. */
static void opening(void)
{
	const char *f = path_of(dirs.pmem, "f");
	struct stat st;

	umask(0);
	CHECK(open(f, O_RDONLY) == -1 && errno == ENOENT);
	CHECK(open(f, O_CREAT | O_RDWR, 0640) >= 0);
	CHECK(!stat(f, &st) && (st.st_mode & 0777) == 0640);
	CHECK(open(f, O_RDWR | O_TRUNC) >= 0);
	CHECK(open64(f, O_RDWR | O_TRUNC | O_CREAT, 0600) >= 0);
	CHECK(openat(AT_FDCWD, f, O_WRONLY | O_TRUNC) >= 0);
	CHECK(openat64(AT_FDCWD, f, O_WRONLY) >= 0);
	CHECK(creat(f, 0600) >= 0);
	CHECK(__open_2(f, O_RDWR) >= 0);
	CHECK(__open_2(f, O_RDWR | O_TRUNC) >= 0);
	CHECK(__openat64_2(AT_FDCWD, f, O_RDWR | O_TRUNC) >= 0);
	CHECK(open(dirs.pmem, O_TMPFILE | O_RDWR, 0700) >= 0);
	CHECK(fopen(path_of(dirs.pmem, "f"), "r"));
	CHECK(fopen(path_of(dirs.pmem, "f"), "r+"));
	CHECK(fopen64(path_of(dirs.pmem, "f"), "w"));
	CHECK(!fopen(path_of(dirs.pmem, "none"), "r") && errno == ENOENT);
	CHECK(open(path_of(dirs.other, "g"), O_CREAT | O_TRUNC | O_RDWR, 0600) >= 0);
	CHECK(open("/dev/null", O_WRONLY | O_TRUNC) >= 0);
}

/* A file in memory has nothing to write back. */
static void syncing(void)
{
	int fd = make_file(dirs.pmem, "f", 4 * PAGE, O_RDWR);
	char *p = map_file(fd, 4 * PAGE, RW, MAP_SHARED, 0);

	CHECK(!msync(p, 4 * PAGE, MS_SYNC) && !msync(p, PAGE, MS_ASYNC));
	CHECK(msync(p + 1, PAGE, MS_SYNC) == -1 && errno == EINVAL);
	CHECK(msync(p, PAGE, MS_SYNC | MS_ASYNC) == -1 && errno == EINVAL);
	CHECK(!fsync(fd) && !fdatasync(fd) && !sync_file_range(fd, 0, 0, 0));
	CHECK(!syncfs(fd));
	CHECK(fsync(12345) == -1 && errno == EBADF);
	CHECK(syncfs(12345) == -1 && errno == EBADF);
	sync();
}

/* ------------------------------------------------------------------ image */

static void image(void)
{
	int fd = make_file(dirs.disk, "f", 4 * PAGE, O_RDWR);
	char *p = map_file(fd, 4 * PAGE, RW, MAP_SHARED, 0), *q;

	check_pages(p, 0, 4);
	p[0] = 'x';
	q = map_file(fd, PAGE, RW, MAP_SHARED, 0);
	CHECK(q[0] == 'x');	/* one memory for all */
	CHECK(!munmap(p, 4 * PAGE));
	CHECK(mmap(q, PAGE, RW, MAP_SHARED | MAP_FIXED, fd, PAGE) == q);
	check_pages(q, 1, 1);
}

static void image_modes(void)
{
	int ro, wo, rw = make_file(dirs.disk, "f", 4 * PAGE, O_RDWR);
	char *p;

	ro = open(path_of(dirs.disk, "f"), O_RDONLY);
	wo = open(path_of(dirs.disk, "f"), O_WRONLY);
	CHECK(mmap(NULL, PAGE, RW, MAP_SHARED, ro, 0) == MAP_FAILED && errno == EACCES);
	CHECK(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, wo, 0) == MAP_FAILED &&
	      errno == EACCES);
	CHECK(mmap(NULL, PAGE, RW, MAP_SHARED_VALIDATE | MAP_SYNC, rw, 0) ==
	      MAP_FAILED && errno == EOPNOTSUPP);
	p = map_file(ro, 4 * PAGE, PROT_READ, MAP_SHARED, 0);
	check_pages(p, 0, 4);
	CHECK(mprotect(p, PAGE, RW) == -1 && errno == EACCES);
	p = map_file(ro, PAGE, RW, MAP_PRIVATE, 0);
	p[0] = 'x';
	check_pages(map_file(rw, PAGE, PROT_READ, MAP_SHARED, 0), 0, 1);
}

static void image_sync(void)
{
	int fd = make_file(dirs.disk, "f", 4 * PAGE, O_RDWR);
	char *p = map_file(fd, 4 * PAGE, RW, MAP_SHARED, 0);

	CHECK(!msync(p, PAGE, MS_ASYNC));
	CHECK(!msync(p, PAGE, MS_SYNC));
	CHECK(!fsync(fd) && !fdatasync(fd));
	CHECK(!syncfs(fd));
	sync();
}

/* A failed write-back is the error of the call that asked. */
static void image_sync_error(void)
{
	int fd = make_file(dirs.disk, "f", PAGE, O_RDWR);
	char *p = map_file(fd, PAGE, RW, MAP_SHARED, 0);

	CHECK(msync(p, PAGE, MS_SYNC) == -1 && errno == EIO);
	CHECK(fsync(fd) == -1 && errno == EIO);
	CHECK(fdatasync(fd) == -1 && errno == EIO);
	CHECK(msync(p, PAGE, MS_SYNC | MS_ASYNC) == -1 && errno == EINVAL);
}

/* Before a read nothing is known to be wrong; afterwards it is said once. */
static void image_read(void)
{
	int fd = make_file(dirs.disk, "f", 4 * PAGE, O_RDWR);
	int other = make_file(dirs.disk, "g", PAGE, O_RDWR);
	char *p = map_file(fd, 4 * PAGE, RW, MAP_SHARED, 0), buf[8];
	struct iovec iov = { buf, sizeof(buf) };

	CHECK(read(other, buf, 8) == 8);
	CHECK(pread(fd, buf, 8, 0) == 8 && buf[0] == p[0]);
	CHECK(preadv(fd, &iov, 1, PAGE) == 8 && buf[0] == pattern(1));
	CHECK(pwritev2(fd, &iov, 1, 2 * PAGE, 0) == 8);
	CHECK(preadv2(fd, &iov, 1, 3 * PAGE, RWF_HIPRI | 0x10000000) == -1);
	CHECK(pread(fd, buf, 8, 2 * PAGE) == 8 && buf[0] == pattern(1));
}

static void image_not(void)
{
	int fd = make_file(dirs.disk, "f", 4 * PAGE, O_RDWR);

	check_pages(map_file(fd, 4 * PAGE, RW, MAP_SHARED, 0), 0, 4);
}

/* The file of a refused image is still mapped, by its own pages. */
static void image_refused(void)
{
	int fd = make_file(dirs.disk, "f", 4 * PAGE, O_RDWR);
	char *p = map_file(fd, 4 * PAGE, RW, MAP_SHARED, 0), c = 'x';

	check_pages(p, 0, 4);
	CHECK(pwrite(fd, &c, 1, 0) == 1 && p[0] == 'x');
}

static void image_remap(void)
{
	int fd = make_file(dirs.disk, "f", 4 * PAGE, O_RDWR);
	char *p = map_file(fd, 2 * PAGE, RW, MAP_SHARED, 0), *to;

	to = map_file(-1, 8 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, 0);
	CHECK(mremap(p, 2 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
	check_pages(to, 0, 4);
	to[0] = 'x';
	CHECK(!munmap(to, 4 * PAGE));
}

/* A hole in the image alone would be filled from the file again. */
static void image_remove(void)
{
	int fd = make_file(dirs.disk, "f", 8 * PAGE, O_RDWR);
	char *p = map_file(fd, 16 * PAGE, RW, MAP_SHARED, 0);

	check_pages(p, 0, 8);
	CHECK(!madvise(p + 2 * PAGE, PAGE, MADV_REMOVE));
	CHECK(!madvise(p + 6 * PAGE, 4 * PAGE, MADV_REMOVE));
	check_pages(p, 0, 2);
	CHECK(!p[2 * PAGE] && !p[6 * PAGE] && !p[8 * PAGE - 1]);
	check_pages(p + 3 * PAGE, 3, 3);
	CHECK(!madvise(p, 8 * PAGE, MADV_DONTNEED));
	CHECK(!p[2 * PAGE] && p[PAGE] == pattern(1));
	CHECK(!munmap(p, 16 * PAGE));
	p = map_file(fd, PAGE, PROT_READ, MAP_SHARED, 0);
	check_pages(p, 0, 1);
	CHECK(!madvise(p, PAGE, MADV_REMOVE) && !p[0]);
	p = map_file(fd, PAGE, RW, MAP_PRIVATE, PAGE);
	CHECK(madvise(p, PAGE, MADV_REMOVE) == -1 && errno == EACCES);
	check_pages(p, 1, 1);
}

const struct test_case file_cases[] = {
	{ "truncate", truncating, .log = "HELLO:new UFFD FILEOP:truncate"
	  " FILEOP:truncate FILEOP:truncate FILEOP:truncate", .err = "" },
	{ "fallocate", allocating, .log = "HELLO:new UFFD FILEOP:punch FILEOP:allocate"
	  " FILEOP:allocate FILEOP:allocate FILEOP:allocate", .err = "" },
	{ "open", opening, .log = "HELLO:new UFFD FILEOP:truncate FILEOP:truncate"
	  " FILEOP:truncate FILEOP:truncate FILEOP:truncate FILEOP:truncate"
	  " FILEOP:truncate", .err = "" },
	{ "sync", syncing, .log = "HELLO:new UFFD MAP", .err = "" },
	{ "image", image, .image = true, .log = IMAGE " OPEN MAP# BEGIN:munmap"
	  " END:munmap OPEN BEGIN:mmap MAP#", .err = "" },
	{ "image-modes", image_modes, .image = true, .log = IMAGE "+rdonly"
	  " OPEN MAP#+private OPEN MAP#", .err = "" },
	{ "image-sync", image_sync, .image = true, .log = IMAGE " SYNC:range"
	  " SYNC:file SYNC:file SYNC:all SYNC:all", .err = "" },
	{ "image-sync-error", image_sync_error, FAKE_REFUSES_SYNC, .image = true,
	  .log = IMAGE " SYNC:range SYNC:file SYNC:file", .err = "" },
	{ "image-read", image_read, .image = true, .log = IMAGE,
	  .err = "not coherent" },
	{ "image-not", image_not, FAKE_OPEN_NONE, .image = true,
	  .log = "HELLO:new UFFD OPEN", .err = "not emulated" },
	{ "image-refused", image_refused, FAKE_REFUSES_MAP, .image = true, .log = IMAGE,
	  .err = "not emulated" },
	{ "image-remove", image_remove, .image = true, .err = NULL },
	{ "image-mremap", image_remap, .image = true, .log = IMAGE " BEGIN:mremap"
	  " END:mremap BEGIN:munmap END:munmap", .err = "" },
};
const size_t nr_file_cases = ARRAY_SIZE(file_cases);
