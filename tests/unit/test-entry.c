/* SPDX-License-Identifier: BSD-3-Clause */
/* The entry word, bit by bit. */
#include "unit.h"

#include "dax/entry.h"

static void test_bits(void **state)
{
	uint64_t flags[] = { 0, DAX_PMD, DAX_ZERO_PAGE, DAX_EMPTY,
			     DAX_PMD | DAX_ZERO_PAGE, DAX_PMD | DAX_EMPTY };

	for (unsigned int i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		dax_entry_t e = dax_make_entry(0x7654321, flags[i]);

		assert_true(dax_is_value(e));
		assert_false(dax_is_internal(e));
		assert_false(dax_is_locked(e));
		assert_true(dax_is_locked(e | DAX_LOCKED));
		assert_int_equal(dax_is_pmd_entry(e), !!(flags[i] & DAX_PMD));
		assert_int_equal(dax_is_pte_entry(e), !(flags[i] & DAX_PMD));
		assert_int_equal(dax_is_zero_entry(e), !!(flags[i] & DAX_ZERO_PAGE));
		assert_int_equal(dax_is_empty_entry(e), !!(flags[i] & DAX_EMPTY));
		assert_int_equal(dax_entry_order(e), flags[i] & DAX_PMD ? PMD_ORDER : 0);
		assert_int_equal(dax_to_pfn(e), 0x7654321);
		assert_int_equal(dax_to_pfn(e | DAX_LOCKED), 0x7654321);
	}
}

/* The words that the kernel would store: xa_mk_value((pfn << 4) | flags). */
static void test_kernel_words(void **state)
{
	assert_int_equal(dax_make_entry(5, 0), (5UL << 4) << 1 | 1);
	assert_int_equal(dax_make_entry(5, DAX_LOCKED), (5UL << 4 | 1) << 1 | 1);
	assert_int_equal(dax_make_entry(0, DAX_PMD | DAX_EMPTY), (2UL | 8) << 1 | 1);
	assert_int_equal(dax_make_entry(0, DAX_ZERO_PAGE), 4UL << 1 | 1);
	assert_int_equal(DAX_CONFLICT, 256UL << 2 | 2);
}

/* Nothing that is stored is 0 or internal, and the largest file fits. */
static void test_apart(void **state)
{
	uint64_t pfn = (1UL << 52) - 1;

	assert_int_not_equal(dax_make_entry(0, 0), 0);
	assert_int_equal(dax_to_pfn(dax_make_entry(pfn, DAX_PMD)), pfn);
	assert_false(dax_is_value(0));
	assert_false(dax_is_value(DAX_CONFLICT));
	assert_false(dax_is_value(DAX_SLEPT));
	assert_true(dax_is_conflict(DAX_CONFLICT));
	assert_false(dax_is_conflict(DAX_SLEPT));
	assert_false(dax_is_conflict(dax_make_entry(0, DAX_LOCKED)));
	assert_true(dax_is_internal(dax_make_fault(0x800)));
	assert_int_equal(dax_to_fault(dax_make_fault(0x800)), 0x800);
}

static void test_range(void **state)
{
	assert_int_equal(dax_entry_first(dax_make_entry(0, 0), 1000), 1000);
	assert_int_equal(dax_entry_last(dax_make_entry(0, 0), 1000), 1000);
	assert_int_equal(dax_entry_first(dax_make_entry(0, DAX_PMD), 1000), 512);
	assert_int_equal(dax_entry_last(dax_make_entry(0, DAX_PMD), 1000), 1023);
	/* Why 61c3 never made a 2M entry: "nothing" has an order, too. */
	assert_int_equal(dax_entry_order(0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bits),
		cmocka_unit_test(test_kernel_words),
		cmocka_unit_test(test_apart),
		cmocka_unit_test(test_range),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
