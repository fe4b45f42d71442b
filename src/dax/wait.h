/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef UDAX_DAX_WAIT_H
#define UDAX_DAX_WAIT_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/list.h"
#include "lib/lock.h"

#ifndef DAX_WAIT_TABLE_BITS
#define DAX_WAIT_TABLE_BITS 12
#endif

struct dax_mapping;

enum dax_wake_mode { WAKE_ALL, WAKE_NEXT };

/* What a waiter waits for: kernel struct exceptional_entry_key. */
struct dax_wait_key {
	struct dax_mapping *mapping;
	uint64_t entry_start;
};

/* Lies inside the operation that waits; its memory is the operation's. */
struct dax_waiter {
	struct list_head link;	/* in a queue, or on a woken list */
	struct dax_wait_key key;
	bool exclusive;
	bool queued;		/* in a queue: under the queue's lock */
};

struct dax_wait_queue {
	struct lock lock;
	struct list_head head;	/* non-exclusive first, then exclusive, FIFO */
};

struct dax_wait_table {
	unsigned int bits;
	struct dax_wait_queue *queues;	/* 1 << bits of them, the driver's memory */
};

#endif
