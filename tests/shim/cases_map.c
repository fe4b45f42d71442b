/* SPDX-License-Identifier: BSD-3-Clause */
/* mmap: what is managed, where it goes, and its errors. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cases.h"

#define RW (PROT_READ | PROT_WRITE)
#define OPENING "HELLO:new UFFD MAP"

/* Nothing managed: nobody is asked. */
static void unmanaged(void)
{
	int fd = make_file(dirs.other, "f", 4 * PAGE, O_RDWR);
	char *p = map_file(fd, 4 * PAGE, RW, MAP_SHARED, 0);

	check_pages(p, 0, 4);
	CHECK(!munmap(p, 4 * PAGE));
	p = map_file(-1, 8 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, 0);
	CHECK(!mprotect(p, PAGE, PROT_READ) && !mprotect(p, PAGE, RW));
	CHECK(!madvise(p, PAGE, MADV_DONTNEED));
	CHECK(mremap(p, 8 * PAGE, 16 * PAGE, MREMAP_MAYMOVE) != MAP_FAILED);
	CHECK(!ftruncate(fd, PAGE) && !fsync(fd));
}

/* A directory whose name only begins like a managed one. */
static void neighbour(void)
{
	char name[4096];
	int fd;

	snprintf(name, sizeof(name), "%s-not", dirs.pmem);
	fd = make_file(dirs.pmem, "../p-not", PAGE, O_RDWR);
	map_file(fd, PAGE, RW, MAP_SHARED, 0);
	CHECK(!unlink(name));
}

/* What was found out of a descriptor is not true of the next one of its number. */
static void number_again(void)
{
	int fd = make_file(dirs.pmem, "f", PAGE, O_RDWR), mine = dup(fd);
	int other = make_file(dirs.other, "f", PAGE, O_RDWR);

	map_file(fd, PAGE, RW, MAP_SHARED, 0);
	CHECK(dup2(other, fd) == fd);
	map_file(fd, PAGE, RW, MAP_SHARED, 0);
	CHECK(!ftruncate(fd, PAGE));
	CHECK(dup2(mine, fd) == fd);
	map_file(fd, PAGE, RW, MAP_SHARED, 0);
}

static void shared(void)
{
	int fd = make_file(dirs.pmem, "f", 3 * PAGE, O_RDWR);
	char *p, c = 'x';

	errno = 4711;
	p = map_file(fd, 2 * PAGE + 100, RW, MAP_SHARED, PAGE);
	CHECK(errno == 4711);
	check_pages(p, 1, 2);
	CHECK(pwrite(fd, &c, 1, PAGE) == 1 && p[0] == 'x');
	CHECK(!munmap(p, 2 * PAGE + 100));
	CHECK(errno == 4711);
}

/* No file of a managed name, but a file under a managed directory. */
static void unlinked(void)
{
	int fd = make_file(dirs.pmem, "f", PAGE, O_RDWR);

	CHECK(!unlink(path_of(dirs.pmem, "f")));
	check_pages(map_file(fd, PAGE, RW, MAP_SHARED, 0), 0, 1);
}

static void private(void)
{
	int fd = make_file(dirs.pmem, "f", PAGE, O_RDONLY);
	char *p = map_file(fd, PAGE, RW, MAP_PRIVATE, 0), c;

	p[0] = 'x';
	CHECK(pread(fd, &c, 1, 0) == 1 && c == pattern(0));
}

/* A shared mapping of an O_RDONLY descriptor: same bytes, never writable. */
static void read_only(void)
{
	int fd = make_file(dirs.pmem, "f", 8 * PAGE, O_RDONLY);
	int wr = open(path_of(dirs.pmem, "f"), O_RDWR);
	char *p = map_file(fd, 8 * PAGE, PROT_READ, MAP_SHARED, 0), *q, c = 'x';

	check_pages(p, 0, 8);
	CHECK(pwrite(wr, &c, 1, 0) == 1 && p[0] == 'x');
	CHECK(mprotect(p, PAGE, RW) == -1 && errno == EACCES);
	CHECK(mprotect(p + PAGE, PAGE, PROT_NONE) == 0);
	CHECK(mprotect(p + PAGE, PAGE, PROT_READ) == 0);
	CHECK(mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0) == MAP_FAILED && errno == EACCES);
	q = mremap(p, 8 * PAGE, 16 * PAGE, MREMAP_MAYMOVE);
	CHECK(q != MAP_FAILED);
	CHECK(mprotect(q, 8 * PAGE, RW) == -1 && errno == EACCES);
	check_pages(q + PAGE, 1, 7);
	/* old_size 0 is a second mapping; the kernel refuses it for private ones. */
	p = mremap(q, 0, 4 * PAGE, MREMAP_MAYMOVE);
	CHECK(p != MAP_FAILED && p != q);
	check_pages(p + PAGE, 1, 3);
	check_pages(q + PAGE, 1, 7);
}

/* (address - offset) modulo 2M. */
static unsigned long colour(const char *p, off_t off)
{
	return ((unsigned long)p - (unsigned long)off) & (PMD - 1);
}

