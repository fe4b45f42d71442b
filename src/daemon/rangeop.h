/* SPDX-License-Identifier: BSD-3-Clause */
/* What rangeop.c and exactop.c share: requests of programs, and their tasks. */
#ifndef UDAX_DAEMON_RANGEOP_H
#define UDAX_DAEMON_RANGEOP_H

#include "daemon/session.h"

#define LAST_PAGE (UINT64_MAX >> (PAGE_SHIFT + 1))

void request_get(struct request *q);
/* The first one counts. */
void request_error(struct request *q, int error);

/* Truncate, punch and their kin on one file; the task's arg. */
struct fileop {
	struct request *request;
	enum udax_fileop what;
	uint64_t offset, len;		/* bytes, as in struct udax_fileop_msg */
	uint64_t first, last;		/* pages that lose their blocks */
	bool followed;			/* the memory has been cut */
	atomic_uint edges;		/* write-backs that the task waits for, and 1 */
};

/* Sets first and last; false: no page loses its block. */
bool fileop_range(struct fileop *o);
/* The medium, the size and what is known of windows follow the file. 0 or -errno. */
int fileop_follow(const struct fileop *o, struct file *f);

/* exactop.c: the same with exact tracking. Takes over a reference of @f. */
void exact_fileop(struct request *q, struct file *f, enum udax_fileop what,
		  uint64_t offset, uint64_t len);

#endif
