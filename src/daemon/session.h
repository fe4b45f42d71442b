/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef UDAX_DAEMON_SESSION_H
#define UDAX_DAEMON_SESSION_H

#include "daemon/exec.h"
#include "daemon/readers.h"

/* --- session.c --- */

/* A session of @token's group; one reference, the caller's. NULL: no memory. */
struct session *session_new(struct udaxd *d, uint64_t token, pid_t pid);
void session_get(struct session *s);
/* Any executor; the last one frees. */
void session_put(struct session *s);
/* Makes it known to the control plane. Any thread. */
void session_publish(struct session *s);
/* The process, or its memory, is gone: undo everything. Any thread, also twice. */
void session_end(struct session *s);
/* Is the memory gone? Asks the kernel by a harmless resolve. */
bool session_mm_gone(struct session *s);
bool session_process_gone(struct session *s);
/* Reads pid (thread group) and name of a process; opens its pidfd. */
int session_identify(struct session *s, pid_t pid);
/* Session by id, with a reference; NULL. Takes the daemon lock. */
struct session *session_find(struct udaxd *d, uint64_t id);

/*
 * A file is kept from the OPEN that names it to the MAP that uses it. Home
 * worker. Takes over a reference, drops the one before; NULL: only that.
 */
void session_remember_open(struct session *s, struct file *f);

/* --- fork.c --- */

/* EVENT_FORK: the child's memory, regions cloned from @parent's. */
void session_forked(struct exec *x, struct session *parent, int uffd);
/*
 * The forked child of session @parent that owns the page @probe says hello.
 * Its session with a reference, or NULL if no fork event of it was seen.
 */
struct session *session_claim(struct udaxd *d, uint64_t parent, pid_t pid,
			      uint64_t probe);
/* The first fault of a child that never said hello tells its thread. */
void session_learn_pid(struct session *s, uint32_t tid);
/* Ends forked children that died without a word. Takes the daemon lock. */
void session_sweep(struct udaxd *d);
/* Are there such children, alive? Takes the daemon lock. */
bool session_unnamed(struct udaxd *d);

/* --- region.c; session lock held unless said --- */

/* Index of the first region that ends behind @addr; nr_regions: none. */
unsigned int region_index(const struct session *s, uint64_t addr);
/* The region that covers @addr, with a reference, or NULL. */
struct region *region_lookup(struct session *s, uint64_t addr);
struct region *region_new(struct session *s, struct file *file, uint64_t start,
			  uint64_t end, uint64_t offset, uint32_t prot,
			  uint32_t flags, bool wp);
void region_get(struct region *r);
/* No lock held. */
void region_put(struct region *r);
/* Takes over the caller's reference. 0 or -ENOMEM. */
int region_insert(struct session *s, struct region *r);
/*
 * Takes [start, end) out of the table; what sticks out of it on either side is
 * replaced by a smaller region. Removed ones are put on @removed by region_link,
 * with the table's reference: the caller puts them without the lock.
 */
struct region_ref {
	struct region **r;
	unsigned int nr;
};
int region_remove(struct session *s, uint64_t start, uint64_t end,
		  struct region_ref *removed);
/* Splits at @addr, so that a change can apply to whole regions. */
int region_split(struct session *s, uint64_t addr, struct region_ref *removed);
void region_ref_put(struct region_ref *ref);

/* --- bracket.c --- */

void bracket_begin(struct exec *x, struct session *s, const struct udax_msg *msg);
/* The BEGIN that waited for the mmap_lock has it: the answer, once all is quiet. */
void bracket_block(struct session *s, bool granted);
void bracket_end(struct exec *x, struct session *s, const struct udax_msg *msg);
/* Ends a bracket without a change; wakes what slept. Home worker. */
void bracket_release(struct session *s);
/*
 * Around every ioctl that installs in the program: false if nothing may be
 * installed now (then the address is remembered, or woken, here).
 */
bool install_begin(struct exec *x, struct region *r, uint64_t addr);
/*
 * The same for what a fault maps at last: 0, it is to be installed; -EINPROGRESS, the
 * emulated table has it, reality will; -EAGAIN, it was dropped.
 */
int install_begin_or_defer(struct exec *x, struct region *r, uint64_t addr,
			   bool pmd, bool write);
void install_end(struct exec *x, struct session *s);
/* A message that cannot be served now: its thread is woken after the bracket. */
void bracket_drop(struct exec *x, struct session *s, uint64_t addr);

/* --- mmaplock.c: the kernel's mmap_lock --- */

