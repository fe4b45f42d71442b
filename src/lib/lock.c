/* SPDX-License-Identifier: BSD-3-Clause */
#include "lib/lock.h"

#include <stdio.h>
#include <stdlib.h>

void lock_init(struct lock *l, enum lock_rank rank, const char *name)
{
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ADAPTIVE_NP);
	pthread_mutex_init(&l->mutex, &attr);
	pthread_mutexattr_destroy(&attr);
	l->rank = rank;
	l->name = name;
}

void lock_destroy(struct lock *l)
{
	pthread_mutex_destroy(&l->mutex);
}

#ifdef UDAX_DEBUG

/* More than ranks exist can never be held at once. */
#define HELD_MAX 16

static __thread const struct lock *held[HELD_MAX];
static __thread int nheld;

static void breach(const char *what, const struct lock *l)
{
	fprintf(stderr, "udax: lock rank: %s %s (rank %d)", what, l->name,
		l->rank);
	for (int i = nheld; i-- > 0;)
		fprintf(stderr, ", holding %s (rank %d)", held[i]->name,
			held[i]->rank);
	fputc('\n', stderr);
	abort();
}

void lock_take(struct lock *l)
{
	if (nheld && held[nheld - 1]->rank >= l->rank)
		breach("taking", l);
	if (nheld == HELD_MAX)
		breach("too many locks, taking", l);
	pthread_mutex_lock(&l->mutex);
	held[nheld++] = l;
}

void lock_release(struct lock *l)
{
	int i = nheld;

	while (i-- > 0 && held[i] != l)
		;
	if (i < 0)
		breach("releasing the unheld", l);
	for (nheld--; i < nheld; i++)
		held[i] = held[i + 1];
	pthread_mutex_unlock(&l->mutex);
}

void lock_assert_held(const struct lock *l)
{
	for (int i = 0; i < nheld; i++)
		if (held[i] == l)
			return;
	breach("not holding", l);
}

#endif
