/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The trace that udaxd writes: a file that it maps, and that others may map and
 * read while it is written. Host byte order; all numbers are unsigned unless
 * said. Fixed sizes, asserted below: what changes a size changes the version.
 *
 *	struct udax_trace_file		once, at the beginning
 *	struct udax_trace_ring		nr_rings of them, right behind
 *	data				nr_rings times ring_size bytes, from @data on
 *
 * A ring has one writer: an executor of udaxd (a thread that serves faults), or,
 * in the last ring, whoever makes sessions, files and regions known. It is
 * filled from byte @tail up to byte @head, both modulo ring_size and ever
 * growing. The writer publishes a record by storing @head (release); a reader
 * that loads @head (acquire) sees the records below it whole. A reader that
 * wants the space to be used again stores @tail (release); most do not, and
 * then a ring holds the first ring_size bytes. A record that does not fit is
 * dropped, and counted.
 *
 * A record never wraps: where it would, a PAD record fills the ring to its end,
 * and where not even a header fits nothing does. Sizes are multiples of 8.
 *
 * Order: @seq counts the records of all rings from 1 on and has no gaps, but
 * for a record that a writer which died was about to publish. It is taken while
 * the locks are held under which the thing happened: a record of an entry's
 * lock or wait has its place among all others of that file.
 *
 * Numbers of regions are those of the trace's REGION records; they tell all
 * regions of all sessions apart. Sessions and files have the ids of `udax list`.
 */
#ifndef UDAX_TRACE_H
#define UDAX_TRACE_H

#include <stdint.h>

#define UDAX_TRACE_MAGIC	0x4352545841445500u	/* "\0UDAXTRC", little-endian */
#define UDAX_TRACE_VERSION	1
#define UDAX_TRACE_RECORD_MAX	512	/* bytes, header included */
#define UDAX_TRACE_RING_MIN	(64u << 10)

enum udax_trace_state {
	UDAX_TRACE_LIVE = 1,	/* being written; its writer holds an OFD lock */
	UDAX_TRACE_ENDED,	/* complete */
};

struct udax_trace_file {
	uint64_t magic;
	uint32_t version;
	uint32_t pid;		/* of udaxd */
	uint32_t nr_rings;
	uint32_t header_size;	/* of a record: struct udax_trace_hdr */
	uint64_t ring_size;	/* bytes, a power of two */
	uint64_t data;		/* where the first ring's data begin */
	uint64_t start_ns;	/* CLOCK_MONOTONIC, as all times here, ... */
	uint64_t start_real_ns;	/* ... and CLOCK_REALTIME at the same moment */
	char protocol[16];	/* of files without one of their own; names ... */
	char track[16], release[32];	/* ... end with a zero byte */
	uint64_t pad[9];
	uint32_t state;		/* enum udax_trace_state; atomic */
	uint32_t pad2[15];
	uint64_t seq;		/* of the last record; atomic, writers only */
	uint64_t pad3[7];
};

struct udax_trace_ring {
	uint64_t head;		/* bytes written; atomic, the writer's */
	uint64_t dropped;	/* records; atomic, the writer's */
	uint64_t pad[6];
	uint64_t tail;		/* bytes given back; atomic, a reader's */
	uint64_t pad2[7];
};

enum udax_trace_type {
	UDAX_TRACE_PAD,
#define X(id, name, event) UDAX_TRACE_##id,
#include "udax/tbl/trace.h"
#undef X
	UDAX_TRACE_NR
};

struct udax_trace_hdr {
	uint64_t seq;
	uint64_t time;		/* ns */
	uint32_t tid;		/* faulting thread; 0: work for no thread */
	/*
	 * What the record is part of: the low bits of the seq of the PAGE_FAULT
	 * or RANGE record with which it began. 0: nothing.
	 */
	uint32_t cause;
	uint16_t type;		/* enum udax_trace_type */
	uint16_t size;		/* bytes, this header included */
	uint16_t cpu;		/* on which udaxd ran */
	uint16_t ring;		/* the executor's number */
};

