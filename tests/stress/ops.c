/* SPDX-License-Identifier: BSD-3-Clause */
/* What a thread does next: touches mostly, and everything that may race. */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stress.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif

#define TOUCHES 32
#define CHILD_OPS 60

extern char **environ;

uint64_t rnd(struct worker *w, uint64_t below)
{
	w->rng ^= w->rng << 13;
	w->rng ^= w->rng >> 7;
	w->rng ^= w->rng << 17;
	return below ? w->rng % below : 0;
}

/* A step of a long operation, so that the watchdog sees it live. */
static void beat(struct worker *w)
{
	__atomic_add_fetch(&w->me->beats, 1, __ATOMIC_RELAXED);
}

/* A mapping that holds still but for protection; NULL: none there. */
static struct map *map_get(struct worker *w)
{
	struct map *m = &maps[rnd(w, NR_MAPS)];

	pthread_rwlock_rdlock(&m->lock);
	if (m->addr)
		return m;
	pthread_rwlock_unlock(&m->lock);
	return NULL;
}

static void map_put(struct map *m)
{
	pthread_rwlock_unlock(&m->lock);
}

/* A slot within [from, to) bytes; ours if @own and there is one near. */
static uint64_t pick_slot(struct worker *w, uint64_t from, uint64_t to, bool own)
{
	uint64_t slot = from / SLOT + rnd(w, (to - from) / SLOT);

	if (!own)
		return slot;
	slot -= slot % sh->owners;
	slot += w->nr;
	if (slot < from / SLOT)
		slot += sh->owners;
	if (slot >= to / SLOT)
		slot -= sh->owners;
	return slot;	/* a mapping has at least a page: 64 slots, 64 owners */
}

static void touch(struct worker *w, bool store, enum via via)
{
	struct map *m = map_get(w);
	unsigned int i;

	if (!m)
		return;
	for (i = 0; i < TOUCHES && !sh->stop; i++) {
		if (store && (m->prot & PROT_WRITE))
			slot_store(w, pick_slot(w, m->off, m->off + m->len, true),
				   via, m);
		else
			slot_load(w, pick_slot(w, m->off, m->off + m->len,
					       rnd(w, 2)), via, m);
		beat(w);
	}
	map_put(m);
}

static void op_store(struct worker *w)
{
	touch(w, true, VIA_MAP);
}

static void op_load(struct worker *w)
{
	touch(w, false, VIA_MAP);
}

static void op_kernel_store(struct worker *w)
{
	touch(w, true, VIA_KERNEL);
}

static void op_kernel_load(struct worker *w)
{
	touch(w, false, VIA_KERNEL);
}

static void op_file(struct worker *w)
{
	unsigned int i;

	for (i = 0; i < TOUCHES; i++) {
		if (rnd(w, 2))
			slot_store(w, pick_slot(w, 0, sh->size, true), VIA_FILE, NULL);
		else
			slot_load(w, pick_slot(w, 0, sh->size, false), VIA_FILE, NULL);
	}
}

/* One page after the other of a window, as a program that copies does. */
static void op_sweep(struct worker *w)
{
	struct map *m = map_get(w);
	uint64_t pos, end;

	if (!m)
		return;
	pos = m->off + rnd(w, m->len / PAGE) * PAGE;
	end = m->off + m->len < pos + WINDOW / 4 ? m->off + m->len : pos + WINDOW / 4;
	for (; pos < end && !sh->stop; pos += PAGE) {
		if ((m->prot & PROT_WRITE) && rnd(w, 2))
			slot_store(w, pick_slot(w, pos, pos + PAGE, true), VIA_MAP, m);
		else
			slot_load(w, pick_slot(w, pos, pos + PAGE, false), VIA_MAP, m);
		beat(w);
	}
	map_put(m);
}

/* Held for writing: what changes where bytes are. */
static struct map *map_take(struct worker *w)
{
	struct map *m = &maps[rnd(w, NR_MAPS)];

	pthread_rwlock_wrlock(&m->lock);
	return m;
}

