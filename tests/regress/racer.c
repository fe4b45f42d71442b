/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * racer FILE ROUNDS MODE: in each round, in a 2M window of its own, one thread is
 * first, and while it sleeps in its fault the others come:
 *	page	it stores to page 1 through a mapping of that page; another to page 0
 *		through a mapping of the whole file, whose 2M fault meets the page entry
 *	2m	the other way round
 *	readers	it reads page 1, a hole, as do two others; each has a mapping of its own
 * Prints "round N" at the end of each, "done" at the end.
 *
 * Two more threads wait for a line, on standard input and on descriptor 3: the first
 * then maps and unmaps memory of its own and prints "mapped", the second stores to
 * a page behind the rounds' and prints "touched".
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE 4096ul
#define PMD (2ul << 20)

static int fd;
static char *whole;
static unsigned long rounds;
static enum { PAGE_FIRST, PMD_FIRST, READERS } mode;
static atomic_int holder;	/* the thread that is first */

#define CHECK(x) do { if (!(x)) { perror(#x); _exit(1); } } while (0)

static void say(const char *what)
{
	CHECK(write(1, what, strlen(what)) == (ssize_t)strlen(what));
}

/*
 * State of a thread, as the kernel says it: S while it sleeps in its fault, X once
 * it has ended. It may do so between open and read, which is ESRCH.
 */
static char state(pid_t tid)
{
	char path[64], text[256] = "", *paren;
	ssize_t n;
	int f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	f = open(path, O_RDONLY);
	if (f < 0)
		return 'X';
	n = read(f, text, sizeof(text) - 1);
	CHECK(n > 0 || (n < 0 && errno == ESRCH));
	close(f);
	paren = strrchr(text, ')');
	return paren ? paren[2] : 'X';
}

static void touch(volatile char *page)
{
	if (mode == READERS)
		(void)*page;
	else
		*page = 1;
}

static void *first(void *arg)
{
	holder = gettid();
	touch(arg);
	return NULL;
}

static void *other(void *arg)
{
	pid_t tid;

	while (!(tid = holder))
		sched_yield();
	while (!strchr("SX", state(tid)))
		sched_yield();
	touch(arg);
	return NULL;
}

static char *map_page(unsigned long n)
{
	char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		       n * PMD + PAGE);

	CHECK(p != MAP_FAILED);
	return p;
}

static void play(unsigned long n)
{
	char *page = map_page(n), *window = whole + n * PMD;
	pthread_t t[3];
	int nr = 2;
	char line[32];

	holder = 0;
	CHECK(!pthread_create(&t[0], NULL, first,
			      mode == PMD_FIRST ? window : page));
	if (mode == READERS) {
		CHECK(!pthread_create(&t[1], NULL, other, map_page(n)));
		CHECK(!pthread_create(&t[2], NULL, other, map_page(n)));
		nr = 3;
	} else {
		CHECK(!pthread_create(&t[1], NULL, other,
				      mode == PMD_FIRST ? page : window));
	}
	for (int i = 0; i < nr; i++)
		CHECK(!pthread_join(t[i], NULL));
	snprintf(line, sizeof(line), "round %lu\n", n);
	say(line);
}

static void *mapper(void *arg)
{
	char line[16];
	void *p;

	if (read(0, line, sizeof(line)) <= 0)
		return NULL;
	p = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(p != MAP_FAILED && !munmap(p, PAGE));
	say("mapped\n");
	return NULL;
}

static void *toucher(void *arg)
{
	char line[16];

	if (read(3, line, sizeof(line)) <= 0)
		return NULL;
	*(volatile char *)(whole + rounds * PMD) = 1;
	say("touched\n");
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t t;

	if (argc != 4)
		return 2;
	mode = *argv[3] == 'p' ? PAGE_FIRST : *argv[3] == '2' ? PMD_FIRST : READERS;
	rounds = strtoul(argv[2], NULL, 10);
	fd = open(argv[1], O_RDWR | O_CREAT | O_TRUNC, 0600);
	CHECK(fd >= 0 && !ftruncate(fd, (rounds + 1) * PMD));
	whole = mmap(NULL, (rounds + 1) * PMD, PROT_READ | PROT_WRITE,
		     MAP_SHARED, fd, 0);
	CHECK(whole != MAP_FAILED);
	CHECK(!pthread_create(&t, NULL, mapper, NULL));
	CHECK(!pthread_create(&t, NULL, toucher, NULL));
	for (unsigned long n = 0; n < rounds; n++)
		play(n);
	say("done\n");
	return 0;
}
