/* SPDX-License-Identifier: BSD-3-Clause */
/* The summary of a run or of the whole daemon, as JSON (udax-run(1)). */
#ifndef UDAX_DAEMON_SUMMARY_H
#define UDAX_DAEMON_SUMMARY_H

#include <jansson.h>

#include "daemon/stats.h"

/* What the counters do not hold. A NULL name is left out of the summary. */
struct fault_summary {
	uint64_t files, mappings, processes;	/* seen, not: there now */
	bool escaped;			/* some mapping could not be served */
	bool mmap_lock;			/* somebody has the kernel's mmap_lock */
	bool traced;			/* --trace: */
	uint64_t trace_dropped;		/* records of it that did not fit */
	const struct lost_times *lost;	/* NULL: nothing of them is said */
	const char *protocol, *track, *media;	/* static storage */
};

/* A new object, or NULL without memory. @stats: a sum, see fault_stats_add(). */
json_t *fault_stats_to_json(const struct fault_stats *stats,
			    const struct fault_summary *more);

#endif
