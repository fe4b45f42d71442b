/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Numbers for strings of bytes: alike ones have the same. Numbers go up from 0,
 * which is the empty string. What was added stays until intern_exit().
 *
 * No lock; a table belongs to its caller. Where memory is short @nomem is set for
 * good, and the answers are without meaning.
 */
#ifndef UDAX_MM_INTERN_H
#define UDAX_MM_INTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct intern_item {
	size_t at;			/* in @mem */
	uint32_t len, hash;
};

struct intern {
	char *mem;
	size_t used, room;
	struct intern_item *item;
	uint32_t nr, max;
	uint32_t *table;		/* item's number + 1; 0 is a free place */
	uint32_t size;			/* a power of two */
	bool nomem;
};

void intern_init(struct intern *in);
void intern_exit(struct intern *in);
/* @data must not lie in the table itself. */
uint32_t intern_add(struct intern *in, const void *data, size_t len);

/* Valid until the next intern_add(). Aligned if all lengths are. */
static inline const void *intern_data(const struct intern *in, uint32_t nr)
{
	return in->mem + in->item[nr].at;
}

static inline size_t intern_len(const struct intern *in, uint32_t nr)
{
	return in->item[nr].len;
}

#endif
