/* SPDX-License-Identifier: BSD-3-Clause */
/* Medium direct on tmpfs mounts of every kind, memfd and hugetlbfs. */
#include <pthread.h>

#include "io-test.h"
#include "io/media.h"
#include "io/uffd_compat.h"

static const char *const huge_options[] = {
	"size=256m,huge=never", "size=256m,huge=always", "size=256m,huge=within_size",
};

static struct media *open_medium(int fd)
{
	struct media *m;
	char why[128] = "";

	if (media_open(&m, fd, why, sizeof(why)))
		fail_msg("media_open: %s", why);
	assert_int_equal(m->kind, MEDIA_DIRECT);
	assert_string_equal(m->ops->name, "direct");
	assert_int_equal(m->memfd, -1);
	return m;
}

static struct dax_iomap iomap(struct media *m, uint64_t pos, uint64_t len, unsigned int flags)
{
	struct dax_iomap io = { .error = -1 };

	assert_int_equal(m->ops->iomap(m, pos, len, flags, &io), 0);
	assert_int_equal(io.error, 0);
	return io;
}

static void assert_extent(struct dax_iomap io, enum dax_iomap_type type, uint64_t length,
			  bool is_new)
{
	assert_int_equal(io.type, type);
	assert_int_equal(io.length, length);
	assert_int_equal(!!(io.flags & DAX_IOMAP_F_NEW), is_new);
}

/* A page costs a page, whatever huge= says; what is there is never changed. */
static void one_page(const char *options)
{
	struct temp_mount t;
	struct media *m;
	int fd;

	temp_mount(&t, options);
	fd = temp_file(t.dir, 8 * WINDOW);
	m = open_medium(fd);
	assert_int_equal(m->ops->fill(m, WINDOW + 5 * PAGE, PAGE, 0), 0);
	assert_int_equal(allocated(fd), PAGE);
	assert_int_equal(m->ops->fill(m, WINDOW + 5 * PAGE, PAGE, 0), 0);
	assert_int_equal(allocated(fd), PAGE);
	assert_int_equal(lseek(fd, 0, SEEK_DATA), WINDOW + 5 * PAGE);
	assert_int_equal(lseek(fd, WINDOW + 5 * PAGE, SEEK_HOLE), WINDOW + 6 * PAGE);
	file_fill(fd, WINDOW + 5 * PAGE, PAGE, 'x');
	assert_int_equal(m->ops->fill(m, WINDOW + 5 * PAGE, PAGE, MEDIA_ABSENT), 0);
	assert_true(file_is(fd, WINDOW + 5 * PAGE, PAGE, 'x'));
	media_close(m);
	close(fd);
	temp_unmount(&t);
}

static void page_alone(void **state)
{
	unsigned int i;

	for (i = 0; i < 3; i++)
		one_page(huge_options[i]);
}

static void page_iomap(void **state)
{
	struct temp_mount t;
	struct media *m;
	int fd;

	temp_mount(&t, "size=16m,huge=always");
	fd = temp_file(t.dir, 4 * WINDOW);
	m = open_medium(fd);
	assert_extent(iomap(m, PAGE, PAGE, MEDIA_NOWAIT | MEDIA_ABSENT), DAX_IOMAP_HOLE,
		      PAGE, false);
	assert_extent(iomap(m, PAGE, PAGE, MEDIA_NOWAIT), DAX_IOMAP_HOLE, PAGE, false);
	assert_extent(iomap(m, PAGE, PAGE, MEDIA_NOWAIT | MEDIA_WRITE), DAX_IOMAP_MAPPED,
		      PAGE, true);
	assert_int_equal(allocated(fd), 0);
	assert_int_equal(m->ops->fill(m, PAGE, PAGE, 0), 0);
	assert_extent(iomap(m, PAGE, PAGE, MEDIA_NOWAIT), DAX_IOMAP_MAPPED, PAGE, false);
	assert_extent(iomap(m, PAGE, PAGE, MEDIA_NOWAIT | MEDIA_WRITE), DAX_IOMAP_MAPPED,
		      PAGE, false);
	assert_extent(iomap(m, 3 * PAGE, PAGE, MEDIA_NOWAIT | MEDIA_PRESENT), DAX_IOMAP_MAPPED,
		      PAGE, false);
	assert_int_equal(iomap(m, 3 * PAGE, PAGE, MEDIA_PRESENT).pfn, 3);
	/* Past the end of file nothing is found, and nothing is made. */
	assert_extent(iomap(m, 4 * WINDOW, PAGE, 0), DAX_IOMAP_HOLE, PAGE, false);
	assert_int_equal(m->ops->fill(m, 4 * WINDOW, PAGE, 0), -EFAULT);
	assert_int_equal(allocated(fd), PAGE);
	media_close(m);
	close(fd);
	temp_unmount(&t);
}

