/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Entries, their lock and their waits, in the order of fs/dax.c. Where the
 * kernel sleeps or drops i_pages inside a function, ours returns: DAX_SLEPT, or
 * a verb. doc/kernel-map.md lists what differs and why.
 */
#include <assert.h>
#include <errno.h>

#include "dax/dax_int.h"

/* ------------------------------------------------------------------- wait */

/*
 * The key of an entry, from the cursor's index and whether the entry is 2M (it
 * may be stale otherwise). The index is the caller's, not the entry's: the two
 * differ in a 2M lookup that met a 4K entry.
 */
static uint64_t dax_entry_start(const struct dax_op *op, dax_entry_t entry)
{
	const struct dax_protocol *proto = op->mapping->proto;

	if (proto->hole_page_lock && dax_is_zero_entry(entry) &&
	    !dax_is_pmd_entry(entry))
		return op->xas.index | DAX_KEY_PAGE_LOCK;
	if (proto->keymode == KEY_INDEX)
		return op->xas.index;
	if (dax_is_pmd_entry(entry) || proto->keymode == KEY_ALL2M)
		return op->xas.index & ~PG_PMD_COLOUR;
	if (op->xas.order && proto->pmd_on_pte == PMD_ON_PTE_WAIT_PTE)
		return op->xas.at;
	return op->xas.index;
}

/*
 * @entry may be a stale value of the entry that was unlocked or removed. A
 * mapping in which nobody sleeps has nobody to wake: that is the fast path.
 */
void dax_wake_entry(struct dax_op *op, dax_entry_t entry, enum dax_wake_mode mode)
{
	struct dax_wait_key key;

	if (list_empty(&op->mapping->sleepers))
		return;
	op->mapping->unsettled = true;
	key.mapping = op->mapping;
	key.entry_start = dax_entry_start(op, entry);
	if (key.entry_start & DAX_KEY_PAGE_LOCK)
		mode = WAKE_ALL;	/* nobody was ever lost on a page's lock */
	op->note.key = key.entry_start;
	op->note.mode = mode;
	op->note.wakes++;
	dax_wait_wake(op->mapping->waits, &key, mode, &op->woken, op->stats);
}

/* The entry at the cursor goes, unlocked. */
void dax_remove_entry(struct dax_op *op, dax_entry_t entry)
{
	dax_table_erase(&op->mapping->table, op->xas.index);
	op->note.removed = entry;
	op->note.removed_at = op->xas.index;
}

static void dax_note_release(struct dax_op *op, dax_entry_t entry)
{
	if (list_empty(&op->mapping->sleepers))
		return;
	dax_wait_note_release(op->mapping,
			      dax_entry_first(entry, op->xas.index),
			      dax_entry_order(entry));
}

void dax_wake_spent(struct dax_op *op)
{
	if (op->woken_once)
		counter_add(&op->stats->useless, 1);
	op->woken_once = false;
}

/* Locked @entry, found at xas.at, is in the way: sleep until it is released. */
static dax_entry_t dax_sleep(struct dax_op *op, dax_entry_t entry,
			     bool exclusive)
{
	struct dax_waiter *w = &op->waiter;

	if (op->woken_once && w->released)
		counter_add(&op->stats->barged, 1);
	else if (op->woken_once)
		counter_add(&op->stats->misdirected, 1);
	op->woken_once = false;
	counter_add(&op->stats->waits, 1);
	w->key.mapping = op->mapping;
	w->key.entry_start = dax_entry_start(op, entry);
	w->exclusive = exclusive;
	w->blocker = dax_entry_first(entry, op->xas.at);
	w->blocker_order = dax_entry_order(entry);
	dax_wait_sleep(op->mapping->waits, w);
	return DAX_SLEPT;
}

