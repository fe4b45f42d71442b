/* SPDX-License-Identifier: BSD-3-Clause */
/* The simulated process: VMAs, page tables, fork, and the zaps between. */
#include "unit.h"

#include <errno.h>
#include <stdio.h>

#include "mm/mmu.h"

#define P	DAX_PAGE_SIZE
#define W	DAX_PMD_SIZE
#define BASE	(1UL << 40)

static const struct mm_rules rules = {
	.mprotect_upgrades_pte = true,
	.dontneed_frees_table = true,
};
static const struct mm_rules old_rules;

static struct mm mm;
static struct simfs_file file;
static unsigned int splits;

static void count_split(void *arg, uint64_t addr)
{
	splits++;
}

static int begin(void **state)
{
	mm_init(&mm, &rules);
	mm.split = count_split;
	splits = 0;
	return 0;
}

static int end(void **state)
{
	mm_exit(&mm);
	return 0;
}

static void map(uint64_t start, uint64_t len, uint64_t pgoff, unsigned int flags)
{
	struct vma vma = {
		.start = start, .end = start + len, .pgoff = pgoff,
		.flags = flags, .file = &file,
	};

	assert_int_equal(mm_mmap(&mm, &vma), 0);
}

static enum dax_pt_slot slot(uint64_t addr)
{
	struct mm_slot s;

	mm_get_slot(&mm, addr, &s);
	return s.pmd;
}

static enum mm_access access_(uint64_t addr, bool write)
{
	return mm_access(&mm, mm_find_vma(&mm, addr), addr, write);
}

#define RW (VMA_READ | VMA_WRITE)

/* "0-4 6-8": what is mapped, in pages from BASE. */
static void expect_vmas(const char *want)
{
	char got[200] = "";
	unsigned int i;

	for (i = 0; i < mm.nr_vmas; i++)
		snprintf(got + strlen(got), sizeof(got) - strlen(got),
			 "%s%u-%u", i ? " " : "",
			 (unsigned int)((mm.vmas[i].start - BASE) / P),
			 (unsigned int)((mm.vmas[i].end - BASE) / P));
	assert_string_equal(got, want);
}

static void test_vmas(void **state)
{
	map(BASE, 8 * P, 0, RW | VMA_SHARED);
	expect_vmas("0-8");
	assert_int_equal(mm_munmap(&mm, BASE + 2 * P, 2 * P), 0);
	expect_vmas("0-2 4-8");
	assert_int_equal(mm_find_vma(&mm, BASE + 4 * P)->pgoff, 4);
	assert_null(mm_find_vma(&mm, BASE + 3 * P));
	map(BASE + 2 * P, 2 * P, 2, RW | VMA_SHARED);	/* fits, merges */
	expect_vmas("0-8");
	map(BASE + 2 * P, 2 * P, 9, RW | VMA_SHARED);	/* another offset */
	expect_vmas("0-2 2-4 4-8");
	map(BASE, 8 * P, 0, RW | VMA_SHARED);
	assert_int_equal(mm_mprotect(&mm, BASE + P, P, VMA_READ), 0);
	expect_vmas("0-1 1-2 2-8");
	assert_int_equal(mm_mprotect(&mm, BASE + P, P, RW), 0);
	expect_vmas("0-8");
	assert_int_equal(mm_set_nohuge(&mm, BASE, 8 * P, true), 0);
	assert_true(mm.vmas[0].flags & VMA_NOHUGE);
	assert_int_equal(mm_set_nohuge(&mm, BASE, 8 * P, false), 0);
	expect_vmas("0-8");
	map(BASE + P, P, 1, RW | VMA_SHARED);	/* nobody has advised it */
	expect_vmas("0-1 1-2 2-8");
	assert_int_equal(mm_set_nohuge(&mm, BASE + P, P, false), 0);
	expect_vmas("0-8");
	assert_int_equal(mm_munmap(&mm, BASE, 0), -EINVAL);
	assert_int_equal(mm_munmap(&mm, BASE + 1, P), -EINVAL);
}

/* What the system calls say of holes. */
static void test_holes(void **state)
{
	map(BASE, 2 * P, 0, RW | VMA_SHARED);
	map(BASE + 4 * P, 2 * P, 4, RW | VMA_SHARED);
	assert_int_equal(mm_mprotect(&mm, BASE, 6 * P, VMA_READ), -ENOMEM);
	assert_int_equal(mm.vmas[0].flags & RW, VMA_READ);
	assert_int_equal(mm.vmas[1].flags & RW, RW);
	assert_int_equal(mm_mprotect(&mm, BASE + 3 * P, 3 * P, VMA_READ),
			 -ENOMEM);
	assert_int_equal(mm.vmas[1].flags & RW, RW);
	/* madvise goes on behind the hole. */
	assert_int_equal(mm_set_nohuge(&mm, BASE, 6 * P, true), -ENOMEM);
	assert_true(mm.vmas[1].flags & VMA_NOHUGE);
	assert_int_equal(mm_dontneed(&mm, BASE, 7 * P), -ENOMEM);
	assert_int_equal(mm_dontneed(&mm, BASE, 2 * P), 0);
	assert_int_equal(mm_mremap(&mm, BASE + 2 * P, P, 2 * BASE), -EFAULT);
	assert_int_equal(mm_mremap(&mm, BASE, P, BASE), -EINVAL);
}

