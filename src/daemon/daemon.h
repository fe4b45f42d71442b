/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * udaxd's objects and who owns them.
 *
 *	udaxd ── sessions ── session   one memory (mm) of one program: a uffd
 *	     │                  └──── region   one mapping of a managed file
 *	     ├── files ─────── file     one pmem file: medium, model, its regions
 *	     ├── groups ────── group    one run (token): sums of ended sessions
 *	     ├── workers       one event loop a CPU, serve faults, never block
 *	     └── helpers       threads that may block: collapse, media I/O
 *
 * Executors are the threads that run faults: workers first, then helpers; each
 * has an id, which indexes the per-session counters.
 *
 * Ranks of the locks are in lib/lock.h, what each protects beside the field.
 */
#ifndef UDAX_DAEMON_DAEMON_H
#define UDAX_DAEMON_DAEMON_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/options.h"
#include "daemon/stats.h"
#include "dax/dax.h"
#include "io/loop.h"
#include "io/media.h"
#include "io/uffd.h"
#include "lib/hold.h"
#include "lib/list.h"
#include "lib/lock.h"
#include "mm/pgtable.h"
#include "udax/wire.h"

struct udaxd;
struct exec;
struct worker;
struct bracket;
struct fs_client;
struct trace;
struct trace_ring;

/* A run: all sessions with one token. Lives until it is over and long past. */
struct group {
	struct list_head link;		/* udaxd.groups, daemon lock */
	uint64_t token;
	/* All below: daemon lock. */
	struct fault_stats ended;	/* sums of ended sessions */
	struct lost_times lost;		/* lost_lock instead: they are rare */
	uint64_t processes, mappings, files;	/* seen so far; files differ */
	struct file_id {
		uint64_t dev, ino;
	} *seen;				/* [files] */
	unsigned int media;		/* 1 << enum media_kind of each of them */
	const char *protocol;		/* that of each of them, or "mixed" */
	unsigned int sessions;		/* alive or being torn down */
	unsigned int draining;		/* files being written back for it */
	struct keeper *keeper;		/* who holds its descriptors, or NULL */
	bool escaped;			/* some mapping could not be emulated */
	bool mmap_lock;			/* a session has the kernel's mmap_lock */
};

/* What a helper is to do, pool.c. */
struct pool_job {
	struct list_head link;
	void (*fn)(struct pool_job *job);
};

/* What costs much to set up of a file: linger.c. */
struct backing {
	struct media *media;
	void *table_mem;		/* zeros, or NULL */
	uint64_t table_size;
};

/*
 * One pmem file that is mapped by somebody. When the last reference is gone, what
 * is left of it is @back: it lingers, and is closed.
 */
struct file {
	struct list_head link;		/* udaxd.files or udaxd.lingering, daemon lock */
	struct udaxd *d;
	uint64_t id;
	atomic_uint refs;		/* found, and the last one dropped, under the daemon lock */
	bool draining;			/* daemon lock: a last write-back runs */
	bool redrain;			/* daemon lock: used meanwhile */
	struct group *group;		/* whose drain it is: the last to map it */
	uint64_t session;		/* daemon lock: id of the last to map it */
	struct backing back;
	uint64_t linger_until;		/* CLOCK_MONOTONIC, ns; daemon lock */
	uint64_t room_until;		/* the same; 0: nobody wants its memory */
	struct pool_job close;
	struct media *media;
	bool exact;			/* served as --track exact has it; constant */
	struct dax_mapping mapping;	/* the model's part; own lock */
	void *table_mem;
	uint64_t table_size;
	const struct hold *_Atomic hold;	/* one of udaxd.holds; NULL: none */
	_Atomic uint64_t draws[HOLD_NR];	/* holds so far */
	uint64_t lost;			/* i_pages: sleeps that were stranded */
	bool lost_told;			/* i_pages: in full, once */
	struct fs_client *fs;		/* who knows its extents; NULL: the medium */
	struct lock lock;		/* LOCK_RANK_FILE: the fields below */
	struct list_head regions;	/* region.file_link: the kernel's i_mmap */
	unsigned int nr_regions;
	unsigned int nr_opened;		/* sessions that may be about to map it */
	/* The invalidate lock: faults shared, truncate and punch exclusive. */
	bool inval_excl;		/* a writer holds it, or waits: */
	bool inval_waiting;		/* ... for the shared holders to leave */
	struct list_head inval_queue;	/* task.link: waiting for it */
	_Atomic uint32_t inval_users;	/* shared holders, see inval.c */
	struct list_head held;		/* task.link, under lock: hold.c */
	struct list_head enders;	/* munmaps that return when it has ended */
	bool letting_go;		/* somebody maps it: they need not wait */
	struct pool_job let_go;
};