static void address(void)
{
	int fd = make_file(dirs.pmem, "f", 4 * PMD, O_RDWR);
	char *p, *q, *hole;

	p = map_file(fd, PMD, RW, MAP_SHARED, 0);
	CHECK(colour(p, 0) == 0);
	p = map_file(fd, 3 * PMD - 5 * PAGE, RW, MAP_SHARED, 5 * PAGE);
	CHECK(colour(p, 5 * PAGE) == 0);
	check_pages(p, 5, 3 * PMD / PAGE - 5);
	p = map_file(fd, PMD + 77, PROT_READ, MAP_PRIVATE, PMD);
	CHECK(colour(p, 0) == 0);

	/* What was left of the reservations is free again. */
	hole = map_file(-1, 4 * PMD, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, 0);
	q = mmap(hole + 3 * PAGE, PMD, RW, MAP_SHARED | MAP_FIXED, fd, 0);
	CHECK(q == hole + 3 * PAGE);
	CHECK(!munmap(hole, 4 * PMD));
	q = mmap(hole + 3 * PAGE, PMD, RW, MAP_SHARED, fd, 0);
	CHECK(q == hole + 3 * PAGE);
	CHECK(mmap(hole, PMD, RW, MAP_SHARED | MAP_FIXED_NOREPLACE, fd, 0) ==
	      MAP_FAILED && errno == EEXIST);
}

/* Each call of the shim's mmap fails as the kernel's does. */
static void errors(void)
{
	int rw = make_file(dirs.pmem, "f", PAGE, O_RDWR);
	int ro = open(path_of(dirs.pmem, "f"), O_RDONLY);
	int wo = open(path_of(dirs.pmem, "f"), O_WRONLY);
	int path = open(path_of(dirs.pmem, "f"), O_PATH);
	const struct {
		uint64_t addr, len;
		int prot, flags, fd;
		off_t off;
	} t[] = {
		{ 0, 0, RW, MAP_SHARED, rw, 0 },
		{ 0, PAGE, RW, MAP_SHARED, rw, 100 },
		{ 0, PAGE, RW, MAP_SHARED, -1, 0 },
		{ 0, PAGE, RW, MAP_SHARED, 12345, 0 },
		{ 0, PAGE, RW, MAP_SHARED, ro, 0 },
		{ 0, PAGE, RW, MAP_SHARED_VALIDATE, ro, 0 },
		{ 0, PAGE, PROT_READ, MAP_SHARED, wo, 0 },
		{ 0, PAGE, PROT_READ, MAP_PRIVATE, wo, 0 },
		{ 0, PAGE, PROT_READ, MAP_SHARED, path, 0 },
		{ 0, PAGE, RW, 0, rw, 0 },
		{ 0, PAGE, RW, 0xf, rw, 0 },
		{ 0, PAGE, RW, MAP_SHARED_VALIDATE | MAP_SYNC, rw, 0 },
		{ 0, PAGE, PROT_READ, MAP_SHARED_VALIDATE | MAP_SYNC, ro, 0 },
		{ 0, PAGE, RW, MAP_SHARED_VALIDATE | 0x400000, rw, 0 },
		{ 0, PAGE, PROT_READ, MAP_SHARED_VALIDATE | 0x400000, ro, 0 },
		{ 0, ~0ul, RW, MAP_SHARED, rw, 0 },
		{ 0, 1ul << 47, RW, MAP_SHARED, rw, 0 },
		{ 0, PAGE, RW, MAP_SHARED, rw, -4096 },
		{ 100, PAGE, RW, MAP_SHARED | MAP_FIXED, rw, 0 },
		{ 1ul << 62, PAGE, RW, MAP_SHARED | MAP_FIXED, rw, 0 },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(t); i++) {
		long native, got;
		int want;

		native = syscall(SYS_mmap, t[i].addr, t[i].len, t[i].prot, t[i].flags,
				 t[i].fd, t[i].off);
		want = errno;
		got = (long)mmap((void *)t[i].addr, t[i].len, t[i].prot, t[i].flags,
				 t[i].fd, t[i].off);
		if (native != -1 || got != -1 || errno != want) {
			dprintf(2, "row %zu: native %ld errno %d, shim %ld errno %d\n",
				i, native, want, got, errno);
			_exit(1);
		}
	}
}

static size_t resident(char *p, size_t pages)
{
	unsigned char vec[64];
	size_t i, n = 0;

	CHECK(!mincore(p, pages * PAGE, vec));
	for (i = 0; i < pages; i++)
		n += vec[i] & 1;
	return n;
}

/* Populated after MAP, since the fake registers nothing: the pages come at once. */
static void populate(void)
{
	int fd = make_file(dirs.pmem, "f", 0, O_RDWR);
	char *p;

	CHECK(!ftruncate(fd, 16 * PAGE));
	p = map_file(fd, 16 * PAGE, RW, MAP_SHARED | MAP_POPULATE, 0);
	CHECK(resident(p, 16) == 16);
	CHECK(p[0] == 0);
	p = map_file(fd, 16 * PAGE, RW, MAP_SHARED | MAP_LOCKED, 0);
	CHECK(msync(p, PAGE, MS_INVALIDATE) == -1 && errno == EBUSY);
}