/* Was the operation asleep? It is not any more. */
static bool dax_woken(struct dax_op *op)
{
	if (!op->waiter.asleep)
		return false;
	dax_wait_finish(&op->waiter);
	/* A kick is no wake: it was nobody's, and rescues nobody. */
	op->woken_once = !op->waiter.kicked;
	counter_add(&op->stats->rescued,
		    op->waiter.stranded && !op->waiter.kicked);
	return true;
}

/* A 2M lookup met a 4K entry: the question that the protocols answered apart. */
static dax_entry_t pmd_meets_pte(struct dax_op *op, dax_entry_t entry)
{
	const struct dax_protocol *proto = op->mapping->proto;

	/* Not seen by the lookup; then the insertion collides: -EEXIST. */
	if (proto->pmd_lookup == PMD_LOOKUP_HEAD && op->xas.at != op->xas.index)
		return DAX_CONFLICT;
	if (proto->pmd_on_pte == PMD_ON_PTE_CONFLICT)
		return DAX_CONFLICT;
	if (!dax_is_locked(entry) || proto->pmd_on_pte == PMD_ON_PTE_RETURN)
		return entry;
	return dax_sleep(op, entry, !proto->pmd_on_pte_nonexcl);
}

/*
 * The entry at the cursor, unlocked; 0 for none; DAX_CONFLICT when a 2M lookup
 * met a 4K entry; DAX_SLEPT when it is locked: the operation is in its queue,
 * and the step is run again when it is woken. The caller must put it, or lock
 * it (and unlock it later): it may have consumed a wake that others need.
 *
 * Ours never advances the cursor, hence the name of old; since 6.15 the kernel
 * says get_next_unlocked_entry().
 */
dax_entry_t get_unlocked_entry(struct dax_op *op, unsigned int order)
{
	dax_entry_t entry;

	dax_woken(op);
	entry = dax_table_load(&op->mapping->table, op->xas.index, order,
			       &op->xas.at);
	if (!entry)
		return order && op->mapping->proto->null_is_conflict ?
		       DAX_CONFLICT : 0;
	if (dax_entry_order(entry) < order)
		return pmd_meets_pte(op, entry);
	if (!dax_is_locked(entry))
		return entry;
	return dax_sleep(op, entry, true);
}

/*
 * For scans, wait_entry_unlocked_exclusive(): the next entry of [xas.index,
 * op->end], unlocked, with xas.index on it; 0 when there is none, or DAX_SLEPT.
 * A locked entry is looked at again after the wait, by its index. Kernels up to
 * 6.15 went on behind it and missed entries.
 */
dax_entry_t dax_scan_entry(struct dax_op *op)
{
	const struct dax_protocol *proto = op->mapping->proto;
	uint64_t index = op->xas.index;
	dax_entry_t entry;

	if (dax_woken(op) && proto->scan_wait == SCAN_PAUSE)
		index = op->waiter.blocker + (1UL << op->waiter.blocker_order);
	while (index <= op->end) {
		entry = dax_table_next(&op->mapping->table, &index, op->end);
		if (!entry)
			return 0;
		if (index != op->xas.index)
			dax_wake_spent(op);
		op->xas.index = op->xas.at = index;
		if (!dax_is_locked(entry))
			return entry;
		if (proto->scan_wait != SCAN_NEXT)
			return dax_sleep(op, entry, true);
		index = dax_entry_last(entry, index) + 1;
	}
	return 0;
}

/*
 * An exclusive wake may have been consumed for nothing: pass it on. A locked
 * entry comes from PMD_ON_PTE_RETURN alone: its holder wakes.
 */
void put_unlocked_entry(struct dax_op *op, dax_entry_t entry,
			enum dax_wake_mode mode)
{
	if (!entry ||
	    dax_is_conflict(entry) != op->mapping->proto->put_never_wakes)
		return;
	if (dax_is_value(entry) && dax_is_locked(entry))
		return;
	dax_wake_entry(op, entry, mode);
}

/* ------------------------------------------------------------------- lock */

