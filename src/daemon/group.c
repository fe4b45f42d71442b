/* SPDX-License-Identifier: BSD-3-Clause */
/* Groups: what belongs to one run, and waiting until a run has ended. */
#include "daemon/session.h"

#include <stdlib.h>
#include <string.h>

/* Runs whose sums are kept apart, for a summary that is asked for late. */
#define GROUPS_KEPT 64

struct group *group_find(struct udaxd *d, uint64_t token)
{
	struct group *g;

	list_for_each(g, &d->groups, link)
		if (g->token == token)
			return g;
	return NULL;
}

/* Nobody counts in it any more. Daemon lock held. */
static bool group_over(struct udaxd *d, const struct group *g)
{
	struct file *f;

	if (g->sessions || g->draining || g->keeper)
		return false;
	list_for_each(f, &d->files, link)
		if (f->group == g)
			return false;
	return true;
}

/*
 * A udaxd that runs for long sees many runs: the oldest that is over goes into
 * the sum of those that went before. Daemon lock held.
 */
static void retire_one(struct udaxd *d)
{
	struct group *g;

	list_for_each(g, &d->groups, link)
		if (group_over(d, g))
			break;
	if (&g->link == &d->groups)
		return;
	fault_stats_add(&d->retired.ended, &g->ended);
	lost_times_add(&d->retired.lost, &g->lost);
	d->retired.processes += g->processes;
	d->retired.mappings += g->mappings;
	d->retired.files += g->files;
	list_del(&g->link);
	d->nr_groups--;
	free(g->seen);
	free(g);
}

struct group *group_get(struct udaxd *d, uint64_t token)
{
	struct group *g;

	lock_take(&d->lock);
	g = group_find(d, token);
	if (!g) {
		if (d->nr_groups >= GROUPS_KEPT)
			retire_one(d);
		g = calloc(1, sizeof(*g));
		if (g) {
			g->token = token;
			d->nr_groups++;
			list_add_tail(&g->link, &d->groups);
		}
	}
	lock_release(&d->lock);
	return g;
}

void session_stats(const struct session *s, struct fault_stats *into)
{
	memset(into, 0, sizeof(*into));
	for (unsigned int i = 0; i < s->d->nr_execs; i++)
		fault_stats_add(into, s->stats[i]);
}

void group_stats(struct udaxd *d, const struct group *g, struct fault_stats *into)
{
	const struct group *each;
	const struct session *s;

	if (g)
		memset(into, 0, sizeof(*into));
	else
		*into = d->retired.ended;
	list_for_each(each, &d->groups, link)
		if (!g || each == g)
			fault_stats_add(into, &each->ended);
	list_for_each(s, &d->sessions, link)
		if (!g || s->group == g)
			for (unsigned int i = 0; i < d->nr_execs; i++)
				fault_stats_add(into, s->stats[i]);
}

void group_lost(struct udaxd *d, const struct group *g, struct lost_times *into)
{
	const struct group *each;

	memset(into, 0, sizeof(*into));
	lock_take(&d->lost_lock);
	if (!g)
		*into = d->retired.lost;
	list_for_each(each, &d->groups, link)
		if (!g || each == g)
			lost_times_add(into, &each->lost);
	lock_release(&d->lost_lock);
}

/* Daemon lock held. */
static bool group_idle(struct udaxd *d, uint64_t token)
{
	struct group *g = group_find(d, token);
	struct session *s;

	if (!g)
		return true;
	if (g->draining || d->nr_closing)
		return false;
	list_for_each(s, &d->sessions, link)
		if (s->group == g && (atomic_load(&s->state) != SESSION_LIVE ||
				      session_process_gone(s)))
			return false;
	return true;
}

void group_check(struct udaxd *d)
{
	struct group_wait *w, *n;

	lock_take(&d->lock);
	list_for_each_safe(w, n, &d->idle_waits, link)
		if (group_idle(d, w->token)) {
			list_del(&w->link);
			loop_post(w->loop, w->msg);
		}
	lock_release(&d->lock);
	if (atomic_load(&d->stopping))
		udaxd_stop(d);	/* main looks whether all is gone */
}

void group_wait(struct udaxd *d, struct group_wait *w)
{
	session_sweep(d);
	linger_end(d, 0);
	lock_take(&d->lock);
	list_add_tail(&w->link, &d->idle_waits);
	lock_release(&d->lock);
	group_check(d);
}

bool group_wait_cancel(struct udaxd *d, struct group_wait *w)
{
	bool found;

	lock_take(&d->lock);
	found = !list_empty(&w->link);
	if (found)
		list_del(&w->link);
	lock_release(&d->lock);
	return found;
}