void mmap_lock_init(struct mmap_lock *l);
/* A fault's message: serves it, as a reader, or queues it behind a writer. */
void mmap_lock_fault(struct exec *x, struct session *s,
		     const struct uffd_msg *msg, uint64_t now);
void mmap_lock_read_end(struct exec *x, struct session *s);
static inline void mmap_lock_fault_end(struct exec *x, struct session *s)
{
	if (s->mmap_lock.on)
		mmap_lock_read_end(x, s);
}
/* BEGIN. True: it may go on; false: bracket_block() is called when it may. */
bool mmap_lock_write(struct exec *x, struct session *s,
		     const struct udax_msg *msg);
/* The bracket is over; @behind it wait so many threads. Session lock held. */
void mmap_lock_write_end(struct exec *x, struct session *s, unsigned int behind);
/* Runs the readers that this has let in. No lock; home worker. */
void mmap_lock_let_in(struct exec *x, struct session *s);
/* Somebody has finished: BEGIN may be answered now. */
void bracket_quiet(struct session *s);

/* --- turn.c: a thread's faults, one at a time --- */

/* @t is its thread's fault from now on. False: it has one, @t is to be forgotten. */
bool turn_begin(struct task *t);
/* It is over, and so is what was kept back for it. Before the task is freed. */
void turn_end(struct task *t);
/* Exact tracking: is it of a thread whose fault is in service? Then that is all. */
bool turn_kept_back(struct exec *x, struct session *s,
		    const struct uffd_msg *msg);

/* --- zap.c; s->lock held where said --- */

void zap_init(struct session *s);
void zap_free(struct session *s);
/* @sock is the agent's of @s; both are taken over. Any thread. */
void zap_adopt(struct session *s, int sock, const struct udax_msg *hello);
/* The session ends: nobody waits any more. Home worker. */
void zap_end(struct exec *x, struct loop *loop, struct session *s);
/* Lock held. A number to wait for, 0: there is nobody to do it. */
uint64_t zap_queue(struct session *s, uint64_t start, uint64_t end);
/* Lock held: sends what is queued, unless a bracket is open. */
void zap_send(struct session *s);
/* Lock held, a bracket is over: what is queued and still mapped goes out. */
void zap_resume(struct session *s);
/* Lock held, in a bracket: what is queued of [start, end) moved to @to. */
void zap_moved(struct session *s, uint64_t start, uint64_t end, uint64_t to);
/* False: done already. Else @w->fn is called, on the home worker. */
bool zap_wait(struct session *s, struct zap_wait *w);
/* Is @seq still to be done? */
bool zap_pending(struct session *s, uint64_t seq);
/* As wire_reply(), when all that is queued is done. */
void zap_reply(struct session *s, const struct udax_msg *req, int error,
	       struct udax_msg *reply);
/*
 * Out of the emulated table of @r, and in reality what was in it. No lock held.
 * A number to wait for, or 0.
 */
uint64_t zap_region(struct region *r, uint64_t start, uint64_t end);
/* The same in reality alone: the tables have lost it already. */
uint64_t zap_again(struct region *r, uint64_t start, uint64_t end);
/*
 * The same for pages of @f, in every mapping; the number is that of @own (may be
 * NULL), nobody waits for others.
 */
uint64_t zap_file(struct file *f, uint64_t index, uint64_t nr,
		  const struct session *own);
/* A fault. True: it is run again when t->zap.seq is done. */
bool zap_task(struct task *t);

/* --- shadow.c: the emulated table of exact tracking --- */

/* What the program's page table holds at @addr, over all its regions. */
void shadow_get(struct region *r, uint64_t addr, struct mm_slot *slot);
/*
 * The rest: session lock held, inside a bracket. No huge pmd reaches across
 * @addr in @r.
 */
void shadow_split(struct region *r, uint64_t addr);
/* @r was taken out: page tables stay where another region is left. */
void shadow_removed(struct session *s, struct region *r);
/* Regions in and around [start, end) that the kernel has as one become one. */
void shadow_merge(struct session *s, uint64_t start, uint64_t end,
		  struct region_ref *removed);
/* [from, stop) of @old is @new now, @delta higher. */
void shadow_moved(struct region *new, struct region *old, uint64_t from,
		  uint64_t stop, uint64_t delta);
/* A forked child has @r as its copy of @parent. */
void shadow_forked(struct region *r, struct region *parent,
		   unsigned int tables);
/*
 * At which ends of @r a page table of neighbours hangs over it, if fork() copies
 * the tables of @r. Session lock held.
 */
