/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Has a page left a tmpfs file since we looked? A mapping that only its owner sees,
 * with a translation for each page that was seen. The kernel removes every
 * translation of a page before the page leaves the file, by a punch, a truncation
 * or to swap; the mapping is armed for missing and for cached pages in SIGBUS mode,
 * so that a translation never comes back by itself. So a load that succeeds proves,
 * without a system call, that the page is the one that was seen.
 *
 * Any thread, no lock held. A page that is watched costs its part of a page table.
 * Positions are bytes in the file, page aligned.
 */
#ifndef UDAX_IO_WITNESS_H
#define UDAX_IO_WITNESS_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/lock.h"

struct witness_map;

struct witness {
	int fd;				/* not owned; read-write */
	struct lock lock;		/* a leaf: to replace the two below */
	int uffd;			/* the process's own, or < 0 */
	struct witness_map *map;	/* the newest, atomic; older ones stay */
};

void witness_init(struct witness *w, int fd);
void witness_exit(struct witness *w);

/*
 * Watches the page at @pos from now on. One that was allocated and not yet cleared
 * is cleared by it. Nothing happens if there is none, or no way to watch it.
 */
void witness_watch(struct witness *w, uint64_t pos);

/* Is the page at @pos still the one that was there when it was watched? */
bool witness_holds(const struct witness *w, uint64_t pos);

/*
 * A mark of the owner's on the page at @pos, which is watched: gone as soon as the
 * page is. One a 2M window, for its first page. It may be lost early.
 */
void witness_mark(struct witness *w, uint64_t pos);
bool witness_marked(const struct witness *w, uint64_t pos);

#endif