static void op_remap(struct worker *w)
{
	struct map *m = map_take(w);

	map_drop(m);
	map_make(w, m);
	map_put(m);
}

/* Cuts a piece off the head or the tail. */
static void op_unmap_part(struct worker *w)
{
	struct map *m = map_take(w);
	uint64_t cut;

	if (m->addr && m->len > PAGE) {
		cut = (1 + rnd(w, m->len / PAGE - 1)) * PAGE;
		if (rnd(w, 2)) {
			if (munmap(m->addr, cut))
				fail("munmap of a head: %s", strerror(errno));
			m->addr += cut;
			m->off += cut;
		} else if (munmap(m->addr + m->len - cut, cut)) {
			fail("munmap of a tail: %s", strerror(errno));
		}
		m->len -= cut;
	}
	map_put(m);
}

static void op_mremap(struct worker *w)
{
	struct map *m = map_take(w);
	uint64_t len, room;
	void *to = NULL, *p;
	int flags = MREMAP_MAYMOVE;

	if (m->addr) {
		room = (sh->size - m->off) / PAGE;
		len = (1 + rnd(w, room)) * PAGE;
		if (rnd(w, 3) == 0) {
			to = coloured(len, rnd(w, 2) ? m->off % WINDOW :
				      rnd(w, WINDOW / PAGE) * PAGE);
			flags |= MREMAP_FIXED;
		}
		p = to == MAP_FAILED ? MAP_FAILED :
			mremap(m->addr, m->len, len, flags, to);
		if (p == MAP_FAILED && errno == EFAULT) {
			/* Several VMAs; its tail and the place may be gone. */
			map_drop(m);
		} else if (p == MAP_FAILED) {
			fail("mremap(%p, %#llx, %#llx, %d, %p): %s",
			     (void *)m->addr, (unsigned long long)m->len,
			     (unsigned long long)len, flags, to, strerror(errno));
		} else {
			m->addr = p;
			m->len = len;
		}
	}
	map_put(m);
}

/* A part of a mapping, in pages of it. */
static void pick_part(struct worker *w, const struct map *m, char **addr, uint64_t *len)
{
	uint64_t pages = m->len / PAGE, first = rnd(w, pages);

	*addr = m->addr + first * PAGE;
	*len = (1 + rnd(w, pages - first)) * PAGE;
}

/* Touches race with what happens between; they may see SIGSEGV. */
static struct map *map_disturb(struct worker *w)
{
	struct map *m = map_get(w);

	if (!m)
		return NULL;
	pthread_mutex_lock(&m->change);
	__atomic_add_fetch(&m->gen, 1, __ATOMIC_SEQ_CST);
	return m;
}

static void map_settle(struct map *m)
{
	__atomic_add_fetch(&m->gen, 1, __ATOMIC_SEQ_CST);
	pthread_mutex_unlock(&m->change);
	map_put(m);
}

static void op_protect(struct worker *w)
{
	struct map *m = map_disturb(w);
	uint64_t len;
	char *addr;

	if (!m)
		return;
	pick_part(w, m, &addr, &len);
	if (mprotect(addr, len, rnd(w, 2) ? PROT_READ : PROT_NONE))
		fail("mprotect: %s", strerror(errno));
	if (rnd(w, 2))
		sched_yield();
	if (mprotect(addr, len, m->prot))
		fail("mprotect back to %#x: %s", m->prot, strerror(errno));
	map_settle(m);
}

/* Nothing, then the same file bytes again, over a part in use. */
static void op_overmap(struct worker *w)
{
	struct map *m = map_disturb(w);
	uint64_t len;
	char *addr;

	if (!m)
		return;
	pick_part(w, m, &addr, &len);
	if (mmap(addr, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED |
		 MAP_NORESERVE, -1, 0) == MAP_FAILED)
		fail("mmap over a mapping: %s", strerror(errno));
	if (rnd(w, 2))
		sched_yield();
	if (mmap(addr, len, m->prot, m->flags | MAP_FIXED, m->fd,
		 m->off + (addr - m->addr)) == MAP_FAILED)
		fail("mmap of the file over that: %s", strerror(errno));
	map_settle(m);
}

