/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The model: the fault protocol of the kernel's fs/dax.c as state machines.
 *
 * It does no I/O, never sleeps, never calls the kernel and starts no thread. An
 * operation (a fault, a writeback, an invalidation, a scan) is a struct dax_op
 * that its driver owns. dax_op_step() runs one critical section of the table
 * lock, no more and no less, and returns what the driver must do next; the
 * driver does it, stores the answer in op->ans and steps again. An operation
 * that must wait is parked in a wait queue and handed back by the wake.
 *
 *	lock_take(&mapping->i_pages);
 *	verb = dax_op_step(op);
 *	lock_release(&mapping->i_pages);
 *	... run every operation on op->woken (see "Wakes") ...
 *	switch (verb) ...
 *
 * Conventions in this folder
 *	@mapping  one backing file: the kernel's struct address_space
 *	@index    a page of the file, in 4K pages (pgoff_t)
 *	@order    0 for a page, PMD_ORDER for a 2M window
 *	@entry    a word of the table, entry.h
 *	offsets and lengths are in bytes where the name says off/len/pos/size,
 *	in pages where it says index/nr.
 *
 * Locks: every function here says "i_pages held" or "no lock". Drivers without
 * threads may leave the lock alone. Wait queues have a lock of their own, taken
 * inside i_pages (kernel: wq->lock inside i_pages).
 */
#ifndef UDAX_DAX_DAX_H
#define UDAX_DAX_DAX_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/counter.h"
#include "lib/list.h"
#include "lib/lock.h"
#include "dax/entry.h"
#include "dax/table.h"
#include "dax/wait.h"
#include "dax/protocol.h"

struct dax_op;

/* What the driver must do before the next step. */
enum dax_verb {
	DAX_MORE,	/* nothing: step again */
	DAX_PARK,	/* parked: do not touch @op until it is on a woken list */
	DAX_FSLOCK,	/* take the file system's invalidate lock: ask.excl */
	DAX_PT_CHECK,	/* look at the page-table slot again: ans.slot */
	DAX_IOMAP,	/* look up, or allocate, the extent: ans.iomap */
	DAX_ALLOC,	/* give the table memory (dax_table_set_memory), or ans.error */
	DAX_UNMAP,	/* zap ask.start, ask.nr in every mapping; ask.cows: private copies too */
	DAX_WRPROTECT,	/* write-protect and clean ask.start, ask.nr in every mapping */
	DAX_FLUSH,	/* write ask.start, ask.nr back to the medium: ans.error */
	DAX_SPLIT_PMD,	/* drop the huge translation at the faulting address, if any */
	DAX_COPY,	/* private copy of the page (cow), of zeros if ask.map is
			   DAX_MAP_PTE_ZERO: ans.error; -EEXIST: the page was
			   mapped meanwhile, the CPU retries */
	DAX_FSYNC,	/* MAP_SYNC: make the metadata durable: ans.error */
	DAX_PAGE_BUSY,	/* is a page of ask.start, ask.nr pinned: ans.busy */
	DAX_MAP,	/* install ask.map, ask.write: ans.error. -ENOMEM, -ENOSPC:
			   SIGBUS; others: nothing was installed, the CPU retries */
	DAX_FSUNLOCK,	/* release the invalidate lock */
	DAX_DONE,	/* finished: op->result (and op->reason) stand */
};

/* vm_fault_t; values as in the kernel's include/linux/mm_types.h. */
enum dax_vm_fault {
	DAX_FAULT_OOM		= 0x0001,
	DAX_FAULT_SIGBUS	= 0x0002,
	DAX_FAULT_MAJOR		= 0x0004,
	DAX_FAULT_NOPAGE	= 0x0100,
	DAX_FAULT_LOCKED	= 0x0200,
	DAX_FAULT_RETRY		= 0x0400,
	DAX_FAULT_FALLBACK	= 0x0800,
	DAX_FAULT_DONE_COW	= 0x1000,
	DAX_FAULT_NEEDDSYNC	= 0x2000,
};

/* Why a 2M fault fell back; reference: the exits of dax_iomap_pmd_fault(). */
enum dax_fallback {
	DAX_FALLBACK_NONE,
	DAX_FALLBACK_COLOUR,	/* address and file offset differ modulo 2M */
	DAX_FALLBACK_PRIVATE,	/* a write to a private mapping */
	DAX_FALLBACK_VMA,	/* the window leaves the mapping */
	DAX_FALLBACK_EOF,	/* the window reaches past the end of file */
	DAX_FALLBACK_CONFLICT,	/* a 4K entry in the window */
	DAX_FALLBACK_OOM,	/* no memory for a table node */
	DAX_FALLBACK_EXTENT,	/* the medium has no 2M extent there */
	DAX_FALLBACK_NR
};

