/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sessions: from the hello, or the fork event, to the end of the memory. All
 * that uses one holds a reference: its registration with the daemon, each
 * region, each poll. The last reference closes its descriptors.
 */
#include "daemon/session.h"
#include "daemon/trace.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/detect.h"
#include "daemon/hold.h"

static struct fault_stats **stats_new(unsigned int nr)
{
	struct fault_stats **stats = calloc(nr, sizeof(*stats));

	for (unsigned int i = 0; stats && i < nr; i++) {
		size_t size = (sizeof(**stats) + 63) & ~63UL;

		stats[i] = aligned_alloc(64, size);
		if (!stats[i]) {
			while (i--)
				free(stats[i]);
			free(stats);
			return NULL;
		}
		memset(stats[i], 0, size);
	}
	return stats;
}

static void stats_free(struct fault_stats **stats, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		free(stats[i]);
	free(stats);
}

struct session *session_new(struct udaxd *d, uint64_t token, pid_t pid)
{
	struct worker *near = pid ? worker_near(d, pid) : NULL;
	struct session *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->stats = stats_new(d->nr_execs);
	s->readers = calloc(d->nr_workers, sizeof(*s->readers));
	s->group = group_get(d, token);
	if (!s->stats || !s->readers || !s->group) {
		if (s->stats)
			stats_free(s->stats, d->nr_execs);
		free(s->readers);
		free(s);
		return NULL;
	}
	s->d = d;
	s->uffd = -1;
	atomic_store(&s->pidfd, -1);
	atomic_store(&s->sock, -1);
	lock_init(&s->lock, LOCK_RANK_SESSION, "session");
	atomic_store(&s->refs, 1);
	mmap_lock_init(&s->mmap_lock);
	list_init(&s->link);
	list_init(&s->fs_files);
	list_init(&s->serving);
	zap_init(s);
	lock_take(&d->lock);
	s->id = ++d->next_id;
	s->home = near ? near : d->workers[s->id % d->nr_workers];
	s->group->sessions++;
	s->group->processes++;
	lock_release(&d->lock);
	if (pid)
		session_identify(s, pid);
	return s;
}

void session_get(struct session *s)
{
	atomic_fetch_add(&s->refs, 1);
}

static void session_free(struct session *s)
{
	struct udaxd *d = s->d;

	linger_end(d, s->id);
	if (s->uffd >= 0)
		close(s->uffd);
	if (s->pidfd >= 0)
		close(s->pidfd);
	if (s->sock >= 0)
		close(s->sock);
	lock_take(&d->lock);
	for (unsigned int i = 0; i < d->nr_execs; i++)
		fault_stats_add(&s->group->ended, s->stats[i]);
	s->group->sessions--;
	if (!list_empty(&s->link)) {
		list_del(&s->link);
		d->nr_sessions--;
	}
	lock_release(&d->lock);
	lock_destroy(&s->lock);
	stats_free(s->stats, d->nr_execs);
	zap_free(s);
	free(s->regions);
	free(s->readers);
	free(s);
	group_check(d);
}

void session_put(struct session *s)
{
	if (atomic_fetch_sub(&s->refs, 1) == 1)
		session_free(s);
}

void session_publish(struct session *s)
{
	struct udaxd *d = s->d;

	session_get(s);
	lock_take(&d->lock);
	list_add_tail(&s->link, &d->sessions);
	d->nr_sessions++;
	lock_release(&d->lock);
}

struct session *session_find(struct udaxd *d, uint64_t id)
{
	struct session *s, *found = NULL;

	lock_take(&d->lock);
	list_for_each(s, &d->sessions, link)
		if (s->id == id && atomic_load(&s->state) == SESSION_LIVE) {
			session_get(s);
			found = s;
			break;
		}
	lock_release(&d->lock);
	return found;
}

int session_identify(struct session *s, pid_t pid)
{
	char path[64];
	FILE *f;

	s->pid = pid;
	s->pidfd = syscall(SYS_pidfd_open, pid, 0);
	if (s->pidfd < 0)
		return -errno;
	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	f = fopen(path, "re");
	if (f) {
		if (fgets(s->comm, sizeof(s->comm), f))
			s->comm[strcspn(s->comm, "\n")] = '\0';
		fclose(f);
	}
	trace_session(s);
	return 0;
}

bool session_mm_gone(struct session *s)
{
	/* Nothing is ever mapped there: ENOENT, or ESRCH without an mm. */
	return s->uffd >= 0 &&
	       uffd_zeropage(s->uffd, 0, DAX_PAGE_SIZE, false) == -ESRCH;
}

bool session_process_gone(struct session *s)
{
	struct pollfd p = { .fd = s->pidfd, .events = POLLIN };

	if (s->pidfd < 0)
		return s->uffd >= 0 && session_mm_gone(s);
	return poll(&p, 1, 0) == 1;
}

void session_remember_open(struct session *s, struct file *f)
{
	if (s->opened) {
		file_closed(s->opened);
		file_put(s->d, s->opened);
	}
	s->opened = f;
	if (f)
		file_opened(f);
}

static void end_on_home(struct loop *loop, struct loop_msg *msg)
{
	struct session *s = container_of(msg, struct session, end_msg);
	struct region_ref removed = { 0 };
	struct worker *w = loop_owner(loop);

	logv(s->d, "session %llu: pid %d (%s) is gone",
	     (unsigned long long)s->id, (int)s->pid, s->comm);
	if (s->sock_op.armed)
		loop_cancel(loop, &s->sock_op);
	if (s->pidfd_op.armed)
		loop_cancel(loop, &s->pidfd_op);
	readers_stop(s);
	if (s->image)
		keeper_drop(s);
	zap_end(w->x, loop, s);
	session_remember_open(s, NULL);
	fs_session_end(s);
	file_keep_none(s);
	lock_take(&s->lock);
	region_remove(s, 0, UINT64_MAX, &removed);
	lock_release(&s->lock);
	bracket_release(s);
	mmap_lock_let_in(s->home->x, s);
	region_ref_put(&removed);
	exec_run_ready(w->x);
	detect_release(s->d);
	hold_open_gates(s->d, s);
	session_put(s);
}

void session_end(struct session *s)
{
	int live = SESSION_LIVE;

	if (!atomic_compare_exchange_strong(&s->state, &live, SESSION_ENDING))
		return;
	s->end_msg.fn = end_on_home;
	loop_post(s->home->loop, &s->end_msg);
}
