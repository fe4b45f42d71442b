/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The load TORTURE: the mix of stress-ng's mmaptorture, by threads that share a few
 * files. Mappers map windows of them, move, shrink, protect, advise, sync and unmap
 * what they have mapped, and touch pages of it; changers write at the end and in the
 * middle, punch holes, and truncate. A page that a truncation took is a SIGBUS; the
 * thread goes on with the next.
 */
#include "faulters_int.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SLOTS 8			/* mappings of a mapper at a time */
#define TOUCHES 8		/* of one step */
#define CHANGERS 2		/* a process */
#define WINDOWS 4ul		/* no file grows longer, ... */
#define LEAST_WINDOWS 1ul	/* ... or stays shorter, so that there are pages to touch */
#define SHORT_PAGES 64ul	/* a mapping that is no whole window; a hole */
#define LONGEST_WRITE (256ul << 10)

struct map {
	char *p;		/* NULL: free */
	size_t len;
	bool write;
};

struct torture {
	struct worker *w;
	struct rng r;
	struct map map[SLOTS];
};

/* Where a touch that meets the end of file goes on. */
static __thread sigjmp_buf *back;

static void on_sigbus(int sig)
{
	if (!back)
		abort();
	siglongjmp(*back, 1);
}

static int random_file(struct torture *t)
{
	return faulters_file(t->w->f, rng_below(&t->r, t->w->f->cfg.files));
}

void torture_begin(struct process *p)
{
	for (uint32_t i = 0; i < p->f->cfg.files; i++) {
		int fd = faulters_file(p->f, i);

		/* Odd, and longer than a window. */
		if (ftruncate(fd, 2 * HUGE_UNIT + SMALL_UNIT + 1))
			abort();
		close(fd);
	}
}

/* ---------------------------------------------------------------- changers */

/* At the end, or, of a file that is as long as it may be, somewhere. */
static int write_some(struct torture *t, int fd, uint64_t size)
{
	static const char data[LONGEST_WRITE] = { 1 };
	size_t len = 1 + rng_below(&t->r, LONGEST_WRITE);
	uint64_t at = size;

	if (size + len > WINDOWS * HUGE_UNIT || !rng_below(&t->r, 4))
		at = rng_below(&t->r, WINDOWS * HUGE_UNIT - len);
	return pwrite(fd, data, len, at) == (ssize_t)len ? 0 : -1;
}

/* A whole window, or a few pages. */
static int punch(struct torture *t, int fd)
{
	uint64_t at = rng_below(&t->r, WINDOWS) * HUGE_UNIT, len = HUGE_UNIT;

	if (rng_below(&t->r, 4)) {
		at += rng_below(&t->r, 512) * SMALL_UNIT;
		len = (1 + rng_below(&t->r, SHORT_PAGES)) * SMALL_UNIT;
	}
	return fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, len);
}

static void change(struct torture *t)
{
	int fd = random_file(t), ret;
	struct stat st;
	uint64_t start;

	if (fstat(fd, &st))
		abort();
	start = clock_ns(CLOCK_MONOTONIC);
	switch (rng_below(&t->r, 4)) {
	case 0:
		ret = punch(t, fd);
		break;
	case 1:
		ret = ftruncate(fd, LEAST_WINDOWS * HUGE_UNIT + 1 + rng_below(&t->r,
				(WINDOWS - LEAST_WINDOWS) * HUGE_UNIT));
		break;
	default:
		ret = write_some(t, fd, st.st_size);
		break;
	}
	if (ret)
		abort();
	faulters_sample(t->w, SAMPLE_APPEND, clock_ns(CLOCK_MONOTONIC) - start);
	close(fd);
}

/* ----------------------------------------------------------------- mappers */

