/* SPDX-License-Identifier: BSD-3-Clause */
#include "dax/protocol.h"

#include <stddef.h>
#include <string.h>

/* Every row is first, conflict, entry keys, ALL and reset where it says nothing. */
static const struct dax_protocol protocols[] = {
	{
		.name = "616",
		.kernels = "6.16 and later",
		.inval_wake = WAKE_ALL,
	}, {
		.name = "615",
		.kernels = "6.15.0 to 6.15.2",
		.inval_wake = WAKE_ALL,
		.scan_wait = SCAN_PAUSE,
	}, {
		.name = "513",
		.kernels = "5.13 to 6.14",
		.inval_wake = WAKE_ALL,
		.scan_wait = SCAN_NEXT,
	}, {
		.name = "61",
		.kernels = "513 as of 6.1: reads dirty the entry too",
		.inval_wake = WAKE_ALL,
		.scan_wait = SCAN_NEXT,
		.dirty_on_read = true,
		.zero_pmd_falls_back = true,
	}, {
		.name = "6370",
		.kernels = "5.4 to 5.12",
		.inval_wake = WAKE_NEXT,
		.scan_wait = SCAN_NEXT,
	}, {
		.name = "61c3",
		.kernels = "5.3-rc3 to 5.3.7",
		.null_is_conflict = true,
		.inval_wake = WAKE_NEXT,
		.scan_wait = SCAN_NEXT,
	}, {
		.name = "23c8",
		.kernels = "5.3-rc1, 5.2.3 to about 5.2.6, 5.1.20",
		.null_is_conflict = true,
		.put_never_wakes = true,
		.inval_wake = WAKE_NEXT,
		.scan_wait = SCAN_NEXT,
	}, {
		.name = "willy-v1",
		.kernels = "proposed in July 2019",
		.pmd_on_pte = PMD_ON_PTE_RETURN,
		.inval_wake = WAKE_NEXT,
		.scan_wait = SCAN_NEXT,
	}, {
		.name = "dan",
		.kernels = "proposed in July 2019",
		.pmd_on_pte = PMD_ON_PTE_WAIT_HEAD,
		.keymode = KEY_ALL2M,
		.inval_wake = WAKE_NEXT,
		.scan_wait = SCAN_NEXT,
	}, {
		.name = "dan-all",
		.kernels = "dan with 5.13's invalidation",
		.pmd_on_pte = PMD_ON_PTE_WAIT_HEAD,
		.keymode = KEY_ALL2M,
		.inval_wake = WAKE_ALL,
		.scan_wait = SCAN_NEXT,
	}, {
		.name = "dan-conflict",
		.kernels = "never proposed: dan's keys, no wait for a page entry",
		.keymode = KEY_ALL2M,
		.inval_wake = WAKE_ALL,
		.scan_wait = SCAN_NEXT,
	}, {
		.name = "jan-idx",
		.kernels = "discussed in July 2019",
		.pmd_on_pte = PMD_ON_PTE_WAIT_PTE,
		.inval_wake = WAKE_NEXT,
		.scan_wait = SCAN_NEXT,
	}, {
		.name = "jan-nx",
		.kernels = "jan-idx with a wait that consumes no wake",
		.pmd_on_pte = PMD_ON_PTE_WAIT_PTE,
		.pmd_on_pte_nonexcl = true,
		.inval_wake = WAKE_NEXT,
		.scan_wait = SCAN_NEXT,
	}, {
		.name = "jan-nx-all",
		.kernels = "jan-nx with 5.13's invalidation",
		.pmd_on_pte = PMD_ON_PTE_WAIT_PTE,
		.pmd_on_pte_nonexcl = true,
		.inval_wake = WAKE_ALL,
		.scan_wait = SCAN_NEXT,
	}, {
		.name = "buggy",
		.kernels = "4.20 to 5.1.19, 5.2.0 to 5.2.2",
		.pmd_on_pte = PMD_ON_PTE_WAIT_HEAD,
		.inval_wake = WAKE_NEXT,
		.scan_wait = SCAN_NEXT,
	}, {
		.name = "radix",
		.kernels = "4.10 to 4.19",
		.pmd_lookup = PMD_LOOKUP_HEAD,
		.pmd_on_pte = PMD_ON_PTE_WAIT_HEAD,
		.inval_wake = WAKE_NEXT,
		.scan_wait = SCAN_NEXT,
	}, {
		.name = "nomem",
		.kernels = "6370 as it was up to 5.13 when memory was short",
		.inval_wake = WAKE_NEXT,
		.scan_wait = SCAN_NEXT,
		.stale_downgrade_flag = true,
	}, {
		.name = "411",
		.kernels = "4.11: radix with hole pages, the extent before the lock",
		.pmd_lookup = PMD_LOOKUP_HEAD,
		.pmd_on_pte = PMD_ON_PTE_WAIT_HEAD,
		.inval_wake = WAKE_NEXT,
		.scan_wait = SCAN_NEXT,
		.hole_page_lock = true,
		.iomap_before_lock = true,
	}, {
		.name = "410",
		.kernels = "4.10, 4.12 and 4.13: radix with hole pages",
		.pmd_lookup = PMD_LOOKUP_HEAD,
		.pmd_on_pte = PMD_ON_PTE_WAIT_HEAD,
		.inval_wake = WAKE_NEXT,
		.scan_wait = SCAN_NEXT,
		.hole_page_lock = true,
	}, {
		.name = "47",
		.kernels = "4.7 to 4.9, had they had 2M entries",
		.pmd_lookup = PMD_LOOKUP_HEAD,
		.pmd_on_pte = PMD_ON_PTE_WAIT_HEAD,
		.keymode = KEY_INDEX,
		.inval_wake = WAKE_NEXT,
		.scan_wait = SCAN_NEXT,
		.hole_page_lock = true,
		.hole_replace_wake = WAKE_NEXT,
	}, {
		.name = "giant",
		.kernels = "4.3 to 4.6: one lock a file",
		.inval_wake = WAKE_ALL,
		.giant_lock = true,
	},
};

const struct dax_protocol *dax_protocol_find(const char *name)
{
	const struct dax_protocol *p;

	for (unsigned int i = 0; (p = dax_protocol_nth(i)); i++)
		if (!strcmp(p->name, name))
			return p;
	return NULL;
}

const struct dax_protocol *dax_protocol_nth(unsigned int i)
{
	return i < sizeof(protocols) / sizeof(protocols[0]) ? &protocols[i] :
	       NULL;
}
