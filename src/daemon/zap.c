/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Exact tracking: translations that the emulated tables lose go in reality too.
 * udaxd cannot take them out of another process, and a punch of the file would
 * lose what write(2) may have put there meanwhile. So a thread of the program,
 * the agent, zaps what it is told to (struct udax_zap).
 *
 * The table is changed first, then the zap is queued: a fault that comes in
 * between goes the protocol's way, and waits for the entry. Nothing is held while
 * somebody waits for a zap, and nobody waits for that of another process: one
 * that is stopped must not stop others. The reply to a request waits for what its
 * process has to zap, and so does the end of a fault: its thread goes on when
 * its own process has lost what the kernel would have taken from it.
 *
 * While a message is unanswered no bracket begins, inside one none is sent: what
 * was queued is looked up again when it is over.
 */
#include "daemon/session.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/sock.h"

/* ------------------------------------------------------------------ queue */

/* What is on its way or was dropped counts as done once nothing is before it. */
static void settle(struct zapper *z)
{
	if (!z->nr && !z->busy)
		z->done = z->queued;
}

static void send_next(struct session *s)
{
	struct zapper *z = &s->zapper;
	struct udax_msg m = { .hdr = {
		.magic = UDAX_WIRE_MAGIC, .version = UDAX_WIRE_VERSION,
		.op = UDAX_OP_ZAP, .flags = UDAX_F_REPLY,
	} };
	unsigned int n = z->nr < UDAX_ZAP_RANGES ? z->nr : UDAX_ZAP_RANGES;

	if (z->busy || !n || z->sock < 0 || atomic_load(&s->blocked))
		return;
	for (unsigned int i = 0; i < n; i++) {
		m.zap.range[i].addr = z->queue[i].start;
		m.zap.range[i].len = z->queue[i].end - z->queue[i].start;
	}
	m.zap.nr = n;
	if (sock_send(z->sock, &m, sizeof(m), NULL, 0, MSG_DONTWAIT) < 0)
		return;		/* it hangs up: zap_lost() */
	z->nr -= n;
	memmove(z->queue, z->queue + n, z->nr * sizeof(*z->queue));
	z->busy = true;
	z->sent = z->queued - z->nr;
}

static void put_range(struct zapper *z, uint64_t start, uint64_t end)
{
	struct zap_range *last = z->nr ? &z->queue[z->nr - 1] : NULL, *q;

	if (last && last->end == start) {
		last->end = end;
		return;
	}
	if (z->nr == z->room) {
		unsigned int room = z->room ? 2 * z->room : 16;

		q = realloc(z->queue, room * sizeof(*q));
		if (!q)
			return;	/* a fault less than the kernel's */
		z->queue = q;
		z->room = room;
	}
	z->queue[z->nr++] = (struct zap_range){ start, end };
	z->queued++;
}

uint64_t zap_queue(struct session *s, uint64_t start, uint64_t end)
{
	struct zapper *z = &s->zapper;

	lock_assert_held(&s->lock);
	if (z->sock < 0 || start >= end)
		return 0;
	put_range(z, start, end);
	return z->queued;
}

void zap_send(struct session *s)
{
	lock_assert_held(&s->lock);
	send_next(s);
	settle(&s->zapper);
}

/* Of [start, end) what is still mapped. */
static void keep_mapped(struct session *s, uint64_t start, uint64_t end)
{
	for (unsigned int i = region_index(s, start); i < s->nr_regions; i++) {
		const struct region *r = s->regions[i];

		if (r->start >= end)
			break;
		put_range(&s->zapper, r->start > start ? r->start : start,
			  r->end < end ? r->end : end);
	}
}

void zap_resume(struct session *s)
{
	struct zapper *z = &s->zapper;
	struct zap_range *old = z->queue;
	uint64_t gone = z->queued - z->nr;
	unsigned int nr = z->nr;
	struct zap_wait *w;

	lock_assert_held(&s->lock);
	if (!nr)
		return;
	z->queue = NULL;
	z->nr = z->room = 0;
	for (unsigned int i = 0; i < nr; i++)
		keep_mapped(s, old[i].start, old[i].end);
	free(old);
	/* They have other numbers now. */
	list_for_each(w, &z->waits, link)
		if (w->seq > gone)
			w->seq = z->queued;
	send_next(s);
	settle(z);
}

void zap_moved(struct session *s, uint64_t start, uint64_t end, uint64_t to)
{
	struct zapper *z = &s->zapper;
	unsigned int nr = z->nr;

	for (unsigned int i = 0; i < nr; i++) {
		struct zap_range r = z->queue[i];
		uint64_t a = r.start > start ? r.start : start;
		uint64_t b = r.end < end ? r.end : end;

		if (a < b)
			put_range(z, a - start + to, b - start + to);
	}
}

