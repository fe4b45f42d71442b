/* SPDX-License-Identifier: BSD-3-Clause */
#include "io/witness.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "io/guard.h"
#include "io/media_impl.h"
#include "io/uffd.h"

/* Address space costs nothing. */
#define MAP_MIN (1ull << 30)

struct witness_map {
	struct witness_map *older;	/* a reader may still be in it */
	char *base;
	uint64_t len;
};

void witness_init(struct witness *w, int fd)
{
	w->fd = fd;
	w->uffd = -1;
	w->map = NULL;
	lock_init(&w->lock, LOCK_RANK_LEAF, "witness");
}

void witness_exit(struct witness *w)
{
	struct witness_map *m = w->map, *older;

	for (; m; m = older) {
		older = m->older;
		munmap(m->base, m->len);
		free(m);
	}
	if (w->uffd >= 0)
		close(w->uffd);
	lock_destroy(&w->lock);
}

/* User mode only: it needs no privilege then, and nobody waits in SIGBUS mode. */
static int open_uffd(void)
{
	uint64_t granted;
	int fd = uffd_open(-1, true);

	if (fd >= 0 && uffd_api(fd, UFFD_FEATURE_MISSING_SHMEM |
				UFFD_FEATURE_MINOR_SHMEM | UFFD_FEATURE_SIGBUS,
				0, &granted)) {
		close(fd);
		return -1;
	}
	return fd;
}

/* A mapping twice as long as the one before, at least @end bytes. Lock held. */
static struct witness_map *grow(struct witness *w, uint64_t end)
{
	struct witness_map *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->older = w->map;
	m->len = w->map ? 2 * w->map->len : MAP_MIN;
	while (m->len < end)
		m->len *= 2;
	m->base = mmap(NULL, m->len, PROT_READ, MAP_SHARED | MAP_NORESERVE, w->fd, 0);
	if (m->base == MAP_FAILED)
		goto err_free;
	if (uffd_register(w->uffd, (uintptr_t)m->base, m->len, UFFD_MISSING | UFFD_MINOR))
		goto err_unmap;
	__atomic_store_n(&w->map, m, __ATOMIC_RELEASE);
	return m;

err_unmap:
	munmap(m->base, m->len);
err_free:
	free(m);
	return NULL;
}

void witness_watch(struct witness *w, uint64_t pos)
{
	uint64_t end = pos + MEDIA_PAGE;
	struct witness_map *m;

	lock_take(&w->lock);
	if (w->uffd < 0)
		w->uffd = open_uffd();
	m = w->map;
	if (w->uffd >= 0 && (!m || m->len < end))
		m = grow(w, end);
	lock_release(&w->lock);
	if (m && m->len >= end)
		uffd_continue(w->uffd, (uintptr_t)m->base + pos, MEDIA_PAGE, false,
			      false, NULL);
}

bool witness_holds(const struct witness *w, uint64_t pos)
{
	const struct witness_map *m = __atomic_load_n(&w->map, __ATOMIC_ACQUIRE);

	return m && m->len > pos && guard_peek(m->base + pos);
}
