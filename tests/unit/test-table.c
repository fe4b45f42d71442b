/* SPDX-License-Identifier: BSD-3-Clause */
/* The table: against a trivial oracle, at its limits, and what it costs. */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>

#include "dax/table.h"

#define MEMORY (256UL << 20)

static void *memory_new(void)
{
	void *p = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	assert_ptr_not_equal(p, MAP_FAILED);
	return p;
}

static void memory_free(void *p)
{
	munmap(p, MEMORY);
}

static void verify(const struct dax_table *t)
{
	char msg[128] = "";
	int broken = dax_table_verify(t, false, msg, sizeof(msg));

	if (broken)
		fail_msg("invariant %d: %s", broken, msg);
}

static dax_entry_t real(uint64_t pfn)
{
	return dax_make_entry(pfn, 0);
}

static dax_entry_t real_pmd(uint64_t window)
{
	return dax_make_entry(window << PMD_ORDER, DAX_PMD);
}

/* ----------------------------------------------------------------- oracle */

#define ORACLE_MAX 256

struct oracle {
	unsigned int n;
	struct {
		uint64_t first, last;
		dax_entry_t entry;
		bool mark[DAX_MARKS];
	} e[ORACLE_MAX];
};

/* The lowest that overlaps [@from, @to], with @mark unless that is negative. */
static int oracle_find(const struct oracle *o, uint64_t from, uint64_t to, int mark)
{
	int best = -1;

	for (unsigned int i = 0; i < o->n; i++) {
		if (o->e[i].last < from || o->e[i].first > to)
			continue;
		if (mark >= 0 && !o->e[i].mark[mark])
			continue;
		if (best < 0 || o->e[i].first < o->e[best].first)
			best = i;
	}
	return best;
}

/* Few windows, near each other and far: collisions are frequent. */
static uint64_t some_index(uint64_t *seed)
{
	static const uint64_t base[] = {
		0, 512, 64 * 512, 65 * 512, 1UL << 21, 1UL << 28, 1UL << 40,
		(1UL << 52) - 512,
	};
	uint64_t r = next_random(seed);
	uint64_t off = r >> 8 & 3 ? r >> 16 & 15 : r >> 16 & 511;

	return base[r & 7] + off;
}

static void one_insert(struct dax_table *t, struct oracle *o, uint64_t *seed)
{
	uint64_t r = next_random(seed), index = some_index(seed);
	bool pmd = r & 1;
	uint64_t first = pmd ? index & ~PG_PMD_COLOUR : index;
	uint64_t last = pmd ? index | PG_PMD_COLOUR : index;

	if (oracle_find(o, first, last, -1) >= 0 || o->n == ORACLE_MAX)
		return;
	o->e[o->n].first = first;
	o->e[o->n].last = last;
	o->e[o->n].entry = pmd ? real_pmd(r >> 40) : real(r >> 20);
	memset(o->e[o->n].mark, 0, sizeof(o->e[o->n].mark));
	assert_int_equal(dax_table_insert(t, index, o->e[o->n].entry), 0);
	o->n++;
}

static void one_change(struct dax_table *t, struct oracle *o, uint64_t *seed)
{
	uint64_t r = next_random(seed), index = some_index(seed);
	int i = oracle_find(o, index, index, -1), m = (r >> 8) % DAX_MARKS;

	if (i < 0) {
		assert_int_equal(dax_table_erase(t, index), 0);
		assert_false(dax_table_get_mark(t, index, m));
		return;
	}
	switch (r & 3) {
	case 0:
		assert_int_equal(dax_table_erase(t, index), o->e[i].entry);
		o->e[i] = o->e[--o->n];
		break;
	case 1:
		dax_table_set_mark(t, index, m);
		o->e[i].mark[m] = true;
		break;
	case 2:
		dax_table_clear_mark(t, index, m);
		o->e[i].mark[m] = false;
		break;
	case 3:
		assert_int_equal(dax_table_replace(t, index, o->e[i].entry ^ DAX_LOCKED),
				 o->e[i].entry);
		o->e[i].entry ^= DAX_LOCKED;
		break;
	}
}

