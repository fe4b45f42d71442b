/* SPDX-License-Identifier: BSD-3-Clause */
/* What the media share among themselves; media.h is for everybody else. */
#ifndef UDAX_IO_MEDIA_IMPL_H
#define UDAX_IO_MEDIA_IMPL_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "io/media.h"

#define MEDIA_PAGE	4096ull
#define MEDIA_WINDOW	(2ull << 20)

/*
 * Constructors. @base has all but ops, kind and memfd; its descriptor becomes
 * the medium's on success and stays the caller's on failure.
 */
int media_direct_new(struct media **m, const struct media *base, char *why,
		     unsigned int why_len);
int media_image_new(struct media **m, const struct media *base, char *why,
		    unsigned int why_len);

int media_direct_track(struct media *m);

/* Formats a sentence to @why and returns @err. */
int media_fail(int err, char *why, unsigned int why_len, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/*
 * The extent of @fd at @pos, at most @len bytes: *@data tells which kind. What
 * lies past the end of file is a hole. A descriptor's own offset is used and
 * means nothing. Bytes, or -errno. On tmpfs the time grows with the length of
 * the extent, also of what lies behind @len: see media_memory_extent().
 */
int64_t media_extent(int fd, uint64_t pos, uint64_t len, bool *data);

/*
 * Is every page of [pos, pos+len) of a tmpfs file or memfd allocated (perhaps
 * not yet cleared)? Looks at the range alone. False also when it is not known:
 * cachestat(2) is of Linux 6.5.
 */
bool media_memory_full(int fd, uint64_t pos, uint64_t len);

/* How many of them are; 0 also when it is not known. */
uint64_t media_memory_pages(int fd, uint64_t pos, uint64_t len);

/* media_extent() for a tmpfs file or memfd; a range that is full is data. */
int64_t media_memory_extent(int fd, uint64_t pos, uint64_t len, bool *data);

/* A read-write lock that lets a waiting writer in before new readers. */
void media_rwlock_init(pthread_rwlock_t *lock);

static inline void media_iomap_set(struct dax_iomap *iomap, enum dax_iomap_type type,
				   uint64_t pos, uint64_t len, bool is_new)
{
	*iomap = (struct dax_iomap){
		.type = type,
		.flags = is_new ? DAX_IOMAP_F_NEW : 0,
		.length = len,
		.pfn = type == DAX_IOMAP_MAPPED ? pos / MEDIA_PAGE : 0,
	};
}

static inline void media_iomap_error(struct dax_iomap *iomap, int error)
{
	*iomap = (struct dax_iomap){ .error = error };
}

#endif
