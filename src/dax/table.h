/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef UDAX_DAX_TABLE_H
#define UDAX_DAX_TABLE_H

#include <stdint.h>

#include "dax/entry.h"

/* A file's entries: position-independent, no pointers in the memory. */
struct dax_table {
	void *base;		/* the driver's memory */
	uint64_t size;		/* bytes at @base */
	uint64_t used;		/* bytes handed out */
	uint64_t nr_entries;	/* present entries: 4K and 2M each count one */
	uint64_t nr_pages;	/* the kernel's nrpages: 512 for a 2M entry */
};

/* Cursor, as the kernel's xa_state. */
struct dax_state {
	uint64_t index;
	unsigned int order;
	int error;
};

/*
 * More memory for a table, after DAX_ALLOC: @base holds the old contents in its
 * first bytes (mremap does it), zeros behind them. i_pages held.
 */
void dax_table_set_memory(struct dax_table *t, void *base, uint64_t size);

/*
 * A byte a 2M window for the driver (udaxd keeps there whether the window is a
 * huge folio). NULL while the window has no node; a node lives until the
 * mapping ends or every entry of its window is deleted (the byte is 0 again
 * then). i_pages held, or the window's entry locked by the caller.
 */
uint8_t *dax_table_window_byte(struct dax_table *t, uint64_t index);

#endif