static void op_advise(struct worker *w)
{
	static const int advice[] = {
		MADV_DONTNEED, MADV_DONTNEED, MADV_WILLNEED, MADV_RANDOM,
		MADV_SEQUENTIAL, MADV_NORMAL, MADV_HUGEPAGE, MADV_NOHUGEPAGE,
		MADV_COLD, MADV_PAGEOUT, MADV_POPULATE_READ,
		MADV_POPULATE_WRITE, MADV_COLLAPSE,
	};
	struct map *m = map_get(w);
	uint64_t len;
	char *addr;

	if (!m)
		return;
	pick_part(w, m, &addr, &len);
	if (len > 2 * WINDOW)
		len = 2 * WINDOW;
	/* What it answers depends on the mapping; the bytes do not. */
	madvise(addr, len, advice[rnd(w, sizeof(advice) / sizeof(advice[0]))]);
	map_put(m);
}

static void op_sync(struct worker *w)
{
	struct map *m = map_get(w);
	uint64_t len;
	char *addr;

	if (!m)
		return;
	pick_part(w, m, &addr, &len);
	if (msync(addr, len, rnd(w, 2) ? MS_SYNC : MS_ASYNC) && errno != ENOMEM)
		fail("msync: %s", strerror(errno));
	map_put(m);
	if (rnd(w, 2) ? fsync(file_fd) : fdatasync(file_fd))
		fail("fsync: %s", strerror(errno));
}

static void punch(uint64_t from, uint64_t to, struct map *m)
{
	int ret;

	change_begin(from, to);
	ret = m ? madvise(m->addr + (from - m->off), to - from, MADV_REMOVE) :
		fallocate(file_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			  from, to - from);
	if (ret)
		fail("%s of %#llx-%#llx: %s", m ? "MADV_REMOVE" : "punch",
		     (unsigned long long)from, (unsigned long long)to,
		     strerror(errno));
	change_end(from, to);
}

static void op_punch(struct worker *w)
{
	uint64_t win = rnd(w, sh->windows) * WINDOW, from, to;

	switch (rnd(w, 4)) {
	case 0:		/* all of a window */
		from = win;
		to = win + WINDOW;
		break;
	case 1:		/* any bytes */
		from = win + rnd(w, WINDOW / SLOT) * SLOT;
		to = from + (1 + rnd(w, (win + WINDOW - from) / SLOT)) * SLOT;
		break;
	default:	/* a page or some */
		from = win + rnd(w, WINDOW / PAGE) * PAGE;
		to = from + (1 + rnd(w, 8)) * PAGE;
		break;
	}
	punch(from, to < win + WINDOW ? to : win + WINDOW, NULL);
}

/* A window of data and no entries, and a mapping that may have it as one. */
static void op_huge(struct worker *w)
{
	struct map m = { .prot = PROT_READ | PROT_WRITE, .len = WINDOW };

	m.off = rnd(w, sh->windows) * WINDOW;
	m.addr = coloured(WINDOW, 0);
	if (m.addr == MAP_FAILED)
		return;
	if (mmap(m.addr, WINDOW, m.prot, MAP_SHARED | MAP_FIXED, file_fd,
		 m.off) == MAP_FAILED) {
		fail("mmap of a window: %s", strerror(errno));
		return;
	}
	punch(m.off, m.off + WINDOW, NULL);
	if (fallocate(file_fd, 0, m.off, WINDOW))
		fail("fallocate of a window: %s", strerror(errno));
	if (rnd(w, 2))
		slot_load(w, pick_slot(w, m.off, m.off + WINDOW, false), VIA_MAP, &m);
	slot_store(w, pick_slot(w, m.off, m.off + WINDOW, true), VIA_MAP, &m);
	slot_load(w, pick_slot(w, m.off, m.off + WINDOW, true), VIA_MAP, &m);
	map_drop(&m);
}

