/* SPDX-License-Identifier: BSD-3-Clause */
/* Holes that stay holes when they are read: io/fills.h, media_track(). */
#include "io-test.h"
#include "io/fills.h"
#include "io/media.h"

static void fills(void **state)
{
	struct fills f;

	assert_int_equal(fills_init(&f), 0);
	assert_false(fills_test(&f, 5));
	for (uint64_t i = 60; i < 70; i++)
		fills_set(&f, i);
	assert_int_equal(fills_count(&f, 0, 512), 10);
	assert_int_equal(fills_count(&f, 61, 3), 3);
	assert_int_equal(fills_count(&f, 64, 64), 6);
	fills_clear(&f, 63, 64);
	assert_true(fills_test(&f, 62));
	assert_false(fills_test(&f, 63));
	assert_false(fills_test(&f, 64));
	assert_true(fills_test(&f, 65));
	assert_int_equal(fills_count(&f, 0, 512), 8);

	/* Ranges that are longer than a page of words, to the end of all files. */
	fills_set(&f, 1ull << 20);
	fills_set(&f, (1ull << 31) + 77);
	fills_set(&f, FILLS_PAGES - 1);
	fills_set(&f, FILLS_PAGES);
	assert_false(fills_test(&f, FILLS_PAGES));
	fills_clear(&f, 66, (1ull << 31) + 76);
	assert_false(fills_test(&f, 66));
	assert_false(fills_test(&f, 1ull << 20));
	assert_true(fills_test(&f, 65));
	assert_true(fills_test(&f, (1ull << 31) + 77));
	fills_clear(&f, (1ull << 31) + 1, UINT64_MAX);
	assert_false(fills_test(&f, (1ull << 31) + 77));
	assert_false(fills_test(&f, FILLS_PAGES - 1));
	assert_true(fills_test(&f, 65));
	fills_exit(&f);
}

static int temp_memory(uint64_t size)
{
	int fd = memfd_create("udax-test", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	return fd;
}

static struct media *open_tracked(int fd)
{
	struct media *m;
	char why[128] = "";

	if (media_open(&m, fd, why, sizeof(why)))
		fail_msg("media_open: %s", why);
	assert_int_equal(media_track(m), 0);
	return m;
}

static struct dax_iomap iomap(struct media *m, uint64_t pos, uint64_t len,
			      unsigned int flags)
{
	struct dax_iomap io = { .error = -1 };

	assert_int_equal(m->ops->iomap(m, pos, len, flags, &io), 0);
	assert_int_equal(io.error, 0);
	return io;
}

static void want(struct dax_iomap io, enum dax_iomap_type type, uint64_t length,
		 unsigned int flags)
{
	assert_int_equal(io.type, type);
	assert_int_equal(io.length, length);
	assert_int_equal(io.flags, flags);
}

static void pages(void **state)
{
	const unsigned int dirty = DAX_IOMAP_F_DIRTY;
	int fd = temp_memory(4 * WINDOW);
	struct media *m = open_tracked(fd);

	want(iomap(m, 0, PAGE, 0), DAX_IOMAP_HOLE, PAGE, 0);
	assert_int_equal(m->ops->fill(m, 0, PAGE, MEDIA_ZERO), 0);
	/* It is there, and a hole: whatever the message says. */
	want(iomap(m, 0, PAGE, 0), DAX_IOMAP_HOLE, PAGE, 0);
	want(iomap(m, 0, PAGE, MEDIA_PRESENT), DAX_IOMAP_HOLE, PAGE, 0);
	/* The first write allocates, and that is metadata until a sync. */
	want(iomap(m, 0, PAGE, MEDIA_WRITE | MEDIA_PRESENT), DAX_IOMAP_MAPPED,
	     PAGE, DAX_IOMAP_F_NEW | dirty);
	want(iomap(m, 0, PAGE, MEDIA_WRITE), DAX_IOMAP_MAPPED, PAGE, dirty);
	m->ops->synced(m);
	want(iomap(m, 0, PAGE, 0), DAX_IOMAP_MAPPED, PAGE, 0);

	/* So does a write(2) that we are told of; of a punch we are told, too. */
	assert_int_equal(m->ops->fill(m, PAGE, PAGE, MEDIA_ZERO), 0);
	file_fill(fd, PAGE, PAGE, 'x');
	m->ops->written(m, PAGE, PAGE);
	want(iomap(m, PAGE, PAGE, 0), DAX_IOMAP_MAPPED, PAGE, dirty);
	m->ops->synced(m);
	assert_int_equal(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				   0, 2 * PAGE), 0);
	assert_int_equal(m->ops->punch(m, 0, 2 * PAGE), 0);
	want(iomap(m, PAGE, PAGE, 0), DAX_IOMAP_HOLE, PAGE, dirty);
	media_close(m);
	close(fd);
}

static void windows(void **state)
{
	const unsigned int dirty = DAX_IOMAP_F_DIRTY;
	int fd = temp_memory(4 * WINDOW);
	struct media *m = open_tracked(fd);

	/* What readers touched does not make a hole less of one. */
	assert_int_equal(m->ops->fill(m, 3 * PAGE, PAGE, MEDIA_ZERO), 0);
	assert_int_equal(m->ops->fill(m, 9 * PAGE, PAGE, MEDIA_ZERO), 0);
	want(iomap(m, 0, WINDOW, 0), DAX_IOMAP_HOLE, WINDOW, 0);
	want(iomap(m, 0, WINDOW, MEDIA_WRITE), DAX_IOMAP_MAPPED, WINDOW,
	     DAX_IOMAP_F_NEW | dirty);
	m->ops->synced(m);
	want(iomap(m, 0, WINDOW, 0), DAX_IOMAP_MAPPED, WINDOW, 0);
	want(iomap(m, 3 * PAGE, PAGE, 0), DAX_IOMAP_MAPPED, PAGE, 0);

	/* A block among holes and fills: no 2M, and nothing is allocated. */
	file_fill(fd, WINDOW + 5 * PAGE, PAGE, 'x');
	assert_int_equal(m->ops->fill(m, WINDOW, PAGE, MEDIA_ZERO), 0);
	want(iomap(m, WINDOW, WINDOW, 0), DAX_IOMAP_HOLE, PAGE, 0);
	assert_int_equal(iomap(m, WINDOW, WINDOW, MEDIA_WRITE).length, PAGE);
	want(iomap(m, WINDOW, PAGE, 0), DAX_IOMAP_HOLE, PAGE, 0);
	want(iomap(m, WINDOW + 5 * PAGE, PAGE, 0), DAX_IOMAP_MAPPED, PAGE, 0);
	media_close(m);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fills),
		cmocka_unit_test(pages),
		cmocka_unit_test(windows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
