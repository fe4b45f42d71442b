/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The keeper (`udax run`) holds duplicates of the userfaultfds and memfds of
 * image sessions. Should udaxd die, its own descriptors close, and pages that
 * were not loaded would read as zeros; with the keeper's they stall instead,
 * until the keeper has ended the programs. Should the keeper die, udaxd ends
 * them: nobody would, if it died next.
 */
#include "daemon/session.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/sock.h"

struct keeper {
	struct loop_op op;
	struct udaxd *d;
	struct group *group;
	_Atomic int fd;
};

/* Daemon lock held. */
static void kill_image_sessions(struct udaxd *d, struct group *g)
{
	struct session *s;

	list_for_each(s, &d->sessions, link) {
		if (s->group != g || !s->image || s->pidfd < 0)
			continue;
		logmsg("udax run is gone: ending pid %d (%s), whose image file "
		       "would read as zeros", (int)s->pid, s->comm);
		syscall(SYS_pidfd_send_signal, (int)s->pidfd, SIGKILL, NULL, 0);
	}
}

static void on_keeper(struct loop *loop, struct loop_op *op, int res, bool last)
{
	struct keeper *k = container_of(op, struct keeper, op);
	struct udaxd *d = k->d;
	struct udax_msg m;
	unsigned int nfds = 0;
	ssize_t len;

	/* All it ever says is that it holds what it was sent. */
	do {
		nfds = 0;
		len = sock_recv(k->fd, &m, sizeof(m), NULL, &nfds,
				MSG_DONTWAIT);
	} while (len > 0 || len == -EMSGSIZE || len == -ETOOMANYREFS);
	if (len == 0 || (len < 0 && len != -EAGAIN)) {
		lock_take(&d->lock);
		if (k->group->keeper == k) {
			k->group->keeper = NULL;
			kill_image_sessions(d, k->group);
		}
		lock_release(&d->lock);
		if (!last)
			loop_cancel(loop, op);
		if (d->opt.exit_with_keeper)
			udaxd_stop(d);
	}
	if (last) {
		close(k->fd);
		free(k);
	}
}

void keeper_add(struct worker *w, struct group *g, int sock)
{
	struct udaxd *d = w->x->d;
	struct keeper *k = calloc(1, sizeof(*k));

	if (!k) {
		close(sock);
		return;
	}
	k->d = d;
	k->group = g;
	atomic_store(&k->fd, sock);
	loop_op_init(&k->op, on_keeper);
	if (loop_poll(w->loop, &k->op, sock, POLLIN)) {
		close(sock);
		free(k);
		return;
	}
	lock_take(&d->lock);
	g->keeper = k;
	lock_release(&d->lock);
}

bool keeper_there(struct session *s)
{
	bool there;

	lock_take(&s->d->lock);
	there = s->group->keeper;
	lock_release(&s->d->lock);
	return there;
}

static int send_keep(struct session *s, const int *fds, unsigned int nfds)
{
	struct udax_msg m = { .hdr = {
		.magic = UDAX_WIRE_MAGIC, .version = UDAX_WIRE_VERSION,
		.op = UDAX_OP_KEEP, .nfds = nfds,
	} };
	int err = -ENOTCONN;

	m.keep.session = s->id;
	m.keep.pid = s->pid;
	/* Under the lock, so that the socket cannot be closed meanwhile. */
	lock_take(&s->d->lock);
	if (s->group->keeper)
		err = sock_send(s->group->keeper->fd, &m, sizeof(m), fds, nfds,
				MSG_DONTWAIT);
	lock_release(&s->d->lock);
	return err;
}

/*
 * What is in the keeper's socket is held: the kernel keeps the descriptors of a
 * packet alive until it is received, so that its answer need not be awaited.
 */
int keeper_keep(struct session *s, int memfd)
{
	int fds[2] = { s->uffd, memfd };

	return send_keep(s, fds, memfd >= 0 ? 2 : 1);
}

void keeper_drop(struct session *s)
{
	send_keep(s, NULL, 0);
}
