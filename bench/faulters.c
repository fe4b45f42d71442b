/* SPDX-License-Identifier: BSD-3-Clause */
/* The faulters' process: threads, rounds, and all loads but APPEND, HERD and TORTURE. */
#include "faulters_int.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SWEEP_TIMED 1024

/* The passes' own samples, and one more touch if the division left a rest. */
_Static_assert(SWEEP_TIMED * 2 + 3 <= FAULTERS_MAX_STEPS, "no sample is dropped");

void faulters_sample(struct worker *w, enum sample_class class, uint64_t ns)
{
	struct faulters_thread *t = w->t;

	if (t->nr == FAULTERS_MAX_STEPS)
		return;
	t->samples[t->nr].ns = ns;
	t->samples[t->nr].class = class;
	t->nr++;
}

void faulters_touch(struct worker *w, volatile char *page, enum sample_class class,
		    bool write)
{
	uint64_t start = clock_ns(CLOCK_MONOTONIC);

	if (write)
		*page = 1;
	else
		(void)*page;
	faulters_sample(w, class, clock_ns(CLOCK_MONOTONIC) - start);
}

int faulters_file(const struct faulters *f, uint32_t nr)
{
	char path[600];
	int fd;

	snprintf(path, sizeof(path), "%s/%u.%u", f->path, f->round, nr);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		abort();
	return fd;
}

static void futex_wait(_Atomic uint32_t *word, uint32_t seen)
{
	/* Of two processes; a quarter of a second ends a wait that quit should end. */
	struct timespec limit = { .tv_nsec = 250 * 1000 * 1000 };

	syscall(SYS_futex, word, FUTEX_WAIT, seen, &limit, NULL, 0);
}

