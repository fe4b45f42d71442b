/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The program whose live faults the simulator is held against: it does what one
 * of its tasks does, no more. Run as `udax-bench simload`, under udax run.
 *
 *	pages	each thread touches one of @pages pages of a window, drawn anew
 *		each time, through a mapping of its own that allows 4K faults only
 *	apart	the same, but that each thread has a page of its own
 *	pairs	in a window that nobody has touched one thread touches a page, and
 *		while it holds the entry another tries 2M at another page
 *
 * Prints one JSON object: how long touches took, by what was tried first.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "proc.h"
#include "sim_load.h"
#include "stats.h"

/* A thread's first faults find everything cold; they are not in the figures. */
#define WARMUP 10

struct load {
	int fd;
	bool pairs, apart;
	uint32_t threads, pages, steps;
	uint64_t hold_ns, seed;
	pthread_barrier_t barrier;
	int cpus[64];
	unsigned int nr_cpus;
};

struct thread {
	struct load *load;
	uint32_t nr;
	pthread_t id;
	struct thread *other;	/* pairs */
	sem_t go;
	char *large;		/* pairs: all windows, for 2M faults */
	char **small;		/* pages: a mapping a step; pairs: of all windows */
	uint64_t *ns;		/* of each step */
};

/* Its address differs from the offset by a page, modulo 2M: 4K faults only. */
static char *map_small(int fd, uint64_t size)
{
	uintptr_t room = (uintptr_t)mmap(NULL, size + 2 * HUGE_UNIT, PROT_NONE,
					 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
					 -1, 0);

	if ((void *)room == MAP_FAILED)
		return MAP_FAILED;
	room = (room + HUGE_UNIT - 1) & ~(HUGE_UNIT - 1);
	return mmap((void *)(room + SMALL_UNIT), size, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_FIXED, fd, 0);
}

static uint64_t touch(volatile char *page)
{
	uint64_t start = clock_ns(CLOCK_MONOTONIC);

	*page = 1;
	return clock_ns(CLOCK_MONOTONIC) - start;
}

static void sleep_ns(uint64_t ns)
{
	struct timespec ts = { .tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000 };

	nanosleep(&ts, NULL);
}

static void run_pages(struct thread *t)
{
	const struct load *l = t->load;
	struct rng r = rng_seed(l->seed, t->nr);
	uint64_t stride = 512 / l->pages;
	uint32_t page;

	for (uint32_t i = 0; i < l->steps; i++) {
		page = l->apart ? t->nr : rng_below(&r, l->pages);
		t->ns[i] = touch(t->small[i] + (page * stride + stride / 2) *
					       SMALL_UNIT);
	}
}

/* Even threads touch pages, and odd ones meet them; both draw the same numbers. */
static void run_pair(struct thread *t)
{
	const struct load *l = t->load;
	uint32_t pair = t->nr / 2, page, other;
	struct rng r = rng_seed(l->seed, pair);
	uint64_t window;
	double delay;

	for (uint32_t i = 0; i < l->steps; i++) {
		window = (uint64_t)(pair * l->steps + i) * HUGE_UNIT;
		page = 1 + rng_below(&r, 511);
		other = (page + 1 + rng_below(&r, 511)) % 512;
		delay = rng_unit(&r);
		if (t->nr % 2) {
			sem_wait(&t->go);
			sleep_ns(delay * l->hold_ns);
			t->ns[i] = touch(t->large + window + other * SMALL_UNIT);
			sem_post(&t->other->go);
		} else {
			sem_post(&t->other->go);
			t->ns[i] = touch(t->small[0] + window + page * SMALL_UNIT);
			sem_wait(&t->go);
		}
	}
}

static void *run_thread(void *arg)
{
	struct thread *t = arg;
	struct load *l = t->load;

	prctl(PR_SET_TIMERSLACK, 1);
	if (l->nr_cpus)
		pin_to(l->cpus[(l->pairs ? t->nr / 2 : t->nr) % l->nr_cpus]);
	pthread_barrier_wait(&l->barrier);
	if (l->pairs)
		run_pair(t);
	else
		run_pages(t);
	return NULL;
}

