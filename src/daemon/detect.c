/* SPDX-License-Identifier: BSD-3-Clause */
#include "daemon/detect.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/session.h"
#include "daemon/sleeper.h"
#include "daemon/trace.h"

/* Reports a second; what is more is counted only. */
#define REPORTS_MAX 10
#define SECOND_NS 1000000000ull

struct locked {
	uint64_t index, key;
	unsigned int order;
};

#define SLEEPERS_MAX 16
#define LOCKED_MAX 8

/* What detect_report() will say; one an executor. */
struct report {
	char name[256];
	const char *protocol;
	enum udaxd_lost action;
	uint64_t since;			/* the end of the step, ns */
	struct session *session;	/* of the first that was found; a reference, or NULL */
	bool told, full;
	uint64_t total, untold;
	unsigned int fresh;		/* found in this look */
	unsigned int nr_sleepers, nr_locked;	/* in the file, not: below */
	unsigned int nr;
	struct sleeper sleeper[SLEEPERS_MAX];
	struct locked locked[LOCKED_MAX];
	char text[8192];
};

int detect_init(struct exec *x)
{
	x->report = calloc(1, sizeof(*x->report));
	return x->report ? 0 : -ENOMEM;
}

void detect_exit(struct exec *x)
{
	free(x->report);
}

/* ------------------------------------------------------------- what is done */

static bool process_known(const struct session *s)
{
	return atomic_load(&s->pidfd) >= 0;
}

static bool is_ending(const struct task *t)
{
	const struct session *s = task_session(t);

	return s && atomic_load(&s->state) != SESSION_LIVE;
}

/*
 * Is the sleeper, once what it waits for is released, to be woken by us? There
 * is nobody to report to, or to kill, for an operation of our own.
 */
static bool must_wake(struct udaxd *d, const struct task *t)
{
	const struct session *s = task_session(t);
	enum udaxd_lost action = atomic_load(&d->on_lost);

	return action == LOST_KICK || !s || atomic_load(&d->stopping) ||
	       is_ending(t) ||
	       (action == LOST_KILL && !process_known(s));
}

/*
 * What the protocol has left asleep is woken when the entry that it saw locked
 * has been released: sooner it could only sleep again. i_pages held.
 */
static void kick(struct exec *x, struct file *f)
{
	struct dax_waiter *w;

	/* The protocol's own wake is due: it comes first. */
	if (f->mapping.wakes_pending)
		return;
	list_for_each(w, &f->mapping.sleepers, sleeper) {
		struct task *t = task_of(dax_waiter_op(w));

		if (!w->stranded || !w->released || !w->queued ||
		    !must_wake(x->d, t))
			continue;
		/* Not who is let go because its program has ended. */
		if (dax_op_kick(&t->op, &x->ready) && !is_ending(t))
			counter_add(&task_stats(x, t)->kicked, 1);
	}
}

static void kill_program(const struct session *s)
{
	if (s && process_known(s))
		syscall(SYS_pidfd_send_signal, atomic_load(&s->pidfd), SIGKILL,
			NULL, 0);
}

struct look {
	struct exec *x;
	struct file *file;
	struct dax_op *fresh[SLEEPERS_MAX];
};

static void found(struct dax_op *op, void *arg)
{
	struct look *l = arg;
	struct report *r = l->x->report;
	struct task *t = task_of(op);

	t->stranded_ns = r->since;
	counter_add(&task_stats(l->x, t)->dax.stranded, 1);
	trace_stranded(l->x, t);
	l->file->lost++;
	if (r->fresh < SLEEPERS_MAX)
		l->fresh[r->fresh] = op;
	r->fresh++;
	if (!r->session && task_session(t)) {
		r->session = task_session(t);
		session_get(r->session);
	}
	if (atomic_load(&l->x->d->on_lost) == LOST_KILL)
		kill_program(task_session(t));
}

/* ------------------------------------------------------------ what is told */

/* May another report be printed? What was not is counted in @untold. */
static bool may_report(struct udaxd *d, uint64_t *untold)
{
	uint64_t now = now_ns();
	bool may;

	lock_take(&d->lost_lock);
	if (now - d->lost_since > SECOND_NS) {
		d->lost_since = now;
		d->lost_reports = 0;
	}
	may = d->lost_reports < REPORTS_MAX;
	d->lost_reports += may;
	if (may) {
		*untold = d->lost_untold;
		d->lost_untold = 0;
	} else {
		d->lost_untold++;
	}
	lock_release(&d->lost_lock);
	return may;
}