static void map_some(struct torture *t, struct map *m)
{
	uint64_t at = rng_below(&t->r, WINDOWS) * HUGE_UNIT;
	int fd = random_file(t);

	m->len = HUGE_UNIT;
	if (rng_below(&t->r, 2)) {
		at += rng_below(&t->r, 512 - SHORT_PAGES) * SMALL_UNIT;
		m->len = (1 + rng_below(&t->r, SHORT_PAGES)) * SMALL_UNIT;
	}
	m->write = rng_below(&t->r, 2);
	m->p = mmap(NULL, m->len, PROT_READ | (m->write ? PROT_WRITE : 0), MAP_SHARED,
		    fd, at);
	if (m->p == MAP_FAILED)
		abort();
	close(fd);
}

static void unmap(struct map *m)
{
	if (m->p)
		munmap(m->p, m->len);
	m->p = NULL;
}

/* Half as long, or twice, wherever there is room. */
static void move(struct torture *t, struct map *m)
{
	size_t len = m->len / 2 & ~(SMALL_UNIT - 1);
	char *p;

	if (!len || rng_below(&t->r, 2))
		len = m->len < 2 * HUGE_UNIT ? 2 * m->len : m->len;
	p = mremap(m->p, m->len, len, MREMAP_MAYMOVE);
	/* Advice has made two mappings of it: that is an error. */
	if (p == MAP_FAILED)
		return;
	m->p = p;
	m->len = len;
}

static void advise(struct torture *t, const struct map *m)
{
	static const int advice[] = {
		MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_WILLNEED, MADV_DONTNEED,
		MADV_REMOVE,
	};
	uint64_t pages = m->len / SMALL_UNIT, first = rng_below(&t->r, pages);
	uint64_t nr = 1 + rng_below(&t->r, pages - first);

	/* MADV_REMOVE of a mapping that is read-only is an error. */
	madvise(m->p + first * SMALL_UNIT, nr * SMALL_UNIT,
		advice[rng_below(&t->r, sizeof(advice) / sizeof(advice[0]))]);
}

static void change_mapping(struct torture *t, struct map *m)
{
	uint64_t start = clock_ns(CLOCK_MONOTONIC);

	switch (m->p ? rng_below(&t->r, 6) : 0) {
	case 0:
	case 1:
		unmap(m);
		map_some(t, m);
		break;
	case 2:
		move(t, m);
		break;
	case 3:
		m->write = !m->write;
		if (mprotect(m->p, m->len, PROT_READ | (m->write ? PROT_WRITE : 0)))
			abort();
		break;
	case 4:
		advise(t, m);
		break;
	case 5:
		/* What is past the end of file is an error for some. */
		msync(m->p, m->len, MS_SYNC);
		break;
	}
	faulters_sample(t->w, SAMPLE_MMAP, clock_ns(CLOCK_MONOTONIC) - start);
}

static void touch(struct torture *t, const struct map *m)
{
	volatile char *page = m->p + rng_below(&t->r, m->len / SMALL_UNIT) * SMALL_UNIT;
	bool write = m->write && rng_below(&t->r, 2);
	sigjmp_buf env;

	back = &env;
	if (!sigsetjmp(env, 0))
		faulters_touch(t->w, page, SAMPLE_SMALL, write);
	back = NULL;
}

static void use_mapping(struct torture *t)
{
	struct map *m = &t->map[rng_below(&t->r, SLOTS)];

	change_mapping(t, m);
	for (int i = 0; i < TOUCHES; i++)
		touch(t, m);
}

void torture_run(struct worker *w)
{
	const struct faulters_config *c = &w->f->cfg;
	struct sigaction sa = { .sa_handler = on_sigbus, .sa_flags = SA_NODEFER };
	/* Not all at once: there is to be something to change. */
	const struct timespec pause = { .tv_nsec = 500000 };
	struct torture t = { .w = w, .r = rng_seed(c->seed + w->f->round, w->nr) };
	bool changer = w->nr < CHANGERS * c->processes;

	sigaction(SIGBUS, &sa, NULL);
	for (uint32_t i = 0; i < c->steps && !atomic_load(&w->f->quit); i++) {
		if (changer) {
			change(&t);
			nanosleep(&pause, NULL);
		} else {
			use_mapping(&t);
		}
	}
	for (int i = 0; i < SLOTS; i++)
		unmap(&t.map[i]);
}
