/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * New connections: accepted by worker 0, which waits for the hello and gives the
 * socket to the session's home worker.
 */
#include "daemon/session.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/sock.h"

/* How long a forked child's hello may be ahead of its fork event. */
#define FORK_WAIT_NS 1000000000ull

/* Worker 0's. */
struct conn {
	struct loop_op op;
	struct udaxd *d;
	struct worker *worker;
	int fd;			/* -1: closed, or a session's now */
	struct ucred peer;
	unsigned int ops;	/* armed: @op, @timer */
	/* A forked child whose fork event has not been worked off yet. */
	struct list_head waiting;	/* worker.forked */
	struct loop_op timer;
	struct udax_msg hello;
};

struct adopt {
	struct loop_msg msg;
	struct session *session;	/* a reference */
	int fd;
};

static void watch(struct loop *loop, struct session *s, struct loop_op *op,
		  loop_fn *fn, int fd)
{
	if (op->armed || fd < 0)
		return;
	loop_op_init(op, fn);
	session_get(s);
	if (loop_poll(loop, op, fd, POLLIN))
		session_put(s);
}

static void on_socket(struct loop *loop, struct loop_op *op, int res, bool last)
{
	struct session *s = container_of(op, struct session, sock_op);
	struct worker *w = loop_owner(loop);

	if (res > 0)
		handshake_messages(w->x, s);
	if (!last)
		return;
	/* A new socket came while the old one's poll was still there. */
	if (s->rewatch && atomic_load(&s->state) == SESSION_LIVE) {
		s->rewatch = false;
		watch(loop, s, &s->sock_op, on_socket, atomic_load(&s->sock));
	}
	session_put(s);
}

static void on_pidfd(struct loop *loop, struct loop_op *op, int res, bool last)
{
	struct session *s = container_of(op, struct session, pidfd_op);

	if (res > 0)
		session_end(s);
	if (last)
		session_put(s);
}

static void adopt_on_home(struct loop *loop, struct loop_msg *msg)
{
	struct adopt *a = container_of(msg, struct adopt, msg);
	struct session *s = a->session;
	int old = atomic_load(&s->sock);

	if (a->fd >= 0 && old >= 0) {
		/* The number stays, others may be writing to it. */
		dup3(a->fd, old, O_CLOEXEC);
		close(a->fd);
		s->rewatch = s->sock_op.armed;
		if (s->rewatch)
			loop_cancel(loop, &s->sock_op);
	} else if (a->fd >= 0) {
		atomic_store(&s->sock, a->fd);
	}
	if (atomic_load(&s->state) == SESSION_LIVE) {
		watch(loop, s, &s->sock_op, on_socket, atomic_load(&s->sock));
		watch(loop, s, &s->pidfd_op, on_pidfd, atomic_load(&s->pidfd));
	}
	session_put(s);
	free(a);
}

void session_adopt(struct session *s, int sock)
{
	struct adopt *a = calloc(1, sizeof(*a));

	if (!a) {
		if (sock >= 0)
			close(sock);
		return;
	}
	session_get(s);
	a->session = s;
	a->fd = sock;
	a->msg.fn = adopt_on_home;
	loop_post(s->home->loop, &a->msg);
}

/* One mm, one session: after exec the process says hello with a new one. */
static void end_previous(struct udaxd *d, pid_t pid)
{
	struct session *s;

	lock_take(&d->lock);
	list_for_each(s, &d->sessions, link)
		if (s->pid == pid && (s->uffd < 0 || session_mm_gone(s)))
			session_end(s);
	lock_release(&d->lock);
}

static struct session *hello_new(struct conn *c, const struct udax_hello *h)
{
	struct session *s;

	end_previous(c->d, c->peer.pid);
	s = session_new(c->d, h->token, c->peer.pid);
	if (!s)
		return NULL;
	s->mmap_lock.on = h->flags & UDAX_HELLO_MMAP_LOCK;
	if (s->mmap_lock.on) {
		lock_take(&c->d->lock);
		s->group->mmap_lock = true;
		lock_release(&c->d->lock);
	}
	session_publish(s);
	return s;
}