static void copy_sleeper(struct report *r, struct dax_op *op)
{
	if (r->nr < SLEEPERS_MAX)
		sleeper_copy(&r->sleeper[r->nr++], op);
}

static void copy_locked(struct report *r, const struct dax_mapping *m)
{
	uint64_t index = 0;
	dax_entry_t entry;

	r->nr_locked = 0;
	for (; (entry = dax_table_next(&m->table, &index, UINT64_MAX));
	     index = dax_entry_last(entry, index) + 1) {
		unsigned int order = dax_entry_order(entry);
		uint64_t first = dax_entry_first(entry, index);

		if (!dax_is_locked(entry))
			continue;
		if (r->nr_locked < LOCKED_MAX)
			r->locked[r->nr_locked] = (struct locked) {
				first, dax_unlock_key(m, first, order), order
			};
		r->nr_locked++;
	}
}

static bool is_fresh(const struct look *l, const struct dax_op *op)
{
	for (unsigned int i = 0; i < l->x->report->fresh && i < SLEEPERS_MAX; i++)
		if (l->fresh[i] == op)
			return true;
	return false;
}

/* i_pages held: everything is of one moment. */
static void copy_report(struct look *l)
{
	const struct dax_mapping *m = &l->file->mapping;
	struct report *r = l->x->report;
	struct dax_waiter *w;

	snprintf(r->name, sizeof(r->name), "%s", l->file->media->name);
	r->protocol = m->proto->name;
	r->action = atomic_load(&l->x->d->on_lost);
	r->total = l->file->lost;
	r->full = !l->file->lost_told;
	l->file->lost_told = true;
	r->nr = r->nr_sleepers = 0;
	for (unsigned int i = 0; i < r->fresh && i < SLEEPERS_MAX; i++)
		copy_sleeper(r, l->fresh[i]);
	if (!r->full)
		return;
	list_for_each(w, &m->sleepers, sleeper) {
		r->nr_sleepers += w->queued;
		if (w->queued && !is_fresh(l, dax_waiter_op(w)))
			copy_sleeper(r, dax_waiter_op(w));
	}
	copy_locked(r, m);
}

bool detect(struct exec *x, struct file *f)
{
	struct look l = { .x = x, .file = f };
	struct report *r = x->report;

	r->since = now_ns();
	r->session = NULL;
	r->fresh = 0;
	r->untold = 0;
	dax_find_stranded(&f->mapping, found, &l);
	if (!f->lost)
		return false;
	if (r->fresh)
		atomic_store(&x->d->lost, true);
	/* A file's first is always told, and everybody as he slept. */
	r->told = r->fresh && (!f->lost_told || may_report(x->d, &r->untold));
	if (r->told)
		copy_report(&l);
	kick(x, f);
	return r->fresh;
}

/* ------------------------------------------------------------------- words */

static void __attribute__((format(printf, 2, 3)))
say(struct report *r, const char *fmt, ...)
{
	size_t used = strlen(r->text), room = sizeof(r->text) - used;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(r->text + used, room, fmt, ap);
	va_end(ap);
}

/* The slot of an order in an XArray of 64-slot nodes: xas->xa_shift. */
static unsigned int shift_of(unsigned int order)
{
	return order - order % 6;
}

static void say_sleeper(struct report *r, const struct sleeper *s)
{
	char name[SLEEPER_NAME];

	sleeper_name(s, name, sizeof(name));
	say(r, "udaxd:   %s index: 0x%" PRIx64 " shift: %u order: %u page: 0x%"
	    PRIx64 " key: 0x%" PRIx64 "%s%s: index 0x%" PRIx64
	    " order %u %s in its way, whose release wakes key 0x%" PRIx64 "\n",
	    name, s->index, shift_of(s->order), s->order, s->page, s->key,
	    s->exclusive ? "" : " (non-exclusive)",
	    s->stranded ? " STRANDED" : "", s->blocker, s->blocker_order,
	    s->released ? "was" : "is", s->wakes);
}

