/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The toucher: the program whose page faults are measured. The same code runs
 * native, over the raw loop and under udaxd; it differs only in who serves the
 * mapping. Only the touches are timed.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <x86intrin.h>
#endif

#include "floor.h"

#define MAX_THREADS 64
#define CHECKED_UNITS 64

struct toucher {
	const char *path;
	uint64_t size, unit, passes, maps;
	unsigned int threads;
	int ctl, uffd_sock;
	int cpus[MAX_THREADS];	/* thread i is pinned to cpus[i % nr_cpus] */
	unsigned int nr_cpus;	/* 0: nobody is pinned */
	pid_t server;		/* its CPU time is charged; 0: none */
	bool nohuge, read, anon;
	bool random;
	uint64_t seed;
	enum kind how;		/* who resolves; NATIVE: the kernel, or udaxd */
	unsigned int around;	/* of a resolve of our own */

	int fd;
	char *map;
	clockid_t server_clock;
	uint32_t stamp;		/* what this round stores */
	double ns_per_tick;
	pthread_barrier_t barrier;
	uint64_t *samples;	/* one a touch; threads own disjoint parts */
	uint32_t *order;	/* of the units */
};

struct touch_thread {
	struct toucher *t;
	pthread_t id;
	unsigned int nr_thread;
	uint64_t first, nr;	/* units */
	uint64_t *samples;
	uint64_t start, end;	/* ns */
	uint32_t sum;		/* of what was read */
};

#if defined(__x86_64__)
static inline uint64_t ticks_start(void)
{
	_mm_lfence();
	return __rdtsc();
}

static inline uint64_t ticks_end(void)
{
	unsigned int aux;
	uint64_t t = __rdtscp(&aux);

	_mm_lfence();
	return t;
}
#else
static inline uint64_t ticks_start(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

#define ticks_end ticks_start
#endif

static void calibrate(struct toucher *t)
{
	uint64_t ns = clock_ns(CLOCK_MONOTONIC), ticks = ticks_start();

	while (clock_ns(CLOCK_MONOTONIC) - ns < 20 * 1000 * 1000)
		;
	t->ns_per_tick = (double)(clock_ns(CLOCK_MONOTONIC) - ns) /
		(ticks_end() - ticks);
}

static void *touch_units(void *arg)
{
	struct touch_thread *tt = arg;
	struct toucher *t = tt->t;
	const uint32_t *order = t->order + tt->first;
	uint64_t i, begin;

	if (t->nr_cpus && pin_to(t->cpus[tt->nr_thread % t->nr_cpus]))
		abort();
	/* Our own memory must not fault inside the loop. */
	memset(tt->samples, 0, tt->nr * sizeof(*tt->samples));
	pthread_barrier_wait(&t->barrier);
	tt->start = clock_ns(CLOCK_MONOTONIC);
	for (i = 0; i < tt->nr; i++) {
		volatile uint32_t *p = (volatile uint32_t *)
			(t->map + order[i] * t->unit);

		begin = ticks_start();
		if (t->read)
			tt->sum += *p;
		else
			*p = t->stamp;
		tt->samples[i] = ticks_end() - begin;
	}
	tt->end = clock_ns(CLOCK_MONOTONIC);
	return NULL;
}

static uint64_t cpu_now(const struct toucher *t)
{
	return clock_ns(CLOCK_PROCESS_CPUTIME_ID) +
		(t->server ? clock_ns(t->server_clock) : 0);
}

/* One pass over all units by all threads; 0 or -errno. */
static int touch_pass(struct toucher *t, struct touch_round *r, uint64_t *samples)
{
	uint64_t units = t->size / t->unit, start = UINT64_MAX, end = 0, cpu;
	struct touch_thread tt[MAX_THREADS] = { 0 };
	unsigned int i;

	if (madvise(t->map, t->size, MADV_DONTNEED))
		return -errno;
	for (i = 0; i < t->threads; i++) {
		tt[i].t = t;
		tt[i].nr_thread = i;
		tt[i].first = units * i / t->threads;
		tt[i].nr = units * (i + 1) / t->threads - tt[i].first;
		tt[i].samples = samples + tt[i].first;
	}
	for (i = 1; i < t->threads; i++)
		if (pthread_create(&tt[i].id, NULL, touch_units, &tt[i]))
			abort();
	cpu = cpu_now(t);
	touch_units(&tt[0]);
	for (i = 1; i < t->threads; i++)
		pthread_join(tt[i].id, NULL);
	r->cpu_ns += cpu_now(t) - cpu;
	for (i = 0; i < t->threads; i++) {
		start = tt[i].start < start ? tt[i].start : start;
		end = tt[i].end > end ? tt[i].end : end;
	}
	r->touches += units;
	r->ns += end - start;
	return 0;
}

/* What the mapping holds must be what was stored, and what the file holds. */
static uint64_t count_wrong(const struct toucher *t)
{
	uint64_t units = t->size / t->unit, i, wrong = 0;
	uint64_t step = units > CHECKED_UNITS ? units / CHECKED_UNITS : 1;

	for (i = 0; i < units; i += step) {
		uint32_t here = *(volatile uint32_t *)(t->map + i * t->unit);
		uint32_t word = ~here;

		if (t->anon)
			word = here;
		else if (pread(t->fd, &word, sizeof(word), i * t->unit) !=
			 sizeof(word))
			word = ~here;
		wrong += word != here || (!t->read && here != t->stamp);
	}
	return wrong;
}

/* Fields of the smaps entries of our mapping; @armed: a userfaultfd flag is set. */
static uint64_t mapping_state(const struct toucher *t, uint32_t *armed)
{
	FILE *f = fopen("/proc/self/smaps", "re");
	unsigned long start, end, kib;
	uint64_t huge = 0;
	bool ours = false;
	char line[512];

	*armed = 0;
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			ours = start < (unsigned long)t->map + t->size &&
				end > (unsigned long)t->map;
		else if (ours && sscanf(line, "ShmemPmdMapped: %lu", &kib) == 1)
			huge += kib << 10;
		else if (ours && !strncmp(line, "VmFlags:", 8))
			*armed |= strstr(line, " um") || strstr(line, " ui");
	}
	if (f)
		fclose(f);
	return huge;
}