static void whole_window(const char *options)
{
	struct temp_mount t;
	struct dax_iomap io;
	struct media *m;
	int fd;

	temp_mount(&t, options);
	fd = temp_file(t.dir, 4 * WINDOW);
	m = open_medium(fd);
	assert_extent(iomap(m, WINDOW, WINDOW, MEDIA_NOWAIT), DAX_IOMAP_HOLE, WINDOW, false);
	assert_int_equal(m->ops->iomap(m, WINDOW, WINDOW, MEDIA_NOWAIT | MEDIA_WRITE, &io),
			 -EAGAIN);
	assert_int_equal(allocated(fd), 0);
	assert_extent(iomap(m, WINDOW, WINDOW, MEDIA_WRITE), DAX_IOMAP_MAPPED, WINDOW, true);
	assert_int_equal(allocated(fd), WINDOW);
	/* It may be full of folios to be cleared; a worker that knows better says so. */
	assert_int_equal(m->ops->iomap(m, WINDOW, WINDOW, MEDIA_NOWAIT, &io), -EAGAIN);
	assert_extent(iomap(m, WINDOW, WINDOW, MEDIA_NOWAIT | MEDIA_PRESENT), DAX_IOMAP_MAPPED,
		      WINDOW, false);
	io = iomap(m, WINDOW, WINDOW, MEDIA_WRITE);
	assert_extent(io, DAX_IOMAP_MAPPED, WINDOW, false);
	assert_int_equal(io.pfn, 512);
	assert_true(file_is(fd, 0, 4 * WINDOW, 0));

	/* Mixed windows: the first extent, and no allocation completes them. */
	assert_int_equal(m->ops->fill(m, 2 * WINDOW, PAGE, 0), 0);
	assert_int_equal(m->ops->fill(m, 3 * WINDOW + 7 * PAGE, PAGE, 0), 0);
	assert_extent(iomap(m, 2 * WINDOW, WINDOW, MEDIA_NOWAIT | MEDIA_WRITE),
		      DAX_IOMAP_MAPPED, PAGE, false);
	assert_extent(iomap(m, 3 * WINDOW, WINDOW, MEDIA_NOWAIT), DAX_IOMAP_HOLE, 7 * PAGE, false);
	assert_extent(iomap(m, 3 * WINDOW, WINDOW, MEDIA_NOWAIT | MEDIA_WRITE),
		      DAX_IOMAP_MAPPED, 7 * PAGE, true);
	assert_int_equal(allocated(fd), WINDOW + 2 * PAGE);

	/* Unless its pages are fills of a zero entry. */
	assert_int_equal(m->ops->iomap(m, 3 * WINDOW, WINDOW, MEDIA_NOWAIT | MEDIA_WRITE |
				       MEDIA_WHOLE, &io), -EAGAIN);
	assert_extent(iomap(m, 3 * WINDOW, WINDOW, MEDIA_WRITE | MEDIA_WHOLE), DAX_IOMAP_MAPPED,
		      WINDOW, true);
	assert_extent(iomap(m, 3 * WINDOW, WINDOW, 0), DAX_IOMAP_MAPPED, WINDOW, false);
	assert_int_equal(allocated(fd), 2 * WINDOW + PAGE);

	/* A window that the end of file cuts is not allocated past it. */
	assert_int_equal(ftruncate(fd, WINDOW / 2), 0);
	io = iomap(m, 0, WINDOW, MEDIA_WRITE);
	assert_true(io.length < WINDOW);
	assert_int_equal(allocated(fd), 0);
	media_close(m);
	close(fd);
	temp_unmount(&t);
}