/*
 * Range operations handle every entry that overlaps the range, each as a whole.
 * Deletion drops a 2M entry with its mark even if one page of it is in the
 * range: write back first, with the invalidate lock held, what must survive.
 */
enum dax_op_kind {
	DAX_OP_FAULT,		/* dax_iomap_pte_fault / dax_iomap_pmd_fault */
	DAX_OP_MKWRITE,		/* dax_insert_pfn_mkwrite, after a NEEDDSYNC */
	DAX_OP_WRITEBACK,	/* dax_writeback_mapping_range */
	DAX_OP_INVALIDATE,	/* dax_invalidate_mapping_entry_sync: clean entries */
	DAX_OP_DELETE,		/* dax_delete_mapping_entry */
	DAX_OP_DELETE_RANGE,	/* dax_delete_mapping_range: waits for each entry */
	DAX_OP_LAYOUT_BUSY,	/* dax_layout_busy_page_range */
	DAX_OP_LOCK_ENTRY,	/* dax_lock_page + unlock: the checker's W(i) */
};

enum dax_fault_flags {
	DAX_FAULT_FLAG_WRITE	= 0x1,
	DAX_FAULT_FLAG_MKWRITE	= 0x2,
	DAX_FAULT_FLAG_USER	= 0x4,
	DAX_FAULT_FLAG_INVAL_LOCKED = 0x8, /* the driver holds the invalidate lock already */
	/* The mapping's, by its protocol's switches. */
	DAX_FAULT_FLAG_IOMAP_FIRST = 0x10, /* iomap_before_lock */
	DAX_FAULT_FLAG_GIANT	= 0x20,	/* giant_lock */
};

/* What the model needs to know of the mapping that faulted. */
struct dax_vma {
	uint64_t vm_start, vm_end;	/* bytes, [start, end) */
	uint64_t vm_pgoff;		/* file page at vm_start */
	bool shared;			/* MAP_SHARED */
	bool sync;			/* MAP_SYNC granted */
};

enum dax_pt_slot {
	DAX_PT_NONE,		/* pmd_none() */
	DAX_PT_TABLE,		/* a page-table page hangs there */
	DAX_PT_HUGE,		/* a huge pmd */
};

enum dax_iomap_type { DAX_IOMAP_HOLE, DAX_IOMAP_UNWRITTEN, DAX_IOMAP_MAPPED };

enum dax_iomap_flags {
	DAX_IOMAP_F_NEW		= 0x1,	/* the blocks were allocated for this fault */
	DAX_IOMAP_F_DIRTY	= 0x2,	/* metadata to be synced first (MAP_SYNC) */
	DAX_IOMAP_F_SHARED	= 0x4,	/* reflinked */
};

/* The extent that holds the position asked for; answer to DAX_IOMAP. */
struct dax_iomap {
	int error;		/* 0 or -errno: nothing else is valid then */
	enum dax_iomap_type type;
	unsigned int flags;
	uint64_t length;	/* bytes from the position asked for */
	uint64_t pfn;		/* page in the medium of that position; MAPPED only */
};

enum dax_map_kind { DAX_MAP_PTE, DAX_MAP_PMD, DAX_MAP_PTE_ZERO, DAX_MAP_PMD_ZERO };

/* Counters (lib/counter.h); the driver's, one struct a thread, one writer. */
struct dax_stats {
	uint64_t waits;			/* times an operation was parked */
	uint64_t wakes_next, wakes_all;	/* wakes that found a waiter */
	uint64_t woken;			/* operations made runnable */
	uint64_t scanned;		/* queue nodes looked at by wakes */
	uint64_t misdirected, barged, useless;	/* doc/fault.md, "Words for waits" */
	uint64_t stranded, rescued;	/* sleeps, see dax_count_stranded() */
	uint64_t conflicts;		/* 2M lookups that met a 4K entry */
	uint64_t downgrades;		/* 2M zero or empty entries taken apart */
};