static void compare(const struct dax_table *t, const struct oracle *o, uint64_t *seed)
{
	uint64_t index = some_index(seed), end = some_index(seed), at, next;
	uint64_t head = index & ~PG_PMD_COLOUR;
	int i;

	i = oracle_find(o, index, index, -1);
	assert_int_equal(dax_table_load(t, index, 0, &at), i < 0 ? 0 : o->e[i].entry);
	if (i >= 0) {
		assert_int_equal(at, o->e[i].first);
		for (int m = 0; m < DAX_MARKS; m++)
			assert_int_equal(dax_table_get_mark(t, index, m), o->e[i].mark[m]);
	}
	i = oracle_find(o, head, head | PG_PMD_COLOUR, -1);
	assert_int_equal(dax_table_load(t, index, PMD_ORDER, &at), i < 0 ? 0 : o->e[i].entry);
	if (i >= 0)
		assert_int_equal(at, o->e[i].first);
	for (int m = -1; m < DAX_MARKS; m++) {
		i = index <= end ? oracle_find(o, index, end, m) : -1;
		next = index;
		assert_int_equal(m < 0 ? dax_table_next(t, &next, end) :
				 dax_table_next_marked(t, &next, end, m),
				 i < 0 ? 0 : o->e[i].entry);
		if (i >= 0)
			assert_int_equal(next, o->e[i].first > index ? o->e[i].first : index);
		else
			assert_int_equal(next, index);
	}
}

static void test_oracle(void **state)
{
	for (uint64_t run = 1; run <= 40; run++) {
		struct oracle o = { 0 };
		void *memory = memory_new();
		uint64_t seed = run;
		struct dax_table t;

		dax_table_init(&t, memory, MEMORY);
		for (int i = 0; i < 4000; i++) {
			/* Grows at first, shrinks later. */
			if (next_random(&seed) % 8 < (i < 2000 ? 5 : 1))
				one_insert(&t, &o, &seed);
			else
				one_change(&t, &o, &seed);
			compare(&t, &o, &seed);
			if (i % 16 == 0)
				verify(&t);
		}
		assert_int_equal(t.nr_entries, o.n);
		while (o.n) {
			uint64_t index = o.e[--o.n].last;

			assert_int_equal(dax_table_erase(&t, index), o.e[o.n].entry);
			verify(&t);
		}
		assert_int_equal(t.root, 0);
		assert_int_equal(t.nr_pages, 0);
		memory_free(memory);
	}
}

static void test_tag(void **state)
{
	void *memory = memory_new();
	struct dax_table t;
	uint64_t index = 0;

	dax_table_init(&t, memory, MEMORY);
	for (uint64_t i = 0; i < 4096; i += 7)
		dax_table_insert(&t, i, real(i));
	dax_table_insert(&t, 8192, real_pmd(3));
	for (uint64_t i = 0; i < 4096; i += 21)
		dax_table_set_mark(&t, i, DAX_MARK_DIRTY);
	dax_table_set_mark(&t, 8192, DAX_MARK_DIRTY);
	/* 21 * 48 = 1008 is the first in the range; the 2M entry is met inside. */
	assert_int_equal(dax_table_tag(&t, 1000, 8200, DAX_MARK_DIRTY, DAX_MARK_TOWRITE),
			 4095 / 21 - 1008 / 21 + 1 + 1);
	assert_int_equal(dax_table_next_marked(&t, &index, UINT64_MAX, DAX_MARK_TOWRITE),
			 real(1008));
	assert_int_equal(index, 1008);
	assert_true(dax_table_get_mark(&t, 8703, DAX_MARK_TOWRITE));
	verify(&t);
	memory_free(memory);
}