static void reply_hello(struct conn *c, const struct udax_msg *m,
			struct session *s, unsigned int flags)
{
	struct udax_msg reply = *m;
	bool send_dev = !(flags & UDAX_HELLO_CLAIMED) && c->d->dev >= 0;

	if (c->d->opt.track == TRACK_EXACT)
		flags |= UDAX_HELLO_EXACT;
	reply.hello.session = s ? s->id : 0;
	reply.hello.flags = flags;
	wire_reply(c->fd, m, 0, &reply, &c->d->dev, send_dev);
}

/* The forked child's session, with a reference, if its fork event was seen. */
static struct session *claim(struct conn *c, const struct udax_hello *h)
{
	struct session *s = session_claim(c->d, h->session, c->peer.pid,
					  h->probe);

	if (s && !s->pid)
		session_identify(s, c->peer.pid);
	return s;
}

/* The session, whose reference is taken over, has the socket from now on. */
static void welcome(struct conn *c, const struct udax_msg *m, struct session *s,
		    unsigned int flags)
{
	reply_hello(c, m, s, flags);
	session_adopt(s, c->fd);
	session_put(s);
}

/*
 * With EVENT_FORK the event was read before the child could speak, but another
 * worker may still be making its session.
 */
static bool fork_event_due(struct udaxd *d, uint64_t parent)
{
	struct session *s = session_find(d, parent);
	bool due = s && s->features & UFFD_FEATURE_EVENT_FORK;

	if (s)
		session_put(s);
	return due;
}

static void on_fork_timer(struct loop *loop, struct loop_op *op, int res,
			  bool last);

/* conn_forked() or the timer will say it again. */
static bool wait_for_fork(struct conn *c, const struct udax_msg *m)
{
	if (c->timer.armed ||
	    loop_timeout(c->worker->loop, &c->timer, FORK_WAIT_NS))
		return false;
	c->ops++;
	c->hello = *m;
	list_add_tail(&c->waiting, &c->worker->forked);
	return true;
}

/* True: the socket has an owner now (or is closed). @late: waited in vain. */
static bool hello(struct conn *c, const struct udax_msg *m, bool late)
{
	const struct udax_hello *h = &m->hello;
	struct session *s = NULL;
	unsigned int flags = 0;

	switch (h->kind) {
	case UDAX_HELLO_NEW:
		s = hello_new(c, h);
		break;
	case UDAX_HELLO_FORKED:
		s = claim(c, h);
		if (s) {
			flags = UDAX_HELLO_CLAIMED;
		} else if (!late && fork_event_due(c->d, h->session) &&
			   wait_for_fork(c, m)) {
			return false;
		} else {
			s = hello_new(c, h);
		}
		break;
	case UDAX_HELLO_AGAIN:
		s = session_find(c->d, h->session);
		if (s && s->pid != c->peer.pid) {
			session_put(s);
			s = NULL;
		}
		flags = s ? UDAX_HELLO_CLAIMED : 0;
		if (!s)
			s = hello_new(c, h);
		break;
	case UDAX_HELLO_AGENT:
		s = session_find(c->d, h->session);
		if (s && s->pid == c->peer.pid) {
			zap_adopt(s, c->fd, m);
			return true;
		}
		if (s)
			session_put(s);
		wire_reply(c->fd, m, ESRCH, NULL, NULL, 0);
		return false;
	case UDAX_HELLO_KEEPER: {
		struct group *g = group_get(c->d, h->token);

		reply_hello(c, m, NULL, UDAX_HELLO_CLAIMED);
		if (!g)
			return false;
		keeper_add(c->worker, g, c->fd);
		return true;
	}
	default:
		wire_reply(c->fd, m, EINVAL, NULL, NULL, 0);
		return false;
	}
	if (!s) {
		wire_reply(c->fd, m, ENOMEM, NULL, NULL, 0);
		return false;
	}
	welcome(c, m, s, flags);
	return true;
}

enum first { FIRST_MORE, FIRST_NONE, FIRST_OVER };

/* One packet. OVER: nothing more to do with this connection. */
static enum first first_message(struct conn *c)
{
	struct udax_msg m = { 0 };
	int fds[UDAX_WIRE_MAX_FDS];
	unsigned int nfds = UDAX_WIRE_MAX_FDS;
	ssize_t len = sock_recv(c->fd, &m, sizeof(m), fds, &nfds, MSG_DONTWAIT);
	int err;

