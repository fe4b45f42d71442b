/* SPDX-License-Identifier: BSD-3-Clause */
#include "dax/wait.h"

#include <assert.h>

#include "dax/dax.h"

#define GOLDEN_RATIO_64 0x61c8864680b583ebUL

uint64_t dax_wait_table_size(unsigned int bits)
{
	return sizeof(struct dax_wait_queue) << bits;
}

void dax_wait_table_init(struct dax_wait_table *table, unsigned int bits,
			 void *memory)
{
	table->bits = bits;
	table->queues = memory;
	for (unsigned int i = 0; i < 1U << bits; i++) {
		table->queues[i].nr = 0;
		list_init(&table->queues[i].head);
		lock_init(&table->queues[i].lock, LOCK_RANK_QUEUE, "wait queue");
	}
}

void dax_wait_table_exit(struct dax_wait_table *table)
{
	for (unsigned int i = 0; i < 1U << table->bits; i++) {
		assert(list_empty(&table->queues[i].head));
		lock_destroy(&table->queues[i].lock);
	}
}

/* Kernel: hash_long(xas->xa ^ entry_start, DAX_WAIT_TABLE_BITS). */
struct dax_wait_queue *dax_wait_queue(const struct dax_wait_table *table,
				      const struct dax_wait_key *key)
{
	uint64_t hash = (key->mapping->hash ^ key->entry_start) *
			GOLDEN_RATIO_64;

	return &table->queues[table->bits ? hash >> (64 - table->bits) : 0];
}

static void queue_count(struct dax_wait_queue *q, int n)
{
	__atomic_store_n(&q->nr, q->nr + n, __ATOMIC_RELAXED);
}

static bool key_equal(const struct dax_wait_key *a, const struct dax_wait_key *b)
{
	return a->mapping == b->mapping && a->entry_start == b->entry_start;
}

void dax_sleeper_lists_init(struct dax_sleeper_lists *lists)
{
	for (unsigned int i = 0; i < 1U << DAX_SLEEPER_BITS; i++) {
		list_init(&lists->blocked[i]);
		list_init(&lists->picked[i]);
	}
}

/* Of @lists the one for @page, or for the key of that number. */
static struct list_head *list_of(struct list_head *lists, uint64_t page)
{
	return &lists[DAX_SLEEPER_BITS ?
		      page * GOLDEN_RATIO_64 >> (64 - DAX_SLEEPER_BITS) : 0];
}

void dax_wait_sleep(struct dax_wait_table *table, struct dax_waiter *w)
{
	struct dax_wait_queue *q = dax_wait_queue(table, &w->key);
	struct dax_mapping *mapping = w->key.mapping;

	assert(!w->asleep);
	w->asleep = true;
	w->released = false;
	w->stranded = false;
	w->kicked = false;
	list_add_tail(&w->sleeper, &mapping->sleepers);
	list_add_tail(&w->blocked, list_of(mapping->lists.blocked, w->blocker));
	list_init(&w->picked);
	mapping->unsettled = true;
	lock_take(&q->lock);
	w->queued = true;
	if (w->exclusive)
		list_add_tail(&w->link, &q->head);
	else
		list_add(&w->link, &q->head);
	queue_count(q, 1);
	lock_release(&q->lock);
}

void dax_wait_finish(struct dax_waiter *w)
{
	assert(w->asleep && !w->queued);
	w->asleep = false;
	list_del(&w->sleeper);
	list_del(&w->blocked);
	list_del(&w->picked);
	w->key.mapping->unsettled = true;
}

bool dax_wait_cancel(struct dax_wait_table *table, struct dax_waiter *w)
{
	struct dax_wait_queue *q = dax_wait_queue(table, &w->key);
	bool queued;

	lock_take(&q->lock);
	queued = w->queued;
	if (queued) {
		list_del(&w->link);
		w->queued = false;
		queue_count(q, -1);
	}
	lock_release(&q->lock);
	return queued;
}

/*
 * No wake is lost between an entry's lock bit and its queue: whoever sees the
 * bit set enqueues in the critical section of i_pages in which it saw it, and
 * the bit is cleared, or the entry removed, in a critical section too. So when
 * a waker comes here, in that section or a later one, each operation that saw
 * the old bit is in its queue already, or has been picked. For the same reason
 * the queue's count may be read without its lock: a waiter of this mapping
 * cannot be just arriving, and others are none of this wake's business.
 *
 * That the *key* is the waiter's too is what the protocol has to see to; not
 * all of them do.
 */
void dax_wait_wake(struct dax_wait_table *table, const struct dax_wait_key *key,
		   enum dax_wake_mode mode, struct list_head *woken,
		   struct dax_stats *stats)
{
	struct dax_wait_queue *q = dax_wait_queue(table, key);
	struct list_head *picked = list_of(key->mapping->lists.picked,
					   key->entry_start);
	struct dax_waiter *w, *next;
	unsigned int n = 0;

	if (!__atomic_load_n(&q->nr, __ATOMIC_RELAXED))
		return;
	lock_take(&q->lock);
	list_for_each_safe(w, next, &q->head, link) {
		counter_add(&stats->scanned, 1);
		if (!key_equal(&w->key, key))
			continue;
		list_del(&w->link);
		w->queued = false;
		queue_count(q, -1);
		list_add_tail(&w->link, woken);
		list_add_tail(&w->picked, picked);
		n++;
		if (mode == WAKE_NEXT && w->exclusive)
			break;
	}
	lock_release(&q->lock);
	if (!n)
		return;
	counter_add(&stats->woken, n);
	if (mode == WAKE_NEXT)
		counter_add(&stats->wakes_next, 1);
	else
		counter_add(&stats->wakes_all, 1);
}

void dax_wait_note_release(struct dax_mapping *mapping, uint64_t first,
			   unsigned int order)
{
	struct dax_waiter *w, *next;

	mapping->unsettled = true;
	list_for_each_safe(w, next, list_of(mapping->lists.blocked, first),
			   blocked) {
		if (w->blocker != first || w->blocker_order != order)
			continue;
		w->released = true;
		list_del(&w->blocked);
	}
}

bool dax_wait_has_picked(struct dax_mapping *mapping, uint64_t key)
{
	const struct dax_waiter *w;

	list_for_each(w, list_of(mapping->lists.picked, key), picked)
		if (w->key.entry_start == key)
			return true;
	return false;
}