#define SHADOW_FIRST	0x1
#define SHADOW_LAST	0x2
unsigned int shadow_shared_tables(struct region *r);
/*
 * Before mprotect and mremap, once nobody installs: what is writable would stay
 * so, unseen. The tables keep what they have: a fault is a refill.
 */
void shadow_protect(struct session *s, uint64_t start, uint64_t end);
/* MADV_DONTNEED and mprotect. */
void shadow_dontneed(struct region *r, uint64_t start, uint64_t end);
void shadow_mprotect(struct region *r, uint64_t start, uint64_t end);

/* --- conn.c: new connections, up to the hello --- */

void conn_accept(struct worker *w);
/* A forked child's session is there: one of those who wait may claim it. */
void conn_forked(struct worker *w);
/*
 * The session takes over the socket (-1: none yet) and starts to watch it and
 * the process. Any thread; done by the home worker.
 */
void session_adopt(struct session *s, int sock);

/* --- handshake.c: messages of a session --- */

/* All that is there. Home worker. */
void handshake_messages(struct exec *x, struct session *s);
/* The reply to @req: @reply (may be NULL: @req echoed) with @error filled in. */
int wire_reply(int sock, const struct udax_msg *req, int error,
	       struct udax_msg *reply, const int *fds, unsigned int nfds);
/* 0, or the errno of what is wrong with the packet's form. */
int wire_check(const struct udax_msg *m, ssize_t len, unsigned int nfds);

/* --- keeper.c: who holds descriptors in case udaxd dies --- */

/* @sock is now @g's keeper's; its HUP ends image sessions. Worker 0. */
void keeper_add(struct worker *w, struct group *g, int sock);
/* False: there is none, so image files must not be served. */
bool keeper_there(struct session *s);
/* Gives it the session's userfaultfd and the memfd of @f. 0 or -errno. */
int keeper_keep(struct session *s, int memfd);
void keeper_drop(struct session *s);

/* --- file.c --- */

/*
 * The file behind @fd with a reference. @image: it may be one that needs an image,
 * else -ENOTCONN. Takes the daemon lock. May block a little.
 */
int file_get(struct udaxd *d, struct group *g, int fd, bool image,
	     struct file **out, char *why, unsigned int why_len);
/* @s maps it: counted for its run's summary. Takes the daemon lock. */
void file_seen(struct session *s, struct file *f);
struct file *file_find(struct udaxd *d, uint64_t id);
struct file *file_find_fd(struct udaxd *d, int fd);
/* The caller holds one already. Any lock may be held. */
void file_ref(struct file *f);
/* Any thread, no lock held. The last one writes back and closes, on a helper. */
void file_put(struct udaxd *d, struct file *f);
/* DAX_ALLOC: more memory for the model's table. i_pages not held. */
int file_grow_table(struct file *f);
/* The model's i_size becomes that of the medium. i_pages not held. */
void file_refresh_size(struct file *f);
void file_link_region(struct file *f, struct region *r);
void file_unlink_region(struct file *f, struct region *r);
/* References to all of them. */
void file_get_regions(struct file *f, struct region_ref *all);
/* The part of @r that shows pages [index, index + nr); false: none. */
bool region_overlap(const struct region *r, uint64_t index, uint64_t nr,
		    uint64_t *start, uint64_t *end);
/* DAX_UNMAP and DAX_WRPROTECT over the file's regions; pages. */
void file_unmap(struct file *f, uint64_t index, uint64_t nr, bool cows);
void file_wrprotect(struct exec *x, struct file *f, uint64_t index, uint64_t nr);

/* --- linger.c: what is left of files that nobody maps --- */

/*
 * Takes over @f, which nobody can find and whose model is gone: its backing stays
 * a moment, or is closed by a helper, and @f freed. Takes the daemon lock.
 */
void linger_or_close(struct file *f);
/* Found again, the caller's now. Daemon lock held. */
bool linger_take(struct udaxd *d, uint64_t dev, uint64_t ino, struct backing *b);
/* No file that session @session mapped last lingers any more; 0: none at all. */
void linger_end(struct udaxd *d, uint64_t session);
struct request;
/*
 * @q takes until nobody can find @f any more, or somebody may map it again. The
 * caller holds references of both.
 */
void file_await_end(struct file *f, struct request *q);
/* session.opened is @f, or was: who may map it keeps nobody waiting either. */
void file_opened(struct file *f);
void file_closed(struct file *f);
/* It has ended; or it was mapped, and file.letting_go set. */
void file_end_waits(struct file *f);
void file_let_go(struct file *f);
/*
 * Entries belong to the inode: a session keeps what it mapped, as long as the
 * file has a name. Both take the session lock.
 */