static void test_tables(void **state)
{
	map(BASE, 2 * W, 0, RW | VMA_SHARED);
	assert_int_equal(slot(BASE), DAX_PT_NONE);
	assert_int_equal(mm_set_pte(&mm, BASE + P, PTE_FILE, false), 0);
	assert_int_equal(slot(BASE), DAX_PT_TABLE);
	assert_int_equal(access_(BASE + P, false), MM_HIT);
	assert_int_equal(access_(BASE + P, true), MM_NO_PERMISSION);
	assert_int_equal(access_(BASE, false), MM_NOT_PRESENT);
	assert_int_equal(mm_set_pmd(&mm, BASE + W + P, false, true), 0);
	assert_int_equal(slot(BASE + W), DAX_PT_HUGE);
	assert_int_equal(access_(BASE + 2 * W - 1, true), MM_HIT);
	/* A table stays when what it maps is zapped; so does no huge pmd. */
	mm_zap_file(&mm, &file, 0, UINT64_MAX, false);
	assert_int_equal(slot(BASE), DAX_PT_TABLE);
	assert_int_equal(access_(BASE + P, false), MM_NOT_PRESENT);
	assert_int_equal(slot(BASE + W), DAX_PT_NONE);
	assert_int_equal(splits, 0);
	/* A table goes with the last VMA of its window. */
	assert_int_equal(mm_munmap(&mm, BASE, W - P), 0);
	assert_int_equal(slot(BASE), DAX_PT_TABLE);
	assert_int_equal(mm_munmap(&mm, BASE, W), 0);
	assert_int_equal(slot(BASE), DAX_PT_NONE);
}

static void test_partial_zap(void **state)
{
	map(BASE, W, 0, RW | VMA_SHARED);
	mm_set_pmd(&mm, BASE, false, true);
	mm_zap_file(&mm, &file, 16, 1, false);
	assert_int_equal(slot(BASE), DAX_PT_NONE);
	assert_int_equal(splits, 1);
	mm_set_pmd(&mm, BASE, false, true);
	assert_int_equal(mm_mprotect(&mm, BASE + P, P, RW), 0);	/* no change */
	assert_int_equal(slot(BASE), DAX_PT_HUGE);
	assert_int_equal(mm_mprotect(&mm, BASE + P, P, VMA_READ), 0);
	assert_int_equal(slot(BASE), DAX_PT_NONE);
	assert_int_equal(splits, 2);
	mm_set_pmd(&mm, BASE, false, true);
	assert_int_equal(mm_dontneed(&mm, BASE, P), 0);
	assert_int_equal(slot(BASE), DAX_PT_NONE);
	assert_int_equal(splits, 3);
}

static void test_dontneed_table(void **state)
{
	unsigned int i;

	map(BASE, 2 * W, 0, RW | VMA_SHARED);
	for (i = 0; i < 2; i++) {
		mm.rules = i ? &old_rules : &rules;
		mm_set_pte(&mm, BASE, PTE_FILE, false);
		mm_set_pte(&mm, BASE + W, PTE_FILE, false);
		assert_int_equal(mm_dontneed(&mm, BASE, W + P), 0);
		assert_int_equal(slot(BASE), i ? DAX_PT_TABLE : DAX_PT_NONE);
		assert_int_equal(slot(BASE + W), DAX_PT_TABLE);
	}
}

static void test_wrprotect(void **state)
{
	map(BASE, 2 * W, 0, RW | VMA_SHARED);
	mm_set_pmd(&mm, BASE, false, true);
	mm_set_pte(&mm, BASE + W, PTE_FILE, true);
	mm_set_pte(&mm, BASE + W + P, PTE_FILE, true);
	mm_wrprotect_file(&mm, &file, 512, 1);
	assert_int_equal(access_(BASE, true), MM_HIT);
	assert_int_equal(access_(BASE + W, true), MM_NO_PERMISSION);
	assert_int_equal(access_(BASE + W + P, true), MM_HIT);
	mm_wrprotect_file(&mm, &file, 0, 512);
	assert_int_equal(access_(BASE, true), MM_NO_PERMISSION);
	assert_int_equal(access_(BASE, false), MM_HIT);
}

