/* SPDX-License-Identifier: BSD-3-Clause */
#include "lib/trace_read.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/counter.h"

/* No trace has more: the number of threads udaxd may have, and some. */
#define RINGS_MAX 65536

static const struct {
	const char *name;
	unsigned int size;
} types[UDAX_TRACE_NR] = {
#define X(id, type, event) \
	[UDAX_TRACE_##id] = { event, sizeof(struct udax_trace_##type) },
#include "udax/tbl/trace.h"
#undef X
};

struct source {
	struct udax_trace_ring *ring;
	const char *data;
	uint64_t room;		/* bytes of the ring that the file has */
	uint64_t pos;
	uint64_t head;		/* as last seen */
	const struct udax_trace_hdr *next;	/* at @pos, checked; or NULL */
	int error;		/* nothing more is read from here */
};

struct trace_reader {
	struct udax_trace_file *file;
	void *mapping;		/* or NULL: the caller's memory */
	size_t size;
	uint64_t ring_size;	/* as it was when it was checked */
	int fd;			/* or -1 */
	unsigned int flags;
	bool live;		/* wait for gaps to be filled */
	uint64_t expected;	/* seq of the next record; 0: whichever is first */
	struct source *current;	/* where the record handed out last came from */
	int error;		/* to be said once */
	unsigned int nr;
	struct source source[];
};

const char *trace_event_name(unsigned int type)
{
	return type && type < UDAX_TRACE_NR ? types[type].name : NULL;
}

/* ------------------------------------------------------------------- open */

static const char *check_header(const struct udax_trace_file *f, size_t size)
{
	uint64_t headers;

	if (size < sizeof(f->magic) || f->magic != UDAX_TRACE_MAGIC)
		return "not a trace";
	if (size < sizeof(*f))
		return "cut short in its header";
	if (f->version != UDAX_TRACE_VERSION)
		return "a trace of another version of udax";
	headers = sizeof(*f) + (uint64_t)f->nr_rings *
		  sizeof(struct udax_trace_ring);
	if (!f->nr_rings || f->nr_rings > RINGS_MAX ||
	    f->header_size != sizeof(struct udax_trace_hdr) ||
	    f->ring_size < UDAX_TRACE_RING_MIN || f->ring_size >> 48 ||
	    f->ring_size & (f->ring_size - 1) || f->data < headers ||
	    f->data >> 48 || f->data % 8)
		return "damaged in its header";
	if (size < headers)
		return "cut short in its header";
	return NULL;
}

static void init_sources(struct trace_reader *r, uint64_t data)
{
	bool fresh = true;

	for (unsigned int i = 0; i < r->nr; i++) {
		uint64_t offset = data + i * r->ring_size;
		struct source *s = &r->source[i];

		s->ring = (struct udax_trace_ring *)(r->file + 1) + i;
		s->data = (const char *)r->file + offset;
		s->room = offset >= r->size ? 0 : r->size - offset;
		if (s->room > r->ring_size)
			s->room = r->ring_size;
		s->pos = __atomic_load_n(&s->ring->tail, __ATOMIC_RELAXED);
		s->head = __atomic_load_n(&s->ring->head, __ATOMIC_ACQUIRE);
		fresh &= !s->pos;
	}
	r->expected = fresh;
}

static int open_reader(struct trace_reader **out, void *base, size_t size,
		       unsigned int flags, char *why, size_t len)
{
	struct udax_trace_file *f = base;
	const char *wrong = check_header(f, size);
	struct trace_reader *r;
	unsigned int nr;

	if (wrong) {
		snprintf(why, len, "%s", wrong);
		return -EINVAL;
	}
	nr = f->nr_rings;
	r = calloc(1, sizeof(*r) + nr * sizeof(r->source[0]));
	if (!r) {
		snprintf(why, len, "%s", strerror(ENOMEM));
		return -ENOMEM;
	}
	r->file = f;
	r->size = size;
	r->fd = -1;
	r->flags = flags;
	r->live = !(flags & TRACE_OPEN_SNAPSHOT) &&
		  __atomic_load_n(&f->state, __ATOMIC_ACQUIRE) ==
		  UDAX_TRACE_LIVE;
	r->nr = nr;
	r->ring_size = f->ring_size;
	init_sources(r, f->data);
	*out = r;
	return 0;
}

int trace_open_memory(struct trace_reader **reader, void *base, size_t size,
		      unsigned int flags, char *why, size_t len)
{
	return open_reader(reader, base, size, flags, why, len);
}

/* The size of what is mapped, or -errno; 0: nothing to map. */
static int map_trace(int fd, bool consume, void **base, size_t *size)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	*size = 0;
	if (!S_ISREG(st.st_mode) || st.st_size < 1)
		return 0;
	*base = mmap(NULL, st.st_size, PROT_READ | (consume ? PROT_WRITE : 0),
		     MAP_SHARED, fd, 0);
	if (*base == MAP_FAILED)
		return -errno;
	*size = st.st_size;
	return 0;
}