static void op_remove(struct worker *w)
{
	struct map *m = map_get(w);
	uint64_t from, len;
	char *addr;

	if (!m)
		return;
	if ((m->flags & MAP_SHARED) && (m->prot & PROT_WRITE)) {
		/* The protection must hold still too. */
		pthread_mutex_lock(&m->change);
		pick_part(w, m, &addr, &len);
		from = m->off + (addr - m->addr);
		punch(from, from + (len > WINDOW ? WINDOW : len), m);
		pthread_mutex_unlock(&m->change);
	}
	map_put(m);
}

static void op_truncate(struct worker *w)
{
	uint64_t from = rnd(w, 4) ? sh->size - rnd(w, 2 * WINDOW / SLOT) * SLOT :
		rnd(w, sh->size / SLOT) * SLOT;

	if (from >= sh->size)
		return;
	change_begin(from, sh->size);
	if (ftruncate(file_fd, from))
		fail("ftruncate(%#llx): %s", (unsigned long long)from, strerror(errno));
	if (rnd(w, 2))
		sched_yield();
	if (ftruncate(file_fd, sh->size))
		fail("ftruncate back: %s", strerror(errno));
	change_end(from, sh->size);
}

static void op_allocate(struct worker *w)
{
	uint64_t from = rnd(w, sh->size / PAGE) * PAGE;
	uint64_t len = (1 + rnd(w, 64)) * PAGE;

	if (from + len > sh->size)
		len = sh->size - from;
	if (fallocate(file_fd, rnd(w, 2) ? FALLOC_FL_KEEP_SIZE : 0, from, len))
		fail("fallocate: %s", strerror(errno));
}

/* Stores into a private mapping stay there, and nowhere else. */
static void op_private(struct worker *w)
{
	struct map m = { .prot = PROT_READ | PROT_WRITE };
	uint64_t mine[SLOT_WORDS], back[SLOT_WORDS], win, slot;
	uint32_t gen;
	int sig;

	m.off = rnd(w, sh->size / PAGE) * PAGE;
	m.len = (1 + rnd(w, 4)) * PAGE;
	if (m.off + m.len > sh->size)
		m.len = sh->size - m.off;
	m.addr = mmap(NULL, m.len, m.prot, MAP_PRIVATE, file_fd, m.off);
	if (m.addr == MAP_FAILED) {
		fail("mmap private: %s", strerror(errno));
		return;
	}
	slot = pick_slot(w, m.off, m.off + PAGE, false);
	if (rnd(w, 2))
		slot_load(w, slot, VIA_MAP, &m);
	win = slot / SLOTS_PER_WINDOW;
	gen = __atomic_load_n(&sh->win[win].gen, __ATOMIC_SEQ_CST);
	memset(mine, 0xa5, sizeof(mine));
	mine[0] = rnd(w, UINT64_MAX);
	sig = guarded_copy(m.addr + (slot * SLOT - m.off), mine);
	if (!sig)
		sched_yield();
	if (!sig)
		sig = guarded_copy(back, m.addr + (slot * SLOT - m.off));
	/* A truncation takes private copies away too. */
	if (!(gen & 1) && __atomic_load_n(&sh->win[win].gen, __ATOMIC_SEQ_CST) == gen &&
	    (sig || memcmp(mine, back, SLOT)))
		fail("private mapping of offset %#llx: %s", (unsigned long long)m.off,
		     sig ? "a signal" : "its own store is gone");
	map_drop(&m);
}

/* In a forked child: other threads are gone, what they held is free. */
static void child_locks(void)
{
	struct map was[NR_MAPS];
	unsigned int i;

	memcpy(was, maps, sizeof(was));
	maps_init();
	for (i = 0; i < NR_MAPS; i++) {
		maps[i].addr = was[i].addr;
		maps[i].off = was[i].off;
		maps[i].len = was[i].len;
		maps[i].prot = was[i].prot;
		maps[i].flags = was[i].flags;
		maps[i].fd = was[i].fd;
		/* It was being protected or mapped over: in an unknown state. */
		if (was[i].gen & 1)
			map_drop(&maps[i]);
	}
}

