/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Threads that touch pages of a file when they are told to, each in a mapping of
 * its own, so that page tables decide nothing. tests/e2e/litmus.py tells them.
 *
 *	litmus FILE SIZE
 *
 * Lines on standard input, ID a word:
 *	ID read|write huge|small PAGE	a thread touches PAGE; a small mapping has
 *					an address that no huge page fits
 *	quit				the program ends, whoever still sleeps
 * Lines on standard output: "ready", "ID done WORD" when the thread is through
 * with the word that it read or stored.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096ul
#define HUGE (512 * PAGE)

struct touch {
	char id[32];
	volatile uint64_t *word;
	uint64_t page;
	int write;
};

static int fd;
static size_t size;

static void __attribute__((noreturn)) die(const char *what)
{
	perror(what);
	exit(1);
}

/* Not congruent with the file modulo 2M: a 2M fault falls back there at once. */
static char *map_small(void)
{
	char *room = mmap(NULL, size + 2 * HUGE, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	char *at;

	if (room == MAP_FAILED)
		die("mmap of room");
	at = (char *)(((uintptr_t)room + HUGE - 1) & ~(HUGE - 1)) + PAGE;
	return mmap(at, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
		    fd, 0);
}

static void *touch(void *arg)
{
	struct touch *t = arg;
	uint64_t word;

	if (t->write)
		*t->word = word = t->page + 1;
	else
		word = *t->word;
	/* One write: lines of two threads do not mix. */
	dprintf(STDOUT_FILENO, "%s done %lu\n", t->id, (unsigned long)word);
	return NULL;
}

static void start(const char *id, const char *how, const char *where,
		  uint64_t page)
{
	struct touch *t = calloc(1, sizeof(*t));
	pthread_t thread;
	char *map;

	if (!t || (page + 1) * PAGE > size)
		die("a page");
	map = strcmp(where, "small") ?
		mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) :
		map_small();
	if (map == MAP_FAILED)
		die("mmap");
	snprintf(t->id, sizeof(t->id), "%s", id);
	t->write = !strcmp(how, "write");
	t->page = page;
	t->word = (volatile uint64_t *)(map + page * PAGE);
	if (pthread_create(&thread, NULL, touch, t))
		die("a thread");
	pthread_detach(thread);
}

int main(int argc, char **argv)
{
	char line[128], id[32], how[8], where[8];
	unsigned long page;

	if (argc != 3)
		die("usage");
	size = strtoul(argv[2], NULL, 0);
	fd = open(argv[1], O_RDWR | O_CREAT, 0600);
	if (fd < 0 || ftruncate(fd, size))
		die(argv[1]);
	dprintf(STDOUT_FILENO, "ready\n");
	while (fgets(line, sizeof(line), stdin) && strcmp(line, "quit\n")) {
		if (sscanf(line, "%31s %7s %7s %lu", id, how, where, &page) != 4)
			die(line);
		start(id, how, where, page);
	}
	_exit(0);
}