static int map_thread(struct thread *t, struct thread *first)
{
	const struct load *l = t->load;
	uint64_t size = l->pairs ? (uint64_t)l->threads / 2 * l->steps * HUGE_UNIT :
				   HUGE_UNIT;
	uint32_t nr = l->pairs ? 1 : l->steps;

	t->small = calloc(nr, sizeof(*t->small));
	t->ns = calloc(l->steps, sizeof(*t->ns));
	if (!t->small || !t->ns)
		return -ENOMEM;
	for (uint32_t i = 0; i < nr; i++) {
		t->small[i] = l->pairs && t != first ? first->small[0] :
			      map_small(l->fd, size);
		if (t->small[i] == MAP_FAILED)
			return -errno;
	}
	t->large = !l->pairs ? NULL : t != first ? first->large :
		   map_aligned(l->fd, size);
	if (t->large == MAP_FAILED)
		return -errno;
	/* Our own memory must not fault inside the loop. */
	memset(t->ns, 1, l->steps * sizeof(*t->ns));
	return sem_init(&t->go, 0, 0) ? -errno : 0;
}

static json_t *times(struct thread *threads, const struct load *l, bool odd)
{
	uint64_t *v = calloc((size_t)l->threads * l->steps, sizeof(*v));
	size_t n = 0;
	json_t *o;

	if (!v)
		return NULL;
	for (uint32_t i = 0; i < l->threads; i++) {
		if (l->pairs && (i % 2 != 0) != odd)
			continue;
		memcpy(v + n, threads[i].ns + WARMUP,
		       (l->steps - WARMUP) * sizeof(*v));
		n += l->steps - WARMUP;
	}
	sort_u64(v, n);
	o = json_pack("{s:I,s:I,s:I,s:I}", "count", (json_int_t)n,
		      "p50", (json_int_t)quantile(v, n, 0.5),
		      "p99", (json_int_t)quantile(v, n, 0.99),
		      "max", (json_int_t)v[n - 1]);
	free(v);
	return o;
}

static int run(struct load *l, json_t **out)
{
	struct thread *threads = calloc(l->threads, sizeof(*threads));
	int ret = threads ? 0 : -ENOMEM;
	uint64_t start;
	uint32_t i;

	pthread_barrier_init(&l->barrier, NULL, l->threads + 1);
	for (i = 0; i < l->threads && !ret; i++) {
		threads[i] = (struct thread){ .load = l, .nr = i,
					      .other = &threads[i ^ 1] };
		ret = map_thread(&threads[i], threads);
	}
	if (ret)
		return ret;
	for (i = 0; i < l->threads; i++)
		if (pthread_create(&threads[i].id, NULL, run_thread, &threads[i]))
			abort();
	pthread_barrier_wait(&l->barrier);
	start = clock_ns(CLOCK_MONOTONIC);
	for (i = 0; i < l->threads; i++)
		pthread_join(threads[i].id, NULL);
	*out = json_pack("{s:I,s:o}", "ns",
			 (json_int_t)(clock_ns(CLOCK_MONOTONIC) - start),
			 "pte", times(threads, l, false));
	if (l->pairs)
		json_object_set_new(*out, "pmd", times(threads, l, true));
	return 0;
}

int simload_main(int argc, char **argv)
{
	struct load l = { 0 };
	json_t *out = NULL;
	int ret;

	if (argc != 8) {
		fputs("udax-bench: simload is for udax-bench itself\n", stderr);
		return BENCH_USAGE;
	}
	l.pairs = !strcmp(argv[2], "pairs");
	l.apart = !strcmp(argv[2], "apart");
	l.threads = atoi(argv[3]);
	l.pages = atoi(argv[4]);
	l.steps = atoi(argv[5]) + WARMUP;
	l.hold_ns = strtoull(argv[6], NULL, 10);
	l.seed = strtoull(argv[7], NULL, 10);
	l.nr_cpus = cpus_allowed(l.cpus, 64);
	l.fd = open(argv[1], O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (l.fd < 0 || ftruncate(l.fd, l.pairs ? (uint64_t)l.threads * l.steps *
				  HUGE_UNIT : HUGE_UNIT))
		ret = -errno;
	else
		ret = run(&l, &out);
	unlink(argv[1]);
	if (ret) {
		fprintf(stderr, "udax-bench: %s: %s\n", argv[1], strerror(-ret));
		return BENCH_FAIL;
	}
	json_dumpf(out, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(out);
	return BENCH_OK;
}
