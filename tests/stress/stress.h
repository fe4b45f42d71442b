/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Many processes and threads use one file through mappings while its mappings
 * and its blocks change under them, and every byte has an oracle.
 *
 * The file is cut into slots of 64 bytes. Each slot has one owner, a (process,
 * thread): only it stores there, a block that follows from the slot's number
 * and a sequence number. A word of shared memory outside the file says for each
 * slot what it holds:
 *
 *	seq (0: zeros)	the slot holds exactly the block of seq
 *	BUSY | seq	its owner is storing
 *	PUNCHED		a change of the file is about to make it zeros
 *	UNKNOWN		a store and a change met; the owner stores anew some day
 *
 * Nobody takes a lock to touch. Changes of the file (punch, truncate) exclude
 * each other by a mutex a 2M window and bracket themselves by a generation
 * number, odd while the change runs.
 *
 *	store	word = BUSY|seq; is gen odd?; store; no: cas(BUSY|seq, seq),
 *		yes: cas(BUSY|seq, UNKNOWN)
 *	change	gen odd; each word: BUSY -> UNKNOWN, else -> PUNCHED; change;
 *		cas(PUNCHED, 0); gen even
 *	load	word, load, word again: equal, and a plain seq: the bytes must
 *		be the block of seq
 *
 * Either the store sees the odd generation or the change sees BUSY (both are
 * sequentially consistent), so a word never promises what a punch took away.
 * SIGBUS is right only when the window's generation was odd or moved; SIGSEGV
 * only when that of the mapping did.
 */
#ifndef UDAX_TESTS_STRESS_H
#define UDAX_TESTS_STRESS_H

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define PAGE 4096ull
#define WINDOW (2ull << 20)
#define SLOT 64ull
#define SLOT_WORDS (SLOT / 8)
#define SLOTS_PER_WINDOW (WINDOW / SLOT)

#define MAX_OWNERS 64
#define MAX_WINDOWS 256
#define NR_MAPS 8

#define SLOT_BUSY	0x80000000u
#define SLOT_PUNCHED	0x40000000u
#define SLOT_UNKNOWN	0x20000000u
#define SLOT_STATE	(SLOT_BUSY | SLOT_PUNCHED | SLOT_UNKNOWN)

struct window {
	pthread_mutex_t change;	/* process-shared: one change at a time */
	uint32_t gen;		/* odd: a change is going on */
};

/* What an owner does now: for the watchdog. Only the owner writes. */
struct owner {
	uint64_t beats;
	uint32_t seq;		/* last one used */
	int32_t pid, tid;
	const char *op;		/* static string; same program in all processes */
	uint64_t pos;		/* file offset it is at */
	uint64_t counts[32];	/* by operation */
	uint64_t sigbus, sigsegv, checked, stored;
} __attribute__((aligned(128)));

/* In a memfd that all processes map shared, not in the managed file. */
struct shared {
	uint64_t size;		/* bytes of the file */
	uint32_t windows, owners, threads, processes;
	uint64_t seed;
	uint32_t without;	/* operations left out, a bit each */
	uint32_t stop, failed;
	char path[512];
	struct window win[MAX_WINDOWS];
	struct owner own[MAX_OWNERS];
	uint32_t slots[];	/* the oracle */
};

/*
 * One of a process's mappings. @lock: touches and changes that keep the place
 * of every byte hold it for reading, so that they race with each other; what
 * moves or removes the mapping holds it for writing.
 */
struct map {
	pthread_rwlock_t lock;
	char *addr;		/* NULL: none */
	uint64_t off, len;	/* bytes, page aligned */
	int prot, flags, fd;	/* what it was made with */
	pthread_mutex_t change;	/* one protection change at a time */
	uint32_t gen;		/* odd: not accessible as it should be */
};

/* A thread at work. */
struct worker {
	struct shared *sh;
	struct owner *me;
	unsigned int nr;	/* which owner */
	uint64_t rng;
	bool delegate;		/* a forked child that acts for its parent's thread */
};

extern struct shared *sh;
extern int file_fd, file_rdonly_fd, scratch_fd, oracle_fd;
extern struct map maps[NR_MAPS];

uint64_t rnd(struct worker *w, uint64_t below);

/* oracle.c */
void slot_block(uint64_t block[SLOT_WORDS], uint64_t slot, uint32_t seq);
void change_begin(uint64_t from, uint64_t to);	/* bytes; takes the windows */
void change_end(uint64_t from, uint64_t to);
/* How a slot is reached: through a mapping, or by a system call. */
enum via { VIA_MAP, VIA_FILE, VIA_KERNEL };
void slot_store(struct worker *w, uint64_t slot, enum via via, struct map *m);
void slot_load(struct worker *w, uint64_t slot, enum via via, struct map *m);
/* Whole file against the oracle, nobody else at work; number of bad slots. */
uint64_t verify_all(const char *how, const char *base);
void guard_init(void);
/* Copies 64 bytes; 0, or the signal that came instead. */
int guarded_copy(void *to, const void *from);
/* Says what is wrong, once, and stops everybody. */
void fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* maps.c */
void maps_init(void);
void map_make(struct worker *w, struct map *m);	/* lock held for writing */
void map_drop(struct map *m);
/* A reserved address whose place in its 2M is @colour, or MAP_FAILED. */
void *coloured(uint64_t len, uint64_t colour);

/* ops.c */
struct op {
	const char *name;
	unsigned int weight;
	void (*run)(struct worker *w);
};
extern const struct op ops[];
extern const unsigned int nr_ops;
/* @n random operations, or until stop when 0. */
void work(struct worker *w, uint64_t n);

/* watch.c */
/* Waits for the processes; 0 when all ended well within the time. */
int watch(const pid_t *pids, unsigned int n, unsigned int seconds,
	  unsigned int stall);

#endif
