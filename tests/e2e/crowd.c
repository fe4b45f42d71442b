/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * crowd FILE THREADS PAGES ROUNDS: in each round every thread stores to PAGES pages
 * of FILE that are its own, neighbours of the other threads'; between two rounds all
 * pages leave the page table. Each store is one fault, THREADS at a time.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096ul

static unsigned long threads, pages, rounds;
static volatile char *map;
static pthread_barrier_t barrier;

#define CHECK(x) do { if (!(x)) { perror(#x); _exit(1); } } while (0)

static void *touch(void *arg)
{
	unsigned long me = (unsigned long)arg, size = threads * pages * PAGE;

	for (unsigned long r = 0; r < rounds; r++) {
		if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD)
			CHECK(!madvise((void *)map, size, MADV_DONTNEED));
		pthread_barrier_wait(&barrier);
		for (unsigned long i = 0; i < pages; i++)
			map[(i * threads + me) * PAGE] = (char)r;
	}
	return NULL;
}

int main(int argc, char **argv)
{
	unsigned long size;
	pthread_t *t;
	int fd;

	if (argc != 5)
		return 2;
	threads = strtoul(argv[2], NULL, 10);
	pages = strtoul(argv[3], NULL, 10);
	rounds = strtoul(argv[4], NULL, 10);
	size = threads * pages * PAGE;
	fd = open(argv[1], O_RDWR | O_CREAT | O_TRUNC, 0600);
	CHECK(fd >= 0 && !posix_fallocate(fd, 0, size));
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED && !madvise((void *)map, size, MADV_NOHUGEPAGE));
	CHECK(!pthread_barrier_init(&barrier, NULL, threads));
	t = calloc(threads, sizeof(*t));
	CHECK(t);
	for (unsigned long i = 0; i < threads; i++)
		CHECK(!pthread_create(&t[i], NULL, touch, (void *)i));
	for (unsigned long i = 0; i < threads; i++)
		CHECK(!pthread_join(t[i], NULL));
	free(t);
	return 0;
}
