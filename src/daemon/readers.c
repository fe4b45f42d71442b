/* SPDX-License-Identifier: BSD-3-Clause */
#include "daemon/readers.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/session.h"

/* Faults from one look to the next; as long as nothing changes, twice as many. */
#define LOOK_MIN 16
#define LOOK_MAX 1024
/* Looks that find no thread on a reader's CPU; then it leaves. */
#define UNSEEN_MAX 6

/* The place of the field "processor" in /proc/PID/stat; proc_pid_stat(5). */
#define STAT_PROCESSOR 39

/* Where a thread runs, or slept; -1: not known, as in another pid namespace. */
static int cpu_of(pid_t tid)
{
	char path[64], text[1024], *p;
	int fd, field = 2;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", (int)tid, (int)tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return -1;
	text[n] = '\0';
	/* The name may hold anything. */
	for (p = strrchr(text, ')'); p && field < STAT_PROCESSOR; field++)
		p = strchr(p + 1, ' ');
	return p ? atoi(p + 1) : -1;
}

struct worker *worker_near(const struct udaxd *d, pid_t tid)
{
	int cpu = cpu_of(tid);

	for (unsigned int i = 0; i < d->nr_workers; i++)
		if ((int)d->workers[i]->cpu == cpu)
			return d->workers[i];
	return NULL;
}

/* ------------------------------------------------- session lock held, below */

unsigned int readers_cpus(const struct session *s, unsigned int cpus[READERS_MAX])
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < s->d->nr_workers; i++)
		if (s->readers[i].state == READER_ON)
			cpus[n++] = s->d->workers[i]->cpu;
	return n;
}

static unsigned int nr_on(const struct session *s)
{
	unsigned int cpus[READERS_MAX];

	return readers_cpus(s, cpus);
}

bool readers_single(const struct session *s)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < s->d->nr_workers; i++)
		n += s->readers[i].state != READER_OFF;
	return n == 1;
}

static void reader_start(struct session *s, struct worker *w)
{
	struct reader *r = &s->readers[w->x->id];

	/* Who begins after readers_stop() would read for ever. */
	if (atomic_load(&s->state) != SESSION_LIVE)
		return;
	/* One that is leaving starts again at a later look. */
	if (r->state != READER_OFF || nr_on(s) >= READERS_MAX)
		return;
	r->state = READER_ON;
	r->session = s;
	r->worker = w;
	r->unseen = 0;
	r->served = 0;
	r->look_at = LOOK_MIN;
	session_get(s);
	worker_poll_uffd(r);
}

static void reader_stop(struct reader *r)
{
	if (r->state != READER_ON)
		return;
	r->state = READER_LEAVING;
	worker_unpoll_uffd(r);
}

bool readers_seen(struct session *s, const struct worker *near)
{
	struct reader *at = &s->readers[near->x->id];
	bool changed = false;

	at->unseen = 0;
	for (unsigned int i = 0; i < s->d->nr_workers; i++) {
		struct reader *r = &s->readers[i];

		if (r == at || r->state != READER_ON || ++r->unseen < UNSEEN_MAX)
			continue;
		/* Somebody must read, and @near's may still be leaving. */
		if (nr_on(s) == 1)
			break;
		reader_stop(r);
		changed = true;
	}
	if (at->state == READER_OFF && nr_on(s) < READERS_MAX) {
		reader_start(s, s->d->workers[near->x->id]);
		changed = true;
	}
	return changed;
}

/* ---------------------------------------------------------------------------- */

static bool may_run_on(pid_t pid, unsigned int cpu)
{
	cpu_set_t set;

	if (!pid || sched_getaffinity(pid, sizeof(set), &set))
		return true;
	return CPU_ISSET(cpu, &set);
}

void readers_start(struct session *s, struct worker *near)
{
	struct udaxd *d = s->d;

	fcntl(s->uffd, F_SETFL, O_NONBLOCK);
	if (s->pid)
		near = worker_near(d, s->pid);
	lock_take(&s->lock);
	if (near)
		reader_start(s, near);
	for (int own = 1; own >= 0 && !nr_on(s); own--) {
		for (unsigned int i = 0; i < d->nr_workers; i++) {
			struct worker *w = d->workers[(s->id + i) %
						      d->nr_workers];

			if (!own || may_run_on(s->pid, w->cpu))
				reader_start(s, w);
		}
	}
	lock_release(&s->lock);
}

void readers_stop(struct session *s)
{
	lock_take(&s->lock);	/* the state forbids more of them */
	for (unsigned int i = 0; i < s->d->nr_workers; i++)
		reader_stop(&s->readers[i]);
	lock_release(&s->lock);
}

void reader_served(struct reader *r, unsigned int n, uint32_t tid)
{
	struct session *s = r->session;
	struct worker *near;
	bool changed = false;

	r->served += n;
	if (r->served < r->look_at || !tid)
		return;
	r->served = 0;
	near = worker_near(s->d, tid);
	lock_take(&s->lock);
	if (near)
		changed = readers_seen(s, near);
	lock_release(&s->lock);
	if (changed)
		r->look_at = LOOK_MIN;
	else if (r->look_at < LOOK_MAX)
		r->look_at *= 2;
}

void reader_gone(struct reader *r)
{
	struct session *s = r->session;

	lock_take(&s->lock);
	r->state = READER_OFF;
	lock_release(&s->lock);
	session_put(s);
}
