/* SPDX-License-Identifier: BSD-3-Clause */
/* The simulated file system: extents, placement, conversion, bytes. */
#include "unit.h"

#include <errno.h>
#include <stdio.h>

#include "mm/simfs.h"

#define P DAX_PAGE_SIZE

static const struct simfs_rules plain;
static const struct simfs_rules zeroing = { .split_zeroes = true };

struct fixture {
	struct simfs fs;
	struct simfs_file f;
};

static void begin(struct fixture *x, const struct simfs_rules *rules,
		  uint64_t size)
{
	simfs_init(&x->fs, rules);
	simfs_file_init(&x->f, &x->fs, size);
}

/* "0+5w 7+1u!": page + number, written or unwritten, ! for a bad colour. */
static void expect(const struct simfs_file *f, const char *want)
{
	char got[400] = "";
	unsigned int i;

	for (i = 0; i < f->nr_ext; i++) {
		const struct simfs_extent *e = &f->ext[i];

		snprintf(got + strlen(got), sizeof(got) - strlen(got),
			 "%s%u+%u%c%s", i ? " " : "", (unsigned int)e->page,
			 (unsigned int)e->nr,
			 e->state == SIMFS_WRITTEN ? 'w' : 'u',
			 (e->pfn - e->page) & PG_PMD_COLOUR ? "!" : "");
	}
	assert_string_equal(got, want);
}

static struct dax_iomap write_at(struct fixture *x, uint64_t page, uint64_t nr)
{
	struct dax_iomap m;

	simfs_iomap(&x->f, page * P, nr * P, true, &m);
	assert_int_equal(m.error, 0);
	assert_int_equal(m.type, DAX_IOMAP_MAPPED);
	return m;
}

static void test_placement(void **state)
{
	struct fixture x;

	begin(&x, &plain, 8 << 20);
	write_at(&x, 3, 1);
	expect(&x.f, "3+1w!");
	write_at(&x, 4, 1);		/* right behind */
	expect(&x.f, "3+2w!");
	write_at(&x, 512, 512);		/* a window is aligned */
	expect(&x.f, "3+2w! 512+512w");
	write_at(&x, 2, 1);
	expect(&x.f, "2+1w! 3+2w! 512+512w");
	write_at(&x, 1024, 1);
	expect(&x.f, "2+1w! 3+2w! 512+513w");
	simfs_file_exit(&x.f);
}

static void test_iomap(void **state)
{
	struct fixture x;
	struct dax_iomap m;

	begin(&x, &plain, 8 << 20);
	simfs_iomap(&x.f, 0, 512 * P, false, &m);
	assert_int_equal(m.type, DAX_IOMAP_HOLE);
	assert_int_equal(m.length, 512 * P);
	m = write_at(&x, 100, 1);
	assert_true(m.flags & DAX_IOMAP_F_NEW);
	assert_int_equal(m.length, P);
	simfs_iomap(&x.f, 0, 512 * P, false, &m);
	assert_int_equal(m.length, 100 * P);
	/* An allocation ends where something is allocated. */
	m = write_at(&x, 0, 512);
	assert_int_equal(m.length, 100 * P);
	m = write_at(&x, 100, 1);
	assert_false(m.flags & DAX_IOMAP_F_NEW);
	/* Prealloc fills holes only; a write converts. */
	assert_int_equal(simfs_prealloc(&x.f, 0, 200 * P), 0);
	simfs_iomap(&x.f, 101 * P, 512 * P, false, &m);
	assert_int_equal(m.type, DAX_IOMAP_UNWRITTEN);
	assert_int_equal(m.length, 99 * P);
	m = write_at(&x, 150, 1);
	assert_true(m.flags & DAX_IOMAP_F_NEW);
	simfs_iomap(&x.f, 150 * P, 512 * P, false, &m);
	assert_int_equal(m.type, DAX_IOMAP_MAPPED);
	assert_int_equal(m.length, P);
	simfs_file_exit(&x.f);
}

static void test_dirty(void **state)
{
	struct fixture x;
	struct dax_iomap m;

	begin(&x, &plain, 8 << 20);
	write_at(&x, 0, 1);
	assert_true(x.f.dirty);
	x.f.dirty = false;
	m = write_at(&x, 0, 1);
	assert_false(m.flags & DAX_IOMAP_F_DIRTY);
	m = write_at(&x, 1, 1);
	assert_true(m.flags & DAX_IOMAP_F_DIRTY);
	simfs_file_exit(&x.f);
}

