/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Threads that touch a file through mappings of both colours at the same time:
 * in each round one stores to a page in the middle of a 2M window through a
 * mapping that no huge page fits, the others load from the window through
 * mappings that one does fit. Then every word is compared.
 *
 *	conflict FILE ROUNDS
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096ul
#define HUGE (512 * PAGE)
#define READERS 3

static size_t size;
static unsigned long rounds;
static int fd;
static char *small;
static pthread_barrier_t round_begins;
static unsigned long wrong;

static void __attribute__((noreturn)) die(const char *what)
{
	perror(what);
	exit(1);
}

static char *map(char *at)
{
	char *m = mmap(at, size, PROT_READ | PROT_WRITE,
		       MAP_SHARED | (at ? MAP_FIXED : 0), fd, 0);

	if (m == MAP_FAILED)
		die("mmap");
	return m;
}

/* An address that is not congruent with the file modulo 2M. */
static char *small_address(void)
{
	char *room = mmap(NULL, size + 2 * HUGE, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (room == MAP_FAILED)
		die("mmap of room");
	return (char *)(((uintptr_t)room + HUGE - 1) & ~(HUGE - 1)) + PAGE;
}

/* The page of round @r that thread @i touches; the writer's is 1 + r % 511. */
static volatile uint64_t *word(char *m, unsigned long r, unsigned long i)
{
	return (volatile uint64_t *)(m + r * HUGE + (1 + (r + i * 7) % 511) * PAGE);
}

static void *reader(void *arg)
{
	unsigned long i = (uintptr_t)arg;
	char *m = map(NULL);

	for (unsigned long r = 0; r < rounds; r++) {
		pthread_barrier_wait(&round_begins);
		if (*word(m, r, i))
			__atomic_add_fetch(&wrong, 1, __ATOMIC_RELAXED);
	}
	return m;
}

int main(int argc, char **argv)
{
	pthread_t threads[READERS];
	void *seen[READERS];

	if (argc != 3)
		die("usage");
	rounds = strtoul(argv[2], NULL, 0);
	size = rounds * HUGE;
	fd = open(argv[1], O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || ftruncate(fd, size))
		die(argv[1]);
	small = map(small_address());
	pthread_barrier_init(&round_begins, NULL, READERS + 1);
	for (uintptr_t i = 0; i < READERS; i++)
		if (pthread_create(&threads[i], NULL, reader, (void *)(i + 1)))
			die("a thread");
	for (unsigned long r = 0; r < rounds; r++) {
		pthread_barrier_wait(&round_begins);
		*word(small, r, 0) = r + 1;
	}
	for (int i = 0; i < READERS; i++)
		pthread_join(threads[i], &seen[i]);
	/* What was stored is seen through every mapping. */
	for (unsigned long r = 0; r < rounds; r++)
		for (int i = 0; i < READERS; i++)
			wrong += *word(seen[i], r, 0) != r + 1;
	if (wrong)
		fprintf(stderr, "conflict: %lu words are wrong\n", wrong);
	return wrong ? 1 : 0;
}
