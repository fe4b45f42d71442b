/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The driver of a replay on real memory: a process whose threads take real page
 * faults on real mappings, served by udaxd in exact mode. Files are memfds; where
 * their blocks are, the simulated file system says (UDAX_OP_FS). What happened
 * is read from udaxd's trace.
 *
 * A run takes a process of its own: mappings lie at the script's addresses, and
 * SIGSEGV and SIGBUS are the driver's. The main thread runs the operations.
 */
#ifndef UDAX_CLI_LIVE_H
#define UDAX_CLI_LIVE_H

#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "lib/trace_read.h"
#include "mm/replay.h"
#include "udax/wire.h"

/* A file's part: replay_file.driver. */
struct live_file {
	struct replay *r;
	struct replay_file *file;
	int fd;				/* the memfd */
	int buffer;			/* another, or -1 */
	uint64_t late, late_end;	/* bytes that are there until the size grows */
	int extents;			/* our end of the socket for its extents */
	pthread_t oracle;		/* answers there */
};

/* One load or store, and how it ended. */
struct live_access {
	uint64_t addr;
	bool write;
	uint8_t byte;			/* to store; loaded */
	bool private;			/* in a private mapping */
	bool copied;			/* there was a private copy before */
	/* Of its end. */
	int signal;			/* 0, SIGSEGV, SIGBUS */
	unsigned long error;		/* with a signal: the CPU's error code */
	long faults;			/* the kernel counted so many for the thread */
};

enum live_state { LIVE_IDLE, LIVE_ARMED, LIVE_RUNNING };

struct live_thread {
	struct live *l;
	pthread_t thread;
	bool started;
	pid_t tid;
	sem_t work, done;
	enum live_state state;		/* main thread's */
	bool spin;			/* wait for live.go first */
	bool quit;
	struct live_access access;
};

struct live {
	struct replay *r;
	/* The connection to udaxd. Main thread. */
	int sock;
	uint32_t seq;
	uint64_t session;
	pthread_t agent;
	int agent_sock;
	struct trace_reader *trace;
	pthread_mutex_t fs_lock;	/* the simulated file system */
	struct live_thread thread[SCRIPT_THREADS];
	atomic_bool go;
	/* What the kernel does for us now: no p lines of a populate. */
	bool in_kernel, populating;
	bool told;			/* the fault under way has its p line */
	unsigned int children;		/* forked until now */
	struct live_log *log;
};

/* live.c */

/*
 * Runs @script in this process against the udaxd at @socket, whose trace is
 * @trace. As replay_script().
 */
int live_replay(const char *socket, const char *trace,
		const struct script *script, const struct replay_options *o,
		char *msg, size_t len);
/* All is quiet, and what happened is in the log. Before any result is. */
void live_settle(struct replay *r);

static inline struct live *live_of(struct replay *r)
{
	return r->arg;
}

static inline struct live_file *live_file(const struct replay_file *file)
{
	return file->driver;
}

/* live_client.c: the wire. 0 or -errno. */

int live_connect(struct live *l, const char *socket, char *msg, size_t len);
void live_disconnect(struct live *l);
/* On a socket of ours. *@fd, if not NULL: a descriptor that came along, or kept. */
int live_exchange(struct live *l, int sock, struct udax_msg *m, enum udax_op op,
		  const int *fds, unsigned int nfds, int *fd);
/* A request and its reply, in @m. */
int live_call(struct live *l, struct udax_msg *m, enum udax_op op,
	      const int *fds, unsigned int nfds);
/* UDAX_OP_FS. @fd: the file's, or -1. */
int live_fs_call(struct live *l, const struct udax_fs_msg *fs, int fd);
int live_begin(struct live *l, const struct udax_begin *b);
int live_end(struct live *l, const struct udax_begin *b, int error);

/* live_agent.c: once connected, and before the first mapping. */

int live_agent_start(struct live *l, const char *socket, char *msg, size_t len);
void live_agent_stop(struct live *l);
/* Is there a private copy at @addr? Of the calling process. */
bool live_is_copy(uint64_t addr);

/* live_file.c: files, bytes, extents. */

int live_create(struct replay *r, struct replay_file *file);
void live_destroy(struct replay *r, struct replay_file *file);
void live_resize(struct replay *r, struct replay_file *file);
void live_zero(struct replay *r, struct replay_file *file, uint64_t off,
	       uint64_t len);
void live_collapse(struct replay *r, struct replay_file *file, uint64_t off,
		   uint64_t len);
void live_fill(struct replay *r, struct replay_file *file, uint64_t off,
	       uint8_t byte, uint64_t len);
void live_read(struct replay *r, struct replay_file *file, uint64_t off,
	       void *dst, uint64_t len);
uint64_t live_write_from(struct replay *r, struct replay_file *file,
			 uint64_t off, uint64_t len, uint64_t addr);
uint64_t live_read_into(struct replay *r, struct replay_file *file,
			uint64_t off, uint64_t len, uint64_t addr);

/* live_map.c: system calls on mappings. */

int live_mmap(struct replay *r, const struct vma *vma);
bool live_is_private(struct replay *r, uint64_t addr);
/* fork() copies the page table of this private mapping from now on. */
void live_note_copy(struct replay *r, uint64_t addr);
int live_munmap(struct replay *r, uint64_t addr, uint64_t len);
int live_mprotect(struct replay *r, uint64_t addr, uint64_t len,
		  unsigned int prot);
int live_mremap(struct replay *r, uint64_t from, uint64_t len, uint64_t to);
/* Of pages [start, start + nr); udaxd knows that they go. */
void live_drop_copies(struct replay *r, struct replay_file *file,
		      uint64_t start, uint64_t nr);
int live_madvise(struct replay *r, uint64_t addr, uint64_t len,
		 enum script_advice advice);

/* live_thread.c: accesses. */

void live_touch(struct replay *r, uint64_t addr, struct replay_access *a);
void live_child(struct replay *r, uint64_t addr, struct replay_access *a);
void live_start(struct replay *r, uint64_t addr);
void live_arm(struct replay *r, uint64_t addr);
void live_go(struct replay *r);
bool live_join(struct replay *r, struct replay_access *a);
/* A system call of the main thread could not access @addr: the lines of that. */
void live_refused(struct replay *r, uint64_t addr, bool write);
/* One of its stores to a private mapping the kernel has copied by itself. */
void live_copied(struct replay *r, uint64_t addr, bool had_copy);
/* Page faults that the kernel has counted for this thread. */
long live_count_faults(void);
void live_threads_stop(struct live *l);
int live_catch_signals(void);

/* live_log.c: from records to lines. */

int live_log_new(struct live *l);
void live_log_free(struct live *l);
/* Takes what the trace has by now; lines go to the log. */
void live_log_drain(struct replay *r);
/* The thread @tid is to be called @who: T0, main, child. */
const char *live_who(struct live *l, pid_t tid);
/*
 * What messages there were of @tid since the last call, and forgets them. Of the mm's
 * own copy, after a fault that met another's page in a private mapping, there is one
 * only if that page was not there in reality.
 */
struct live_seen {
	bool slept;			/* some, be it of faults that were dropped */
	bool all;			/* and the last was of the thread's last fault */
	bool refused;			/* which came to SIGBUS */
};
struct live_seen live_log_seen(struct live *l, pid_t tid);

#endif
