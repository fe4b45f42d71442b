/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The reader's side of a trace: the records of all rings, merged in their order.
 * Also of a file that is being written, that was cut short, or that is no trace:
 * nothing in the file is trusted. One thread; no lock.
 *
 *	while ((n = trace_next(reader, &hdr)) > 0)
 *		... hdr, until the next call
 *
 * A live trace: 0 means that nothing more is there *yet*; call again later (see
 * trace_live()). Records come in order without gaps then, also when their
 * writers race: one that has been numbered but not published is waited for.
 */
#ifndef UDAX_LIB_TRACE_READ_H
#define UDAX_LIB_TRACE_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "udax/trace.h"

struct trace_reader;

enum trace_open_flags {
	TRACE_OPEN_CONSUME	= 0x1,	/* give back what was read: the rings go round */
	TRACE_OPEN_SNAPSHOT	= 0x2,	/* what is there now, and no more */
};

/* 0, or -errno with a sentence in @why (@len bytes) that does not name the path. */
int trace_open(struct trace_reader **reader, const char *path,
	       unsigned int flags, char *why, size_t len);
/* The same of memory, @size bytes that stay the caller's: of this process's own writer. */
int trace_open_memory(struct trace_reader **reader, void *base, size_t size,
		      unsigned int flags, char *why, size_t len);
void trace_reader_free(struct trace_reader *reader);

/*
 * 1: @hdr is the next record, whole, and its size that of its type or more; it
 * stays valid until the next call. 0: there is none (yet). -EBADMSG: a ring
 * holds what is no record; -ENODATA: one goes on behind the end of the file. The
 * error is said once, when all that could be read has been.
 */
int trace_next(struct trace_reader *reader, const struct udax_trace_hdr **hdr);
/*
 * Is somebody writing to it? Ask, and when it says false, read on until 0: what
 * was written between the last 0 and the end is there now.
 */
bool trace_live(struct trace_reader *reader);

const struct udax_trace_file *trace_file(const struct trace_reader *reader);
/* Records that the writers had to drop so far. */
uint64_t trace_lost(const struct trace_reader *reader);
/* Name of the type, as of tbl/trace.h; static. NULL: unknown. */
const char *trace_event_name(unsigned int type);

#endif