	if (len == -EAGAIN)
		return FIRST_NONE;
	if (!len || (len < 0 && len != -EMSGSIZE && len != -ETOOMANYREFS)) {
		close(c->fd);
		c->fd = -1;
		return FIRST_OVER;
	}
	for (unsigned int i = 0; i < nfds; i++)
		close(fds[i]);
	err = wire_check(&m, len, nfds);
	if (!err && m.hdr.op != UDAX_OP_HELLO)
		err = EPROTO;
	if (err) {
		wire_reply(c->fd, &m, err, NULL, NULL, 0);
		return FIRST_MORE;
	}
	/* Nothing else is due from a child that waits. */
	if (!list_empty(&c->waiting)) {
		wire_reply(c->fd, &m, EPROTO, NULL, NULL, 0);
		return FIRST_MORE;
	}
	if (hello(c, &m, false)) {
		c->fd = -1;
		return FIRST_OVER;
	}
	return FIRST_MORE;
}

static void conn_put(struct conn *c)
{
	if (--c->ops)
		return;
	if (c->fd >= 0)
		close(c->fd);
	free(c);
}

/* Ends what is armed; the last of it frees. */
static void conn_end(struct conn *c)
{
	if (!list_empty(&c->waiting))
		list_del(&c->waiting);
	if (c->timer.armed)
		loop_cancel(c->worker->loop, &c->timer);
	if (c->op.armed)
		loop_cancel(c->worker->loop, &c->op);
}

static void on_fork_timer(struct loop *loop, struct loop_op *op, int res,
			  bool last)
{
	struct conn *c = container_of(op, struct conn, timer);

	if (res != -ECANCELED && !list_empty(&c->waiting)) {
		list_del(&c->waiting);
		if (hello(c, &c->hello, true)) {
			c->fd = -1;
			conn_end(c);
		}
	}
	conn_put(c);
}

void conn_forked(struct worker *w)
{
	struct conn *c, *n;

	list_for_each_safe(c, n, &w->forked, waiting) {
		struct session *s = claim(c, &c->hello.hello);

		if (!s)
			continue;
		welcome(c, &c->hello, s, UDAX_HELLO_CLAIMED);
		c->fd = -1;
		conn_end(c);
	}
}

static void on_first(struct loop *loop, struct loop_op *op, int res, bool last)
{
	struct conn *c = container_of(op, struct conn, op);

	enum first first = FIRST_MORE;

	/* Polls are edge triggered: to the last packet. */
	while (res > 0 && c->fd >= 0 && first == FIRST_MORE)
		first = first_message(c);
	if (first == FIRST_OVER)
		conn_end(c);
	if (last)
		conn_put(c);
}

/* Root and our own user; others would get what only we may do. */
static bool may_connect(const struct ucred *peer)
{
	return peer->uid == 0 || peer->uid == geteuid();
}

static void refuse(int fd)
{
	struct udax_msg m = { .hdr = {
		.magic = UDAX_WIRE_MAGIC, .version = UDAX_WIRE_VERSION,
		.op = UDAX_OP_HELLO,
	} };

	wire_reply(fd, &m, EPERM, NULL, NULL, 0);
	close(fd);
}

void conn_accept(struct worker *w)
{
	struct udaxd *d = w->x->d;
	struct conn *c;
	int fd;

	while ((fd = sock_accept(d->listen, SOCK_NONBLOCK)) >= 0) {
		struct ucred peer;

		if (sock_peer(fd, &peer) || !may_connect(&peer)) {
			refuse(fd);
			continue;
		}
		c = calloc(1, sizeof(*c));
		if (!c) {
			close(fd);
			continue;
		}
		c->d = d;
		c->worker = w;
		c->fd = fd;
		c->peer = peer;
		c->ops = 1;
		list_init(&c->waiting);
		loop_op_init(&c->timer, on_fork_timer);
		loop_op_init(&c->op, on_first);
		if (loop_poll(w->loop, &c->op, fd, POLLIN)) {
			close(fd);
			free(c);
		}
	}
}
