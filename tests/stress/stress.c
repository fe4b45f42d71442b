/* SPDX-License-Identifier: BSD-3-Clause */
/* The program: shared memory, processes, threads, the verdict; see stress.h. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "stress.h"

struct shared *sh;
int file_fd, file_rdonly_fd, scratch_fd, oracle_fd;

struct options {
	const char *path;
	unsigned int seconds, threads, processes, windows, stall;
	uint64_t seed;
	uint32_t without;
	bool by_map;	/* read() need not see what mappings hold */
	int delegate;
};

static void die(const char *what)
{
	fprintf(stderr, "stress: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void usage(void)
{
	fputs("usage: stress --file FILE [--seconds N] [--seed N] [--threads N]\n"
	      "  [--processes N] [--windows N] [--stall SECONDS] [--without OP,...]\n"
	      "  [--by-map]\n"
	      "FILE is made, and removed at the end. --by-map: no read() and write().\n",
	      stderr);
	exit(2);
}

static uint32_t parse_without(char *list)
{
	uint32_t mask = 0;
	char *save, *p;
	unsigned int i;

	for (p = strtok_r(list, ",", &save); p; p = strtok_r(NULL, ",", &save)) {
		for (i = 0; i < nr_ops && strcmp(ops[i].name, p); i++)
			;
		if (i == nr_ops)
			usage();
		mask |= 1u << i;
	}
	return mask;
}

static void parse(struct options *o, int argc, char **argv)
{
	static const struct option longopts[] = {
		{ "by-map", no_argument, NULL, 'm' },
		{ "delegate", required_argument, NULL, 'd' },
		{ "file", required_argument, NULL, 'f' },
		{ "oracle", required_argument, NULL, 'o' },
		{ "processes", required_argument, NULL, 'p' },
		{ "seconds", required_argument, NULL, 's' },
		{ "seed", required_argument, NULL, 'S' },
		{ "stall", required_argument, NULL, 'l' },
		{ "threads", required_argument, NULL, 't' },
		{ "windows", required_argument, NULL, 'w' },
		{ "without", required_argument, NULL, 'x' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", longopts, NULL)) != -1) {
		switch (c) {
		case 'm':
			o->by_map = true;
			o->without |= parse_without((char[]){ "file" });
			break;
		case 'd': o->delegate = atoi(optarg); break;
		case 'f': o->path = optarg; break;
		case 'o': oracle_fd = atoi(optarg); break;
		case 'p': o->processes = atoi(optarg); break;
		case 's': o->seconds = atoi(optarg); break;
		case 'S': o->seed = strtoull(optarg, NULL, 0); break;
		case 'l': o->stall = atoi(optarg); break;
		case 't': o->threads = atoi(optarg); break;
		case 'w': o->windows = atoi(optarg); break;
		case 'x': o->without |= parse_without(optarg); break;
		default: usage();
		}
	}
	if (optind < argc || (!o->path && o->delegate < 0) ||
	    !o->threads || !o->processes ||
	    o->threads * o->processes > MAX_OWNERS ||
	    !o->windows || o->windows > MAX_WINDOWS)
		usage();
}

static size_t shared_size(unsigned int windows)
{
	return sizeof(struct shared) +
		windows * SLOTS_PER_WINDOW * sizeof(uint32_t);
}

static void open_files(void)
{
	file_fd = open(sh->path, O_RDWR | O_CLOEXEC);
	file_rdonly_fd = open(sh->path, O_RDONLY | O_CLOEXEC);
	if (file_fd < 0 || file_rdonly_fd < 0)
		die(sh->path);
	scratch_fd = memfd_create("scratch", MFD_CLOEXEC);
	if (scratch_fd < 0 || ftruncate(scratch_fd, MAX_OWNERS * SLOT))
		die("scratch");
}

static void make_shared(const struct options *o)
{
	pthread_mutexattr_t a;
	unsigned int i;
	int fd;

	/* Inherited through exec by its number. */
	oracle_fd = memfd_create("oracle", 0);
	if (oracle_fd < 0 || ftruncate(oracle_fd, shared_size(o->windows)))
		die("oracle");
	sh = mmap(NULL, shared_size(o->windows), PROT_READ | PROT_WRITE,
		  MAP_SHARED, oracle_fd, 0);
	if (sh == MAP_FAILED)
		die("oracle");
	sh->windows = o->windows;
	sh->size = o->windows * WINDOW;
	sh->threads = o->threads;
	sh->processes = o->processes;
	sh->owners = o->threads * o->processes;
	sh->seed = o->seed;
	sh->without = o->without;
	snprintf(sh->path, sizeof(sh->path), "%s", o->path);
	pthread_mutexattr_init(&a);
	pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
	for (i = 0; i < sh->windows; i++)
		pthread_mutex_init(&sh->win[i].change, &a);
	fd = open(o->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, sh->size))
		die(o->path);
	close(fd);
}

static void attach_shared(void)
{
	struct shared *head;
	size_t size;

	head = mmap(NULL, sizeof(*head), PROT_READ, MAP_SHARED, oracle_fd, 0);
	if (head == MAP_FAILED)
		die("oracle");
	size = shared_size(head->windows);
	sh = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, oracle_fd, 0);
	if (sh == MAP_FAILED)
		die("oracle");
	munmap(head, sizeof(*head));
}

static void worker_init(struct worker *w, unsigned int nr)
{
	memset(w, 0, sizeof(*w));
	w->sh = sh;
	w->nr = nr;
	w->me = &sh->own[nr];
	w->me->pid = getpid();
	w->me->tid = syscall(SYS_gettid);
	w->rng = (sh->seed + 1) * 0x9e3779b97f4a7c15ull ^ (nr + 1) * 0xbf58476d1ce4e5b9ull;
	w->rng += w->me->seq;
	if (!w->rng)
		w->rng = 1;
}

static void *thread_main(void *arg)
{
	struct worker w;

	worker_init(&w, (uintptr_t)arg);
	work(&w, 0);
	w.me->op = "end";
	__atomic_store_n(&w.me->beats, UINT64_MAX, __ATOMIC_RELAXED);
	return NULL;
}

static void __attribute__((noreturn)) process_main(unsigned int nr)
{
	pthread_t threads[MAX_OWNERS];
	unsigned int i;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	open_files();
	maps_init();
	guard_init();
	for (i = 0; i < sh->threads; i++)
		if (pthread_create(&threads[i], NULL, thread_main,
				   (void *)(uintptr_t)(nr * sh->threads + i)))
			die("pthread_create");
	for (i = 0; i < sh->threads; i++)
		pthread_join(threads[i], NULL);
	_exit(sh->failed ? 1 : 0);
}

/* After exec: acts for an owner that waits. */
static int delegate_main(unsigned int nr)
{
	struct worker w;

	attach_shared();
	open_files();
	maps_init();
	guard_init();
	worker_init(&w, nr);
	w.delegate = true;
	work(&w, 60);
	return sh->failed ? 1 : 0;
}

static int last_check(bool by_map)
{
	uint64_t bad = 0;
	char *base;

	open_files();
	if (!by_map)
		bad = verify_all("at the end, by read", NULL);
	base = mmap(NULL, sh->size, PROT_READ, MAP_SHARED, file_fd, 0);
	if (base == MAP_FAILED)
		die("mmap");
	bad += verify_all("at the end, by a new mapping", base);
	if (bad)
		fprintf(stderr, "stress: %llu bad slots at the end\n",
			(unsigned long long)bad);
	return bad ? -1 : 0;
}

static void summary(const struct options *o)
{
	uint64_t checked = 0, stored = 0, bus = 0, segv = 0, n;
	unsigned int i, op;

	for (i = 0; i < sh->owners; i++) {
		checked += sh->own[i].checked;
		stored += sh->own[i].stored;
		bus += sh->own[i].sigbus;
		segv += sh->own[i].sigsegv;
	}
	printf("stress: %llu slots stored, %llu checked, %llu SIGBUS, %llu SIGSEGV;",
	       (unsigned long long)stored, (unsigned long long)checked,
	       (unsigned long long)bus, (unsigned long long)segv);
	for (op = 0; op < nr_ops; op++) {
		for (n = 0, i = 0; i < sh->owners; i++)
			n += sh->own[i].counts[op];
		printf(" %s %llu", ops[op].name, (unsigned long long)n);
	}
	printf("\n");
}

int main(int argc, char **argv)
{
	struct options o = {
		.seconds = 10, .threads = 4, .processes = 3, .windows = 12,
		.stall = 20, .delegate = -1, .seed = time(NULL),
	};
	pid_t pids[MAX_OWNERS];
	unsigned int i;
	int ret;

	parse(&o, argc, argv);
	if (o.delegate >= 0)
		return delegate_main(o.delegate);
	make_shared(&o);
	printf("stress: --seed %llu, %u processes of %u threads, %u windows, %u s\n",
	       (unsigned long long)o.seed, o.processes, o.threads, o.windows,
	       o.seconds);
	fflush(stdout);
	for (i = 0; i < o.processes; i++) {
		pids[i] = fork();
		if (pids[i] < 0)
			die("fork");
		if (!pids[i])
			process_main(i);
	}
	ret = watch(pids, o.processes, o.seconds, o.stall);
	if (!ret)
		ret = last_check(o.by_map);
	summary(&o);
	unlink(o.path);
	printf("stress: %s\n", ret ? "FAILED" : "ok");
	return ret ? 1 : 0;
}
