/* SPDX-License-Identifier: BSD-3-Clause */
/* Which attempts a fault makes, in which order, under which lock. */
#include "unit.h"

#include <stdio.h>

#include "mm/mmfault.h"

static const struct mm_rules one_lock;
static const struct mm_rules both_locks = { .vma_lock = true };
static const struct mm_rules needs_mmap = {
	.vma_lock = true, .pte_needs_mmap_lock = true,
};
static const struct mm_rules tries_private = { .wp_private_pmd = true };

/* What the page table holds, and what attempts of each order come to. */
struct world {
	struct mm_slot slot;
	unsigned int pmd_result, pte_result;
};

/*
 * Runs a fault; a word a step: "2M" or "4K" an attempt, with "w" and "mk" for
 * its flags, "@vma" under the per-VMA lock, "cow"; "drop", "copy".
 */
static void expect(struct mm_fault *f, struct world w, const char *want,
		   unsigned int result)
{
	char got[200] = "";
	enum mm_fault_verb verb;

	do {
		size_t n = strlen(got);

		/* What it says it does not look at may be anything. */
		if (mm_fault_looks(f))
			f->slot = w.slot;
		else
			memset(&f->slot, 1, sizeof(f->slot));
		verb = mm_fault_step(f);
		if (verb == MM_FAULT_ATTEMPT) {
			snprintf(got + n, sizeof(got) - n, " %s%s%s%s%s",
				 f->order ? "2M" : "4K",
				 f->flags & DAX_FAULT_FLAG_WRITE ? "w" : "",
				 f->flags & DAX_FAULT_FLAG_MKWRITE ? "mk" : "",
				 f->cow ? "cow" : "",
				 f->vma_lock ? "@vma" : "");
			f->attempt = f->order ? w.pmd_result : w.pte_result;
		} else if (verb == MM_FAULT_DROP_PMD) {
			snprintf(got + n, sizeof(got) - n, " drop");
			w.slot = (struct mm_slot){ DAX_PT_NONE };
		} else if (verb == MM_FAULT_COPY) {
			snprintf(got + n, sizeof(got) - n, " copy");
		}
	} while (verb != MM_FAULT_DONE);
	assert_string_equal(got, want);
	assert_int_equal(f->result, result);
}

static void fault(const struct mm_rules *rules, const char *how,
		  struct world w, const char *want, unsigned int result)
{
	struct mm_fault f;

	mm_fault_init(&f, rules, !strchr(how, 'k'), strchr(how, 'w'),
		      !strchr(how, 'p'), strchr(how, 'n'));
	expect(&f, w, want, result);
}

#define NOPAGE	DAX_FAULT_NOPAGE
#define FALLBACK DAX_FAULT_FALLBACK
#define SIGBUS_	DAX_FAULT_SIGBUS

static const struct world ok = { .pmd_result = NOPAGE, .pte_result = NOPAGE };
static const struct world no_pmd = {
	.pmd_result = FALLBACK, .pte_result = NOPAGE,
};

static struct world in(struct world w, enum dax_pt_slot pmd, bool present,
		       bool write)
{
	w.slot = (struct mm_slot){ pmd, present, write, false };
	return w;
}

static void test_order(void **state)
{
	struct world bus = { .pmd_result = SIGBUS_ };
	struct world late_bus = {
		.pmd_result = FALLBACK, .pte_result = SIGBUS_,
	};

	fault(&both_locks, "r", ok, " 2M@vma", NOPAGE);
	fault(&both_locks, "w", ok, " 2Mw@vma", NOPAGE);
	fault(&both_locks, "r", no_pmd, " 2M@vma 4K@vma", NOPAGE);
	fault(&both_locks, "r", bus, " 2M@vma", SIGBUS_);
	fault(&both_locks, "r", late_bus, " 2M@vma 4K@vma", SIGBUS_);
	/* A page table stands in the way; madvise says no. */
	fault(&both_locks, "r", in(ok, DAX_PT_TABLE, false, false), " 4K@vma",
	      NOPAGE);
	fault(&both_locks, "rn", ok, " 4K@vma", NOPAGE);
	/* The attempt raced: the CPU tries again. */
	fault(&both_locks, "r", in(no_pmd, DAX_PT_HUGE, true, false), "", 0);
	fault(&both_locks, "w", in(ok, DAX_PT_TABLE, true, true), "", 0);
}

static void test_locks(void **state)
{
	fault(&one_lock, "r", no_pmd, " 2M 4K", NOPAGE);
	fault(&both_locks, "rk", no_pmd, " 2M 4K", NOPAGE);
	/* A failed 2M attempt is made again, for the 4K one cannot follow. */
	fault(&needs_mmap, "r", no_pmd, " 2M@vma 2M 4K", NOPAGE);
	fault(&needs_mmap, "r", ok, " 2M@vma", NOPAGE);
	fault(&needs_mmap, "rk", no_pmd, " 2M 4K", NOPAGE);
	fault(&needs_mmap, "w", in(ok, DAX_PT_TABLE, true, false), " 4Kwmk",
	      NOPAGE);
}

static void test_write_protected(void **state)
{
	struct world cow = {
		.pmd_result = FALLBACK, .pte_result = DAX_FAULT_DONE_COW,
	};
	struct world huge = in(ok, DAX_PT_HUGE, true, false);

	fault(&both_locks, "w", huge, " 2Mw@vma", NOPAGE);
	huge.pmd_result = FALLBACK;
	fault(&both_locks, "w", huge, " 2Mw@vma drop 4Kw@vma", NOPAGE);
	fault(&both_locks, "w", in(ok, DAX_PT_TABLE, true, false),
	      " 4Kwmk@vma", NOPAGE);
	/* Private: a pmd is dropped first, a pte the mm copies itself. */
	cow = in(cow, DAX_PT_HUGE, true, false);
	fault(&both_locks, "wp", cow, " drop 4Kwcow@vma", DAX_FAULT_DONE_COW);
	fault(&tries_private, "wp", cow, " 2Mw drop 4Kwcow",
	      DAX_FAULT_DONE_COW);
	fault(&needs_mmap, "wp", cow, " drop 2Mw 4Kwcow", DAX_FAULT_DONE_COW);
	fault(&both_locks, "wp", in(ok, DAX_PT_TABLE, true, false), " copy", 0);
	cow.slot.pmd = DAX_PT_TABLE;
	cow.slot.present = false;
	fault(&both_locks, "wp", cow, " 4Kwcow@vma", DAX_FAULT_DONE_COW);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_locks),
		cmocka_unit_test(test_write_protected),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