/* A split initialises short neighbours, where the file system does that. */
static void test_split_zeroes(void **state)
{
	struct fixture x;

	begin(&x, &plain, 8 << 20);
	simfs_prealloc(&x.f, 0, 512 * P);
	write_at(&x, 5, 1);
	expect(&x.f, "0+5u 5+1w 6+506u");
	simfs_file_exit(&x.f);

	begin(&x, &zeroing, 8 << 20);
	simfs_prealloc(&x.f, 0, 512 * P);
	write_at(&x, 5, 1);		/* 5 left + 1 < 8 */
	expect(&x.f, "0+6w 6+506u");
	write_at(&x, 6, 1);		/* moves a boundary alone */
	expect(&x.f, "0+7w 7+505u");
	write_at(&x, 14, 1);		/* 7 left + 1 = 8 */
	expect(&x.f, "0+7w 7+7u 14+1w 15+497u");
	write_at(&x, 505, 1);		/* 7 right with it: all */
	expect(&x.f, "0+7w 7+7u 14+1w 15+490u 505+7w");
	write_at(&x, 504, 1);
	expect(&x.f, "0+7w 7+7u 14+1w 15+489u 504+8w");
	simfs_file_exit(&x.f);

	/* Not past the end of file. */
	begin(&x, &zeroing, 0);
	simfs_prealloc(&x.f, 0, 512 * P);
	x.f.size = 100 * P;
	write_at(&x, 5, 1);
	expect(&x.f, "0+5u 5+1w 6+506u");
	simfs_file_exit(&x.f);
}

static void test_hints(void **state)
{
	static const struct simfs_extent hint[] = {
		{ 0, 4, SIMFS_WRITTEN, 0 },
		{ 8, 8, SIMFS_WRITTEN, 9 },
	};
	struct fixture x;
	struct dax_iomap m;

	begin(&x, &plain, 8 << 20);
	x.f.hint = hint;
	x.f.nr_hint = 2;
	write_at(&x, 2, 1);
	expect(&x.f, "2+1w");
	m = write_at(&x, 0, 2);
	assert_int_equal(m.length, 2 * P);
	expect(&x.f, "0+3w");
	m = write_at(&x, 8, 100);	/* as far as the hint's extent */
	assert_int_equal(m.length, 8 * P);
	expect(&x.f, "0+3w 8+8w!");
	write_at(&x, 4, 1);		/* no hint: by default */
	expect(&x.f, "0+3w 4+1w! 8+8w!");
	assert_int_equal(simfs_set_extents(&x.f, hint, 2), 0);
	expect(&x.f, "0+4w 8+8w!");
	simfs_file_exit(&x.f);
}

static uint8_t byte_at(const struct simfs_file *f, uint64_t off)
{
	uint8_t byte;

	simfs_read(f, off, &byte, 1);
	return byte;
}

static void write_bytes(struct fixture *x, uint64_t off, uint64_t len,
			uint8_t byte)
{
	uint64_t nr;
	bool fresh;

	for (; len; off += nr, len -= nr) {
		assert_int_equal(simfs_write_begin(&x->f, off, len, &nr,
						   &fresh), 0);
		assert_true(nr && nr <= len);
		assert_int_equal(simfs_fill(&x->f, off, byte, nr), 0);
		simfs_write_end(&x->f, off + nr);
	}
}

static void test_punch_zero(void **state)
{
	struct fixture x;

	begin(&x, &plain, 16 * P);
	write_bytes(&x, 0, 16 * P, 0x11);
	expect(&x.f, "0+16w!");
	assert_int_equal(simfs_punch(&x.f, P + 1, 2 * P), 0);
	expect(&x.f, "0+2w! 3+13w!");
	assert_int_equal(byte_at(&x.f, P), 0x11);
	assert_int_equal(byte_at(&x.f, P + 1), 0);
	assert_int_equal(byte_at(&x.f, 3 * P), 0);
	assert_int_equal(byte_at(&x.f, 3 * P + 1), 0x11);
	assert_int_equal(simfs_zero(&x.f, 2 * P, 3 * P + 5), 0);
	expect(&x.f, "0+2w! 2+3u! 5+11w!");
	assert_int_equal(byte_at(&x.f, 5 * P + 4), 0);
	assert_int_equal(byte_at(&x.f, 5 * P + 5), 0x11);
	/* Inside a page nothing is freed. */
	assert_int_equal(simfs_punch(&x.f, 6 * P + 1, 5), 0);
	expect(&x.f, "0+2w! 2+3u! 5+11w!");
	assert_int_equal(x.f.size, 16 * P);
	assert_int_equal(simfs_blocks(&x.f), 16);
	simfs_file_exit(&x.f);
}

static void test_collapse(void **state)
{
	struct fixture x;

	begin(&x, &plain, 0);
	write_bytes(&x, 0, 4 * P, 1);
	write_bytes(&x, 4 * P, 4 * P, 2);
	write_bytes(&x, 8 * P, 4 * P, 3);
	assert_int_equal(simfs_collapse(&x.f, 4 * P, 8 * P), -EINVAL);
	assert_int_equal(simfs_collapse(&x.f, 1, P), -EINVAL);
	assert_int_equal(simfs_collapse(&x.f, 4 * P, 4 * P), 0);
	assert_int_equal(x.f.size, 8 * P);
	assert_int_equal(byte_at(&x.f, 4 * P - 1), 1);
	assert_int_equal(byte_at(&x.f, 4 * P), 3);
	assert_int_equal(byte_at(&x.f, 8 * P), 0);
	assert_int_equal(simfs_blocks(&x.f), 8);
	simfs_file_exit(&x.f);
}

