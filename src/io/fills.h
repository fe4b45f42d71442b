/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which pages of a file in memory are there only because a hole was read: a
 * mapping must show something, so a page of zeros was allocated. To the
 * protocol it is a hole still. Once it is written to it is a block.
 *
 * A bit a page, in memory that is not there until it is used. Files reach
 * FILLS_PAGES; pages behind are never fills. Atomic words, no lock, no errors
 * after init. Units are pages.
 */
#ifndef UDAX_IO_FILLS_H
#define UDAX_IO_FILLS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define FILLS_PAGES (1ull << 32)	/* 16 TiB */

struct fills {
	_Atomic uint64_t *words;	/* NULL: nothing is kept */
};

/* 0 or -ENOMEM. */
int fills_init(struct fills *f);
void fills_exit(struct fills *f);

bool fills_test(const struct fills *f, uint64_t page);
void fills_set(struct fills *f, uint64_t page);
/* Pages [first, last]; @last may be anything. */
void fills_clear(struct fills *f, uint64_t first, uint64_t last);
/* How many of [first, first + nr) are. */
uint64_t fills_count(const struct fills *f, uint64_t first, uint64_t nr);

#endif
