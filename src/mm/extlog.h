/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Placements recorded in a log: the results of its `extents` operations. A
 * replay takes from them where the real file system put what it allocated.
 */
#ifndef UDAX_MM_EXTLOG_H
#define UDAX_MM_EXTLOG_H

#include <stddef.h>
#include <stdint.h>

#include "mm/script.h"
#include "mm/simfs.h"

/* The result of operation @op of the script. */
struct extlog_result {
	unsigned int op;
	unsigned int nr;
	/* pfn = page where the colour is right, page + 1 where it is not. */
	struct simfs_extent *ext;
};

struct extlog {
	struct extlog_result *results;	/* by @op, rising */
	unsigned int nr;
};

/*
 * Parses @len bytes of a log; all but `extents` results is skipped. 0, -ENOMEM,
 * or -EINVAL with @err.
 */
int extlog_parse(struct extlog *e, const char *text, size_t len,
		 struct script_error *err);
void extlog_free(struct extlog *e);

/* The result of operation @op; NULL when the log has none. */
const struct extlog_result *extlog_at(const struct extlog *e, unsigned int op);

/*
 * The result to place by, for an allocation during operation @i (index) of
 * @script on the file that its name @file stands for: that of the next
 * `extents` of the file, unless an operation between takes blocks away or
 * starts the file anew. NULL when there is none.
 */
const struct extlog_result *extlog_next(const struct extlog *e,
					const struct script *script,
					unsigned int i, uint8_t file);

#endif
