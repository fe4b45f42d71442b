/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The writer's side of a trace (udax/trace.h has the format): a mapped file with
 * a ring for each writer. No locks; nothing allocates once the file is made, and
 * nothing blocks but the file system, when the file grows by a step. The file
 * takes as much space as there are records; where there is no space, or the ring
 * is full, records are dropped and counted.
 *
 *	struct udax_trace_entry *r = trace_begin(ring, UDAX_TRACE_LOCK, sizeof(*r));
 *
 *	if (r) {
 *		... fill in what stands behind r->hdr, and hdr.tid and hdr.cause
 *		trace_commit(ring);
 *	}
 */
#ifndef UDAX_LIB_TRACE_RING_H
#define UDAX_LIB_TRACE_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "udax/trace.h"

/* One writer's. Cache line aligned, as its neighbours are other threads'. */
struct trace_ring {
	struct udax_trace_file *file;
	struct udax_trace_ring *shared;
	char *data;
	uint64_t size;
	uint64_t head;		/* ours; shared->head is what is published */
	uint64_t reserved;	/* bytes of data that have space in the file */
	uint64_t offset;	/* of the data in the file */
	int fd;
	uint16_t number;
	bool no_space;		/* the file could not grow: not asked again */
} __attribute__((aligned(64)));

struct trace_writer {
	struct udax_trace_file *file;
	size_t len;		/* of the mapping */
	int fd;
	unsigned int nr_rings;
	struct trace_ring *rings;
};

/*
 * Makes the file at @path, or takes it over if it is there and nobody writes a
 * trace to it. @ring_size: rounded up to a power of two. 0, or -errno with a
 * sentence in @why (@len bytes) that does not name the path.
 */
int trace_create(struct trace_writer *w, const char *path, unsigned int nr_rings,
		 uint64_t ring_size, char *why, size_t len);
/* The trace is complete. No writer may be in a record. */
void trace_close(struct trace_writer *w);
/* Records dropped so far, of all rings. Any thread. */
uint64_t trace_dropped(const struct trace_writer *w);

/*
 * Room for a record of @size bytes, zeroed, with type, size, seq, time, cpu and
 * ring filled in; NULL if it was dropped. The ring's writer; trace_commit()
 * follows soon, for readers wait for the seq.
 */
void *trace_begin(struct trace_ring *ring, enum udax_trace_type type,
		  unsigned int size);
void trace_commit(struct trace_ring *ring);

#endif