/* Children act for the thread that waits for them: they own its slots. */
static void wait_child(struct worker *w, pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR) {
			fail("waitpid: %s", strerror(errno));
			return;
		}
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		fail("owner %u's child %d ended with status %#x", w->nr, pid, status);
}

static void op_fork(struct worker *w)
{
	unsigned int i;
	pid_t pid;

	if (w->delegate)
		return;
	for (i = 0; i < NR_MAPS; i++)
		pthread_rwlock_rdlock(&maps[i].lock);
	pid = fork();
	if (!pid) {
		child_locks();
		w->delegate = true;
		w->rng += 77;
		work(w, CHILD_OPS);
		_exit(0);
	}
	for (i = NR_MAPS; i > 0; i--)
		pthread_rwlock_unlock(&maps[i - 1].lock);
	if (pid < 0)
		fail("fork: %s", strerror(errno));
	else
		wait_child(w, pid);
}

static void op_exec(struct worker *w)
{
	char nr[16], fd[16];
	char *argv[] = { (char *)"/proc/self/exe", (char *)"--delegate", nr,
			 (char *)"--oracle", fd, NULL };
	pid_t pid;

	if (w->delegate)
		return;
	snprintf(nr, sizeof(nr), "%u", w->nr);
	snprintf(fd, sizeof(fd), "%d", oracle_fd);
	pid = fork();
	if (!pid) {
		execve(argv[0], argv, environ);
		_exit(126);
	}
	if (pid < 0)
		fail("fork: %s", strerror(errno));
	else
		wait_child(w, pid);
}

static void op_spawn(struct worker *w)
{
	char *argv[] = { (char *)"true", NULL };
	pid_t pid;
	int err;

	if (w->delegate)
		return;
	err = posix_spawn(&pid, "/bin/true", NULL, NULL, argv, environ);
	if (err)
		fail("posix_spawn: %s", strerror(err));
	else
		wait_child(w, pid);
}

const struct op ops[] = {
	{ "store", 300, op_store },
	{ "load", 300, op_load },
	{ "sweep", 60, op_sweep },
	{ "file", 40, op_file },
	{ "kernel-store", 15, op_kernel_store },
	{ "kernel-load", 15, op_kernel_load },
	{ "remap", 12, op_remap },
	{ "unmap", 8, op_unmap_part },
	{ "mremap", 12, op_mremap },
	{ "protect", 20, op_protect },
	{ "overmap", 15, op_overmap },
	{ "advise", 40, op_advise },
	{ "sync", 10, op_sync },
	{ "punch", 15, op_punch },
	{ "huge", 12, op_huge },
	{ "remove", 5, op_remove },
	{ "truncate", 6, op_truncate },
	{ "allocate", 8, op_allocate },
	{ "private", 15, op_private },
	{ "fork", 2, op_fork },
	{ "exec", 1, op_exec },
	{ "spawn", 1, op_spawn },
};

const unsigned int nr_ops = sizeof(ops) / sizeof(ops[0]);

static unsigned int pick_op(struct worker *w)
{
	unsigned int i, sum = 0, at;

	for (i = 0; i < nr_ops; i++)
		sum += sh->without & 1u << i ? 0 : ops[i].weight;
	at = rnd(w, sum);
	for (i = 0; i < nr_ops - 1; i++) {
		if (sh->without & 1u << i)
			continue;
		if (at < ops[i].weight)
			return i;
		at -= ops[i].weight;
	}
	return i;
}

void work(struct worker *w, uint64_t n)
{
	uint64_t i;
	unsigned int op;

	for (i = 0; (!n || i < n) && !__atomic_load_n(&sh->stop, __ATOMIC_RELAXED); i++) {
		op = pick_op(w);
		w->me->op = ops[op].name;
		w->me->counts[op]++;
		beat(w);
		ops[op].run(w);
	}
}
