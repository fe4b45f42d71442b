/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A simulated file system: per file a size, extents of blocks (4K, as pages)
 * and the bytes. It knows nothing of DAX entries or mappings; what an operation
 * must do to those first (breaking the layout, deleting entries) is its
 * caller's.
 *
 * Placement decides whether a window can be mapped at 2M. It is taken from a
 * hint where the caller has one (what the real file system did), else: an
 * allocation that holds a whole window is aligned to 2M, any other goes right
 * behind the page before it, or where there is none, off colour.
 *
 * The medium has SIMFS_PAGES; then allocations give -ENOSPC.
 *
 * No lock. Units: @page and @nr count 4K pages, offsets and lengths bytes.
 * Errors: -ENOMEM, and the -errno that the system call would give.
 */
#ifndef UDAX_MM_SIMFS_H
#define UDAX_MM_SIMFS_H

#include <stdbool.h>
#include <stdint.h>

#include "dax/dax.h"
#include "mm/variant.h"

#define SIMFS_PAGES	(1ULL << 20)	/* 4 GiB */

enum simfs_state { SIMFS_HOLE, SIMFS_UNWRITTEN, SIMFS_WRITTEN };

struct simfs_extent {
	uint64_t page, nr;
	enum simfs_state state;
	uint64_t pfn;		/* of @page, in the medium */
};

struct simfs_data;		/* a page's bytes; simfs_data.c */

struct simfs {
	const struct simfs_rules *rules;
	uint64_t next_base;	/* pfns never used yet start here */
	uint64_t used;		/* pages allocated, in all files */
};

struct simfs_file {
	struct simfs *fs;
	uint64_t size;			/* bytes */
	struct simfs_extent *ext;	/* sorted, merged, no holes stored */
	unsigned int nr_ext, room_ext;
	struct simfs_data **data;	/* hash of pages; an absent page is 0s */
	uint64_t nr_data, nr_buckets;
	struct simfs_chunk *chunks;	/* memory of pages, and those given back: */
	struct simfs_data *free_data;
	unsigned int chunk_used;	/* nodes of the first chunk */
	uint64_t digest;		/* hash of the bytes: alike if they came
					   about alike, page by page */
	bool dirty;			/* metadata not yet durable */
	/* Where the next allocations go; NULL: by default. Not owned. */
	const struct simfs_extent *hint;
	unsigned int nr_hint;
};

void simfs_init(struct simfs *fs, const struct simfs_rules *rules);
void simfs_file_init(struct simfs_file *f, struct simfs *fs, uint64_t size);
void simfs_file_exit(struct simfs_file *f);

/* The extent or hole that holds @page; a hole's end may be UINT64_MAX. */
struct simfs_extent simfs_lookup(const struct simfs_file *f, uint64_t page);

/*
 * Answers DAX_IOMAP: the extent at @pos; with @write it is allocated or
 * converted first, @len bytes at most. @pos is page aligned. Errors are in
 * @iomap.
 */
void simfs_iomap(struct simfs_file *f, uint64_t pos, uint64_t len, bool write,
		 struct dax_iomap *iomap);

/* fallocate(2) by mode. The checks come first: nothing is done on an error. */
int simfs_prealloc(struct simfs_file *f, uint64_t off, uint64_t len);
int simfs_punch(struct simfs_file *f, uint64_t off, uint64_t len);
int simfs_zero(struct simfs_file *f, uint64_t off, uint64_t len);
int simfs_collapse(struct simfs_file *f, uint64_t off, uint64_t len);
/* -EINVAL when collapse would refuse; its caller asks before it unmaps. */
int simfs_collapse_check(const struct simfs_file *f, uint64_t off,
			 uint64_t len);
int simfs_truncate(struct simfs_file *f, uint64_t size);

/*
 * The beginning of a write(2) at @off: allocates the extent there; at most @len
 * bytes, in *@nr how many, may be stored next. *@fresh: blocks were allocated,
 * the caller must invalidate the entries of those pages. 0 or -errno.
 */
int simfs_write_begin(struct simfs_file *f, uint64_t off, uint64_t len,
		      uint64_t *nr, bool *fresh);
/* Its end: the file reaches to @end at least. */
void simfs_write_end(struct simfs_file *f, uint64_t end);

/* Bytes, whatever the extents and the size say. A page never stored is 0s. */
void simfs_read(const struct simfs_file *f, uint64_t off, void *dst,
		uint64_t len);
int simfs_fill(struct simfs_file *f, uint64_t off, uint8_t byte, uint64_t len);
int simfs_put(struct simfs_file *f, uint64_t off, const void *src,
	      uint64_t len);
/* All bytes of [off, off + len) are 0 afterwards; frees what it can. */
int simfs_clear(struct simfs_file *f, uint64_t off, uint64_t len);
/* Bytes from @from on (page aligned) move down by @by (page aligned). */
void simfs_shift(struct simfs_file *f, uint64_t from, uint64_t by);
void simfs_data_exit(struct simfs_file *f);

uint64_t simfs_blocks(const struct simfs_file *f);	/* pages allocated */

/*
 * Replaces the extents by what somebody else's file system has: @ext's pfns are
 * congruent with @page where the colour is right, and otherwise without
 * meaning. Pages that stay keep their place where the colour allows.
 */
int simfs_set_extents(struct simfs_file *f, const struct simfs_extent *ext,
		      unsigned int nr);

#endif
