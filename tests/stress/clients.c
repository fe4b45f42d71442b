/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Clients that are hard on the daemon: killed, many, forking, executing. Each
 * verb works on a file of its own, checks every byte that it can know, and ends
 * with 0 or says what is wrong. Without udax all of them pass as well.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096ul
#define FILE_PAGES 1000ul
#define THREADS 4
#define WITNESS 501	/* a page that every faulter stores to */
#define MAPPINGS 1000
#define CHILDREN 200
#define FORKS_IN_FAULTS 40	/* a daemon under TSan takes seconds for each */
#define PATIENCE 120	/* seconds until SIGALRM says that it hangs */

static const char *path;
static volatile uint64_t *map;
static sigjmp_buf bus;

static void __attribute__((noreturn, format(printf, 1, 2))) die(const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "clients: pid %d: ", (int)getpid());
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, " (%s)\n", strerror(errno));
	_exit(1);
}

/* What page @i holds, if it was ever stored to. */
static uint64_t word_of(uint64_t i)
{
	return (i + 1) * 0x9e3779b97f4a7c15ull;
}

static int open_file(uint64_t pages)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 || (pages && ftruncate(fd, pages * PAGE)))
		die("%s", path);
	return fd;
}

static volatile uint64_t *map_pages(int fd, uint64_t first, uint64_t pages)
{
	void *p = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		       first * PAGE);

	if (p == MAP_FAILED)
		die("mmap of %lu pages", (unsigned long)pages);
	return p;
}

static volatile uint64_t *page(volatile uint64_t *m, uint64_t i)
{
	return m + i * (PAGE / sizeof(*m));
}

/* Zero, or what belongs there; @full: not zero either. */
static void check_page(volatile uint64_t *m, uint64_t i, uint64_t nr, bool full)
{
	uint64_t got = *page(m, i);

	if (got != word_of(nr) && (full || got))
		die("page %lu holds %#lx, wanted %#lx", (unsigned long)nr,
		    (unsigned long)got, (unsigned long)word_of(nr));
}

/* Touches all pages for ever, in an order of its own. */
static void *faulter(void *arg)
{
	uint64_t i, at, stride = 1 + 2 * (uintptr_t)arg;

	for (;;) {
		for (i = 0; i < FILE_PAGES; i++) {
			at = i * stride % FILE_PAGES;
			if (i & 1)
				*page(map, at) = word_of(at);
			else
				check_page(map, at, at, false);
		}
		madvise((void *)(uintptr_t)map, FILE_PAGES * PAGE, MADV_DONTNEED);
	}
	return NULL;
}

static void start_faulters(void)
{
	pthread_t t;
	uintptr_t i;

	map = map_pages(open_file(FILE_PAGES), 0, FILE_PAGES);
	for (i = 0; i < THREADS; i++)
		if (pthread_create(&t, NULL, faulter, (void *)i))
			die("pthread_create");
}

/* Is killed by its parent. One byte on @argv[1] when the faults begin. */
static int victim(int argc, char **argv)
{
	start_faulters();
	while (!*page(map, WITNESS))
		;
	if (write(atoi(argv[1]), "", 1) != 1)
		die("write");
	for (;;)
		pause();
}

/* Runs a verb of this program in a new process, with a pipe to us. */
static pid_t spawn(const char *verb, int *from)
{
	char fd[16];
	pid_t pid;
	int p[2];

	if (pipe2(p, O_CLOEXEC))
		die("pipe");
	pid = fork();
	if (pid < 0)
		die("fork");
	if (!pid) {
		fcntl(p[1], F_SETFD, 0);
		snprintf(fd, sizeof(fd), "%d", p[1]);
		execl("/proc/self/exe", "clients", verb, path, fd, (char *)NULL);
		die("exec");
	}
	close(p[1]);
	*from = p[0];
	return pid;
}

static void check_all(bool full)
{
	volatile uint64_t *m = map_pages(open_file(0), 0, FILE_PAGES);
	uint64_t i;

	for (i = 0; i < FILE_PAGES; i++)
		check_page(m, i, i, full);
	munmap((void *)(uintptr_t)m, FILE_PAGES * PAGE);
}

/* kill -9 in the middle of faults; the next client finds its data. */
static int verb_kill(int argc, char **argv)
{
	unsigned int i, rounds = argc > 1 ? atoi(argv[1]) : 100;
	struct timespec pause = { 0 };
	char byte;
	pid_t pid;
	int from;

	srandom(rounds);
	for (i = 0; i < rounds; i++) {
		if (i % 10 == 0)
			unlink(path);
		pid = spawn("victim", &from);
		if (read(from, &byte, 1) != 1)
			die("the victim of round %u ended early", i);
		close(from);
		/* Anywhere in the next rounds of its faults. */
		pause.tv_nsec = random() % 4000000;
		nanosleep(&pause, NULL);
		kill(pid, SIGKILL);
		if (waitpid(pid, NULL, 0) != pid)
			die("waitpid");
		check_all(false);
	}
	return 0;
}