/* --------------------------------------------------------------- waiting */

bool zap_wait(struct session *s, struct zap_wait *w)
{
	struct zapper *z = &s->zapper;
	bool waits;

	lock_take(&s->lock);
	waits = w->seq > z->done;
	if (waits)
		list_add_tail(&w->link, &z->waits);
	lock_release(&s->lock);
	return waits;
}

/* Those whose zaps are done, each with the lock free. */
static void wake(struct exec *x, struct session *s)
{
	struct zapper *z = &s->zapper;
	struct zap_wait *w, *n, *found;

	do {
		found = NULL;
		lock_take(&s->lock);
		list_for_each_safe(w, n, &z->waits, link)
			if (w->seq <= z->done) {
				list_del(&w->link);
				found = w;
				break;
			}
		lock_release(&s->lock);
		if (found)
			found->fn(x, found);
	} while (found);
}

struct late_reply {
	struct zap_wait wait;
	struct session *session;	/* a reference */
	struct udax_msg msg;
};

static void send_reply(struct exec *x, struct zap_wait *w)
{
	struct late_reply *r = container_of(w, struct late_reply, wait);
	struct session *s = r->session;

	wire_reply(s->sock, &r->msg, r->msg.hdr.error, NULL, NULL, 0);
	session_put(s);
	free(r);
}

static uint64_t queued(struct session *s)
{
	uint64_t seq;

	lock_take(&s->lock);
	seq = s->zapper.queued;
	if (seq == s->zapper.done)
		seq = 0;
	lock_release(&s->lock);
	return seq;
}

void zap_reply(struct session *s, const struct udax_msg *req, int error,
	       struct udax_msg *reply)
{
	uint64_t seq = queued(s);
	struct late_reply *r = seq ? calloc(1, sizeof(*r)) : NULL;

	if (!r) {
		wire_reply(s->sock, req, error, reply, NULL, 0);
		return;
	}
	r->msg = reply ? *reply : *req;
	r->msg.hdr = req->hdr;
	r->msg.hdr.error = error;
	r->wait.seq = seq;
	r->wait.fn = send_reply;
	session_get(s);
	r->session = s;
	if (!zap_wait(s, &r->wait))
		send_reply(NULL, &r->wait);
}

/* ----------------------------------------------------------------- agent */

/* There is no agent any more: nobody waits for it. Home worker. */
static void zap_lost(struct exec *x, struct session *s)
{
	struct zapper *z = &s->zapper;

	lock_take(&s->lock);
	if (z->sock >= 0)
		close(z->sock);
	z->sock = -1;
	z->busy = false;
	z->nr = 0;
	settle(z);
	lock_release(&s->lock);
	bracket_quiet(s);
	wake(x, s);
}

static bool is_answer(const struct udax_msg *m, ssize_t len)
{
	return len == sizeof(*m) && m->hdr.magic == UDAX_WIRE_MAGIC &&
	       m->hdr.version == UDAX_WIRE_VERSION &&
	       m->hdr.op == (UDAX_OP_ZAP | UDAX_OP_REPLY);
}

/* False: nothing more is there. */
static bool one_answer(struct exec *x, struct session *s)
{
	struct zapper *z = &s->zapper;
	struct udax_msg m;
	unsigned int nfds = 0;
	ssize_t len = sock_recv(z->sock, &m, sizeof(m), NULL, &nfds,
				MSG_DONTWAIT);

	if (len == -EAGAIN)
		return false;
	if (!is_answer(&m, len)) {
		zap_lost(x, s);
		return false;
	}
	lock_take(&s->lock);
	if (z->busy)
		z->done = z->sent;
	z->busy = false;
	send_next(s);
	settle(z);
	lock_release(&s->lock);
	bracket_quiet(s);
	wake(x, s);
	return true;
}

static void on_agent(struct loop *loop, struct loop_op *op, int res, bool last)
{
	struct session *s = container_of(op, struct session, zapper.op);
	struct worker *w = loop_owner(loop);

	while (res > 0 && s->zapper.sock >= 0 && one_answer(w->x, s))
		;
	if (last) {
		if (s->zapper.sock >= 0)
			zap_lost(w->x, s);
		session_put(s);
	}
	exec_run_ready(w->x);
}

void zap_init(struct session *s)
{
	s->zapper.sock = -1;
	list_init(&s->zapper.waits);
}

void zap_free(struct session *s)
{
	if (s->zapper.sock >= 0)
		close(s->zapper.sock);
	free(s->zapper.queue);
}

struct adopt_agent {
	struct loop_msg msg;
	struct session *session;	/* a reference */
	int sock;
	struct udax_msg hello;
};

