/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who can still wake a sleeper: the sources of a key. It is decided from the
 * tables alone, no time-out is involved. i_pages held.
 */
#include "dax/dax_int.h"

/* Is there a locked entry whose unlocking wakes @key? */
static bool locked_source(const struct dax_mapping *mapping, uint64_t key)
{
	uint64_t index = key;
	dax_entry_t entry;

	if (mapping->proto->keymode == KEY_ENTRY) {
		entry = dax_table_load(&mapping->table, key, 0, NULL);
		return dax_is_locked(entry) && dax_entry_first(entry, key) == key;
	}
	while (index <= (key | PG_PMD_COLOUR) &&
	       (entry = dax_table_next(&mapping->table, &index,
				       key | PG_PMD_COLOUR))) {
		if (dax_is_locked(entry))
			return true;
		index = dax_entry_last(entry, index) + 1;
	}
	return false;
}

/* Was somebody woken by @key who has not looked up again yet? */
static bool woken_source(const struct dax_mapping *mapping, uint64_t key)
{
	const struct dax_waiter *w;

	list_for_each(w, &mapping->sleepers, sleeper)
		if (!w->queued && w->key.entry_start == key)
			return true;
	return false;
}

unsigned int dax_count_stranded(struct dax_mapping *mapping,
				struct dax_stats *stats)
{
	unsigned int n = 0;
	struct dax_waiter *w;

	if (mapping->wakes_pending)
		return 0;
	list_for_each(w, &mapping->sleepers, sleeper) {
		uint64_t key = w->key.entry_start;

		if (!w->queued || locked_source(mapping, key) ||
		    woken_source(mapping, key))
			continue;
		n++;
		counter_add(&stats->stranded, !w->stranded);
		w->stranded = true;
	}
	return n;
}
