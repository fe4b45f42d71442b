/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Hashed wait queues for the lock bit of entries, shared by all mappings.
 * Reference: fs/dax.c, wait_table, dax_entry_waitqueue(), dax_wake_entry().
 *
 * Whose is a waiter's memory: the operation's, which is its driver's. From
 * dax_wait_sleep() the node belongs to the queue; a wake or a cancel takes it
 * out under the queue's lock, which is the one place that decides between the
 * two. A node that a wake took out is on the waker's op->woken list and belongs
 * to the waker's driver, until that driver steps the operation again.
 *
 * Two phases: nodes are picked under the queue's lock onto a list of the
 * waker's, and run by the driver when it has dropped i_pages. Running an
 * operation under a queue's lock would take i_pages inside it.
 *
 * Locks: i_pages of the waiter's mapping is held in every call. The queue's own
 * lock is taken inside, for other mappings hash into the same queue. Nothing
 * here fails or allocates.
 */
#ifndef UDAX_DAX_WAIT_H
#define UDAX_DAX_WAIT_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/list.h"
#include "lib/lock.h"

#ifndef DAX_WAIT_TABLE_BITS
#define DAX_WAIT_TABLE_BITS 12
#endif

#ifndef DAX_SLEEPER_BITS
#define DAX_SLEEPER_BITS 5
#endif

struct dax_mapping;
struct dax_stats;

enum dax_wake_mode { WAKE_ALL, WAKE_NEXT };

/* What a waiter waits for: kernel struct exceptional_entry_key. */
struct dax_wait_key {
	struct dax_mapping *mapping;
	uint64_t entry_start;	/* a page, or: */
};

/* In entry_start: the lock of the zero page there (switch hole_page_lock). */
#define DAX_KEY_PAGE_LOCK	(1UL << 63)

/* Lies inside the operation that waits; its memory is the operation's. */
struct dax_waiter {
	struct list_head link;	/* in a queue, or on a woken list */
	struct list_head sleeper;	/* in mapping->sleepers: i_pages */
	struct list_head blocked;	/* in one of lists.blocked, until released */
	struct list_head picked;	/* in one of lists.picked, once a wake has it */
	struct dax_wait_key key;
	uint64_t blocker;	/* first page of the entry that it saw locked */
	unsigned int blocker_order;
	bool exclusive;
	bool queued;		/* in a queue: under the queue's lock */
	bool asleep;		/* from PARK to its next step: i_pages */
	bool released;		/* the blocker was unlocked since: i_pages */
	bool stranded;		/* its key was seen without a source: i_pages */
	bool kicked;		/* out of its queue by dax_op_kick(): i_pages */
};

/*
 * Sleepers of a mapping, so that nobody is searched for among all of them; each
 * list has those whose number hashes to it, and is short. i_pages.
 */
struct dax_sleeper_lists {
	/* By the blocker's first page: the blocker was not released yet. */
	struct list_head blocked[1 << DAX_SLEEPER_BITS];
	/* By the key: a wake, no kick, has picked them; they have not looked up. */
	struct list_head picked[1 << DAX_SLEEPER_BITS];
};

struct dax_wait_queue {
	unsigned int nr;	/* atomic; written under the lock */
	struct list_head head;	/* non-exclusive first, then exclusive, FIFO */
	struct lock lock;
} __attribute__((aligned(64)));

struct dax_wait_table {
	unsigned int bits;
	struct dax_wait_queue *queues;	/* 1 << bits of them, the driver's memory */
};

/* Bytes of memory for a table of 1 << @bits queues; 64-byte aligned. */
uint64_t dax_wait_table_size(unsigned int bits);
/* No lock. @memory stays the driver's, alive until dax_wait_table_exit(). */
void dax_wait_table_init(struct dax_wait_table *table, unsigned int bits,
			 void *memory);
/* Nobody may be asleep. No lock. */
void dax_wait_table_exit(struct dax_wait_table *table);

/* For dax_mapping_init(). */
void dax_sleeper_lists_init(struct dax_sleeper_lists *lists);

/*
 * Puts @w to sleep on @w->key; the caller has set key, exclusive and blocker,
 * and found the entry locked in this same critical section.
 */
void dax_wait_sleep(struct dax_wait_table *table, struct dax_waiter *w);
/* The sleeper runs: its part of schedule()'s return. */
void dax_wait_finish(struct dax_waiter *w);
/* Takes a sleeper out of its queue. False: a wake was first. */
bool dax_wait_cancel(struct dax_wait_table *table, struct dax_waiter *w);

/*
 * Picks waiters of @key onto the tail of @woken: WAKE_ALL every one, WAKE_NEXT
 * those that are non-exclusive and stand before the first exclusive one, and
 * that one.
 */
void dax_wait_wake(struct dax_wait_table *table, const struct dax_wait_key *key,
		   enum dax_wake_mode mode, struct list_head *woken,
		   struct dax_stats *stats);

/*
 * The entry at @first was unlocked or removed: tells those who sleep on it, for
 * the words misdirected and barged. Each sleep is told once: what many releases
 * cost together is one visit a sleep, and those of other entries that share the
 * list.
 */
void dax_wait_note_release(struct dax_mapping *mapping, uint64_t first,
			   unsigned int order);

/* Has a wake of @key picked somebody who has not looked up again? */
bool dax_wait_has_picked(struct dax_mapping *mapping, uint64_t key);

struct dax_wait_queue *dax_wait_queue(const struct dax_wait_table *table,
				      const struct dax_wait_key *key);

#endif
