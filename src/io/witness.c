/* SPDX-License-Identifier: BSD-3-Clause */
#include "io/witness.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "io/guard.h"
#include "io/media_impl.h"
#include "io/uffd.h"
#include "io/uffd_own.h"

/* Address space costs nothing. */
#define MAP_MIN (1ull << 30)

struct witness_map {
	struct witness_map *older;	/* a reader may still be in it */
	char *base;
	uint64_t len;
	_Atomic uint8_t marked[];	/* bytes by the window of MEDIA_WINDOW */
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
	lock_destroy(&w->lock);
}

/* A mapping twice as long as the one before, at least @end bytes. Lock held. */
static struct witness_map *grow(struct witness *w, uint64_t end)
{
	uint64_t len = w->map ? 2 * w->map->len : MAP_MIN;
	struct witness_map *m;

	while (len < end)
		len *= 2;
	m = calloc(1, sizeof(*m) + len / MEDIA_WINDOW);
	if (!m)
		return NULL;
	m->older = w->map;
	m->len = len;
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
		w->uffd = uffd_own();
	m = w->map;
	if (w->uffd >= 0 && (!m || m->len < end))
		m = grow(w, end);
	lock_release(&w->lock);
	if (!m || m->len < end)
		return;
	atomic_store(&m->marked[pos / MEDIA_WINDOW], false);
	uffd_continue(w->uffd, (uintptr_t)m->base + pos, MEDIA_PAGE, false, false, NULL);
}

static struct witness_map *map_of(const struct witness *w, uint64_t pos)
{
	struct witness_map *m = __atomic_load_n(&w->map, __ATOMIC_ACQUIRE);

	return m && m->len > pos ? m : NULL;
}

bool witness_holds(const struct witness *w, uint64_t pos)
{
	const struct witness_map *m = map_of(w, pos);

	return m && guard_peek(m->base + pos);
}

void witness_mark(struct witness *w, uint64_t pos)
{
	struct witness_map *m = map_of(w, pos);

	if (m)
		atomic_store(&m->marked[pos / MEDIA_WINDOW], true);
}

bool witness_marked(const struct witness *w, uint64_t pos)
{
	const struct witness_map *m = map_of(w, pos);

	return m && atomic_load(&m->marked[pos / MEDIA_WINDOW]) && guard_peek(m->base + pos);
}