static void adopt_on_home(struct loop *loop, struct loop_msg *msg)
{
	struct adopt_agent *a = container_of(msg, struct adopt_agent, msg);
	struct session *s = a->session;
	struct zapper *z = &s->zapper;
	int err = EBUSY;

	if (atomic_load(&s->state) == SESSION_LIVE && z->sock < 0 &&
	    !z->op.armed) {
		lock_take(&s->lock);
		z->sock = a->sock;
		lock_release(&s->lock);
		loop_op_init(&z->op, on_agent);
		session_get(s);
		err = -loop_poll(loop, &z->op, z->sock, POLLIN);
		if (err) {
			session_put(s);
			lock_take(&s->lock);
			z->sock = -1;
			lock_release(&s->lock);
		}
	}
	wire_reply(a->sock, &a->hello, err, NULL, NULL, 0);
	if (err)
		close(a->sock);
	session_put(s);
	free(a);
}

void zap_adopt(struct session *s, int sock, const struct udax_msg *hello)
{
	struct adopt_agent *a = calloc(1, sizeof(*a));

	if (!a) {
		wire_reply(sock, hello, ENOMEM, NULL, NULL, 0);
		close(sock);
		session_put(s);
		return;
	}
	a->session = s;
	a->sock = sock;
	a->hello = *hello;
	a->msg.fn = adopt_on_home;
	loop_post(s->home->loop, &a->msg);
}

void zap_end(struct exec *x, struct loop *loop, struct session *s)
{
	if (s->zapper.op.armed)
		loop_cancel(loop, &s->zapper.op);
	zap_lost(x, s);
}

/* ----------------------------------------------------------------- tables */

struct zapping {
	struct region *region;
	uint64_t seq;
};

static void zap_window(void *arg, uint64_t from, uint64_t to)
{
	struct zapping *z = arg;
	struct region *r = z->region;
	uint64_t seq;

	seq = zap_queue(r->session, from > r->start ? from : r->start,
			to < r->end ? to : r->end);
	if (seq)
		z->seq = seq;
}

/* Session lock held. */
static uint64_t zap_locked(struct region *r, uint64_t start, uint64_t end)
{
	struct zapping z = { .region = r };

	pgtable_zap_each(&r->pt, start, end, zap_window, &z);
	return z.seq;
}

uint64_t zap_region(struct region *r, uint64_t start, uint64_t end)
{
	struct session *s = r->session;
	uint64_t seq = 0;

	lock_take(&s->lock);
	if (!atomic_load(&r->dead)) {
		seq = zap_locked(r, start, end);
		zap_send(s);
	}
	lock_release(&s->lock);
	return seq;
}

uint64_t zap_again(struct region *r, uint64_t start, uint64_t end)
{
	struct session *s = r->session;
	uint64_t seq = 0;

	lock_take(&s->lock);
	if (!atomic_load(&r->dead)) {
		seq = zap_queue(s, start, end);
		zap_send(s);
	}
	lock_release(&s->lock);
	return seq;
}

/* One pass; *@missed: a region was replaced meanwhile, by ones not seen. */
static uint64_t zap_regions(struct file *f, uint64_t index, uint64_t nr,
			    const struct session *own, bool *missed)
{
	struct region_ref all = { 0 };
	uint64_t seq = 0, start, end;

	*missed = false;
	file_get_regions(f, &all);
	for (unsigned int i = 0; i < all.nr; i++) {
		struct region *r = all.r[i];
		uint64_t mine;

		if (!region_overlap(r, index, nr, &start, &end))
			continue;
		mine = zap_region(r, start, end);
		if (r->session == own && mine > seq)
			seq = mine;
		*missed |= atomic_load(&r->dead);
	}
	region_ref_put(&all);
	return seq;
}

uint64_t zap_file(struct file *f, uint64_t index, uint64_t nr,
		  const struct session *own)
{
	uint64_t seq = 0, found;
	bool missed;

	do {
		found = zap_regions(f, index, nr, own, &missed);
		if (found)
			seq = found;
	} while (missed);
	return seq;
}

static void task_zapped(struct exec *x, struct zap_wait *w)
{
	struct task *t = container_of(w, struct task, zap);

	list_add_tail(&t->link, &x->ready_tasks);
}

bool zap_task(struct task *t)
{
	t->zap.fn = task_zapped;
	return t->zap.seq && zap_wait(t->region->session, &t->zap);
}

bool zap_pending(struct session *s, uint64_t seq)
{
	bool pending;

	lock_take(&s->lock);
	pending = seq > s->zapper.done;
	lock_release(&s->lock);
	return pending;
}
