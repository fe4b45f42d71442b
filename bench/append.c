/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The load APPEND: what the program did that hung in 2019. Files grow by
 * write(2) in odd lengths; readers map a file as long as it is, touch a few pages
 * and unmap it. The last window of a mapping is short, so faults in it are 4K
 * faults; when the file has grown, another mapping asks for the whole window. None
 * shrinks, or a reader could die of it.
 */
#include "faulters_int.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define TOUCHES 8		/* of one mapping */
#define LONGEST_APPEND (256 << 10)

void append_begin(struct process *p)
{
	const struct faulters_config *c = &p->f->cfg;
	struct rng r = rng_seed(c->seed + p->f->round, UINT32_MAX);
	static const char block[1 << 20] = { 1 };

	for (uint32_t i = 0; i < c->files; i++) {
		int fd = faulters_file(p->f, i);

		/* Two windows and a bit of the third. */
		for (int k = 0; k < 4; k++)
			if (pwrite(fd, block, sizeof(block), k * (off_t)sizeof(block)) < 0)
				abort();
		if (pwrite(fd, block, 1 + rng_below(&r, sizeof(block)),
			   4 * (off_t)sizeof(block)) < 0)
			abort();
		close(fd);
	}
}

static void append(struct worker *w)
{
	const struct faulters_config *c = &w->f->cfg;
	struct rng r = rng_seed(c->seed + w->f->round, w->nr);
	static const char data[LONGEST_APPEND] = { 1 };
	/* Not all at once: files should grow for as long as they are read. */
	const struct timespec pause = { .tv_nsec = 500000 };
	uint64_t start;

	for (uint32_t i = 0; i < c->steps && !atomic_load(&w->f->quit); i++) {
		int fd = faulters_file(w->f, rng_below(&r, c->files));
		size_t len = 1 + rng_below(&r, LONGEST_APPEND);
		struct stat st;

		/* Writers of two processes: each at the end that it sees. */
		if (fstat(fd, &st))
			abort();
		start = clock_ns(CLOCK_MONOTONIC);
		if (pwrite(fd, data, len, st.st_size) != (ssize_t)len)
			abort();
		faulters_sample(w, SAMPLE_APPEND, clock_ns(CLOCK_MONOTONIC) - start);
		close(fd);
		nanosleep(&pause, NULL);
	}
}

/* One mapping, as long as the file is now; the last page more often than others. */
static void read_mapping(struct worker *w, struct rng *r)
{
	int fd = faulters_file(w->f, rng_below(r, w->f->cfg.files));
	uint64_t start, pages;
	struct stat st;
	char *p;

	if (fstat(fd, &st))
		abort();
	pages = ((uint64_t)st.st_size + SMALL_UNIT - 1) / SMALL_UNIT;
	start = clock_ns(CLOCK_MONOTONIC);
	p = mmap(NULL, pages * SMALL_UNIT, PROT_READ, MAP_SHARED, fd, 0);
	faulters_sample(w, SAMPLE_MMAP, clock_ns(CLOCK_MONOTONIC) - start);
	close(fd);
	if (p == MAP_FAILED)
		abort();
	for (uint32_t i = 0; i < TOUCHES; i++) {
		uint64_t page = rng_below(r, 4) ? rng_below(r, pages) : pages - 1;

		faulters_touch(w, p + page * SMALL_UNIT, SAMPLE_SMALL, false);
	}
	start = clock_ns(CLOCK_MONOTONIC);
	munmap(p, pages * SMALL_UNIT);
	faulters_sample(w, SAMPLE_MMAP, clock_ns(CLOCK_MONOTONIC) - start);
}

void append_run(struct worker *w)
{
	const struct faulters_config *c = &w->f->cfg;
	struct rng r = rng_seed(c->seed + w->f->round, w->nr);
	uint32_t per = TOUCHES + 2;

	if (w->nr < c->processes) {
		append(w);
		return;
	}
	for (uint32_t i = 0; i + per <= c->steps && !atomic_load(&w->f->quit); i += per)
		read_mapping(w, &r);
}
