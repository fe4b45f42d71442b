/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Changes of a simulated file's extent list, for simfs alone. A range is
 * [page, page + nr); @nr may reach past the last page there is. 0 or -ENOMEM.
 */
#ifndef UDAX_MM_SIMFS_EXTENT_H
#define UDAX_MM_SIMFS_EXTENT_H

#include "mm/simfs.h"

uint64_t simfs_extent_end(const struct simfs_extent *e);
/* The first extent that ends behind @page; nr_ext when there is none. */
unsigned int simfs_extent_index(const struct simfs_file *f, uint64_t page);

int simfs_extent_remove(struct simfs_file *f, uint64_t page, uint64_t nr);
/* Puts @e in the place of whatever its pages held. */
int simfs_extent_set(struct simfs_file *f, const struct simfs_extent *e);
/* The state of what is allocated in the range; holes stay. */
int simfs_extent_set_state(struct simfs_file *f, uint64_t page, uint64_t nr,
			   enum simfs_state state);
/* Extents from @page on move down by @by pages, over a hole. */
void simfs_extent_shift(struct simfs_file *f, uint64_t page, uint64_t by);

#endif
