/* SPDX-License-Identifier: BSD-3-Clause */
/* munmap, mremap, mprotect, madvise: the bracket and the table behind it. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cases.h"

#define RW (PROT_READ | PROT_WRITE)
#define OTHER " BEGIN:other END:other"
#define OPENING "HELLO:new UFFD MAP"
#define UNMAP " BEGIN:munmap END:munmap"
#define REMAP " BEGIN:mremap END:mremap"
#define PROTECT " BEGIN:mprotect END:mprotect"
#define ADVISE " BEGIN:madvise END:madvise"

/* Is the page mapped at all? */
static bool mapped(char *p)
{
	unsigned char vec;

	return !mincore(p, PAGE, &vec);
}

/* A hole in the middle, then across what is left and a neighbour. */
static void unmap(void)
{
	int fd = make_file(dirs.pmem, "f", 8 * PAGE, O_RDWR);
	char *area = map_file(-1, 12 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, 0);
	char *p = area + PAGE;

	area[0] = area[9 * PAGE] = 'a';
	CHECK(mmap(p, 8 * PAGE, RW, MAP_SHARED | MAP_FIXED, fd, 0) == p);
	CHECK(!munmap(p + 3 * PAGE, PAGE));
	CHECK(!mapped(p + 3 * PAGE) && mapped(p + 2 * PAGE) && mapped(p + 4 * PAGE));
	check_pages(p + 4 * PAGE, 4, 4);
	CHECK(!munmap(p + 3 * PAGE, PAGE));	/* nothing there: not told */
	CHECK(!munmap(p + 6 * PAGE, 4 * PAGE));	/* two pages and two neighbours */
	CHECK(!mapped(area + 9 * PAGE) && mapped(area + 11 * PAGE));
	CHECK(area[0] == 'a');
	CHECK(munmap(p + 1, PAGE) == -1 && errno == EINVAL);
	CHECK(munmap(p, 0) == -1 && errno == EINVAL);
	CHECK(munmap(p, ~0ul) == -1 && errno == EINVAL);
	check_pages(p, 0, 3);
	CHECK(!munmap(area, 12 * PAGE));
	CHECK(!munmap(area, 12 * PAGE));
}

/* In place, by a move, to a place told, smaller, and back. */
static void remap(void)
{
	int fd = make_file(dirs.pmem, "f", 4 * PMD, O_RDWR);
	char *area, *p, *q;

	area = map_file(-1, 16 * PMD, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, 0);
	p = area;
	CHECK(mmap(p, 4 * PAGE, RW, MAP_SHARED | MAP_FIXED, fd, 3 * PAGE) == p);
	CHECK(mremap(p, 4 * PAGE, 8 * PAGE, 0) == MAP_FAILED && errno == ENOMEM);
	CHECK(!munmap(p + 4 * PAGE, 4 * PAGE));
	CHECK(mremap(p, 4 * PAGE, 8 * PAGE, 0) == p);
	check_pages(p, 3, 8);
	q = mremap(p, 8 * PAGE, PMD + PAGE, MREMAP_MAYMOVE);
	CHECK(q != MAP_FAILED && q != p && !mapped(p));
	CHECK((((unsigned long)q - 3 * PAGE) & (PMD - 1)) == 0);
	check_pages(q, 3, 513);
	p = area + 2 * PMD;
	CHECK(mremap(q, PMD + PAGE, PMD, MREMAP_MAYMOVE | MREMAP_FIXED, p) == p);
	check_pages(p, 3, 512);
	CHECK(!mapped(q));
	CHECK(mremap(p, PMD, PAGE, 0) == p && !mapped(p + PAGE));
	CHECK(mremap(p, PAGE, 0, 0) == MAP_FAILED && errno == EINVAL);
	CHECK(mremap(p + 1, PAGE, PMD, MREMAP_MAYMOVE) == MAP_FAILED && errno == EINVAL);
	CHECK(mremap(p, PAGE, PAGE, MREMAP_FIXED, area) == MAP_FAILED && errno == EINVAL);
	CHECK(mremap(p + PAGE, PAGE, PMD, MREMAP_MAYMOVE) == MAP_FAILED &&
	      errno == EFAULT);
	check_pages(p, 3, 1);
	CHECK(!munmap(p, PAGE));
}

