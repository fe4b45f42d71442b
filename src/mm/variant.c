/* SPDX-License-Identifier: BSD-3-Clause */
#include <stddef.h>
#include <string.h>

#include "mm/variant.h"

static const struct mm_variant variants[] = {
	{
		.kernel = "6.18", .fs = "xfs",
		.protocol = "616",
		.mm = {
			.vma_lock = true,
			.mprotect_upgrades_pte = true,
			.dontneed_frees_table = true,
			.mremap_many = true,
		},
		.simfs = {
			.layout_deletes = true,
			.prealloc_breaks_layout = true,
			.zero_flushes = true,
			.truncate_flushes = true,
		},
	}, {
		.kernel = "6.18", .fs = "ext4",
		.protocol = "616",
		.mm = {
			.vma_lock = true,
			.pte_needs_mmap_lock = true,
			.mprotect_upgrades_pte = true,
			.dontneed_frees_table = true,
			.mremap_many = true,
		},
		.simfs = {
			.layout_deletes = true,
			.collapse_cuts = true,
			.split_zeroes = true,
		},
	}, {
		.kernel = "6.1", .fs = "xfs",
		.protocol = "61",
		.mm = {
			.wp_private_pmd = true,
			.mprotect_upgrades_pte = true,
		},
		.simfs = {
			.prealloc_breaks_layout = true,
			.zero_flushes = true,
			.truncate_flushes = true,
			.collapse_margin = true,
		},
	}, {
		.kernel = "6.1", .fs = "ext4",
		.protocol = "61",
		.mm = {
			.wp_private_pmd = true,
			.mprotect_upgrades_pte = true,
		},
		.simfs = {
			.punch_past_eof_early = true,
			.punch_flushes_first = true,
			.collapse_cuts = true,
			.split_zeroes = true,
		},
	},
};

const struct mm_variant *mm_variant_nth(unsigned int i)
{
	return i < sizeof(variants) / sizeof(variants[0]) ? &variants[i] : NULL;
}

const struct mm_variant *mm_variant_find(const char *kernel, const char *fs)
{
	const struct mm_variant *v;
	unsigned int i;

	for (i = 0; (v = mm_variant_nth(i)); i++)
		if (!strcmp(v->kernel, kernel) && !strcmp(v->fs, fs))
			return v;
	return NULL;
}
