/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A file's entries: a sparse, ordered table in one block of memory, the part of
 * the kernel's XArray that fs/dax.c uses. Nodes refer to each other by their
 * position in the block (in units of 64 bytes), so the block may move and may
 * lie in shared memory. Three kinds of nodes:
 *
 *	dir	64 children; a tree of them, as high as the largest index needs,
 *		leads to the windows (6 bits of the window's number a level)
 *	window	one 2M window, a cache line: its 2M entry, or up to 8 leaves
 *	leaf	64 pages of a window: the 4K entries
 *
 * A node exists only while an entry hangs under it, and is re-used for a node
 * of its kind afterwards. Height never falls before the table is empty. Lookup
 * costs the height (2 up to 8 GiB, 4 up to 32 TiB), whatever the file holds. A
 * full leaf costs 9 bytes a 4K entry.
 *
 * Marks (kernel: PAGECACHE_TAG_*) are bits beside the entry, summed up in each
 * node above, so that the next marked entry is found without a look at the
 * unmarked.
 *
 * Who owns what: the driver owns the block. Lock: i_pages held in every call,
 * unless it says otherwise. Units: pages, bytes where the name says size. Errors:
 * -ENOMEM alone, from dax_table_insert(), and the table is unchanged then.
 */
#ifndef UDAX_DAX_TABLE_H
#define UDAX_DAX_TABLE_H

#include <stdint.h>

#include "dax/entry.h"

/* Largest page number + 1. */
#define DAX_TABLE_MAX	(1UL << 52)

enum dax_mark {
	DAX_MARK_DIRTY,		/* to be written back some time */
	DAX_MARK_TOWRITE,	/* by a writeback that has begun */
	DAX_MARK_WRITEBACK,	/* locked by one that writes it now */
	DAX_MARKS
};

enum dax_node_kind { DAX_NODE_DIR, DAX_NODE_WINDOW, DAX_NODE_LEAF, DAX_NODES };

struct dax_table {
	void *base;		/* the driver's memory */
	uint64_t size;		/* bytes at @base */
	uint64_t used;		/* bytes handed out, free nodes included */
	uint64_t nr_entries;	/* present entries: 4K and 2M each count one */
	uint64_t nr_pages;	/* the kernel's nrpages: 512 for a 2M entry */
	uint64_t root;		/* top dir << 8 | height; 0 when empty */
	uint32_t free[DAX_NODES];	/* chains of nodes to re-use */
};

/* Cursor, as the kernel's xa_state. */
struct dax_state {
	uint64_t index;
	uint64_t at;		/* where the entry found last begins */
	unsigned int order;
	int error;
};

/* @base, @size: as dax_table_set_memory(); 0 bytes will do. No lock. */
void dax_table_init(struct dax_table *t, void *base, uint64_t size);

/*
 * More memory for a table, after DAX_ALLOC: @base holds the old contents in its
 * first bytes (mremap does it), zeros behind them. 64-byte aligned. i_pages held.
 */
void dax_table_set_memory(struct dax_table *t, void *base, uint64_t size);

/*
 * The first entry present in the 2^@order pages at @index (0 or PMD_ORDER, then
 * @index may be any page of the window), or 0. @at, if not NULL: where it begins.
 */
dax_entry_t dax_table_load(const struct dax_table *t, uint64_t index,
			   unsigned int order, uint64_t *at);

/*
 * Adds @entry at @index: in the page's slot, or the window's for a 2M entry.
 * Nothing may be present there, in all of the window for a 2M entry.
 */
int dax_table_insert(struct dax_table *t, uint64_t index, dax_entry_t entry);
/* Replaces the word of the entry that covers @index by one of the same order. */
dax_entry_t dax_table_replace(struct dax_table *t, uint64_t index,
			      dax_entry_t entry);
/* Removes the entry that covers @index, with its marks; returns it, or 0. */
dax_entry_t dax_table_erase(struct dax_table *t, uint64_t index);

/* Marks of the entry that covers @index, which must be present. */
void dax_table_set_mark(struct dax_table *t, uint64_t index, enum dax_mark mark);
void dax_table_clear_mark(struct dax_table *t, uint64_t index, enum dax_mark mark);
bool dax_table_get_mark(const struct dax_table *t, uint64_t index,
			enum dax_mark mark);

/*
 * The first entry at or after *@index that overlaps [*@index, @end], or 0.
 * *@index becomes the entry's first page, or stays if that lies before it.
 */
dax_entry_t dax_table_next(const struct dax_table *t, uint64_t *index,
			   uint64_t end);
/* The same among the entries with @mark. */
dax_entry_t dax_table_next_marked(const struct dax_table *t, uint64_t *index,
				  uint64_t end, enum dax_mark mark);
/* Sets @to on each entry of [@index, @end] that has @from. Returns how many. */
uint64_t dax_table_tag(struct dax_table *t, uint64_t index, uint64_t end,
		       enum dax_mark from, enum dax_mark to);

/*
 * A byte a 2M window for the driver (udaxd keeps there whether the window is a
 * huge folio). NULL while the window has no node; a node lives until the
 * mapping ends or every entry of its window is deleted (the byte is 0 again
 * then). i_pages held, or the window's entry locked by the caller (and the
 * memory not being replaced).
 */
uint8_t *dax_table_window_byte(struct dax_table *t, uint64_t index);

/* verify.c: structure, marks and counts; 0 or the number of an invariant. */
int dax_table_verify(const struct dax_table *t, bool dirty_zero, char *msg,
		     unsigned int len);
/* The same for what leads to @index alone, without the counts. */
int dax_table_verify_at(const struct dax_table *t, uint64_t index,
			bool dirty_zero, char *msg, unsigned int len);

#endif
