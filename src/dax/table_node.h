/* SPDX-License-Identifier: BSD-3-Clause */
/* The nodes of a table: for table.c and verify.c only. See table.h. */
#ifndef UDAX_DAX_TABLE_NODE_H
#define UDAX_DAX_TABLE_NODE_H

#include <stddef.h>

#include "dax/table.h"

#define NODE_ALIGN	64UL
#define DIR_BITS	6
#define DIR_SLOTS	(1U << DIR_BITS)
/* Windows have numbers below 2^(52 - PMD_ORDER): 51 bits at the most. */
#define DIR_LEVELS	9

/* A small window has one small leaf. */
#define LEAF_BITS	(PMD_ORDER < 6 ? PMD_ORDER : 6)
#define LEAF_SLOTS	(1U << LEAF_BITS)
#define LEAVES		(1U << (PMD_ORDER - LEAF_BITS))

/* A node's position in the block, in units of NODE_ALIGN; 0: none. */
typedef uint32_t dax_ref_t;

struct dax_dir {
	uint64_t present;		/* bit s: slot[s] is a node */
	uint64_t marked[DAX_MARKS];	/* bit s: marked entries under slot[s] */
	dax_ref_t slot[DIR_SLOTS];	/* dirs, or windows at the lowest level */
} __attribute__((aligned(64)));

struct dax_window {
	dax_entry_t pmd;		/* the 2M entry; then there is no leaf */
	dax_ref_t leaf[8];
	uint8_t marked[DAX_MARKS];	/* bit l: marked entries in leaf[l]; the */
					/* 2M entry's own mark is bit 0 */
	uint8_t byte;			/* the driver's */
} __attribute__((aligned(64)));

struct dax_leaf {
	uint64_t present;		/* bit s: slot[s] is an entry */
	uint64_t marked[DAX_MARKS];
	dax_entry_t slot[LEAF_SLOTS];
} __attribute__((aligned(64)));

_Static_assert(sizeof(struct dax_window) == 64, "a window is a cache line");
_Static_assert(LEAVES <= 8, "a window has 8 leaves");
_Static_assert(sizeof(struct dax_leaf) <= LEAF_SLOTS * 16 || LEAF_SLOTS < 16,
	       "a present 4K entry costs 16 bytes at the most");

static inline void *node_at(const struct dax_table *t, dax_ref_t ref)
{
	return (char *)t->base + (uint64_t)ref * NODE_ALIGN;
}

static inline unsigned int root_height(uint64_t root)
{
	return root & 0xff;
}

static inline dax_ref_t root_ref(uint64_t root)
{
	return root >> 8;
}

static inline uint64_t window_nr(uint64_t index)
{
	return index >> PMD_ORDER;
}

static inline unsigned int leaf_nr(uint64_t index)
{
	return (index & PG_PMD_COLOUR) >> LEAF_BITS;
}

static inline unsigned int leaf_slot(uint64_t index)
{
	return index & (LEAF_SLOTS - 1);
}

static inline unsigned int dir_slot(uint64_t window, unsigned int level)
{
	return window >> (level * DIR_BITS) & (DIR_SLOTS - 1);
}

/* Does a tree of @height levels reach @window? */
static inline bool dir_covers(unsigned int height, uint64_t window)
{
	return height * DIR_BITS >= 64 || !(window >> (height * DIR_BITS));
}

static inline uint64_t dax_node_size(enum dax_node_kind kind)
{
	static const uint64_t size[DAX_NODES] = {
		[DAX_NODE_DIR] = sizeof(struct dax_dir),
		[DAX_NODE_WINDOW] = sizeof(struct dax_window),
		[DAX_NODE_LEAF] = sizeof(struct dax_leaf),
	};

	return size[kind];
}

/*
 * dax_table_window_byte() walks the dirs without i_pages: they are read and
 * written as atomics. A dir that leads to a locked entry's window is not freed,
 * and a new root is complete before it is stored.
 */
static inline dax_ref_t slot_load(const struct dax_dir *dir, unsigned int slot)
{
	return __atomic_load_n(&dir->slot[slot], __ATOMIC_ACQUIRE);
}

static inline uint64_t root_load(const struct dax_table *t)
{
	return __atomic_load_n(&t->root, __ATOMIC_ACQUIRE);
}

/* The window's node, or NULL. */
static inline struct dax_window *window_find(const struct dax_table *t,
					     uint64_t nr)
{
	uint64_t root = root_load(t);
	unsigned int height = root_height(root);
	dax_ref_t ref = root_ref(root);

	if (!dir_covers(height, nr))
		return NULL;
	while (height-- && ref)
		ref = slot_load(node_at(t, ref), dir_slot(nr, height));
	return ref ? node_at(t, ref) : NULL;
}

#endif
