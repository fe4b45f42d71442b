/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Counters of the fault service. Each executor (worker or helper thread) has a
 * struct fault_stats of its own for each session, so that counting needs no
 * atomic read-modify-write; a reader sums them. When a session ends its counters
 * are added to those of its group (a run: one token) under the daemon lock.
 */
#ifndef UDAX_DAEMON_STATS_H
#define UDAX_DAEMON_STATS_H

#include <stdint.h>

#include "dax/dax.h"
#include "lib/hist.h"

/* Summary names (man page udax-run(1)); all uint64_t, summed by field. */
#define FAULT_COUNTERS(X) \
	X(pte)		/* faults ended by a 4K entry */ \
	X(pmd)		/* faults ended by a 2M entry */ \
	X(read)		/* ... of these, reads */ \
	X(write)	/* ... and writes */ \
	X(refill)	/* messages for slots the emulated page table had */ \
	X(kicked)	/* stranded sleepers woken by us */ \
	X(around)	/* pages mapped beside the one that faulted; no faults */ \
	X(nohuge)	/* 2M entries mapped by 512 PTEs: no PMD to be had */ \
	X(res_nopage) X(res_fallback) X(res_sigbus) X(res_needdsync) X(res_cow) \
	X(dropped)	/* messages dropped: the mapping was changing or gone */ \
	X(eagain)	/* resolves that raced and were left to the refault */ \
	X(unknown)	/* messages for an address no region covers */ \
	X(useful_waits)	/* 2M faults that waited for a 4K entry and mapped 2M */ \
	X(huge_bytes)	/* mapped by PMDs */ \
	X(writeback_bytes) X(fill_bytes) \
	X(mmap_writes)		/* emulated mmap_lock: taken for write */ \
	X(mmap_write_waits)	/* ... and had to wait for faults */ \
	X(mmap_read_waits)	/* faults that queued behind such a one */

struct fault_stats {
#define X(name) uint64_t name;
	FAULT_COUNTERS(X)
#undef X
	uint64_t fallback[DAX_FALLBACK_NR];
	struct dax_stats dax;
	struct hist lat_pte, lat_pmd;	/* message read to install done, ns */
	struct hist stall;		/* first PARK to lock or FALLBACK, ns */
	struct hist mmap_wait;		/* of both kinds of waits for it, ns */
	uint64_t mmap_queue;		/* the longest queue for it */
	/* The same, by size: [a 2M fault waited][for a 2M entry]. */
	struct hist stall_by[2][2];
};

/* @into += @from, every field. The caller owns @into, or holds its lock. */
void fault_stats_add(struct fault_stats *into, const struct fault_stats *from);

/* Of lost wakeups, ns, all from the end of the step that left somebody stranded. */
struct lost_times {
	struct hist detect;	/* until it was reported */
	struct hist rescued;	/* until a later arrival woke the sleeper */
	struct hist kicked;	/* until udaxd did */
};

/* The lock of @from, if anybody still writes it, is held. */
void lost_times_add(struct lost_times *into, const struct lost_times *from);

#endif
