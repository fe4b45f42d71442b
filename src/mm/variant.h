/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What kernels and file systems do differently from each other: one row a
 * combination, one named switch a difference. doc/kernel-map.md tells where
 * each comes from. Constants; no lock.
 */
#ifndef UDAX_MM_VARIANT_H
#define UDAX_MM_VARIANT_H

#include <stdbool.h>

/* The mm's part of a fault. */
struct mm_rules {
	/* A user's fault runs under the per-VMA lock first. */
	bool vma_lock;
	/*
	 * The file system's 4K handler cannot run under that lock: the whole
	 * fault starts again under mmap_lock.
	 */
	bool pte_needs_mmap_lock;
	/* A write to a present private pmd asks the file system for 2M first. */
	bool wp_private_pmd;
	/* mprotect makes a dirty pte writable again where it may be. */
	bool mprotect_upgrades_pte;
	/* MADV_DONTNEED of a whole window frees its page table. */
	bool dontneed_frees_table;
	/* mremap moves more than one VMA in a call. */
	bool mremap_many;
};

/* What the file system does around DAX entries. */
struct simfs_rules {
	/* Breaking the layout deletes every entry of the file. */
	bool layout_deletes;
	/* Plain preallocation breaks the layout too. */
	bool prealloc_breaks_layout;
	/* A punch from the end of file on returns before the layout is broken. */
	bool punch_past_eof_early;
	/* A punch writes back before it takes the invalidate lock. */
	bool punch_flushes_first;
	/* Zeroing writes back the range first. */
	bool zero_flushes;
	/* Truncate writes back the page at the new end of file. */
	bool truncate_flushes;
	/* Collapse deletes entries from one block before the offset. */
	bool collapse_margin;
	/* Collapse drops private copies from the offset on, not past the end. */
	bool collapse_cuts;
	/*
	 * Splitting an unwritten extent initialises short neighbours of what
	 * is written, within 8 blocks.
	 */
	bool split_zeroes;
};

struct mm_variant {
	const char *kernel;		/* as given on a command line */
	const char *fs;
	const char *protocol;		/* of src/dax */
	struct mm_rules mm;
	struct simfs_rules simfs;
};

/* NULL when there is no such combination. */
const struct mm_variant *mm_variant_find(const char *kernel, const char *fs);
/* i = 0, 1, ...; NULL past the last. The first is the default. */
const struct mm_variant *mm_variant_nth(unsigned int i);

#endif