static const char *const actions[] = {
	[LOST_REPORT] = "it stays asleep",
	[LOST_KICK] = "it is woken when what it waits for is released",
	[LOST_KILL] = "its program is killed",
};

static void say_full(struct report *r)
{
	/* Those that were found in this look stand first. */
	for (unsigned int i = 0; i < r->fresh && i < r->nr; i++) {
		char name[SLEEPER_NAME];

		sleeper_name(&r->sleeper[i], name, sizeof(name));
		say(r, "udaxd: %s: lost wakeup, protocol %s: %s sleeps on key 0x%"
		    PRIx64 ", and nobody is left to wake it; %s\n",
		    r->name, r->protocol, name, r->sleeper[i].key,
		    actions[r->action]);
	}
	say(r, "udaxd:   fs/dax locked entries: %u\n", r->nr_locked);
	for (unsigned int i = 0; i < r->nr_locked && i < LOCKED_MAX; i++)
		say(r, "udaxd:   index: 0x%" PRIx64 " order: %u, whose unlock wakes key 0x%"
		    PRIx64 "\n", r->locked[i].index, r->locked[i].order,
		    r->locked[i].key);
	say(r, "udaxd:   fs/dax wait entries: %u\n", r->nr_sleepers);
	for (unsigned int i = 0; i < r->nr; i++)
		say_sleeper(r, &r->sleeper[i]);
}

static void say_short(struct report *r)
{
	for (unsigned int i = 0; i < r->nr; i++) {
		const struct sleeper *s = &r->sleeper[i];
		char name[SLEEPER_NAME];

		sleeper_name(s, name, sizeof(name));
		say(r, "udaxd: %s: lost wakeup, protocol %s: %s index 0x%" PRIx64
		    " order %u sleeps on key 0x%" PRIx64 ", index 0x%" PRIx64
		    " order %u wakes key 0x%" PRIx64 " (%" PRIu64 " so far)\n",
		    r->name, r->protocol, name, s->index, s->order, s->key,
		    s->blocker, s->blocker_order, s->wakes, r->total);
	}
}

static void tell(struct report *r)
{
	r->text[0] = '\0';
	if (r->untold)
		say(r, "udaxd: %" PRIu64 " more reports of lost wakeups were left out\n",
		    r->untold);
	if (r->full)
		say_full(r);
	else
		say_short(r);
	/* One write: other threads write to the same stderr. */
	dprintf(STDERR_FILENO, "%s", r->text);
}

/* ------------------------------------------------------------------- times */

static void note_time(struct session *s, struct hist *h, uint64_t since)
{
	uint64_t now = now_ns();

	lock_take(&s->d->lost_lock);
	hist_add(h, now - since);
	lock_release(&s->d->lost_lock);
}

void detect_report(struct exec *x)
{
	struct report *r = x->report;
	struct session *s = r->session;

	if (r->told)
		tell(r);
	r->session = NULL;
	if (!s)
		return;
	note_time(s, &s->group->lost.detect, r->since);
	session_put(s);
}

void detect_woken(struct exec *x, struct task *t)
{
	struct session *s = task_session(t);

	/* Not who is let go because its program has ended. */
	if (!s || is_ending(t))
		return;
	note_time(s, t->op.waiter.kicked ? &s->group->lost.kicked :
					   &s->group->lost.rescued,
		  t->stranded_ns);
}

/* ----------------------------------------------------------------- release */

static void release_on_worker(struct loop *loop, struct loop_msg *msg)
{
	struct worker *w = loop_owner(loop);
	struct udaxd *d = w->x->d;
	struct file *f;

	atomic_store(&d->release_posted, false);
	lock_take(&d->lock);
	list_for_each(f, &d->files, link) {
		lock_take(&f->mapping.i_pages);
		if (f->lost)
			kick(w->x, f);
		lock_release(&f->mapping.i_pages);
	}
	lock_release(&d->lock);
	exec_run_ready(w->x);
}

void detect_release(struct udaxd *d)
{
	if (!atomic_load(&d->lost) || atomic_exchange(&d->release_posted, true))
		return;
	d->release_msg.fn = release_on_worker;
	loop_post(d->workers[0]->loop, &d->release_msg);
}