/* One backing file. Lives until the driver frees it; no operation may be left. */
struct dax_mapping {
	struct lock i_pages;		/* guards table and the entries' marks */
	struct dax_table table;		/* under i_pages */
	uint64_t i_size;		/* bytes; driver sets it, under i_pages */
	const struct dax_protocol *proto;	/* constant for the mapping's life */
	unsigned int fault_flags;	/* enum dax_fault_flags of each fault; constant */
	struct dax_wait_table *waits;	/* shared by all mappings; not owned */
	struct list_head sleepers;	/* waiters from PARK to their next step */
	struct dax_sleeper_lists lists;	/* some of them, by what is asked for */
	uint64_t hash;			/* its part of a wait queue's number: its
					   address, or what the driver sets before
					   the first step, to have the same always */
	unsigned int wakes_pending;	/* unlocked, the wake is the next step */
	bool unsettled;		/* see dax_find_stranded() */
	void *driver;			/* the driver's own */
};

/*
 * @table_mem: zero-filled, 64-byte aligned, @table_size bytes, owned by the
 * driver and alive until dax_mapping_exit(). No lock.
 */
void dax_mapping_init(struct dax_mapping *mapping,
		      const struct dax_protocol *proto,
		      struct dax_wait_table *waits, void *table_mem,
		      uint64_t table_size);
/* Debug builds assert that no entry is locked. No lock. */
void dax_mapping_exit(struct dax_mapping *mapping);

/*
 * One operation. The driver owns the memory from dax_op_init_*() to DAX_DONE,
 * also while it is parked (the waiter node lies inside). Small and free of
 * pointers to the stack, so that it can be copied between steps when it is not
 * parked (the checker does).
 */
struct dax_op {
	/* Set by init; constant afterwards. */
	enum dax_op_kind kind;
	struct dax_mapping *mapping;
	struct dax_stats *stats;	/* driver may change it between steps */
	void *driver;			/* the driver's own */
	unsigned int order;		/* faults: 0 or PMD_ORDER */
	unsigned int flags;		/* enum dax_fault_flags */
	struct dax_vma vma;		/* faults */
	uint64_t address;		/* faults: bytes, any byte of the page */
	uint64_t pgoff;			/* faults: page of @address; else first page */
	uint64_t end;			/* range operations: last page, inclusive */

	/* The question that goes with the verb returned last. */
	struct {
		uint64_t start, nr;	/* UNMAP WRPROTECT FLUSH PAGE_BUSY: pages; */
		uint64_t pos, len;	/* IOMAP: bytes */
		enum dax_map_kind map;	/* MAP; ask.start = first page, ask.pfn */
		uint64_t pfn;
		bool write;		/* IOMAP: allocate; MAP: writable */
		bool cows;		/* UNMAP */
		bool excl;		/* FSLOCK */
	} ask;

	/* The driver's answer, read by the next step. */
	struct {
		enum dax_pt_slot slot;
		struct dax_iomap iomap;
		int error;		/* 0 or -errno */
		bool busy;
	} ans;

	/* Results, valid at DAX_DONE. */
	unsigned int result;		/* enum dax_vm_fault bits; 0: retry by the CPU */
	enum dax_fallback reason;	/* when result has FALLBACK */
	/*
	 * Range operations: 0 or the first -errno. WRITEBACK goes on after one;
	 * LAYOUT_BUSY: -EBUSY at the first pinned page (ask.start), it stops.
	 */
	int error;
	uint64_t done;			/* entries written, removed, looked at, locked */
	/*
	 * Faults, for the log; 0: not reached. @grabbed is a fault code
	 * (dax_is_internal(), dax_to_fault()) when no entry was to be had.
	 */
	dax_entry_t grabbed, inserted, unlocked;
	/*
	 * For traces, written off the fast path: the last entry that the
	 * operation removed, and the last wake of a mapping with sleepers.
	 */
	struct dax_note {
		dax_entry_t removed;
		uint64_t removed_at;	/* a page of it */
		uint64_t key;		/* entry_start */
		uint32_t wakes;		/* how many so far */
		enum dax_wake_mode mode;
	} note;

	/*
	 * Wakes: operations made runnable by the last step, linked by
	 * waiter.link (dax_waiter_op() gives the op). The driver empties the
	 * list after it has dropped i_pages and before it steps this operation
	 * again, whatever the verb was (DAX_DONE too), and must step each of
	 * them in the end: a woken exclusive waiter owes its key a wake until
	 * then.
	 */
	struct list_head woken;

	/* The model's own. */
	struct dax_waiter waiter;
	struct dax_state xas;
	dax_entry_t entry;		/* unlocked value ("cookie") of the entry held */
	dax_entry_t new_entry;		/* what dax_insert_entry() is to store */
	uint16_t step;			/* X-macro of dax/tbl/steps.h */
	bool woken_once;		/* woken, and has not locked since */
	bool fs_locked;			/* from DAX_FSLOCK to DAX_FSUNLOCK */
	bool needs_sync;		/* MAP_SYNC: ends in NEEDDSYNC, maps nothing */
	bool downgraded;		/* has taken a 2M entry apart */
};