/* A node is re-used: a table that fills and empties does not grow. */
static void test_reuse(void **state)
{
	void *memory = memory_new();
	struct dax_table t;
	uint64_t used = 0;

	dax_table_init(&t, memory, MEMORY);
	for (int round = 0; round < 5; round++) {
		for (uint64_t i = 0; i < 200; i++)
			assert_int_equal(dax_table_insert(&t, i * 300000, real(i)), 0);
		if (!round)
			used = t.used;
		assert_int_equal(t.used, used);
		for (uint64_t i = 0; i < 200; i++)
			assert_int_equal(dax_table_erase(&t, i * 300000), real(i));
		verify(&t);
	}
	memory_free(memory);
}

static void test_memory(void **state)
{
	void *memory = memory_new();
	uint64_t size = 0, n = 0;
	struct dax_table t;

	/* None at all, then a little at a time; nothing half-made stays. */
	dax_table_init(&t, NULL, 0);
	assert_int_equal(dax_table_load(&t, 0, PMD_ORDER, NULL), 0);
	while (n < 100) {
		int rc = dax_table_insert(&t, n * 1000003, n & 1 ? real(n) : real_pmd(n));

		if (rc) {
			assert_int_equal(rc, -ENOMEM);
			assert_int_equal(t.nr_entries, n);
			if (size)
				verify(&t);
			size += 64;
			dax_table_set_memory(&t, memory, size);
			continue;
		}
		n++;
	}
	verify(&t);
	for (n = 0; n < 100; n++)
		assert_int_equal(dax_table_load(&t, n * 1000003, 0, NULL),
				 n & 1 ? real(n) : real_pmd(n));
	memory_free(memory);
}

static void test_window_byte(void **state)
{
	void *memory = memory_new();
	struct dax_table t;
	uint8_t *byte;

	dax_table_init(&t, memory, MEMORY);
	assert_null(dax_table_window_byte(&t, 700));
	dax_table_insert(&t, 700, real(1));
	byte = dax_table_window_byte(&t, 512);
	assert_non_null(byte);
	assert_ptr_equal(byte, dax_table_window_byte(&t, 1023));
	assert_null(dax_table_window_byte(&t, 1024));
	*byte = 7;
	dax_table_insert(&t, 701, real(2));
	dax_table_insert(&t, 1UL << 40, real(3));
	dax_table_erase(&t, 700);
	assert_int_equal(*dax_table_window_byte(&t, 701), 7);
	dax_table_erase(&t, 701);
	dax_table_insert(&t, 701, real(2));
	assert_int_equal(*dax_table_window_byte(&t, 701), 0);
	verify(&t);
	memory_free(memory);
}

/* ------------------------------------------------------------------- cost */

static void test_cost_dense(void **state)
{
	void *memory = memory_new();
	struct dax_table t;

	dax_table_init(&t, memory, MEMORY);
	for (uint64_t i = 0; i < 1UL << 20; i++)
		assert_int_equal(dax_table_insert(&t, i, real(i)), 0);
	print_message("4K entries, dense: %.2f bytes each\n",
		      (double)t.used / t.nr_entries);
	assert_true(t.used <= 16 * t.nr_entries);
	memory_free(memory);
}

static void test_cost_sparse(void **state)
{
	void *memory = memory_new();
	uint64_t gib = (1UL << 30) >> PAGE_SHIFT;
	struct dax_table t;

	dax_table_init(&t, memory, MEMORY);
	for (uint64_t i = 0; i < 16384; i++)
		assert_int_equal(dax_table_insert(&t, i * gib + i, real(i)), 0);
	print_message("16 TiB, one 4K entry a GiB: %.1f MiB\n",
		      t.used / 1048576.0);
	assert_true(t.used < 64UL << 20);
	verify(&t);
	memory_free(memory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_oracle),
		cmocka_unit_test(test_tag),
		cmocka_unit_test(test_reuse),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_window_byte),
		cmocka_unit_test(test_cost_dense),
		cmocka_unit_test(test_cost_sparse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
