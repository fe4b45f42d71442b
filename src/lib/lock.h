/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ranked mutexes. A thread may take a lock only when its rank is higher than
 * the rank of every lock that it holds; debug builds abort at the first breach
 * and name both locks. Locks of one rank never nest.
 *
 * The critical sections below are tens of nanoseconds long, yet the locks are
 * sleeping (adaptive) mutexes and not spin locks: a worker shares its CPU with
 * the program it serves, so a holder may be preempted while another spins.
 */
#ifndef UDAX_LIB_LOCK_H
#define UDAX_LIB_LOCK_H

#include <pthread.h>

/* In the order in which they may be taken: outer first. doc/locking.md. */
enum lock_rank {
	LOCK_RANK_DAEMON = 1,	/* the lists of sessions, files and groups */
	LOCK_RANK_SESSION,	/* a session's regions and bracket */
	LOCK_RANK_FILE,		/* a file's list of regions, its invalidate lock */
	LOCK_RANK_MAPPING,	/* struct dax_mapping: the kernel's i_pages lock */
	LOCK_RANK_QUEUE,	/* one hashed wait queue */
	LOCK_RANK_LEAF,		/* mailboxes, pools: nothing is taken below */
};

struct lock {
	pthread_mutex_t mutex;
	enum lock_rank rank;
	const char *name;	/* static storage, for the report of a breach */
};

void lock_init(struct lock *l, enum lock_rank rank, const char *name);
void lock_destroy(struct lock *l);

#ifdef UDAX_DEBUG
void lock_take(struct lock *l);
void lock_release(struct lock *l);
void lock_assert_held(const struct lock *l);
#else
static inline void lock_take(struct lock *l)
{
	pthread_mutex_lock(&l->mutex);
}

static inline void lock_release(struct lock *l)
{
	pthread_mutex_unlock(&l->mutex);
}

static inline void lock_assert_held(const struct lock *l)
{
}
#endif

#endif