/* No lock. @vma is copied. @order: 0 or PMD_ORDER. */
void dax_op_init_fault(struct dax_op *op, struct dax_mapping *mapping,
		       unsigned int order, const struct dax_vma *vma,
		       uint64_t address, unsigned int flags);
/* Completion of a fault that ended in NEEDDSYNC. No lock. */
void dax_op_init_mkwrite(struct dax_op *op, struct dax_mapping *mapping,
			 unsigned int order, const struct dax_vma *vma,
			 uint64_t address);
/* Range operations over pages [start, end], inclusive. No lock. */
void dax_op_init_range(struct dax_op *op, enum dax_op_kind kind,
		       struct dax_mapping *mapping, uint64_t start,
		       uint64_t end);

/*
 * Runs the next critical section. i_pages held. After DAX_PARK the operation
 * belongs to the queue until it shows up on some operation's woken list.
 */
enum dax_verb dax_op_step(struct dax_op *op);

/*
 * Takes a parked operation out of its queue, for a driver that gives it up.
 * i_pages held. False when it had been picked by a wake already (it will be,
 * or is, on a woken list: step it, or the wake is lost). True: it has consumed
 * no wake and holds no entry; the driver may drop it at once, or step it to its
 * end: DAX_FSUNLOCK if it holds that lock (op->fs_locked), then DAX_DONE with
 * result DAX_FAULT_RETRY and error -EINTR.
 */
bool dax_op_cancel(struct dax_op *op);

/*
 * Looks for sleepers of @mapping whose key has no source (doc/fault.md, "Words
 * for waits"): nobody is left to wake them. Each is counted once a sleep, in
 * @stats->stranded, and its waiter is marked; if a later arrival wakes it all
 * the same, that operation counts it as rescued. Says how many are stranded now.
 * Exact between steps, but for keys of a wake that an operation owes with its
 * next step: while any is owed, nobody is called stranded. Costs a look at every
 * sleeper. i_pages held.
 */
unsigned int dax_count_stranded(struct dax_mapping *mapping,
				struct dax_stats *stats);

/*
 * The same for a driver that wants to know who: counts nothing, and calls @fn for
 * each sleeper that is found stranded for the first time in this sleep. @fn must
 * leave the queues alone.
 *
 * mapping->unsettled is set by the steps that can change what this finds: one
 * that parks, one that was asleep, one that unlocks, removes or wakes while
 * others sleep. This clears it, unless a wake is owed: the step that pays sets it
 * again. Who calls this after each step that left it set misses nobody, at the
 * cost of a look at a bool where nobody sleeps.
 */
typedef void dax_stranded_fn(struct dax_op *op, void *arg);
unsigned int dax_find_stranded(struct dax_mapping *mapping, dax_stranded_fn *fn,
			       void *arg);

/*
 * The question about one sleeper, counted and marked as by dax_count_stranded(),
 * for a driver that knows that no wake of its window is owed. i_pages held.
 */
bool dax_waiter_stranded(struct dax_waiter *w, struct dax_stats *stats);

/*
 * Hands a parked operation back as a wake would, though nobody has woken it: for
 * a driver that does not want a stranded sleeper to stay asleep. It is on @woken
 * then, by waiter.link, and has to be stepped: it looks up again, and parks again
 * if it must. It has consumed no wake and owes none. False: it is not asleep, or
 * a wake was first. i_pages held.
 */
bool dax_op_kick(struct dax_op *op, struct list_head *woken);

/*
 * The key that releasing the entry at @first wakes: what a sleeper that is not
 * stranded by it sleeps on. No lock.
 */
uint64_t dax_unlock_key(const struct dax_mapping *mapping, uint64_t first,
			unsigned int order);

static inline struct dax_op *dax_waiter_op(struct dax_waiter *w)
{
	return container_of(w, struct dax_op, waiter);
}

/* Names for logs and traces; static strings. */
const char *dax_verb_name(enum dax_verb verb);
const char *dax_fallback_name(enum dax_fallback reason);	/* "colour", ... */
const char *dax_kind_name(enum dax_op_kind kind);		/* "fault", ... */
const char *dax_step_name(const struct dax_op *op);

/*
 * verify.c. Checks every structural invariant of the mapping; i_pages held.
 * Returns 0, or the number of the first one broken (doc/fault.md lists them)
 * with a sentence in @msg.
 */
int dax_verify(const struct dax_mapping *mapping, char *msg, unsigned int len);

#endif