/* Replaces the word of the entry that this operation knows to be @old. */
static void store_entry(struct dax_op *op, dax_entry_t old, dax_entry_t entry)
{
	dax_entry_t was = dax_table_replace(&op->mapping->table, op->xas.index,
					    entry);

	assert(was == old);
	(void)was;
}

/* Takes the unlocked @entry at the cursor; op->entry is its unlocked value. */
void dax_lock_entry(struct dax_op *op, dax_entry_t entry)
{
	store_entry(op, entry, entry | DAX_LOCKED);
	op->entry = entry;
	op->woken_once = false;
}

/* The part of unlocking that changes the table; the wake is the caller's. */
void dax_store_unlocked(struct dax_op *op)
{
	store_entry(op, op->entry | DAX_LOCKED, op->entry);
	op->unlocked = op->entry;
	dax_note_release(op, op->entry);
}

/*
 * Two steps, as the kernel drops i_pages before it wakes: others may come
 * between. The cookie stays in op->unlocked for the wake's key.
 */
enum dax_verb dax_unlock_entry(struct dax_op *op)
{
	dax_store_unlocked(op);
	op->entry = 0;
	op->mapping->wakes_pending++;
	return dax_ask(op, DAX_MORE, STEP_UNLOCK_WAKE);
}

/* ------------------------------------------------------------------- grab */

static enum dax_verb grab_refused(struct dax_op *op, enum dax_vm_fault fault)
{
	op->grabbed = dax_make_fault(fault);
	return DAX_MORE;
}

static enum dax_verb grab_create(struct dax_op *op)
{
	dax_entry_t entry = dax_make_entry(0, op->xas.order ?
					   DAX_EMPTY | DAX_PMD : DAX_EMPTY);

	if (dax_table_insert(&op->mapping->table, op->xas.index,
			     entry | DAX_LOCKED))
		return dax_ask(op, DAX_ALLOC, STEP_GRAB_NOMEM);
	op->entry = op->grabbed = entry;
	op->woken_once = false;
	return DAX_MORE;
}

/*
 * A page fault takes a 2M zero or empty entry apart; the entry is locked by us
 * and, if it was a zero entry, mapped nowhere. Everybody who slept on it may
 * now want another one: wake them all.
 */
enum dax_verb grab_downgrade(struct dax_op *op)
{
	dax_entry_t entry = op->entry;

	dax_table_erase(&op->mapping->table, op->xas.index);
	dax_note_release(op, entry);
	op->entry = 0;
	dax_wake_entry(op, entry, WAKE_ALL);
	op->downgraded = true;
	counter_add(&op->stats->downgrades, 1);
	return grab_create(op);
}

/*
 * The flag that a 2M entry is to be taken apart, not reset before the retry: what
 * is there by now goes, an entry of another and its mark too. (The kernel's count
 * of pages went wrong with it; ours is kept.)
 */
enum dax_verb grab_downgrade_again(struct dax_op *op)
{
	dax_entry_t entry = get_unlocked_entry(op, 0);

	if (entry == DAX_SLEPT)
		return DAX_PARK;
	if (!entry)
		return grab_create(op);
	dax_lock_entry(op, entry);
	return grab_downgrade(op);
}

/*
 * Finds or makes the entry for a fault of xas.order at xas.index and locks it.
 * DAX_MORE: op->grabbed is the entry, which op->entry holds, or a fault code.
 * Another verb is the driver's to do first; op->step goes on from there.
 *
 *  - A 2M fault that meets a 4K entry is refused: FALLBACK.
 *  - A page fault uses a real 2M entry as it is, and takes others apart.
 */
enum dax_verb grab_mapping_entry(struct dax_op *op)
{
	unsigned int order = op->xas.order;
	dax_entry_t entry = get_unlocked_entry(op, order);

