/* SPDX-License-Identifier: BSD-3-Clause */
/* Medium image, among its files: media_image.c and image_store.c. */
#ifndef UDAX_IO_IMAGE_H
#define UDAX_IO_IMAGE_H

#include "io/armed.h"
#include "io/media_impl.h"
#include "io/pmem2.h"

struct image {
	struct media m;
	const struct pmem2_api *pmem2;
	struct armed own;	/* the memfd; loads single pages */
	pthread_mutex_t resize;	/* one resize or punch at a time; outer to @lock */

	/* The pmem file, mapped as far as it went when it was last mapped. */
	pthread_rwlock_t lock;	/* write: to replace the four below; a leaf */
	struct pmem2_map *map;	/* NULL: the file was empty so far */
	char *addr;
	uint64_t len;
	pmem2_persist_fn persist;	/* NULL: by msync(), see flush() */

	/* One extent that is known to be allocated, so that faults need not ask. */
	struct lock known_lock;	/* guards the three below */
	uint64_t known_start, known_end;
	uint64_t known_gen;	/* counts what may have made it wrong */
};

static inline struct image *to_image(struct media *m)
{
	return container_of(m, struct image, m);
}

static inline uint64_t page_up(uint64_t pos)
{
	return (pos + MEDIA_PAGE - 1) & ~(MEDIA_PAGE - 1);
}

/*
 * Takes the lock for reading, with a mapping of [0, @end) if the file reaches so
 * far: @im->len tells. 0 or -errno. image_map_put() lets go of it.
 */
int image_map_get(struct image *im, uint64_t end);

static inline void image_map_put(struct image *im)
{
	pthread_rwlock_unlock(&im->lock);
}

/* Blocks of the pmem file for [pos, pos+len). 0 also if that cannot be asked. */
int image_allocate(struct image *im, uint64_t pos, uint64_t len);

/* media_ops of these names; image_store.c */
int image_store(struct media *m, uint64_t pos, uint64_t len);
int image_sync(struct media *m, uint64_t pos, uint64_t len);
int image_writeback(struct media *m, uint64_t pos, uint64_t len);

#endif