/* A process, or what is new of it: the last one of an id stands. */
struct udax_trace_session {
	struct udax_trace_hdr hdr;
	uint64_t session, parent;	/* parent: 0, or the forked session's */
	uint32_t pid;			/* 0: not known yet */
	uint32_t pad;
	char comm[16];
};

struct udax_trace_file_known {
	struct udax_trace_hdr hdr;
	uint64_t file;
	uint32_t major, minor;
	uint64_t ino;
	uint64_t size;			/* bytes */
	uint32_t media;			/* 0 direct, 1 image */
	uint32_t pad;
	char protocol[16];		/* of its faults */
	char name[32];			/* last part of the path, cut */
};

struct udax_trace_region {
	struct udax_trace_hdr hdr;
	uint64_t session, file;
	uint64_t id;			/* of udax list; parts of one have the same */
	uint64_t start, end, offset;	/* bytes; of @start in the file */
	uint32_t region;		/* number */
	uint32_t flags;			/* UDAX_MAP_* */
	uint32_t prot;
	uint32_t pad;
};

enum udax_trace_fault_kind {
	UDAX_TRACE_MISSING, UDAX_TRACE_MINOR, UDAX_TRACE_WP
};

/* A message, as read. */
struct udax_trace_page_fault {
	struct udax_trace_hdr hdr;
	uint64_t address;		/* of the page */
	uint64_t session;
	uint32_t region;
	uint8_t write;
	uint8_t kind;			/* enum udax_trace_fault_kind */
	uint8_t refill;			/* the slot is there: REFILL follows, no FAULT.
					   Also 0 before the mm's own private copy */
	uint8_t prot;			/* the emulated slot is there, but not to be written */
};

enum udax_trace_drop_why {
	UDAX_TRACE_DROP_CHANGING,	/* the address space is being changed */
	UDAX_TRACE_DROP_UNKNOWN,	/* no region covers the address */
	UDAX_TRACE_DROP_NOTHING,	/* a PAGE_FAULT that another has served */
	UDAX_TRACE_DROP_BUSY,		/* the thread's last fault is in service */
};

/* A message that was answered by a wake alone. */
struct udax_trace_drop {
	struct udax_trace_hdr hdr;
	uint64_t address, session;
	uint32_t why;			/* enum udax_trace_drop_why */
	uint32_t pad;
};

struct udax_trace_refill {
	struct udax_trace_hdr hdr;
	uint64_t address;
	uint32_t region;
	int32_t error;			/* 0 or -errno: it will fault again */
};

/* An attempt begins. */
struct udax_trace_fault {
	struct udax_trace_hdr hdr;
	uint64_t address;		/* of the page that faulted */
	uint64_t pgoff;			/* its page of the file */
	uint64_t max_pgoff;		/* the file's size, pages, rounded up */
	uint32_t region;
	uint8_t order;			/* 0 or 9 */
	uint8_t flags;			/* enum dax_fault_flags */
	uint8_t kind;			/* enum dax_op_kind: FAULT or MKWRITE */
	uint8_t pad;
};

/* It is over, its entry unlocked. */
struct udax_trace_fault_done {
	struct udax_trace_hdr hdr;
	uint64_t address, pgoff, max_pgoff;
	uint32_t region;
	uint8_t order, flags, kind;	/* as above */
	uint8_t reason;			/* enum dax_fallback */
	uint64_t grabbed, inserted, unlocked;	/* as of struct dax_op; 0: not reached */
	uint32_t result;		/* enum dax_vm_fault bits */
	uint32_t pad;
};

/* DAX_MAP and DAX_COPY: done, or not. */
struct udax_trace_install {
	struct udax_trace_hdr hdr;
	uint64_t address;		/* of the page that faulted */
	uint64_t pgoff;			/* first page mapped */
	uint64_t pfn;			/* of it in the medium; 0 for zeros */
	uint64_t entry;
	uint32_t region;
	int32_t error;			/* 0 or -errno: nothing was installed */
	uint8_t map;			/* enum dax_map_kind */
	uint8_t write;
	uint8_t copy;			/* DAX_COPY: a private copy */
	uint8_t flags;			/* enum dax_fault_flags */
	uint8_t pad[4];
};