static int run_round(struct toucher *t, struct touch_round *r)
{
	uint64_t units = t->size / t->unit, n = units * t->passes, i, pass;
	uint32_t armed;
	int ret;

	memset(r, 0, sizeof(*r));
	for (pass = 0; pass < t->passes; pass++) {
		t->stamp++;
		ret = touch_pass(t, r, t->samples + pass * units);
		if (ret)
			return ret;
	}
	for (i = 0; i < n; i++)
		t->samples[i] = t->samples[i] * t->ns_per_tick;
	sort_u64(t->samples, n);
	r->min = t->samples[0];
	r->p50 = quantile(t->samples, n, 0.5);
	r->p99 = quantile(t->samples, n, 0.99);
	r->max = t->samples[n - 1];
	r->wrong = count_wrong(t);
	r->huge_bytes = mapping_state(t, &armed);
	return 0;
}

/* Mappings that are there to be many; never touched. 0 or -errno. */
static int map_more(const struct toucher *t)
{
	uint64_t i, units = t->size / t->unit;

	for (i = 1; i < t->maps; i++)
		if (mmap(NULL, t->unit, PROT_READ | PROT_WRITE, MAP_SHARED,
			 t->fd, i % units * t->unit) == MAP_FAILED)
			return -errno;
	return 0;
}

/* Each thread's part in an order of its own; random ones are of the seed. */
static int make_order(struct toucher *t)
{
	uint64_t units = t->size / t->unit, i, k;
	struct rng rng = rng_seed(t->seed, 0);
	unsigned int n;

	t->order = calloc(units, sizeof(*t->order));
	if (!t->order)
		return -ENOMEM;
	for (i = 0; i < units; i++)
		t->order[i] = i;
	for (n = 0; t->random && n < t->threads; n++) {
		uint64_t first = units * n / t->threads;

		for (i = units * (n + 1) / t->threads - 1; i > first; i--) {
			uint32_t unit = t->order[i];

			k = first + rng_below(&rng, i - first + 1);
			t->order[i] = t->order[k];
			t->order[k] = unit;
		}
	}
	return 0;
}

static int map_file(struct toucher *t)
{
	t->fd = open(t->path, O_RDWR | O_CLOEXEC);
	if (t->fd < 0)
		return -errno;
	t->map = t->anon ? mmap(NULL, t->size, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) :
			   map_aligned(t->fd, t->size);
	if (t->map == MAP_FAILED ||
	    (t->nohuge && madvise(t->map, t->size, MADV_NOHUGEPAGE)))
		return -errno;
	return map_more(t);
}