static void window(void **state)
{
	unsigned int i;

	for (i = 0; i < 3; i++)
		whole_window(huge_options[i]);
}

/*
 * What COLLAPSE maps is zeros, also where the folio is fresh memory that was
 * somebody's before, and also where the program itself had called fallocate().
 */
static void collapsed_is_clear(const char *options)
{
	const unsigned int nr = 32;
	struct temp_mount t;
	struct media *m;
	char *dirt, *map, *reserve;
	uint64_t i;
	int fd;

	dirt = mmap(NULL, 3 * nr * WINDOW, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(dirt, MAP_FAILED);
	madvise(dirt, 3 * nr * WINDOW, MADV_HUGEPAGE);
	memset(dirt, 0xa5, 3 * nr * WINDOW);
	munmap(dirt, 3 * nr * WINDOW);

	temp_mount(&t, options);
	fd = temp_file(t.dir, nr * WINDOW);
	m = open_medium(fd);
	reserve = mmap(NULL, (nr + 1) * WINDOW, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(reserve, MAP_FAILED);
	map = (char *)(((uintptr_t)reserve + WINDOW - 1) & ~(uintptr_t)(WINDOW - 1));
	map = mmap(map, nr * WINDOW, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
	assert_ptr_not_equal(map, MAP_FAILED);
	for (i = 0; i < nr * WINDOW; i += WINDOW) {
		bool before = i & WINDOW;

		if (before)
			assert_int_equal(fallocate(fd, FALLOC_FL_KEEP_SIZE, (off_t)i, WINDOW), 0);
		assert_extent(iomap(m, i, WINDOW, MEDIA_WRITE), DAX_IOMAP_MAPPED, WINDOW, !before);
		assert_extent(iomap(m, i, WINDOW, 0), DAX_IOMAP_MAPPED, WINDOW, false);
		assert_int_equal(lseek(fd, (off_t)i, SEEK_DATA), i);
		assert_true(lseek(fd, (off_t)i, SEEK_HOLE) >= (off_t)(i + WINDOW));
		/* Whether it can is not the question here. */
		madvise(map + i, WINDOW, MADV_COLLAPSE);
	}
	for (i = 0; i < nr * WINDOW; i++)
		if (map[i])
			fail_msg("%s: byte %#x at %llu", options, map[i],
				 (unsigned long long)i);
	munmap(reserve, (nr + 1) * WINDOW);
	media_close(m);
	close(fd);
	temp_unmount(&t);
}

static void collapse(void **state)
{
	unsigned int i;

	for (i = 0; i < 3; i++)
		collapsed_is_clear(huge_options[i]);
}

static void full(void **state)
{
	struct temp_mount t;
	struct dax_iomap io;
	struct media *m;
	int fd;

	temp_mount(&t, "size=64k");
	fd = temp_file(t.dir, 4 * WINDOW);
	m = open_medium(fd);
	file_fill(fd, 0, 16 * PAGE, 'x');
	assert_int_equal(m->ops->fill(m, 32 * PAGE, PAGE, 0), -ENOSPC);
	assert_int_equal(m->ops->fill(m, 0, PAGE, 0), 0);
	assert_int_equal(m->ops->fill(m, WINDOW, WINDOW, 0), -ENOSPC);
	assert_int_equal(m->ops->iomap(m, WINDOW, WINDOW, MEDIA_WRITE, &io), 0);
	assert_int_equal(io.error, -ENOSPC);
	assert_int_equal(allocated(fd), 16 * PAGE);
	/* Room again: so it is said. */
	assert_int_equal(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, PAGE), 0);
	assert_int_equal(m->ops->punch(m, 0, PAGE), 0);
	assert_int_equal(m->ops->fill(m, 32 * PAGE, PAGE, 0), 0);
	media_close(m);
	close(fd);
	temp_unmount(&t);
}

static void readonly(void **state)
{
	struct temp_mount t;
	struct dax_iomap io;
	struct media *m;
	char path[96];
	int fd, ro;

	temp_mount(&t, "size=16m,huge=always");
	snprintf(path, sizeof(path), "%s/file", t.dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 4 * WINDOW), 0);
	file_fill(fd, PAGE, PAGE, 'x');

	/* A descriptor for reading of a file that we may write. */
	ro = open(path, O_RDONLY | O_CLOEXEC);
	m = open_medium(ro);
	assert_false(m->readonly);
	assert_string_equal(m->name, "file");
	assert_int_equal(m->ops->fill(m, 0, PAGE, 0), 0);
	media_close(m);
	assert_int_equal(fallocate(fd, 0, 3 * WINDOW, WINDOW), 0);
	close(fd);

	assert_int_equal(mount(NULL, t.dir, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
	m = open_medium(ro);
	assert_true(m->readonly);
	assert_extent(iomap(m, PAGE, PAGE, 0), DAX_IOMAP_MAPPED, PAGE, false);
	assert_extent(iomap(m, 2 * PAGE, PAGE, MEDIA_ABSENT), DAX_IOMAP_HOLE, PAGE, false);
	assert_int_equal(m->ops->iomap(m, WINDOW + 2 * PAGE, PAGE, MEDIA_WRITE, &io), 0);
	assert_int_equal(io.error, -EROFS);
	assert_int_equal(m->ops->iomap(m, WINDOW, WINDOW, MEDIA_WRITE, &io), 0);
	assert_int_equal(io.error, -EROFS);
	assert_int_equal(m->ops->fill(m, 2 * PAGE, PAGE, 0), -EROFS);
	assert_int_equal(m->ops->writeback(m, 0, PAGE), 0);
	/* A window that is full is cleared, also through a descriptor like this. */
	assert_extent(iomap(m, 3 * WINDOW, WINDOW, 0), DAX_IOMAP_MAPPED, WINDOW, false);
	assert_int_equal(lseek(ro, 3 * WINDOW, SEEK_DATA), 3 * WINDOW);
	assert_int_equal(lseek(ro, 3 * WINDOW, SEEK_HOLE), 4 * WINDOW);
	media_close(m);
	close(ro);
	temp_unmount(&t);
}

/* The file is cut and grows while the medium is in use. */
static void size_changes(void **state)
{
	const uint64_t far = 3ull << 30;
	struct media *m;
	int fd = memfd_create("udax-test", MFD_CLOEXEC);

	assert_true(fd >= 0);
	m = open_medium(fd);
	assert_int_equal(media_size(m), 0);
	assert_int_equal(m->ops->fill(m, 0, PAGE, 0), -EFAULT);
	assert_int_equal(ftruncate(fd, WINDOW), 0);
	assert_int_equal(m->ops->resize(m), 0);
	assert_int_equal(m->size, WINDOW);
	assert_int_equal(m->ops->fill(m, PAGE, PAGE, 0), 0);
	assert_int_equal(ftruncate(fd, PAGE), 0);
	assert_int_equal(m->ops->fill(m, PAGE, PAGE, 0), -EFAULT);
	assert_int_equal(ftruncate(fd, (off_t)(far + WINDOW)), 0);
	assert_int_equal(m->ops->fill(m, far, PAGE, 0), 0);
	assert_int_equal(m->ops->fill(m, PAGE, PAGE, 0), 0);
	assert_int_equal(allocated(fd), 2 * PAGE);
	assert_int_equal(media_size(m), far + WINDOW);
	media_close(m);
	close(fd);
}

/* Several threads fill the same pages while the file grows. */
#define FILLERS 3
#define PAGES 300u

static void *fill_all(void *arg)
{
	struct media *m = arg;
	unsigned int i;

	for (i = 0; i < PAGES; i++) {
		if (m->ops->fill(m, i * (16ull << 20), PAGE, 0))
			return m;
	}
	return NULL;
}

static void fill_together(void **state)
{
	pthread_t thread[FILLERS];
	struct media *m;
	void *failed;
	unsigned int i;
	int fd = memfd_create("udax-test", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, PAGES * (16ll << 20)), 0);
	m = open_medium(fd);
	for (i = 0; i < FILLERS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, fill_all, m), 0);
	for (i = 0; i < FILLERS; i++) {
		pthread_join(thread[i], &failed);
		assert_null(failed);
	}
	assert_int_equal(allocated(fd), PAGES * PAGE);
	media_close(m);
	close(fd);
}

/* Huge pages of the machine, for the length of one test. */
static int set_hugepages(int add)
{
	static const char path[] = "/proc/sys/vm/nr_hugepages";
	char buf[32] = "";
	int fd = open(path, O_RDWR | O_CLOEXEC), nr, len;

	if (fd < 0 || read(fd, buf, sizeof(buf) - 1) <= 0)
		return -1;
	nr = atoi(buf);
	len = snprintf(buf, sizeof(buf), "%d", nr + add);
	if (pwrite(fd, buf, (size_t)len, 0) != len || pread(fd, buf, sizeof(buf) - 1, 0) <= 0)
		return -1;
	close(fd);
	return atoi(buf) == nr + add ? 0 : -1;
}

static void hugetlb(void **state)
{
	struct media *m;
	int fd;

	if (set_hugepages(2)) {
		set_hugepages(-2);
		print_message("no huge pages can be had: not tested\n");
		skip();
	}
	/* 21: log2 of 2M, MFD_HUGE_2MB of a header newer than ours. */
	fd = memfd_create("udax-test", MFD_CLOEXEC | MFD_HUGETLB | (21u << 26));
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 8 * WINDOW), 0);
	m = open_medium(fd);
	assert_int_equal(m->page_size, WINDOW);
	assert_extent(iomap(m, WINDOW, WINDOW, MEDIA_ABSENT), DAX_IOMAP_HOLE, WINDOW, false);
	assert_extent(iomap(m, WINDOW, WINDOW, MEDIA_ABSENT | MEDIA_WRITE), DAX_IOMAP_MAPPED,
		      WINDOW, true);
	assert_int_equal(m->ops->fill(m, WINDOW, WINDOW, 0), 0);
	assert_int_equal(allocated(fd), WINDOW);
	assert_extent(iomap(m, WINDOW, WINDOW, MEDIA_PRESENT | MEDIA_WRITE), DAX_IOMAP_MAPPED,
		      WINDOW, false);
	assert_int_equal(m->ops->fill(m, 2 * WINDOW, WINDOW, 0), 0);
	assert_int_equal(m->ops->fill(m, 3 * WINDOW, WINDOW, 0), -ENOSPC);
	media_close(m);
	close(fd);
	assert_int_equal(set_hugepages(-2), 0);
}

static void not_served(void **state)
{
	struct media *m;
	char why[128];
	int fds[2], fd;

	assert_int_equal(pipe(fds), 0);
	assert_int_equal(media_open(&m, fds[0], why, sizeof(why)), -EOPNOTSUPP);
	assert_string_equal(why, "not a regular file");
	assert_int_equal(media_kind_of(fds[0]), -EOPNOTSUPP);
	close(fds[0]);
	close(fds[1]);
	fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	assert_int_equal(media_open(&m, fd, why, sizeof(why)), -EOPNOTSUPP);
	close(fd);
	fd = open("/dev/shm", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(media_open(&m, fd, why, sizeof(why)), -EOPNOTSUPP);
	close(fd);
	fd = memfd_create("udax-test", MFD_CLOEXEC);
	assert_int_equal(media_kind_of(fd), MEDIA_DIRECT);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(not_served),
		cmocka_unit_test(size_changes),
		cmocka_unit_test(fill_together),
		cmocka_unit_test(page_alone),
		cmocka_unit_test(page_iomap),
		cmocka_unit_test(window),
		cmocka_unit_test(collapse),
		cmocka_unit_test(full),
		cmocka_unit_test(readonly),
		cmocka_unit_test(hugetlb),
	};

	private_mounts();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