void file_keep(struct session *s, struct file *f);
void file_keep_none(struct session *s);
/*
 * Memory is short: none lingers any more, and none is kept without a name. True:
 * some are yet to be closed, or to be left by their last fault. No lock held.
 */
bool linger_make_room(struct udaxd *d);
void backing_close(struct backing *b);

/* --- rangeop.c --- */

/* A program's request; answered when the last of its tasks is done. */
struct request {
	struct session *session;	/* a reference */
	struct udax_msg msg;
	atomic_uint pending;
	atomic_int error;		/* the first -errno */
};

/* Holds itself once. NULL: no memory, and that is the reply. */
struct request *request_new(struct session *s, const struct udax_msg *m);
void request_put(struct request *q);
/* task.done of a task whose arg is a request: frees it, drops file and request. */
void request_task_done(struct exec *x, struct task *t);
/* Takes over a reference of @f. NULL: no memory, the reference is dropped. */
struct task *range_task(struct udaxd *d, struct file *f, enum dax_op_kind kind,
			uint64_t first, uint64_t last);

/* A request of a program that tasks work for; replies when all are done. */
void rangeop_fileop(struct exec *x, struct session *s, const struct udax_msg *m,
		    int fd);
void rangeop_sync(struct exec *x, struct session *s, const struct udax_msg *m,
		  int fd);
/* END of a MADV_REMOVE: the punch of what the range maps, then the reply. */
void rangeop_remove(struct session *s, const struct udax_msg *m);
/* Writes @f back as a whole; @done on some helper. Takes a reference. */
void rangeop_writeback(struct udaxd *d, struct file *f,
		       void (*done)(struct exec *x, struct task *t), void *arg);
/* Replies to @m when the files that nobody maps any more have ended, written back. */
void rangeop_sync_removed(struct session *s, const struct udax_msg *m,
			  const struct region_ref *removed);

/* --- fs.c: the file system of a file is a client --- */

/* UDAX_OP_FS. Home worker. */
void fs_message(struct exec *x, struct session *s, const struct udax_msg *m,
		const int *fds, unsigned int nfds);
/* The session is over: its files lose their file system. Home worker. */
void fs_session_end(struct session *s);
/* DAX_IOMAP of such a file; asks, and waits for the answer. Helpers. */
void fs_iomap(struct file *f, struct dax_op *op);
/* Its metadata is to be durable; waits for the answer. 0 or -errno. Helpers. */
int fs_synced(struct file *f);
void fs_close(struct fs_client *fs);

/* --- fs_ask.c: such a client asks about faults --- */

/* PROBE and LOOK: replies, at once or later. Home worker. */
void fs_ask(struct exec *x, struct session *s, const struct udax_msg *m);
/* QUIET: 0, the reply comes; or an errno. */
int fs_quiet(struct session *s, const struct udax_msg *m);
/* A fork of @parent has been seen to. Takes the session lock. */
void fs_child_born(struct exec *x, struct session *parent);

/* --- group.c --- */

struct group *group_get(struct udaxd *d, uint64_t token);
/* Looks whether somebody's wait is over. Takes the daemon lock. */
void group_check(struct udaxd *d);

/* --- worker.c --- */

struct worker {
	struct exec *x;
	struct loop *loop;
	unsigned int cpu;
	pthread_t thread;
	struct loop_op accept_op;	/* worker 0 */
	struct loop_op sweep_op;	/* worker 0: timer while orphans exist */
	struct loop_msg fork_msg;	/* worker 0: worker_forked() */
	atomic_bool fork_posted;
	struct list_head forked;	/* worker 0: conn.waiting */
};

/* 0 or -errno. d->workers[i] on d->execs[i]; @listen: its to accept from, or -1. */
int worker_new(struct udaxd *d, unsigned int i, unsigned int cpu);
int worker_start(struct worker *w, int listen);
void worker_stop(struct worker *w);
void worker_free(struct worker *w);
/* Asks its worker to read the session's userfaultfd; and to stop doing so. */
void worker_poll_uffd(struct reader *r);
void worker_unpoll_uffd(struct reader *r);

/*
 * A forked child's session was published: somebody may wait to claim it, and
 * if it dies unnamed that must be found out.
 */
void worker_forked(struct udaxd *d);

/* One line on stderr: "udaxd: ...". */
void logmsg(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The same, only with --verbose. */
void logv(const struct udaxd *d, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif
