/* SPDX-License-Identifier: BSD-3-Clause */
/* The mappings of a process: any offset, length, colour and kind. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "stress.h"

struct map maps[NR_MAPS];

void maps_init(void)
{
	pthread_rwlockattr_t a;
	unsigned int i;

	pthread_rwlockattr_init(&a);
	pthread_rwlockattr_setkind_np(&a, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	for (i = 0; i < NR_MAPS; i++) {
		memset(&maps[i], 0, sizeof(maps[i]));
		pthread_rwlock_init(&maps[i].lock, &a);
		pthread_mutex_init(&maps[i].change, NULL);
	}
}

void map_drop(struct map *m)
{
	if (m->addr && munmap(m->addr, m->len))
		fail("munmap(%p, %#llx): %s", (void *)m->addr,
		     (unsigned long long)m->len, strerror(errno));
	m->addr = NULL;
}

void *coloured(uint64_t len, uint64_t colour)
{
	uintptr_t p, want;
	void *room;

	room = mmap(NULL, len + 2 * WINDOW, PROT_NONE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (room == MAP_FAILED)
		return room;
	p = (uintptr_t)room;
	want = ((p + WINDOW - 1) & ~(WINDOW - 1)) + colour;
	if (want > p)
		munmap(room, want - p);
	munmap((void *)(want + len), p + len + 2 * WINDOW - (want + len));
	return (void *)want;
}

static void choose_range(struct worker *w, struct map *m)
{
	uint64_t pages = sh->size / PAGE;

	switch (rnd(w, 5)) {
	case 0:		/* all of it */
		m->off = 0;
		m->len = sh->size;
		break;
	case 1:		/* some whole windows */
		m->off = rnd(w, sh->windows) * WINDOW;
		m->len = (1 + rnd(w, 3)) * WINDOW;
		break;
	case 2:		/* a few pages */
		m->off = rnd(w, pages) * PAGE;
		m->len = (1 + rnd(w, 16)) * PAGE;
		break;
	default:	/* anything */
		m->off = rnd(w, pages) * PAGE;
		m->len = (1 + rnd(w, pages)) * PAGE;
		break;
	}
	if (m->off + m->len > sh->size)
		m->len = sh->size - m->off;
}

void map_make(struct worker *w, struct map *m)
{
	int prot = PROT_READ | PROT_WRITE, flags = MAP_SHARED, fd = file_fd;
	uint64_t colour;
	void *hint = NULL;

	choose_range(w, m);
	switch (rnd(w, 8)) {
	case 0:		/* the program may not write the file */
		fd = file_rdonly_fd;
		prot = PROT_READ;
		break;
	case 1:		/* a private mapping that only reads is coherent */
		flags = MAP_PRIVATE;
		prot = PROT_READ;
		break;
	case 2:
		prot = PROT_READ;
		break;
	case 3:		/* an address of our own, huge pages possible or not */
	case 4:
		colour = rnd(w, 2) ? m->off % WINDOW :
			rnd(w, WINDOW / PAGE) * PAGE;
		hint = coloured(m->len, colour);
		if (hint == MAP_FAILED)
			return;
		flags |= MAP_FIXED;
		break;
	}
	m->prot = prot;
	m->flags = flags & ~MAP_FIXED;
	m->fd = fd;
	m->addr = mmap(hint, m->len, prot, flags, fd, m->off);
	if (m->addr != MAP_FAILED)
		return;
	m->addr = NULL;
	fail("mmap(%p, %#llx, %d, %#x, offset %#llx): %s", hint,
	     (unsigned long long)m->len, prot, flags,
	     (unsigned long long)m->off, strerror(errno));
}
