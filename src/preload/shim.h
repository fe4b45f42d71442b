/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What lives inside another program. Rules for everything in this folder:
 *
 *  - Memory and socket calls are raw system calls (sys.h). No malloc, stdio,
 *    dlsym, or lazily bound call: any of them may come back into a hook, or
 *    wait for a lock that the interrupted thread holds.
 *  - With the lock held, nothing is touched but unarmed memory: the shim's own
 *    and the stack. A fault on managed memory would wait for udaxd, which may
 *    be waiting for this thread's END. A program whose stack is a mapping of
 *    a managed file cannot be helped.
 *  - With the lock held all signals are blocked, so that no handler can come
 *    back into a hook of the thread that holds it.
 *  - No descriptor of a managed file is opened, duplicated or closed here
 *    (O_PATH ones excepted): any close() drops the process's POSIX locks on the
 *    inode. fs/open.c, filp_close(): locks_remove_posix() unless FMODE_PATH.
 *  - Return values and errno are those of the native call; errno is written
 *    only where that call fails.
 */
#ifndef UDAX_PRELOAD_SHIM_H
#define UDAX_PRELOAD_SHIM_H

#include "preload/sys.h"
#include "udax/wire.h"

#define EXPORT __attribute__((visibility("default")))
#define unlikely(x) __builtin_expect(!!(x), 0)

#define SHIM_PAGE	4096ul
#define SHIM_PMD	(2ul << 20)
/* Longer than any user address range: such calls fail, let the kernel say how. */
#define SHIM_LEN_MAX	(1ul << 56)

static inline uint64_t round_up(uint64_t v, uint64_t unit)
{
	return (v + unit - 1) & ~(unit - 1);
}

/* ------------------------------------------------------------------ env.c */

struct shim_env {
	char socket[108];	/* sockaddr_un's size */
	const char *dirs;	/* "dir\0dir\0\0", none ends in '/' */
	size_t longest;		/* bytes of the longest directory */
	uint64_t token;
	bool require, verbose, quiet;
	bool mmap_lock;		/* the kernel's mmap_lock is emulated */
	bool exact;		/* udax run --track exact */
};

extern struct shim_env env;

/* True when the environment asks for the shim. Reads it at the first call. */
bool shim_on(void);

/* A regular file under one of the directories; filled by file_managed(). */
struct file {
	uint64_t dev, ino;
	uint64_t page_size;	/* of its mappings */
	bool memory;		/* on tmpfs or hugetlbfs: its pages can be mapped */
	bool hugetlb;
};

/* No lock; one to three system calls, none of which changes the descriptor. */
bool file_managed(int fd, struct file *f);

/* --------------------------------------------------------------- memory.c */

void memory_start(void);	/* once, before any */
/* Zero-filled, or NULL. Never given back. */
void *memory_get(uint64_t size);
/* Larger; it may move. NULL: there is no more, @old stays. */
void *memory_grow(void *old, uint64_t old_size, uint64_t size);

/* ----------------------------------------------------------------- lock.c */

/* Once, by the only thread. False: no memory. */
bool lock_start(void);

struct guard {
	uint64_t mask;		/* the thread's signal mask before */
};

/*
 * Blocks signals and takes the lock. False, with nothing taken, when the shim
 * must stay out of the way: switched off, or this is a vfork or CLONE_VM child
 * that borrows the memory of the process that the state describes.
 */
bool shim_enter(struct guard *g);
void shim_leave(struct guard *g);
/*
 * Only fork.c. In a forked child, which has one thread: the state becomes its
 * own; false if it is so already. @consistent: the lock is held by the thread
 * that forks, so the child's copy of the state is whole.
 */
bool shim_own(void);
/* Threads that wait for the lock; any thread. */
uint32_t shim_waiting(void);
void shim_consistent(bool consistent);

/* ------------------------------------------------------------------ say.c */

/*
 * One line on stderr, "udax: " in front. %s, %d (long), %u (unsigned long) and
 * %x (unsigned long); at most 400 bytes.
 */
void say(const char *fmt, ...);
void say_start(void);	/* once, before any */
const char *say_error(int err);

/* ------------------------------------------------------------------ net.c */

/*
 * All with the lock held. Results are 0 or a positive errno. Once udaxd is gone
 * every call fails with ENOTCONN and the program goes on natively.
 */

/* There is a session with a userfaultfd: MAP can be sent. Connects if need be. */
int net_ready(void);
/* There is a session; for messages that need no userfaultfd. */
int net_session(void);
/* There was one, and udaxd has not gone since. */
bool net_alive(void);
/* It could not be reached, or it is gone: no call will be tried again. */
bool net_dead(void);
/*
 * Sends @msg as @op, with @fd unless it is -1, and waits for the reply, which
 * replaces @msg. @fd_out (may be NULL): the reply's first descriptor or -1, the
 * caller's to close.
 */
int net_call(struct udax_msg *msg, unsigned int op, int fd, int *fd_out);
/* Sends @msg, no reply. */
void net_post(struct udax_msg *msg, unsigned int op);
/*
 * In a forked child: forgets the parent's socket and, when @served says that
 * there are ranges, joins the parent's session. Sets @claimed when udaxd
 * serves the ranges already.
 */