static void post(_Atomic uint32_t *word)
{
	atomic_fetch_add(word, 1);
	syscall(SYS_futex, word, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
}

/* Until *@word is at least @wanted; false when the parent gave up. */
static bool wait_for(struct faulters *f, _Atomic uint32_t *word, uint32_t wanted)
{
	uint32_t seen;

	while ((seen = atomic_load(word)) < wanted) {
		if (atomic_load(&f->quit))
			return false;
		futex_wait(word, seen);
	}
	return true;
}

void faulters_sleep(uint64_t ns)
{
	struct timespec ts = { .tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000 };

	/* Below that a timer takes longer than the wait. */
	if (ns >= 20000)
		nanosleep(&ts, NULL);
}

/*
 * The schedule of a pair in a round. Both of its threads draw the same numbers
 * in the same order, so that neither has to be told.
 */
struct pair_step {
	bool meet;
	uint32_t window;	/* of the large fault */
	uint32_t small_window, small_page, large_page;
	double delay;		/* part of the hold time */
};

static void pair_next(struct worker *w, struct rng *r, uint32_t pair, uint32_t step,
		      struct pair_step *s)
{
	const struct faulters_config *c = &w->f->cfg;
	/* Every large fault has a window of its own, so none has been touched. */
	uint32_t nr = pair * c->steps + step;

	s->meet = rng_unit(r) < c->p;
	s->window = 1 + nr;
	/* Not the window's head: a 4K entry there wakes the head's key by itself. */
	s->small_page = 1 + rng_below(r, 511);
	s->large_page = rng_below(r, 512);
	if (s->large_page == s->small_page)
		s->large_page = 0;
	s->delay = 0.8 * rng_unit(r);
	s->small_window = s->window;
	if (!s->meet) {
		/* The pool: window 0, another page for each step. */
		s->small_window = 0;
		s->small_page = nr % 512;
	}
}

/* File page to address in the mapping that allows 4K faults only. */
static char *small_at(const struct worker *w, uint32_t window, uint32_t page)
{
	return w->p->small + ((uint64_t)window * 512 + page) * SMALL_UNIT;
}

static void run_small(struct worker *w)
{
	struct faulters *f = w->f;
	uint32_t pair = w->nr / 2;
	struct faulters_thread *large = &f->thread[w->nr + 1];
	struct rng r = rng_seed(f->cfg.seed + f->round, pair);
	struct pair_step s;

	for (uint32_t i = 0; i < f->cfg.steps; i++) {
		pair_next(w, &r, pair, i, &s);
		post(&w->t->go);
		faulters_touch(w, small_at(w, s.small_window, s.small_page),
			       s.meet ? SAMPLE_SMALL_SHARED : SAMPLE_SMALL, true);
		if (!wait_for(f, &large->done, i + 1))
			return;
	}
}

static void run_large(struct worker *w)
{
	struct faulters *f = w->f;
	uint32_t pair = w->nr / 2;
	struct faulters_thread *small = &f->thread[w->nr - 1];
	struct rng r = rng_seed(f->cfg.seed + f->round, pair);
	struct pair_step s;

	for (uint32_t i = 0; i < f->cfg.steps; i++) {
		pair_next(w, &r, pair, i, &s);
		if (!wait_for(f, &small->go, i + 1))
			return;
		faulters_sleep(s.delay * f->cfg.hold_ns);
		faulters_touch(w, w->p->large +
			       ((uint64_t)s.window * 512 + s.large_page) * SMALL_UNIT,
			       s.meet ? SAMPLE_LARGE_SHARED : SAMPLE_LARGE, true);
		post(&w->t->done);
	}
}

static uint32_t ranges(const struct faulters_config *c)
{
	return c->ranges ? c->ranges : 1;
}

/* Mappings of a thread. */
static uint32_t copies_of(const struct faulters_config *c)
{
	switch (c->load) {
	case LOAD_LITMUS:
		return 2;
	case LOAD_HERD:
		return 1;
	default:
		return c->pages ? c->steps / (c->pages * ranges(c)) : 0;
	}
}

/* Page @nr of all that are touched: not the head, and not one cache line of the table. */
static uint64_t page_at(const struct faulters_config *c, uint32_t nr)
{
	return nr / c->pages * HUGE_UNIT + (nr % c->pages * 7 + 1) * SMALL_UNIT;
}

/* Thread i's own mappings of the first windows begin at mapping i * copies. */
static void run_pages(struct worker *w)
{
	struct faulters *f = w->f;
	const struct faulters_config *c = &f->cfg;
	struct rng r = rng_seed(c->seed + f->round, w->nr);
	uint32_t order[FAULTERS_MAX_PAGES], swap, j;
	uint32_t nr = c->pages * ranges(c);

	for (uint32_t i = 0; i < nr; i++)
		order[i] = i;
	for (uint32_t copy = 0; copy < copies_of(c); copy++) {
		if (atomic_load(&f->quit))
			return;
		for (uint32_t i = nr; i > 1; i--) {
			j = rng_below(&r, i);
			swap = order[i - 1];
			order[i - 1] = order[j];
			order[j] = swap;
		}
		for (uint32_t i = 0; i < nr; i++)
			faulters_touch(w, w->map[copy] + page_at(c, order[i]),
				       SAMPLE_SMALL, true);
	}
}

/*
 * Every page once a pass; SWEEP_TIMED touches are timed by themselves. A multiplier that
 * is odd permutes the pages of a file whose number of pages is a power of two.
 */
static void run_sweep(struct worker *w)
{
	const struct faulters_config *c = &w->f->cfg;
	uint64_t pages = c->windows * 512ull, i, page, start;
	uint64_t times = c->random ? 2654435761u : 1;
	uint64_t every = pages > SWEEP_TIMED ? pages / SWEEP_TIMED : 1;

	for (int pass = 0; pass < 3 && !atomic_load(&w->f->quit); pass++) {
		start = clock_ns(CLOCK_MONOTONIC);
		for (i = 0; i < pages; i++) {
			page = i * times % pages;
			if (!pass && i % every == 0)
				faulters_touch(w, w->p->large + page * SMALL_UNIT,
					       SAMPLE_SMALL, c->write);
			else if (c->write)
				*(volatile char *)(w->p->large + page * SMALL_UNIT) = 1;
			else
				(void)*(volatile char *)(w->p->large +
							 page * SMALL_UNIT);
		}
		faulters_sample(w, SAMPLE_PASS, clock_ns(CLOCK_MONOTONIC) - start);
	}
	w->t->touches = 3 * pages;
}

/* The place of thread @nr in the order of this round; the first stays first. */
static uint32_t litmus_place(const struct faulters *f, uint32_t nr)
{
	uint32_t left[FAULTERS_MAX_OPS], n = f->cfg.threads - 1, i, pick;
	uint32_t code = f->round ? f->round - 1 : 0;

	for (i = 0; i < n; i++)
		left[i] = i + 1;
	for (i = 1; n && nr; i++, n--) {
		pick = code % n;
		code /= n;
		if (left[pick] == nr)
			return i;
		left[pick] = left[n - 1];
	}
	return 0;
}

static void run_litmus(struct worker *w)
{
	const char *op = w->f->cfg.ops[w->nr];
	char *window = op[0] == 'M' ? w->map[1] : w->map[0];

	faulters_sleep(litmus_place(w->f, w->nr) * w->f->cfg.stagger_ns);
	faulters_touch(w, window + (op[1] - '0') * SMALL_UNIT,
		       op[0] == 'M' ? SAMPLE_LARGE_SHARED : SAMPLE_SMALL_SHARED, false);
}

static void *run_thread(void *arg)
{
	struct worker *w = arg;
	struct faulters *f = w->f;
	/* Both of a pair on one CPU: waking another one takes longer than a hold. */
	uint32_t place = f->cfg.load == LOAD_PAIRS ? w->nr / 2 : w->nr;

	prctl(PR_SET_TIMERSLACK, 1);
	if (f->nr_cpus)
		pin_to(f->cpus[place % f->nr_cpus]);
	pthread_barrier_wait(&w->p->barrier);
	w->t->start = clock_ns(CLOCK_MONOTONIC);
	switch (f->cfg.load) {
	case LOAD_PAIRS:
		w->nr & 1 ? run_large(w) : run_small(w);
		break;
	case LOAD_PAGES:
		run_pages(w);
		break;
	case LOAD_SWEEP:
		run_sweep(w);
		break;
	case LOAD_LITMUS:
		run_litmus(w);
		break;
	case LOAD_APPEND:
		append_run(w);
		break;
	case LOAD_HERD:
		herd_run(w);
		break;
	case LOAD_TORTURE:
		torture_run(w);
		break;
	}
	w->t->end = clock_ns(CLOCK_MONOTONIC);
	return NULL;
}

char *map_small(int fd, uint64_t size)
{
	uintptr_t room;
	char *p;

	p = mmap(NULL, size + 2 * HUGE_UNIT, PROT_NONE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return p;
	room = ((uintptr_t)p + HUGE_UNIT - 1) & ~(HUGE_UNIT - 1);
	return mmap((void *)(room + SMALL_UNIT), size, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_FIXED, fd, 0);
}

/*
 * A file without a block, mapped twice by each thread: for 4K faults, and for 2M
 * faults that start from a page table of their own.
 */
static int map_litmus(struct process *p)
{
	const char *before = p->f->cfg.before;
	volatile char *page;
	uint32_t i;

	if (fallocate(p->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, HUGE_UNIT))
		return -errno;
	for (i = 0; i <= p->nr_workers; i++) {
		p->maps[2 * i] = map_small(p->fd, HUGE_UNIT);
		p->maps[2 * i + 1] = map_aligned(p->fd, HUGE_UNIT);
		if (p->maps[2 * i] == MAP_FAILED || p->maps[2 * i + 1] == MAP_FAILED)
			return -errno;
	}
	if (before[0]) {
		page = p->maps[2 * p->nr_workers + (before[0] == 'M')] +
			(before[1] - '0') * SMALL_UNIT;
		(void)*page;
	}
	return 0;
}

/* The mappings of a round: made anew, since entries go with the last of them. */
static int map_round(struct process *p)
{
	const struct faulters_config *c = &p->f->cfg;
	uint64_t size = c->windows * HUGE_UNIT;
	uint32_t i;

	switch (c->load) {
	case LOAD_APPEND:
		if (!p->nr)
			append_begin(p);
		return 0;
	case LOAD_TORTURE:
		if (!p->nr)
			torture_begin(p);
		return 0;
	case LOAD_LITMUS:
		return map_litmus(p);
	case LOAD_HERD:
		return herd_map(p);
	case LOAD_SWEEP:
		p->large = map_aligned(p->fd, size);
		return p->large == MAP_FAILED ? -errno : 0;
	case LOAD_PAIRS:
		p->small = map_small(p->fd, size);
		p->large = map_aligned(p->fd, size);
		return p->small == MAP_FAILED || p->large == MAP_FAILED ? -errno : 0;
	case LOAD_PAGES:
		break;
	}
	for (i = 0; i < p->nr_workers * copies_of(c); i++) {
		p->maps[i] = map_small(p->fd, ranges(c) * HUGE_UNIT);
		if (p->maps[i] == MAP_FAILED)
			return -errno;
	}
	return 0;
}

static void unmap_round(struct process *p)
{
	const struct faulters_config *c = &p->f->cfg;
	uint64_t size = c->windows * HUGE_UNIT;
	uint32_t i;

	if (c->load == LOAD_PAIRS)
		munmap(p->small, size);
	if (c->load == LOAD_PAIRS || c->load == LOAD_SWEEP)
		munmap(p->large, size);
	for (i = 0; c->load == LOAD_PAGES && i < p->nr_workers * copies_of(c); i++)
		munmap(p->maps[i], ranges(c) * HUGE_UNIT);
	for (i = 0; c->load == LOAD_HERD && i < p->nr_workers; i++)
		munmap(p->maps[i], HUGE_UNIT);
	for (i = 0; c->load == LOAD_LITMUS && i < 2 * (p->nr_workers + 1); i++)
		munmap(p->maps[i], HUGE_UNIT);
}

static int run_round(struct process *p)
{
	struct faulters *f = p->f;
	int ret = map_round(p);
	uint32_t i;

	if (ret)
		return ret;
	atomic_fetch_add(&f->ready, 1);
	syscall(SYS_futex, &f->ready, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
	/* Entries of one process would be there already when another maps. */
	if (!wait_for(f, &f->ready, f->cfg.processes))
		return -EINTR;
	for (i = 0; i < p->nr_workers; i++)
		if (pthread_create(&p->workers[i].id, NULL, run_thread,
				   &p->workers[i]))
			abort();
	for (i = 0; i < p->nr_workers; i++)
		pthread_join(p->workers[i].id, NULL);
	unmap_round(p);
	return 0;
}

static int set_up(struct process *p, int shared)
{
	uint32_t copies, nr;

	p->f = mmap(NULL, sizeof(*p->f), PROT_READ | PROT_WRITE, MAP_SHARED, shared, 0);
	if (p->f == MAP_FAILED)
		return -errno;
	if (!faulters_own_files(p->f->cfg.load)) {
		p->fd = open(p->f->path, O_RDWR | O_CLOEXEC);
		if (p->fd < 0)
			return -errno;
	}
	copies = copies_of(&p->f->cfg);
	p->maps = calloc((size_t)copies * (FAULTERS_MAX_THREADS + 1) + 1, sizeof(*p->maps));
	if (!p->maps)
		return -ENOMEM;
	/* Threads are dealt out in turn: a pair has a thread in two processes. */
	for (nr = p->nr; nr < p->f->cfg.threads; nr += p->f->cfg.processes) {
		struct worker *w = &p->workers[p->nr_workers];

		*w = (struct worker){ .f = p->f, .p = p, .nr = nr,
				      .t = &p->f->thread[nr],
				      .map = p->maps + p->nr_workers * copies };
		p->nr_workers++;
	}
	pthread_barrier_init(&p->barrier, NULL, p->nr_workers);
	return p->nr_workers ? 0 : -EINVAL;
}

int faulters_main(int argc, char **argv)
{
	static struct process p = { .fd = -1 };
	int32_t answer;
	uint8_t command;
	int ctl;

	if (argc != 4) {
		fputs("udax-bench: faulters is for udax-bench itself\n", stderr);
		return BENCH_USAGE;
	}
	ctl = atoi(argv[1]);
	p.nr = atoi(argv[3]);
	answer = set_up(&p, atoi(argv[2]));
	while (send(ctl, &answer, sizeof(answer), MSG_NOSIGNAL) >= 0 && !answer &&
	       recv(ctl, &command, 1, 0) == 1)
		answer = run_round(&p);
	return answer ? BENCH_FAIL : BENCH_OK;
}
