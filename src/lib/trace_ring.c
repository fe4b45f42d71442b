/* SPDX-License-Identifier: BSD-3-Clause */
#include "lib/trace_ring.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/counter.h"

#define PAGE 4096
/* The file grows by so much at a time, and the ring's size is a multiple. */
#define GROW (256UL << 10)

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + ts.tv_nsec;
}

/*
 * Readers find out by the lock whether the writer lives; and two writers of one
 * file would spoil it for both.
 */
static int take_file(int fd, char *why, size_t len)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode)) {
		snprintf(why, len, "not a regular file");
		return -EINVAL;
	}
	if (!fcntl(fd, F_OFD_SETLK, &lock))
		return 0;
	if (errno != EAGAIN && errno != EACCES)
		return -errno;
	snprintf(why, len, "another udaxd writes its trace there");
	return -EBUSY;
}

/* Space for [@offset, +@size) of the file: a store there must not fail. */
static int reserve(int fd, uint64_t offset, uint64_t size)
{
	if (!fallocate(fd, 0, offset, size))
		return 0;
	/* The C library's writes where the file system cannot. */
	return errno == EOPNOTSUPP ? -posix_fallocate(fd, offset, size) : -errno;
}

static uint64_t round_up_power(uint64_t n)
{
	uint64_t size = UDAX_TRACE_RING_MIN;

	while (size < n)
		size *= 2;
	return size;
}

static int map_file(struct trace_writer *w, uint64_t data, uint64_t ring_size)
{
	void *base;

	w->len = data + w->nr_rings * ring_size;
	/* What was in the file goes; but not from under another's mapping. */
	if (ftruncate(w->fd, 0) || ftruncate(w->fd, w->len))
		return -errno;
	if (reserve(w->fd, 0, data))
		return -ENOSPC;
	base = mmap(NULL, w->len, PROT_READ | PROT_WRITE, MAP_SHARED, w->fd, 0);
	if (base == MAP_FAILED)
		return -errno;
	w->file = base;
	return 0;
}

static void init_file(struct udax_trace_file *file, unsigned int nr_rings,
		      uint64_t data, uint64_t ring_size)
{
	*file = (struct udax_trace_file) {
		.version = UDAX_TRACE_VERSION,
		.pid = getpid(),
		.nr_rings = nr_rings,
		.header_size = sizeof(struct udax_trace_hdr),
		.ring_size = ring_size,
		.data = data,
		.start_ns = clock_ns(CLOCK_MONOTONIC),
		.start_real_ns = clock_ns(CLOCK_REALTIME),
		.state = UDAX_TRACE_LIVE,
	};
	snprintf(file->release, sizeof(file->release), "%s", PACKAGE_VERSION);
	/* Last: whoever sees the magic may rely on the rest. */
	__atomic_store_n(&file->magic, UDAX_TRACE_MAGIC, __ATOMIC_RELEASE);
}

static void init_ring(struct trace_writer *w, unsigned int i)
{
	struct udax_trace_file *file = w->file;
	struct trace_ring *ring = &w->rings[i];

	ring->file = file;
	ring->shared = (struct udax_trace_ring *)(file + 1) + i;
	ring->offset = file->data + i * file->ring_size;
	ring->data = (char *)file + ring->offset;
	ring->size = file->ring_size;
	ring->fd = w->fd;
	ring->number = i;
}

int trace_create(struct trace_writer *w, const char *path, unsigned int nr_rings,
		 uint64_t ring_size, char *why, size_t len)
{
	uint64_t data = sizeof(struct udax_trace_file) +
			nr_rings * sizeof(struct udax_trace_ring);
	int err;

	*why = '\0';
	*w = (struct trace_writer) { .nr_rings = nr_rings };
	data = (data + PAGE - 1) & ~(PAGE - 1UL);
	ring_size = round_up_power(ring_size);
	w->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0666);
	if (w->fd < 0) {
		err = -errno;
		goto say;
	}
	err = take_file(w->fd, why, len);
	if (err)
		goto close;
	w->rings = aligned_alloc(64, nr_rings * sizeof(*w->rings));
	if (!w->rings) {
		err = -ENOMEM;
		goto close;
	}
	memset(w->rings, 0, nr_rings * sizeof(*w->rings));
	err = map_file(w, data, ring_size);
	if (err)
		goto free;
	init_file(w->file, nr_rings, data, ring_size);
	for (unsigned int i = 0; i < nr_rings; i++)
		init_ring(w, i);
	return 0;
free:
	free(w->rings);
close:
	close(w->fd);
say:
	if (!*why)
		snprintf(why, len, "%s", strerror(-err));
	return err;
}

void trace_close(struct trace_writer *w)
{
	__atomic_store_n(&w->file->state, UDAX_TRACE_ENDED, __ATOMIC_RELEASE);
	munmap(w->file, w->len);
	free(w->rings);
	close(w->fd);
}

uint64_t trace_dropped(const struct trace_writer *w)
{
	uint64_t n = 0;

	for (unsigned int i = 0; i < w->nr_rings; i++)
		n += counter_read(&w->rings[i].shared->dropped);
	return n;
}

/* Bytes that have to be passed over for @size of them not to wrap. */
static uint64_t gap(const struct trace_ring *ring, unsigned int size)
{
	uint64_t left = ring->size - (ring->head & (ring->size - 1));

	return left < size ? left : 0;
}

/* The first round through the ring: the file grows with it. */
static bool grow(struct trace_ring *ring, uint64_t end)
{
	uint64_t step = GROW < ring->size ? GROW : ring->size;

	while (ring->reserved < end && !ring->no_space) {
		if (reserve(ring->fd, ring->offset + ring->reserved, step))
			ring->no_space = true;
		else
			ring->reserved += step;
	}
	return ring->reserved >= end;
}

static bool has_room(struct trace_ring *ring, uint64_t end)
{
	uint64_t tail = __atomic_load_n(&ring->shared->tail, __ATOMIC_ACQUIRE);

	if (end - tail > ring->size)
		return false;
	return ring->reserved >= ring->size ||
	       grow(ring, end < ring->size ? end : ring->size);
}

void *trace_begin(struct trace_ring *ring, enum udax_trace_type type,
		  unsigned int size)
{
	uint64_t pad = gap(ring, size);
	struct udax_trace_hdr *hdr;

	assert(size % 8 == 0 && size <= UDAX_TRACE_RECORD_MAX);
	if (!has_room(ring, ring->head + pad + size)) {
		counter_add(&ring->shared->dropped, 1);
		return NULL;
	}
	if (pad >= sizeof(*hdr)) {
		hdr = (void *)(ring->data + (ring->head & (ring->size - 1)));
		memset(hdr, 0, sizeof(*hdr));
		hdr->type = UDAX_TRACE_PAD;
	}
	ring->head += pad;
	hdr = (void *)(ring->data + (ring->head & (ring->size - 1)));
	memset(hdr, 0, size);
	hdr->seq = __atomic_add_fetch(&ring->file->seq, 1, __ATOMIC_RELAXED);
	hdr->time = clock_ns(CLOCK_MONOTONIC);
	hdr->type = type;
	hdr->size = size;
	hdr->cpu = sched_getcpu();
	hdr->ring = ring->number;
	ring->head += size;
	return hdr;
}

void trace_commit(struct trace_ring *ring)
{
	__atomic_store_n(&ring->shared->head, ring->head, __ATOMIC_RELEASE);
}