int net_forked(bool served, bool *claimed);

/* ------------------------------------------------------------ mmaplock.c */

/*
 * A change of the address space that concerns no managed range: the system call
 * @nr. Under the emulated mmap_lock it is bracketed all the same. @locked: the
 * caller holds the lock, and no bracket is open.
 */
long change_other(bool locked, long nr, long a, long b, long c, long d, long e,
		  long f);
/* With the lock held, for what is a change all the same. */
void mmap_lock_take(void);
void mmap_lock_drop(void);
/*
 * The session follows files in memory as the kernel does it (--track exact). No
 * lock; false until the first contact, unless the environment says so.
 */
bool net_exact(void);

/* --------------------------------------------------------------- agent.c */

/*
 * Lock held. The thread that zaps for udaxd, of session @id; waits until udaxd
 * knows it. False: it cannot be had, which was said.
 */
bool agent_start(uint64_t id);
/* In a forked child: the thread is the parent's. */
void agent_forget(void);

/* ------------------------------------------------------------- bracket.c */

/* One change of the address space, as told to udaxd. Ranges in bytes. */
struct change {
	uint32_t what;		/* enum udax_change */
	uint32_t prot;
	int32_t advice;
	uint64_t addr, len;
	uint64_t new_addr, new_len;
};

/* From here to the end udaxd installs nothing. Lock held. */
void bracket_begin(const struct change *c);
/*
 * @ret: the system call's result, of which only failure is told. @wait: for
 * the reply. Returns 0 or a positive errno of the reply.
 */
int bracket_end(const struct change *c, long ret, bool wait);

/*
 * A memory-locked range is populated by some changes of it, through faults that
 * nobody serves inside a bracket. True when it was locked; it is not any more.
 */
bool mlock_suspend(uint64_t addr, uint64_t len);
/* After the lock was released. */
void mlock_resume(uint64_t addr, uint64_t len);

/* --------------------------------------------------------------- ranges.c */

enum range_flags {
	RANGE_PRIVATE	= 0x1,	/* the program asked for MAP_PRIVATE */
	RANGE_RDONLY	= 0x2,	/* MAP_SHARED of O_RDONLY, made private */
	RANGE_SYNC	= 0x4,	/* MAP_SYNC was granted */
	RANGE_NOHUGE	= 0x8,
	RANGE_DONTFORK	= 0x10,
};

/* A managed mapping, or a part of one. */
struct range {
	uint64_t start, end;	/* bytes, page aligned */
	uint64_t offset;	/* in the file, of @start */
	uint64_t file;		/* udaxd's id */
	uint64_t dev, ino;	/* of the program's file */
	uint64_t page_size;
	uint32_t prot;
	uint16_t flags;		/* enum range_flags */
	uint16_t media;		/* enum udax_media */
};

/*
 * The table of the process's managed ranges, sorted, without overlaps. All with
 * the lock held, except ranges_near(). Pointers and indices hold until the next
 * change. A cut or a split may need one more place than there was.
 */
size_t ranges_nr(void);
struct range *ranges_get(size_t i);
/* Index of the first range that ends above @addr; ranges_nr() if none. */
size_t ranges_find(uint64_t addr);
bool ranges_overlap(uint64_t start, uint64_t end);
/* Room for @n more; 0 or ENOMEM. Afterwards @n changes cannot fail. */
int ranges_reserve(size_t n);
/* Cuts what is there, then inserts. Needs room for 2. */
void ranges_insert(const struct range *r);
void ranges_cut(uint64_t start, uint64_t end);	/* room for 1 */
void ranges_split(uint64_t addr);		/* room for 1 */
/* Leaves the table's memory behind: it may be half changed. */
void ranges_forget(void);
/* An image range overlaps [start, end). */
bool ranges_image(uint64_t start, uint64_t end);
/* A cheap test without the lock: false means that nothing managed is there. */
bool ranges_near(uint64_t start, uint64_t end);
/* Number of image ranges; no lock. */
size_t ranges_images(void);
/* Has an image been mapped at any time; no lock. */
bool ranges_had_image(void);

/* ----------------------------------------------------------------- mmap.c */

/* A place of @len bytes whose address has @colour modulo 2M, with room around. */
struct reserve {
	uint64_t base, size;	/* the whole reservation */
	uint64_t addr;		/* the place in it */
};

/* False when there is none to be had. PROT_NONE, nothing allocated. */
bool reserve_get(struct reserve *r, uint64_t len, uint64_t colour);
/* Gives back what @used bytes at the place leave; 0: all of it. */
void reserve_trim(const struct reserve *r, uint64_t used);

/* MAP of a range that is there already, by file id. Lock held. 0 or errno. */
int map_again(struct range *r);
/* udax_map.flags for a range */
uint32_t map_flags(const struct range *r);

/* -------------------------------------------------------------- fileops.c */

/* Tells udaxd of a change of a managed file; others are left alone. */
void file_tell(int fd, uint32_t what, uint64_t off, uint64_t len);

/* ----------------------------------------------------------------- sync.c */

/*
 * The file's image, if it has one, to the file; with exact tracking the
 * write-back of a file in memory. 0 or a positive errno.
 */
int sync_file(int fd);

#endif