/* r and back to rw: a dirty pte may be written again, a pmd faults. */
static void test_mprotect(void **state)
{
	map(BASE, 2 * W, 0, RW | VMA_SHARED);
	mm_set_pmd(&mm, BASE, false, true);
	mm_set_pte(&mm, BASE + W, PTE_FILE, true);
	mm_set_pte(&mm, BASE + W + P, PTE_FILE, false);
	assert_int_equal(mm_mprotect(&mm, BASE, 2 * W, VMA_READ), 0);
	assert_int_equal(access_(BASE, true), MM_NO_PERMISSION);
	assert_int_equal(access_(BASE + W, true), MM_NO_PERMISSION);
	assert_int_equal(mm_mprotect(&mm, BASE, 2 * W, RW), 0);
	assert_int_equal(access_(BASE, true), MM_NO_PERMISSION);
	assert_int_equal(access_(BASE + W, true), MM_HIT);
	assert_int_equal(access_(BASE + W + P, true), MM_NO_PERMISSION);
	assert_int_equal(mm_mprotect(&mm, BASE, 2 * W, 0), 0);
	assert_int_equal(access_(BASE, false), MM_NOT_PRESENT);
	assert_int_equal(mm_mprotect(&mm, BASE, 2 * W, VMA_READ), 0);
	assert_int_equal(access_(BASE, false), MM_HIT);
}

static void test_mremap(void **state)
{
	const uint64_t to = 2 * BASE;

	map(BASE, 3 * W, 0, RW | VMA_SHARED);
	mm_set_pmd(&mm, BASE, false, true);
	mm_set_pte(&mm, BASE + W, PTE_FILE, true);
	assert_int_equal(mm_mremap(&mm, BASE, 2 * W, to), 0);
	expect_vmas("1024-1536 268435456-268436480");
	assert_int_equal(mm_find_vma(&mm, to + W)->pgoff, 0);
	assert_int_equal(mm_find_vma(&mm, BASE + 2 * W)->pgoff, 1024);
	assert_int_equal(access_(to, true), MM_HIT);
	assert_int_equal(access_(to + W, true), MM_HIT);
	assert_int_equal(slot(BASE), DAX_PT_NONE);
	assert_int_equal(slot(BASE + W), DAX_PT_NONE);
	/* To another colour: ptes move, the huge pmd is dropped. */
	assert_int_equal(mm_mremap(&mm, to, 2 * W, 3 * BASE + P), 0);
	assert_int_equal(splits, 1);
	assert_int_equal(slot(3 * BASE), DAX_PT_NONE);
	assert_int_equal(slot(3 * BASE + W + P), DAX_PT_TABLE);
	assert_int_equal(access_(3 * BASE + W + P, true), MM_HIT);
}

static uint8_t byte_of(struct mm *m, uint64_t addr)
{
	return mm_find_pte(m, addr)->anon->bytes[0];
}

static void test_fork(void **state)
{
	const uint64_t shared = BASE, private = BASE + 4 * W;
	uint8_t bytes[P] = { 42 };
	struct mm child;
	struct vma *vma;

	map(shared, W, 0, RW | VMA_SHARED);
	map(private, 2 * W, 0, RW);
	mm_set_pte(&mm, shared, PTE_FILE, true);
	vma = mm_find_vma(&mm, private);
	mm_set_pmd(&mm, private + W, false, false);
	assert_int_equal(mm_set_anon(&mm, vma, private, bytes), 0);
	assert_int_equal(access_(private, true), MM_HIT);
	/* Without a private copy in the VMA nothing is copied. */
	assert_int_equal(mm_fork(&child, &mm), 0);
	assert_int_equal(child.nr_pmds, 0);
	mm_exit(&child);
	vma->flags |= VMA_ANON;
	assert_int_equal(mm_fork(&child, &mm), 0);
	assert_int_equal(child.nr_pmds, 1);
	assert_int_equal(byte_of(&child, private), 42);
	assert_int_equal(access_(private, true), MM_NO_PERMISSION);
	assert_int_equal(access_(shared, true), MM_HIT);
	/* cows=0 keeps private copies, in both. */
	mm_zap_file(&child, &file, 0, UINT64_MAX, false);
	assert_int_equal(byte_of(&child, private), 42);
	mm_zap_file(&child, &file, 0, UINT64_MAX, true);
	assert_int_equal(mm_find_pte(&child, private)->kind, PTE_NONE);
	mm_exit(&child);
	assert_int_equal(byte_of(&mm, private), 42);
	assert_int_equal(mm_find_pte(&mm, private)->anon->refs, 1);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, begin, end)
	const struct CMUnitTest tests[] = {
		T(test_vmas),
		T(test_holes),
		T(test_tables),
		T(test_partial_zap),
		T(test_dontneed_table),
		T(test_wrprotect),
		T(test_mprotect),
		T(test_mremap),
		T(test_fork),
	};
#undef T

	return cmocka_run_group_tests(tests, NULL, NULL);
}