/* Anonymous memory over a part of a managed mapping, and back. */
static void fixed_over(void)
{
	int fd = make_file(dirs.pmem, "f", 4 * PAGE, O_RDWR);
	int other = make_file(dirs.other, "g", PAGE, O_RDWR);
	char *p = map_file(fd, 4 * PAGE, RW, MAP_SHARED, 0);

	CHECK(mmap(p + PAGE, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
		   -1, 0) == p + PAGE);
	CHECK(p[PAGE] == 0 && p[2 * PAGE] == pattern(2));
	CHECK(mmap(p + 2 * PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, other, 0)
	      == p + 2 * PAGE);
	/* Nothing managed is there now. */
	CHECK(mmap(p + PAGE, 2 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
		   -1, 0) == p + PAGE);
	/* Another file of ours over the first page: ended by MAP. */
	CHECK(mmap(p, PAGE, RW, MAP_SHARED | MAP_FIXED, fd, 3 * PAGE) == p);
	CHECK(p[0] == pattern(3));
	/* What fails changes nothing. */
	CHECK(mmap(p, PAGE, RW, MAP_SHARED | MAP_FIXED, 12345, 0) == MAP_FAILED);
	CHECK(mmap(p, PAGE, RW, MAP_SHARED_VALIDATE | MAP_FIXED | MAP_SYNC, fd, 0) ==
	      MAP_FAILED);
	CHECK(p[0] == pattern(3));
}

/* Thousands of them, unmapped in another order. */
static void thousands(void)
{
	enum { N = 3000 };
	static char *map[N];
	int fd = make_file(dirs.pmem, "f", 64 * PAGE, O_RDWR);
	size_t i, k;

	for (i = 0; i < N; i++) {
		/* Now and then at the far end of what there is, and in between. */
		map[i] = map_file(fd, (1 + i % 3) * PAGE, RW, MAP_SHARED,
				  (off_t)(i % 60 * PAGE));
		if (i % 7 == 3)
			CHECK(!munmap(map[i / 2], PAGE)), map[i / 2] = NULL;
	}
	for (k = 0; k < N; k++) {
		i = k * 1009 % N;
		if (!map[i])
			continue;
		check_pages(map[i], i % 60, 1);
		CHECK(!munmap(map[i], (1 + i % 3) * PAGE));
		CHECK(msync(map[i], PAGE, MS_ASYNC) == -1 && errno == ENOMEM);
	}
}

/*
 * A range that was the program's is unmapped once more. Natively nothing is there
 * but what it mapped itself since.
 */
static void unmap_twice(void)
{
	int fd = make_file(dirs.pmem, "f", 64 * PAGE, O_RDWR);
	char *area, *p;
	size_t i;

	area = map_file(-1, 32 * PMD, RW, MAP_PRIVATE | MAP_ANONYMOUS, 0);
	CHECK(!munmap(area, 32 * PMD));
	/* Small gaps elsewhere are filled first, then the hole is. */
	for (i = 0, p = NULL; i < 60000 && (p < area || p >= area + 32 * PMD); i++)
		p = map_file(-1, PAGE, i & 1 ? RW : PROT_READ,
			     MAP_PRIVATE | MAP_ANONYMOUS, 0);
	CHECK(i < 60000);
	for (i = 0; i < 400; i++)
		map_file(fd, PAGE, RW, MAP_SHARED, (off_t)(i % 60 * PAGE));
	CHECK(!munmap(area, 32 * PMD));
	for (i = 0; i < 400; i++)
		check_pages(map_file(fd, PAGE, RW, MAP_SHARED, (off_t)(i % 60 * PAGE)),
			    i % 60, 1);
}

const struct test_case map_cases[] = {
	{ "unmanaged", unmanaged, .log = "", .err = "" },
	{ "neighbour", neighbour, .log = "", .err = "" },
	{ "number-again", number_again, .log = OPENING " MAP", .err = "" },
	{ "shared", shared, .log = OPENING " BEGIN:munmap END:munmap", .err = "" },
	{ "unlinked", unlinked, .log = OPENING, .err = "" },
	{ "private", private, .log = OPENING "+private", .err = "" },
	{ "read-only", read_only, .log = OPENING "+rdonly"
	  " BEGIN:mprotect END:mprotect BEGIN:mprotect END:mprotect"
	  " BEGIN:mremap END:mremap MAP#+rdonly", .err = "" },
	{ "address", address, .log = NULL, .err = "" },
	{ "errors", errors, .err = "" },
	{ "populate", populate, .log = "HELLO:new UFFD FILEOP:truncate MAP MAP",
	  .err = "" },
	{ "fixed-over", fixed_over, .log = OPENING
	  " BEGIN:mmap END:mmap BEGIN:mmap END:mmap BEGIN:mmap MAP"
	  " BEGIN:mmap END:mmap!9 BEGIN:mmap END:mmap!95", .err = "" },
	{ "thousands", thousands, .err = "" },
	{ "unmap-twice", unmap_twice, .err = "" },
};
const size_t nr_map_cases = ARRAY_SIZE(map_cases);