static void test_truncate(void **state)
{
	struct fixture x;

	begin(&x, &plain, 0);
	write_bytes(&x, 0, 4 * P, 7);
	assert_int_equal(simfs_truncate(&x.f, P + 10), 0);
	expect(&x.f, "0+2w!");
	assert_int_equal(byte_at(&x.f, P + 9), 7);
	assert_int_equal(byte_at(&x.f, P + 10), 0);
	/* A mapping stores behind the end; growing does not show it. */
	assert_int_equal(simfs_fill(&x.f, P + 20, 9, 1), 0);
	assert_int_equal(simfs_truncate(&x.f, 8 * P), 0);
	assert_int_equal(byte_at(&x.f, P + 20), 0);
	assert_int_equal(byte_at(&x.f, P + 9), 7);
	expect(&x.f, "0+2w!");
	assert_int_equal(x.f.size, 8 * P);
	simfs_file_exit(&x.f);
}

/* The medium ends somewhere; what is freed can be had again. */
static void test_full(void **state)
{
	struct fixture x;
	struct dax_iomap m;
	uint64_t nr;
	bool fresh;

	begin(&x, &plain, 8 * SIMFS_PAGES * P);
	assert_int_equal(simfs_prealloc(&x.f, 0, (SIMFS_PAGES - 3) * P), 0);
	assert_int_equal(simfs_write_begin(&x.f, SIMFS_PAGES * P, 8 * P, &nr,
					   &fresh), 0);
	assert_int_equal(nr, 3 * P);
	assert_int_equal(simfs_write_begin(&x.f, (SIMFS_PAGES + 3) * P, P, &nr,
					   &fresh), -ENOSPC);
	simfs_iomap(&x.f, (SIMFS_PAGES + 3) * P, P, true, &m);
	assert_int_equal(m.error, -ENOSPC);
	assert_int_equal(simfs_punch(&x.f, 0, P), 0);
	simfs_iomap(&x.f, (SIMFS_PAGES + 3) * P, P, true, &m);
	assert_int_equal(m.error, 0);
	assert_int_equal(simfs_truncate(&x.f, 0), 0);
	assert_int_equal(x.fs.used, 0);
	simfs_file_exit(&x.f);
}

/* Whatever is done, extents stay sorted, apart, merged; bytes are kept. */
static void test_random(void **state)
{
	struct fixture x;
	static uint8_t model[64 * P], now[64 * P];
	uint64_t seed = 1;
	unsigned int i, k;

	begin(&x, &zeroing, 64 * P);
	memset(model, 0, sizeof(model));
	for (i = 0; i < 3000; i++) {
		uint64_t off = next_random(&seed) % (64 * P - 1);
		uint64_t len = 1 + next_random(&seed) % (64 * P - off);
		uint8_t byte = next_random(&seed);

		len = len % (9 * P) + 1;
		if (off + len > 64 * P)
			len = 64 * P - off;
		switch (next_random(&seed) % 4) {
		case 0:
			write_bytes(&x, off, len, byte);
			memset(model + off, byte, len);
			break;
		case 1:
			assert_int_equal(simfs_punch(&x.f, off, len), 0);
			memset(model + off, 0, len);
			break;
		case 2:
			assert_int_equal(simfs_zero(&x.f, off, len), 0);
			memset(model + off, 0, len);
			break;
		default:
			assert_int_equal(simfs_prealloc(&x.f, off, len), 0);
			break;
		}
		for (k = 1; k < x.f.nr_ext; k++) {
			const struct simfs_extent *a = &x.f.ext[k - 1];
			const struct simfs_extent *b = &x.f.ext[k];

			assert_true(a->page + a->nr <= b->page);
			assert_false(a->page + a->nr == b->page &&
				     a->state == b->state &&
				     a->pfn + a->nr == b->pfn);
		}
	}
	simfs_read(&x.f, 0, now, sizeof(now));
	assert_memory_equal(model, now, sizeof(now));
	assert_int_equal(x.f.size, 64 * P);
	simfs_file_exit(&x.f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_placement),
		cmocka_unit_test(test_iomap),
		cmocka_unit_test(test_dirty),
		cmocka_unit_test(test_split_zeroes),
		cmocka_unit_test(test_hints),
		cmocka_unit_test(test_punch_zero),
		cmocka_unit_test(test_collapse),
		cmocka_unit_test(test_truncate),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