/* A huge translation was dropped because the fault falls back. */
struct udax_trace_split {
	struct udax_trace_hdr hdr;
	uint64_t address;
	uint32_t region;
	uint32_t pad;
};

struct udax_trace_entry {
	struct udax_trace_hdr hdr;
	uint64_t file, index;
	uint64_t entry;			/* unlocked word */
};

struct udax_trace_wait_begin {
	struct udax_trace_hdr hdr;
	uint64_t file;
	uint64_t key;			/* entry_start slept on */
	uint64_t blocker;		/* first page of the entry that is locked */
	uint8_t blocker_order;
	uint8_t order;			/* of the lookup: 0 or 9 */
	uint8_t exclusive;
	uint8_t pad[5];
};

struct udax_trace_wait_end {
	struct udax_trace_hdr hdr;
	uint64_t file, key;
	uint32_t wake;			/* low bits of the WAKE's seq; 0: unknown */
	uint8_t stranded;		/* it had been found without a source */
	uint8_t kicked;			/* by udaxd: no wake of the protocol's */
	uint8_t pad[2];
};

/* Of a mapping in which somebody sleeps; and each downgrade's. */
struct udax_trace_wake {
	struct udax_trace_hdr hdr;
	uint64_t file, key;
	uint32_t mode;			/* enum dax_wake_mode: 0 all, 1 next */
	uint32_t scanned, woken;	/* nodes of the queue; operations */
	uint32_t pad;
};

/* A 2M lookup met a 4K entry and was refused. */
struct udax_trace_conflict {
	struct udax_trace_hdr hdr;
	uint64_t file;
	uint64_t index;			/* the window's first page */
	uint64_t at;			/* the entry's */
};

struct udax_trace_pages {
	struct udax_trace_hdr hdr;
	uint64_t file, start, nr;	/* pages */
	uint8_t cows;			/* UNMAP: private copies too */
	uint8_t pad[7];
};

/* Writeback, invalidation and their like over [start, end], pages. */
struct udax_trace_range {
	struct udax_trace_hdr hdr;
	uint64_t file, start, end;
	uint64_t done;			/* entries; RANGE_DONE */
	uint64_t session;		/* who asked; 0: udaxd itself */
	uint32_t kind;			/* enum dax_op_kind */
	int32_t error;			/* RANGE_DONE: 0 or -errno */
};

#define UDAX_TRACE_SIZE(name, bytes) \
	_Static_assert(sizeof(struct udax_trace_##name) == (bytes), \
		       "part of the format")
UDAX_TRACE_SIZE(file, 320);
UDAX_TRACE_SIZE(ring, 128);
UDAX_TRACE_SIZE(hdr, 32);
UDAX_TRACE_SIZE(session, 72);
UDAX_TRACE_SIZE(file_known, 120);
UDAX_TRACE_SIZE(region, 96);
UDAX_TRACE_SIZE(page_fault, 56);
UDAX_TRACE_SIZE(drop, 56);
UDAX_TRACE_SIZE(refill, 48);
UDAX_TRACE_SIZE(fault, 64);
UDAX_TRACE_SIZE(fault_done, 96);
UDAX_TRACE_SIZE(install, 80);
UDAX_TRACE_SIZE(split, 48);
UDAX_TRACE_SIZE(entry, 56);
UDAX_TRACE_SIZE(wait_begin, 64);
UDAX_TRACE_SIZE(wait_end, 56);
UDAX_TRACE_SIZE(wake, 64);
UDAX_TRACE_SIZE(conflict, 56);
UDAX_TRACE_SIZE(pages, 64);
UDAX_TRACE_SIZE(range, 80);

#endif
