/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who can still wake a sleeper: the sources of a key. It is decided from the
 * tables alone, no time-out is involved. i_pages held.
 */
#include "dax/dax_int.h"

/* Is there a locked entry whose unlocking wakes @key? */
static bool locked_source(const struct dax_mapping *mapping, uint64_t key)
{
	const struct dax_protocol *proto = mapping->proto;
	uint64_t index = key & ~DAX_KEY_PAGE_LOCK;
	dax_entry_t entry;

	if (proto->keymode != KEY_ALL2M) {
		entry = dax_table_load(&mapping->table, index, 0, NULL);
		if (!dax_is_locked(entry))
			return false;
		if (proto->hole_page_lock && !dax_is_pmd_entry(entry) &&
		    dax_is_zero_entry(entry) != (index != key))
			return false;
		/* By index: its holder may have come by any page of it. */
		return proto->keymode == KEY_INDEX ||
		       dax_entry_first(entry, index) == index;
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

/*
 * But for a wake that an unlock still owes: wakes_pending, which the callers look
 * at. Who was kicked out of its queue has consumed no wake and is no source.
 */
static bool has_source(struct dax_mapping *mapping, uint64_t key)
{
	return locked_source(mapping, key) || dax_wait_has_picked(mapping, key);
}

unsigned int dax_find_stranded(struct dax_mapping *mapping, dax_stranded_fn *fn,
			       void *arg)
{
	unsigned int n = 0;
	uint64_t key, last = UINT64_MAX;
	bool source = false;
	struct dax_waiter *w;

	if (mapping->wakes_pending)
		return 0;
	mapping->unsettled = false;
	list_for_each(w, &mapping->sleepers, sleeper) {
		if (!w->queued)
			continue;
		/* Many often sleep on one key. */
		key = w->key.entry_start;
		if (key != last)
			source = has_source(mapping, key);
		last = key;
		if (source)
			continue;
		n++;
		if (!w->stranded)
			fn(dax_waiter_op(w), arg);
		w->stranded = true;
	}
	return n;
}

static void count(struct dax_op *op, void *arg)
{
	struct dax_stats *stats = arg;

	counter_add(&stats->stranded, 1);
}

unsigned int dax_count_stranded(struct dax_mapping *mapping,
				struct dax_stats *stats)
{
	return dax_find_stranded(mapping, count, stats);
}

uint64_t dax_unlock_key(const struct dax_mapping *mapping, uint64_t first,
			unsigned int order)
{
	if (order || mapping->proto->keymode == KEY_ALL2M)
		return first & ~PG_PMD_COLOUR;
	return first;
}

bool dax_waiter_stranded(struct dax_waiter *w, struct dax_stats *stats)
{
	if (!w->queued || has_source(w->key.mapping, w->key.entry_start))
		return false;
	counter_add(&stats->stranded, !w->stranded);
	w->stranded = true;
	return true;
}