static int arm(struct toucher *t)
{
	struct server like = {
		.unit = t->unit, .around = t->around, .anon = t->anon,
	};

	if (t->how == NATIVE)
		return 0;
	return floor_arm(&like, t->how, t->map, t->size, t->uffd_sock,
			 t->nr_cpus ? t->cpus[0] : -1);
}

static int set_up(struct toucher *t, struct touch_hello *hello)
{
	uint64_t units = t->size / t->unit, start;
	int ret;

	if (t->nr_cpus && pin_to(t->cpus[0]))
		return -EINVAL;
	if (t->server && clock_getcpuclockid(t->server, &t->server_clock))
		return -ESRCH;
	calibrate(t);
	pthread_barrier_init(&t->barrier, NULL, t->threads);
	t->samples = calloc(units * t->passes, sizeof(*t->samples));
	if (!t->samples || make_order(t))
		return -ENOMEM;
	start = clock_ns(CLOCK_MONOTONIC);
	ret = map_file(t);
	hello->map_ns = clock_ns(CLOCK_MONOTONIC) - start;
	if (!ret)
		ret = arm(t);
	mapping_state(t, &hello->armed);
	return ret;
}

static int parse_touch(struct toucher *t, int argc, char **argv)
{
	static const struct option longopts[] = {
		{ "anon", no_argument, NULL, 'a' },
		{ "around", required_argument, NULL, 'n' },
		{ "ctl", required_argument, NULL, 'c' },
		{ "cpus", required_argument, NULL, 'C' },
		{ "file", required_argument, NULL, 'f' },
		{ "maps", required_argument, NULL, 'm' },
		{ "nohuge", no_argument, NULL, 'h' },
		{ "passes", required_argument, NULL, 'p' },
		{ "random", required_argument, NULL, 'R' },
		{ "read", no_argument, NULL, 'r' },
		{ "self", required_argument, NULL, 'S' },
		{ "server", required_argument, NULL, 'P' },
		{ "size", required_argument, NULL, 's' },
		{ "threads", required_argument, NULL, 't' },
		{ "uffd-sock", required_argument, NULL, 'U' },
		{ "unit", required_argument, NULL, 'u' },
		{ NULL, 0, NULL, 0 },
	};
	uint64_t n = 0;
	int c;

	while ((c = getopt_long(argc, argv, "", longopts, NULL)) != -1) {
		if (!strchr("aCfhrS", c) && (!optarg || parse_size(optarg, &n)))
			return -EINVAL;
		switch (c) {
		case 'a': t->anon = true; break;
		case 'n': t->around = n; break;
		case 'r': t->read = true; break;
		case 'R':
			t->random = true;
			t->seed = n;
			break;
		case 'S':
			t->how = strcmp(optarg, "sigbus") ? THREAD : SIGBUS_SELF;
			break;
		case 'c': t->ctl = n; break;
		case 'C':
			if (parse_cpus(optarg, t->cpus, MAX_THREADS, &t->nr_cpus))
				return -EINVAL;
			break;
		case 'f': t->path = optarg; break;
		case 'm': t->maps = n; break;
		case 'h': t->nohuge = true; break;
		case 'p': t->passes = n; break;
		case 'P': t->server = n; break;
		case 's': t->size = n; break;
		case 't': t->threads = n; break;
		case 'U':
			t->uffd_sock = n;
			t->how = RAW;
			break;
		case 'u': t->unit = n; break;
		default: return -EINVAL;
		}
	}
	if (t->ctl < 0 || !t->path || !t->unit || t->size < t->unit ||
	    !t->passes || !t->threads || t->threads > MAX_THREADS)
		return -EINVAL;
	return 0;
}

int touch_main(int argc, char **argv)
{
	struct toucher t = {
		.passes = 1, .maps = 1, .threads = 1, .around = 1, .ctl = -1,
		.uffd_sock = -1,
	};
	struct touch_hello hello = { 0 };
	struct touch_round round;
	uint8_t command;

	if (parse_touch(&t, argc, argv)) {
		fputs("udax-bench: touch is for udax-bench itself\n", stderr);
		return BENCH_USAGE;
	}
	hello.error = -set_up(&t, &hello);
	if (send(t.ctl, &hello, sizeof(hello), MSG_NOSIGNAL) < 0 || hello.error)
		return BENCH_FAIL;
	while (recv(t.ctl, &command, 1, 0) == 1 && command == TOUCH_ROUND) {
		if (run_round(&t, &round) ||
		    send(t.ctl, &round, sizeof(round), MSG_NOSIGNAL) < 0)
			return BENCH_FAIL;
	}
	return BENCH_OK;
}