/* One mapping, as the program's kernel has it. What is not atomic is constant. */
struct region {
	uint64_t id;
	struct session *session;	/* holds a reference */
	struct file *file;		/* holds a reference */
	struct list_head file_link;	/* file.regions */
	uint64_t start, end;		/* bytes in the program */
	uint64_t offset;		/* of @start in the file */
	_Atomic uint32_t prot;
	_Atomic uint32_t flags;		/* UDAX_MAP_* */
	bool wp;			/* registered with write protection */
	_Atomic bool anon;		/* private copies were made of it */
	_Atomic bool dead;		/* replaced or unmapped: install nothing */
	atomic_uint refs;
	struct pgtable pt;		/* the emulated page table of the range */
	uint32_t number;		/* in the trace; constant once inserted */
};

/* The emulated mmap_lock, mmaplock.c; under the session's lock. */
struct mmap_lock {
	bool on;			/* constant once the session is served */
	bool writer;			/* one waits, or has it */
	bool granted;			/* it has */
	unsigned int readers;		/* faults in flight */
	unsigned int queued;		/* on @queue */
	struct list_head queue;		/* task.link: faults behind the writer */
	struct list_head let_in;	/* task.link: readers that are yet to run */
	uint64_t since;			/* the writer waits, CLOCK_MONOTONIC ns */
};

enum session_state { SESSION_LIVE, SESSION_ENDING };

/* Somebody waits until what he has queued is zapped; zap.c. */
struct zap_wait {
	struct list_head link;		/* zapper.waits */
	uint64_t seq;
	void (*fn)(struct exec *x, struct zap_wait *w);
};

/*
 * Zaps of translations that only the program itself can make; its agent does
 * them in order, one message at a time. Session lock, but for @op.
 */
struct zapper {
	int sock;			/* the agent's, or -1 */
	struct loop_op op;		/* home worker */
	struct zap_range {
		uint64_t start, end;
	} *queue;
	unsigned int nr, room;
	uint64_t queued, sent, done;	/* sequence numbers of ranges */
	bool busy;			/* a message is unanswered */
	struct list_head waits;		/* zap_wait.link */
};

/* Whose faults a bracket has dropped. More than @addr has room for: all in the span. */
#define DROPPED_MAX 64
struct dropped {
	uint64_t addr[DROPPED_MAX];
	uint64_t start, end;
	unsigned int nr;
};

/* One memory of one program. */
struct session {
	struct list_head link;		/* udaxd.sessions, daemon lock */
	uint64_t id;
	struct udaxd *d;
	struct group *group;
	_Atomic pid_t pid;		/* 0: a forked child not yet known */
	_Atomic int pidfd;		/* or -1 */
	_Atomic int sock;		/* or -1; a new one takes the old one's number */
	int uffd;			/* or -1 */
	uint64_t features;		/* granted by UFFDIO_API */
	uint64_t parent;		/* session id of the parent, forked children */
	unsigned int nth;		/* of that one's children, from 1 */
	atomic_uint children;		/* forked until now */
	unsigned int born;		/* ... and known, or given up; session lock */
	struct fs_question {
		struct udax_msg msg;	/* of a child that is not known yet */
		bool waits;
	} question;			/* session lock */
	uint64_t probe, nonce;		/* worker 0: page written to, and with what; fork.c */
	char comm[16];
	struct worker *home;		/* near it at first; its socket and pidfd are polled there */
	atomic_uint refs;
	_Atomic int state;		/* enum session_state */
	struct lock lock;		/* LOCK_RANK_SESSION: the fields below */
	struct region **regions;	/* sorted by start, disjoint */
	unsigned int nr_regions, max_regions;
	struct file *opened;		/* home worker: a reference from OPEN to MAP */
	struct list_head fs_files;	/* home worker: whose file system it is; fs.c */
	struct file **kept;		/* references, see file_keep(); session lock */
	unsigned int nr_kept;
	struct list_head serving;	/* task.serving: faults in service; turn.c */
	struct zapper zapper;
	bool image;			/* has or had a region of an image file */
	struct mmap_lock mmap_lock;
	/* The bracket around a change of the address space; bracket.c. */
	_Atomic bool blocked;		/* install nothing */
	bool reply_pending;		/* BEGIN waits for installs in flight */
	struct udax_msg reply;		/* ... and will be answered so */
	/* Addresses that nobody may fault on, since the last change of the regions. */
	_Atomic uint64_t unknown[16];
	atomic_uint nr_unknown;
	struct dropped dropped;		/* session lock */
	struct reader *readers;		/* [udaxd.nr_workers]; readers.h */
	struct loop_op sock_op, pidfd_op;	/* home worker */
	bool rewatch;			/* home worker: poll the socket anew */
	struct loop_msg end_msg;
	atomic_flag learning;		/* somebody asks who it is */
	struct fault_stats **stats;	/* [udaxd.nr_execs], each one executor's */
	_Atomic uint64_t mappings;	/* made so far */
};