/* Many mappings at once, of pages here and there. */
static int verb_many(int argc, char **argv)
{
	volatile uint64_t *m[MAPPINGS];
	int fd = open_file(FILE_PAGES), i;

	for (i = 0; i < MAPPINGS; i++)
		m[i] = map_pages(fd, i % (FILE_PAGES - 2), 2);
	for (i = 0; i < MAPPINGS; i++)
		*page(m[i], i & 1) = word_of(i % (FILE_PAGES - 2) + (i & 1));
	for (i = MAPPINGS - 1; i >= 0; i--) {
		check_page(m[i], 0, i % (FILE_PAGES - 2), false);
		check_page(m[i], 1, i % (FILE_PAGES - 2) + 1, false);
	}
	for (i = 0; i < MAPPINGS; i += 2)
		munmap((void *)(uintptr_t)m[i], 2 * PAGE);
	for (i = 1; i < MAPPINGS; i += 2)
		check_page(m[i], i & 1, i % (FILE_PAGES - 2) + (i & 1), true);
	return 0;
}

static void forked_child(unsigned int nr, int gate)
{
	char byte;
	uint64_t i;

	/* All of them begin at once: the parent closes the other end. */
	if (read(gate, &byte, 1))
		die("read");
	for (i = nr % 7; i < FILE_PAGES; i += 7) {
		if (nr % 2)
			*page(map, i) = word_of(i);
		check_page(map, i, i, nr % 2);
	}
	_exit(0);
}

static void wait_children(unsigned int n)
{
	int status;

	while (n--)
		if (waitpid(-1, &status, 0) < 0 || status)
			die("a child ended with status %#x", status);
}

/* Many children at once, which inherit a mapping. */
static int verb_forks(int argc, char **argv)
{
	unsigned int i;
	int gate[2];

	map = map_pages(open_file(FILE_PAGES), 0, FILE_PAGES);
	*page(map, 0) = word_of(0);
	if (pipe2(gate, O_CLOEXEC))
		die("pipe");
	for (i = 0; i < CHILDREN; i++) {
		pid_t pid = fork();

		if (pid < 0)
			die("fork %u", i);
		if (!pid) {
			close(gate[1]);
			forked_child(i, gate[0]);
		}
	}
	close(gate[1]);
	wait_children(CHILDREN);
	for (i = 0; i < FILE_PAGES; i++)
		check_page(map, i, i, true);
	return 0;
}

/* Forks while threads are in the middle of faults. */
static int verb_fork_faults(int argc, char **argv)
{
	unsigned int i;
	uint64_t at;

	start_faulters();
	for (i = 0; i < FORKS_IN_FAULTS; i++) {
		pid_t pid = fork();

		if (pid < 0)
			die("fork");
		if (!pid) {
			for (at = 0; at < FILE_PAGES; at++) {
				check_page(map, at, at, false);
				*page(map, at) = word_of(at);
			}
			_exit(0);
		}
		wait_children(1);
	}
	_exit(0);
}

/* Executes while threads are in the middle of faults, @argv[1] times. */
static int verb_exec(int argc, char **argv)
{
	int left = argc > 1 ? atoi(argv[1]) : 30;
	char text[16];

	if (left > 0) {
		start_faulters();
		while (!*page(map, WITNESS))
			;
		snprintf(text, sizeof(text), "%d", left - 1);
		execl("/proc/self/exe", "clients", "exec", path, text, (char *)NULL);
		die("exec");
	}
	check_all(false);
	return 0;
}

static void on_bus(int sig)
{
	siglongjmp(bus, sig);
}

static bool sigbus_at(volatile uint64_t *p)
{
	if (sigsetjmp(bus, 1))
		return true;
	*p = 1;
	return false;
}

/* A mapping longer than its file: SIGBUS past the end, until it grows. */
static int verb_eof(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = on_bus };
	int fd = open_file(10), i;
	volatile uint64_t *m = map_pages(fd, 0, FILE_PAGES);

	sigaction(SIGBUS, &sa, NULL);
	for (i = 0; i < 20; i++)
		if (sigbus_at(page(m, i)) != (i >= 10))
			die("page %d of 10: %s SIGBUS", i, i < 10 ? "a" : "no");
	if (ftruncate(fd, 15 * PAGE))
		die("ftruncate");
	for (i = 0; i < 20; i++)
		if (sigbus_at(page(m, i)) != (i >= 15))
			die("page %d of 15: %s SIGBUS", i, i < 15 ? "a" : "no");
	if (ftruncate(fd, 5 * PAGE))
		die("ftruncate");
	for (i = 0; i < 20; i++)
		if (sigbus_at(page(m, i)) != (i >= 5))
			die("page %d of 5: %s SIGBUS", i, i < 5 ? "a" : "no");
	if (ftruncate(fd, 15 * PAGE))
		die("ftruncate");
	for (i = 0; i < 15; i++)
		if (*page(m, i) != (i < 5))
			die("page %d holds %lu after it was cut", i,
			    (unsigned long)*page(m, i));
	return 0;
}

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
} verbs[] = {
	{ "eof", verb_eof },
	{ "exec", verb_exec },
	{ "fork-faults", verb_fork_faults },
	{ "forks", verb_forks },
	{ "kill", verb_kill },
	{ "many", verb_many },
	{ "victim", victim },
};

int main(int argc, char **argv)
{
	unsigned int i;

	if (argc < 3) {
		fputs("usage: clients VERB FILE [N]\n", stderr);
		return 2;
	}
	path = argv[2];
	alarm(PATIENCE);
	for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (!strcmp(argv[1], verbs[i].name))
			return verbs[i].run(argc - 2, argv + 2);
	fprintf(stderr, "clients: no verb %s\n", argv[1]);
	return 2;
}