	if (!entry)
		return grab_create(op);
	if (entry == DAX_SLEPT)
		return DAX_PARK;
	if (dax_is_conflict(entry)) {
		counter_add(&op->stats->conflicts, 1);
		return grab_refused(op, DAX_FAULT_FALLBACK);
	}
	if (dax_entry_order(entry) < order) {
		counter_add(&op->stats->conflicts, 1);
		put_unlocked_entry(op, entry, WAKE_NEXT);
		return grab_refused(op, DAX_FAULT_FALLBACK);
	}
	dax_lock_entry(op, entry);
	op->grabbed = entry;
	if (dax_entry_order(entry) == order ||
	    !(dax_is_zero_entry(entry) || dax_is_empty_entry(entry)))
		return DAX_MORE;
	if (dax_is_empty_entry(entry))
		return grab_downgrade(op);
	op->ask.cows = false;
	return dax_ask_pages(op, DAX_UNMAP, op->xas.index & ~PG_PMD_COLOUR,
			     PG_PMD_NR, STEP_GRAB_DOWNGRADE);
}

/* ----------------------------------------------------------------- insert */

/* Must the old translation go before op->new_entry is stored? */
bool dax_insert_unmaps(const struct dax_op *op)
{
	return op->ans.iomap.flags & DAX_IOMAP_F_SHARED ||
	       (dax_is_zero_entry(op->entry) &&
		!dax_is_zero_entry(op->new_entry));
}

/*
 * An empty entry became a zero page, locked by the page's own lock: who slept on
 * the entry has to be sent there. Or a zero page left the page cache: back.
 */
static void hole_replaced(struct dax_op *op, dax_entry_t old)
{
	const struct dax_protocol *proto = op->mapping->proto;

	if (list_empty(&op->mapping->sleepers) || !proto->hole_page_lock ||
	    op->order)
		return;
	dax_note_release(op, old);
	dax_wake_entry(op, old, proto->hole_replace_wake);
}

/*
 * Stores op->new_entry in place of the entry held, unless that is a real one
 * already: a page fault may be using a real 2M entry. Marks what is written.
 * A synchronous fault leaves the entry clean: dax_op_init_mkwrite() dirties it.
 */
void dax_insert_entry(struct dax_op *op)
{
	struct dax_table *t = &op->mapping->table;
	bool shared = op->ans.iomap.flags & DAX_IOMAP_F_SHARED;
	bool write = op->ask.write;

	if (shared || dax_is_zero_entry(op->entry) ||
	    dax_is_empty_entry(op->entry)) {
		dax_entry_t old = op->entry;

		store_entry(op, old | DAX_LOCKED, op->new_entry | DAX_LOCKED);
		op->entry = op->new_entry;
		if (dax_is_zero_entry(op->entry) != dax_is_zero_entry(old))
			hole_replaced(op, old);
	}
	if ((write || op->mapping->proto->dirty_on_read) && !op->needs_sync)
		dax_table_set_mark(t, op->xas.index, DAX_MARK_DIRTY);
	if (write && shared)
		dax_table_set_mark(t, op->xas.index, DAX_MARK_TOWRITE);
	op->inserted = op->entry;
}

/* ------------------------------------------------------------- invalidate */

/*
 * The rest of __dax_invalidate_entry(), with @entry unlocked at the cursor: the
 * whole of it goes, a 2M entry too. Without @trunc what is dirty stays. True:
 * removed.
 */
bool dax_invalidate_entry(struct dax_op *op, dax_entry_t entry, bool trunc)
{
	struct dax_table *t = &op->mapping->table;
	bool keep = !trunc &&
		    (dax_table_get_mark(t, op->xas.index, DAX_MARK_DIRTY) ||
		     dax_table_get_mark(t, op->xas.index, DAX_MARK_TOWRITE));

	if (!keep)
		dax_remove_entry(op, entry);
	put_unlocked_entry(op, entry, op->mapping->proto->inval_wake);
	return !keep;
}