struct udaxd {
	struct udaxd_options opt;
	struct hold_rules *holds;	/* in force; daemon lock */
	struct dax_wait_table waits;
	struct lock lock;		/* LOCK_RANK_DAEMON */
	struct list_head sessions, files, groups;	/* under it */
	unsigned int nr_sessions, nr_files, nr_groups;	/* under it */
	struct group retired;				/* sums of freed groups; under it */
	uint64_t next_id;				/* under it */
	struct list_head lingering;	/* files that nobody maps, by their ends; under it */
	unsigned int nr_lingering, nr_closing;		/* under it; closing: by a helper */
	bool linger_watched;		/* under it: worker 0 has a timer, or will */
	struct loop_op linger_timer;	/* worker 0 */
	struct loop_msg linger_msg;
	struct list_head idle_waits;	/* struct group_wait.link, under it */
	struct list_head quiet_waits;	/* fs.c, under it */
	atomic_bool quiet_wanted;	/* there are some */
	struct worker **workers;
	unsigned int nr_workers;
	struct pool *pool;
	struct exec **execs;		/* workers', then helpers' */
	unsigned int nr_execs;
	struct control *control;
	struct trace *trace;		/* NULL: off; trace.h */
	/* Lost wakeups, detect.c. */
	_Atomic enum udaxd_lost on_lost;
	atomic_bool lost;		/* there was one */
	struct lock lost_lock;		/* LOCK_RANK_LEAF: the three below, group.lost */
	uint64_t lost_since, lost_untold;
	unsigned int lost_reports;
	struct loop_msg release_msg;
	atomic_bool release_posted;
	int listen;			/* data socket */
	int dev;			/* /dev/userfaultfd or -1 */
	uint64_t uffd_features;		/* of this kernel */
	uint64_t started_ns;		/* CLOCK_MONOTONIC */
	atomic_bool stopping;
	int stop_fd;			/* eventfd: stop, or look whether all is gone */
};

/*
 * For the control plane. The daemon lock is taken by the caller around any walk
 * of d->sessions, d->files, d->groups; nothing found there may be used after it
 * is released. A session's regions are walked under its own lock, taken inside.
 */

/* Sum of the counters of one session over all executors. Daemon lock held. */
void session_stats(const struct session *s, struct fault_stats *into);
/* Sum of a group: ended and live sessions. NULL group: everything. Daemon lock held. */
void group_stats(struct udaxd *d, const struct group *g, struct fault_stats *into);
/* The same of what lost wakeups took. */
void group_lost(struct udaxd *d, const struct group *g, struct lost_times *into);
/* NULL if no session came with that token. Daemon lock held. */
struct group *group_find(struct udaxd *d, uint64_t token);

/*
 * Posts @w->msg to @w->loop once every session of the group whose process has
 * ended is gone and its files are written back; at once if that is so already,
 * or if there is no such group. @w is the caller's until the message runs.
 * Takes the daemon lock.
 */
struct group_wait {
	struct list_head link;
	uint64_t token;
	struct loop *loop;
	struct loop_msg *msg;
};
void group_wait(struct udaxd *d, struct group_wait *w);
/* Forgets a wait whose message has not been posted; false if it has. */
bool group_wait_cancel(struct udaxd *d, struct group_wait *w);

/* Begins a clean stop; any thread, async-signal-safe. */
void udaxd_stop(struct udaxd *d);

#endif
