/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A protocol is a row of switches: one row a protocol that some kernel had, or
 * was offered. doc/protocols.md tells their story. Constants; no lock.
 *
 * A page fault reads no switch while nobody sleeps in its file, a 2M fault none
 * but @null_is_conflict, when it makes an entry: one fast path serves them all.
 * What a fault does before it meets an entry is a flag of its operation.
 */
#ifndef UDAX_DAX_PROTOCOL_H
#define UDAX_DAX_PROTOCOL_H

#include <stdbool.h>

#include "dax/wait.h"

/* What a 2M lookup sees. */
enum dax_pmd_lookup {
	PMD_LOOKUP_FIRST,	/* the lowest entry present in the window */
	PMD_LOOKUP_HEAD,	/* the entry that covers the window's head */
};

/* What a 2M lookup does about a 4K entry. */
enum dax_pmd_on_pte {
	PMD_ON_PTE_CONFLICT,	/* falls back at once */
	PMD_ON_PTE_RETURN,	/* gets it, locked or not, and falls back */
	PMD_ON_PTE_WAIT_HEAD,	/* if it is locked, sleeps on the head's key */
	PMD_ON_PTE_WAIT_PTE,	/* if it is locked, sleeps on that entry's key */
};

enum dax_keymode {
	KEY_ENTRY,		/* 2M entry: its head; 4K entry: its own page */
	KEY_ALL2M,		/* always the head */
	KEY_INDEX,		/* the page asked for, of a 2M entry too */
};

/* How a scan waits for a locked entry. */
enum dax_scan_wait {
	SCAN_RESET,		/* and looks at the same index again */
	SCAN_PAUSE,		/* and goes on behind it */
	SCAN_NEXT,		/* not at all: it takes the next entry instead */
};

struct dax_protocol {
	const char *name;
	const char *kernels;	/* where it lived, for people */
	enum dax_pmd_lookup pmd_lookup;
	enum dax_pmd_on_pte pmd_on_pte;
	bool pmd_on_pte_nonexcl;	/* that sleep consumes no wake */
	enum dax_keymode keymode;
	bool null_is_conflict;	/* a 2M lookup of nothing falls back too */
	bool put_never_wakes;	/* put_unlocked_entry() with its test inverted */
	enum dax_wake_mode inval_wake;
	enum dax_scan_wait scan_wait;
	bool dirty_on_read;	/* read faults dirty the entry too, up to 6.11 */
	bool zero_pmd_falls_back;	/* a 2M zero page that finds a huge pmd
					   there already: FALLBACK, up to 6.17 */
	/*
	 * A read fault replaces its empty entry by a zero page, which has a lock,
	 * and a queue, of its own; and whom that replacement wakes.
	 */
	bool hole_page_lock;
	enum dax_wake_mode hole_replace_wake;
	bool iomap_before_lock;	/* the extent is looked up before the entry is locked */
	bool stale_downgrade_flag;	/* a retry for want of memory takes apart again */
	bool giant_lock;	/* faults take the invalidate lock exclusive */
};

/* NULL when there is no protocol of that name. */
const struct dax_protocol *dax_protocol_find(const char *name);
/* i = 0, 1, ... ; NULL past the last. */
const struct dax_protocol *dax_protocol_nth(unsigned int i);

#endif