int trace_open(struct trace_reader **reader, const char *path,
	       unsigned int flags, char *why, size_t len)
{
	bool consume = flags & TRACE_OPEN_CONSUME;
	void *base = NULL;
	size_t size = 0;
	int fd, err;

	fd = open(path, (consume ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK);
	err = fd < 0 ? -errno : map_trace(fd, consume, &base, &size);
	if (err) {
		snprintf(why, len, "%s", strerror(-err));
		goto close;
	}
	err = open_reader(reader, base, size, flags, why, len);
	if (err)
		goto unmap;
	(*reader)->mapping = base;
	(*reader)->fd = fd;
	trace_live(*reader);
	return 0;
unmap:
	if (size)
		munmap(base, size);
close:
	if (fd >= 0)
		close(fd);
	return err;
}

void trace_reader_free(struct trace_reader *r)
{
	if (r->mapping)
		munmap(r->mapping, r->size);
	if (r->fd >= 0)
		close(r->fd);
	free(r);
}

/* ------------------------------------------------------------------- read */

static void fail(struct trace_reader *r, struct source *s, int error)
{
	s->error = error;
	if (!r->error)
		r->error = error;
	r->live = false;	/* what it held is waited for in vain */
}

/* Where a record begins at or behind pos: not too near to the ring's end. */
static uint64_t skip_end(const struct trace_reader *r, uint64_t pos)
{
	uint64_t left = r->ring_size - (pos & (r->ring_size - 1));

	return left < sizeof(struct udax_trace_hdr) ? pos + left : pos;
}

/* The record at s->pos becomes s->next, if there is one and it is sound. */
static void look(struct trace_reader *r, struct source *s)
{
	const struct udax_trace_hdr *hdr;
	uint64_t at, left;

	if (s->pos == s->head && !(r->flags & TRACE_OPEN_SNAPSHOT))
		s->head = __atomic_load_n(&s->ring->head, __ATOMIC_ACQUIRE);
	while (s->pos != s->head) {
		s->pos = skip_end(r, s->pos);
		at = s->pos & (r->ring_size - 1);
		left = s->head - s->pos;
		if (left > r->ring_size || left < sizeof(*hdr))
			return fail(r, s, -EBADMSG);
		if (at + sizeof(*hdr) > s->room)
			return fail(r, s, -ENODATA);
		hdr = (const void *)(s->data + at);
		if (hdr->type == UDAX_TRACE_PAD && at) {
			s->pos += r->ring_size - at;
			continue;
		}
		if (hdr->type == UDAX_TRACE_PAD || hdr->type >= UDAX_TRACE_NR ||
		    hdr->size < types[hdr->type].size || hdr->size % 8 ||
		    hdr->size > left || hdr->size > UDAX_TRACE_RECORD_MAX ||
		    at + hdr->size > r->ring_size)
			return fail(r, s, -EBADMSG);
		if (at + hdr->size > s->room)
			return fail(r, s, -ENODATA);
		s->next = hdr;
		return;
	}
}

/* The record handed out last is through with. */
static void advance(struct trace_reader *r)
{
	struct source *s = r->current;

	if (!s)
		return;
	r->expected = s->next->seq + 1;
	s->pos += s->next->size;
	s->next = NULL;
	if (r->flags & TRACE_OPEN_CONSUME)
		__atomic_store_n(&s->ring->tail, s->pos, __ATOMIC_RELEASE);
	r->current = NULL;
}

static struct source *first(struct trace_reader *r)
{
	struct source *min = NULL;

	for (unsigned int i = 0; i < r->nr; i++) {
		struct source *s = &r->source[i];

		if (!s->next && !s->error)
			look(r, s);
		if (s->next && (!min || s->next->seq < min->next->seq))
			min = s;
		if (min && min->next->seq == r->expected)
			break;
	}
	return min;
}

int trace_next(struct trace_reader *r, const struct udax_trace_hdr **hdr)
{
	struct source *s;
	int err;

	advance(r);
	s = first(r);
	if (s && r->live && r->expected && s->next->seq > r->expected)
		return 0;
	if (s) {
		r->current = s;
		*hdr = s->next;
		return 1;
	}
	err = r->error;
	r->error = 0;
	return err;
}

bool trace_live(struct trace_reader *r)
{
	struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET };

	if (r->live && r->fd >= 0 && !fcntl(r->fd, F_OFD_GETLK, &lock) &&
	    lock.l_type == F_UNLCK)
		r->live = false;	/* also of a writer that was killed */
	if (r->live && __atomic_load_n(&r->file->state, __ATOMIC_ACQUIRE) !=
	    UDAX_TRACE_LIVE)
		r->live = false;
	return r->live;
}

const struct udax_trace_file *trace_file(const struct trace_reader *r)
{
	return r->file;
}

uint64_t trace_lost(const struct trace_reader *r)
{
	uint64_t n = 0;

	for (unsigned int i = 0; i < r->nr; i++)
		n += counter_read(&r->source[i].ring->dropped);
	return n;
}
