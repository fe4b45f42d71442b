/* SPDX-License-Identifier: BSD-3-Clause */
#include "daemon/stats.h"

/*
 * The writer of @from may be running: each field is read once, whole. They are
 * not of one moment.
 */
#define ADD(field) \
	(into->field += counter_read(&from->field))

static void dax_stats_add(struct dax_stats *into, const struct dax_stats *from)
{
	ADD(waits);
	ADD(wakes_next);
	ADD(wakes_all);
	ADD(woken);
	ADD(scanned);
	ADD(misdirected);
	ADD(barged);
	ADD(useless);
	ADD(stranded);
	ADD(rescued);
	ADD(conflicts);
	ADD(downgrades);
}

/* A counter that dax_stats_add() does not know would be lost without a word. */
_Static_assert(sizeof(struct dax_stats) == 12 * sizeof(uint64_t),
	       "dax_stats_add() adds every field");

void fault_stats_add(struct fault_stats *into, const struct fault_stats *from)
{
#define X(name) ADD(name);
	FAULT_COUNTERS(X)
#undef X
	for (int i = 0; i < DAX_FALLBACK_NR; i++)
		ADD(fallback[i]);
	dax_stats_add(&into->dax, &from->dax);
	hist_merge(&into->lat_pte, &from->lat_pte);
	hist_merge(&into->lat_pmd, &from->lat_pmd);
	hist_merge(&into->stall, &from->stall);
	hist_merge(&into->mmap_wait, &from->mmap_wait);
	counter_max(&into->mmap_queue, counter_read(&from->mmap_queue));
	for (int i = 0; i < 4; i++)
		hist_merge(&into->stall_by[i / 2][i % 2],
			   &from->stall_by[i / 2][i % 2]);
}

void lost_times_add(struct lost_times *into, const struct lost_times *from)
{
	hist_merge(&into->detect, &from->detect);
	hist_merge(&into->rescued, &from->rescued);
	hist_merge(&into->kicked, &from->kicked);
}