/* The table follows: changes of what moved are told, of what it left are not. */
static void remap_twice(void)
{
	int fd = make_file(dirs.pmem, "f", 4 * PAGE, O_RDWR);
	char *p = map_file(fd, 4 * PAGE, RW, MAP_SHARED, 0), *q, *r;

	q = mremap(p + PAGE, 0, 2 * PAGE, MREMAP_MAYMOVE);
	CHECK(q != MAP_FAILED);
	check_pages(q, 1, 2);
	r = mremap(p, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
	CHECK(r != MAP_FAILED && r != p);
	check_pages(p, 0, 4);
	check_pages(r, 0, 4);
	q[0] = 'x';
	CHECK(p[PAGE] == 'x' && r[PAGE] == 'x');
	CHECK(!munmap(p, 4 * PAGE) && !munmap(q, 2 * PAGE) && !munmap(r, 4 * PAGE));
}

/* Unmanaged over managed, and one managed over another. */
static void remap_over(void)
{
	int fd = make_file(dirs.pmem, "f", 4 * PAGE, O_RDWR);
	char *p = map_file(fd, 4 * PAGE, RW, MAP_SHARED, 0);
	char *q = map_file(fd, 4 * PAGE, RW, MAP_SHARED, 0);
	char *a = map_file(-1, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, 0);

	a[0] = 'a';
	CHECK(mremap(a, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, p + PAGE) ==
	      p + PAGE);
	CHECK(p[PAGE] == 'a' && p[0] == pattern(0));
	CHECK(!mprotect(p + PAGE, PAGE, PROT_READ));	/* not ours any more */
	CHECK(mremap(p + 2 * PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, q) == q);
	check_pages(q, 2, 1);
	check_pages(q + PAGE, 1, 3);
	CHECK(!munmap(q, PAGE));
}

static void protect(void)
{
	int fd = make_file(dirs.pmem, "f", 8 * PAGE, O_RDWR);
	char *p = map_file(fd, 8 * PAGE, RW, MAP_SHARED, 0);

	CHECK(!mprotect(p + PAGE, 2 * PAGE, PROT_READ));
	CHECK(!mprotect(p, 8 * PAGE, RW));	/* three ranges now */
	p[PAGE] = 'x';
	CHECK(!mprotect(p, 0, PROT_NONE));
	CHECK(mprotect(p + 1, PAGE, RW) == -1 && errno == EINVAL);
	CHECK(!munmap(p + 4 * PAGE, PAGE));
	/* The part before the hole is done, as the kernel does it. */
	CHECK(mprotect(p, 8 * PAGE, PROT_READ) == -1 && errno == ENOMEM);
	CHECK(mprotect(p + 5 * PAGE, PAGE, 0x40) == -1 && errno == EINVAL);
	p[5 * PAGE] = 'x';
	/* Write permission on the first page would be a surprise. */
	CHECK(!pread(fd, p + 5 * PAGE, 1, 9 * PAGE));
	CHECK(pread(fd, p, 1, 0) == -1 && errno == EFAULT);
}

static void advise(void)
{
	int fd = make_file(dirs.pmem, "f", 8 * PAGE, O_RDWR);
	char *p = map_file(fd, 8 * PAGE, RW, MAP_SHARED, 0);

	CHECK(!madvise(p, 8 * PAGE, MADV_WILLNEED));
	CHECK(!madvise(p, 8 * PAGE, MADV_RANDOM));
	CHECK(!madvise(p, 8 * PAGE, MADV_POPULATE_READ));
	CHECK(!madvise(p, 8 * PAGE, MADV_POPULATE_WRITE));
	CHECK(!posix_madvise(p, 8 * PAGE, POSIX_MADV_DONTNEED));
	CHECK(!madvise(p, 8 * PAGE, MADV_DONTNEED));
	check_pages(p, 0, 8);
	CHECK(!madvise(p + PAGE, PAGE, MADV_REMOVE));
	CHECK(p[PAGE] == 0 && p[2 * PAGE] == pattern(2));
	CHECK(madvise(p, PAGE, MADV_FREE) == -1 && errno == EINVAL);
	CHECK(madvise(p, PAGE, 4711) == -1 && errno == EINVAL);
	CHECK(!munmap(p + 4 * PAGE, PAGE));
	/* A hole is skipped and reported. */
	CHECK(madvise(p, 8 * PAGE, MADV_DONTNEED) == -1 && errno == ENOMEM);
	CHECK(!madvise(p, PAGE, MADV_NOHUGEPAGE));
	CHECK(!madvise(p, PAGE, MADV_HUGEPAGE));
}

/* Locked memory is populated by a growth: after the bracket, never in it. */
static void locked(void)
{
	int fd = make_file(dirs.pmem, "f", 16 * PAGE, O_RDWR);
	char *p = map_file(fd, 8 * PAGE, RW, MAP_SHARED, 0);

	CHECK(!mlock(p, 8 * PAGE));
	p = mremap(p, 8 * PAGE, 16 * PAGE, MREMAP_MAYMOVE);
	CHECK(p != MAP_FAILED);
	CHECK(msync(p + 15 * PAGE, PAGE, MS_INVALIDATE) == -1 && errno == EBUSY);
	check_pages(p, 0, 16);
}

/* The obsolete call: pages in another order. */
static void shuffle(void)
{
	int fd = make_file(dirs.pmem, "f", 4 * PAGE, O_RDWR);
	char *p = map_file(fd, 4 * PAGE, RW, MAP_SHARED, 0);

	CHECK(!remap_file_pages(p, PAGE, 0, 3, 0));
	CHECK(p[0] == pattern(3) && p[PAGE] == pattern(1));
	CHECK(remap_file_pages(p, PAGE, PROT_READ, 3, 0) == -1 && errno == EINVAL);
	CHECK(!munmap(p, 4 * PAGE));
}

/* Under the emulated mmap_lock every change is bracketed, of whatever memory. */
static void mmap_lock(void)
{
	int fd = make_file(dirs.pmem, "f", 4 * PAGE, O_RDWR);
	int other = make_file(dirs.other, "g", 4 * PAGE, O_RDWR);
	char *a = map_file(-1, 4 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, 0);
	char *p = map_file(fd, 4 * PAGE, RW, MAP_SHARED, 0);

	CHECK(!munmap(map_file(other, PAGE, RW, MAP_SHARED, 0), PAGE));
	CHECK(!mprotect(a, 4 * PAGE, PROT_READ));
	CHECK(!madvise(a, PAGE, MADV_DONTNEED));
	CHECK(!madvise(a, 4 * PAGE, MADV_RANDOM));
	a = mremap(a, 4 * PAGE, 8 * PAGE, MREMAP_MAYMOVE);
	CHECK(a != MAP_FAILED && !munmap(a, 8 * PAGE));
	CHECK(mmap(NULL, 0, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED);
	check_pages(p, 0, 4);
	CHECK(!munmap(p, 4 * PAGE));
}

const struct test_case change_cases[] = {
	{ "munmap", unmap, .log = OPENING UNMAP UNMAP UNMAP,
	  .err = "" },
	{ "mremap", remap, .log = OPENING " BEGIN:mremap END:mremap!12" REMAP
	  REMAP REMAP REMAP " BEGIN:mremap END:mremap!22" UNMAP, .err = "" },
	{ "mremap-twice", remap_twice, .log = OPENING " MAP# MAP#" UNMAP UNMAP UNMAP,
	  .err = "" },
	{ "mremap-over", remap_over, .log = OPENING " MAP BEGIN:mmap END:mmap" REMAP UNMAP,
	  .err = "" },
	{ "mprotect", protect, .log = OPENING PROTECT PROTECT PROTECT PROTECT UNMAP
	  PROTECT PROTECT PROTECT " BEGIN:mprotect END:mprotect!22", .err = "" },
	{ "madvise", advise, .log = OPENING ADVISE ADVISE " BEGIN:madvise END:madvise!22"
	  UNMAP ADVISE ADVISE ADVISE ADVISE, .err = "" },
	{ "mmap-lock", mmap_lock, .log = "HELLO:new UFFD BEGIN:other MAP" OTHER OTHER
	  OTHER OTHER OTHER OTHER OTHER UNMAP, .err = "",
	  .setting = UDAX_ENV_MMAP_LOCK "=kernel" },
	{ "mlock", locked, .log = OPENING REMAP, .err = "" },
	{ "remap-file-pages", shuffle, .log = OPENING " BEGIN:mmap MAP#"
	  " BEGIN:mmap END:mmap!22" UNMAP, .err = "" },
};
const size_t nr_change_cases = ARRAY_SIZE(change_cases);
