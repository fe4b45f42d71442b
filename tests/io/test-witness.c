/* SPDX-License-Identifier: BSD-3-Clause */
/* Whatever takes a page out of a file is noticed, however soon another one comes. */
#include "io-test.h"
#include "io/media.h"
#include "io/uffd.h"
#include "io/witness.h"

/* Not in <fcntl.h> of every C library. */
#ifndef FALLOC_FL_PUNCH_HOLE
#define FALLOC_FL_PUNCH_HOLE 0x02
#endif

static void allocate(int fd, uint64_t pos, uint64_t len)
{
	assert_int_equal(fallocate(fd, FALLOC_FL_KEEP_SIZE, (off_t)pos, (off_t)len), 0);
}

static void punch(int fd, uint64_t pos, uint64_t len)
{
	assert_int_equal(fallocate(fd, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE,
				   (off_t)pos, (off_t)len), 0);
}

static void holds_until_it_goes(void)
{
	int fd = temp_file("/dev/shm", 16 * PAGE);
	struct witness w;

	witness_init(&w, fd);
	assert_false(witness_holds(&w, 0));
	witness_watch(&w, 0);	/* nothing there */
	assert_false(witness_holds(&w, 0));
	allocate(fd, 0, 16 * PAGE);
	assert_false(witness_holds(&w, 0));
	for (unsigned int i = 0; i < 16; i++) {
		witness_watch(&w, i * PAGE);
		assert_true(witness_holds(&w, i * PAGE));
	}
	/* A neighbour that goes is not this page. */
	punch(fd, PAGE, PAGE);
	assert_true(witness_holds(&w, 0));
	assert_false(witness_holds(&w, PAGE));
	/* A new page in its place is another one. */
	allocate(fd, PAGE, PAGE);
	assert_false(witness_holds(&w, PAGE));
	assert_int_equal(pwrite(fd, "x", 1, 2 * PAGE), 1);
	assert_true(witness_holds(&w, 2 * PAGE));
	assert_int_equal(ftruncate(fd, 3 * PAGE), 0);
	assert_int_equal(ftruncate(fd, 16 * PAGE), 0);
	allocate(fd, 0, 16 * PAGE);
	assert_true(witness_holds(&w, 2 * PAGE));
	assert_false(witness_holds(&w, 3 * PAGE));
	witness_exit(&w);
	close(fd);
}

/* A mark is a page's: it is gone with the page, and with its watch. */
static void marks(void)
{
	int fd = temp_file("/dev/shm", 4 * WINDOW);
	struct witness w;

	witness_init(&w, fd);
	witness_mark(&w, 0);	/* nothing is watched */
	assert_false(witness_marked(&w, 0));
	allocate(fd, 0, 4 * WINDOW);
	witness_watch(&w, 0);
	witness_watch(&w, WINDOW);
	assert_false(witness_marked(&w, 0));
	witness_mark(&w, 0);
	witness_mark(&w, WINDOW);
	assert_true(witness_marked(&w, 0));
	assert_true(witness_marked(&w, WINDOW));
	assert_false(witness_marked(&w, 2 * WINDOW));
	punch(fd, 0, WINDOW);
	allocate(fd, 0, WINDOW);
	assert_false(witness_marked(&w, 0));
	witness_watch(&w, 0);
	assert_true(witness_holds(&w, 0));
	assert_false(witness_marked(&w, 0));
	assert_true(witness_marked(&w, WINDOW));
	witness_exit(&w);
	close(fd);
}

/* The mapping is made anew; what was watched is watched, or looked at again. */
static void grows(void)
{
	int fd = temp_file("/dev/shm", PAGE);
	uint64_t far = 5ull << 30;
	struct witness w;

	witness_init(&w, fd);
	allocate(fd, 0, PAGE);
	witness_watch(&w, 0);
	assert_int_equal(ftruncate(fd, (off_t)(far + PAGE)), 0);
	allocate(fd, far, PAGE);
	assert_false(witness_holds(&w, far));
	witness_watch(&w, far);
	assert_true(witness_holds(&w, far));
	assert_false(witness_holds(&w, 0));
	witness_watch(&w, 0);
	assert_true(witness_holds(&w, 0));
	assert_true(witness_holds(&w, far));
	witness_exit(&w);
	close(fd);
}

/*
 * What it is for: a huge folio that somebody punched and allocated again is not
 * cleared, and must not be collapsed.
 */
static void huge_folio_made_anew(void)
{
	struct temp_mount t;
	struct media *m;
	char why[200];
	int fd;

	private_mounts();
	temp_mount(&t, "huge=always,size=32M");
	fd = temp_file(t.dir, 2 * WINDOW);
	allocate(fd, 0, 2 * WINDOW);
	assert_int_equal(media_open(&m, fd, why, sizeof(why)), 0);
	assert_false(media_cleared(m, WINDOW));
	assert_int_equal(pwrite(fd, "x", 1, WINDOW), 1);
	/* Asked twice: by a system call, and then of the witness. */
	assert_true(media_cleared(m, WINDOW));
	assert_true(media_cleared(m, WINDOW));
	punch(fd, WINDOW, WINDOW);
	assert_false(media_cleared(m, WINDOW));
	allocate(fd, WINDOW, WINDOW);
	assert_false(media_cleared(m, WINDOW));
	assert_false(media_cleared(m, WINDOW));
	media_close(m);
	close(fd);
	temp_unmount(&t);
}

/* One test: cmocka sets SIGBUS anew for each, and the guard installs its handler once. */
static void witness(void **state)
{
	holds_until_it_goes();
	marks();
	grows();
	huge_folio_made_anew();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(witness),
	};
	uint64_t features, need = UFFD_FEATURE_MINOR_SHMEM | UFFD_FEATURE_SIGBUS;

	if (uffd_probe(&features) || (features & need) != need)
		skip_all("no userfaultfd with SIGBUS mode for tmpfs");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
