/* SPDX-License-Identifier: BSD-3-Clause */
#include "cli/keeper.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/sock.h"
#include "udax/wire.h"

struct kept {
	uint64_t session;
	int fds[UDAX_WIRE_MAX_FDS];
	unsigned int nfds;
};

static void drop(struct kept *kept)
{
	while (kept->nfds)
		close(kept->fds[--kept->nfds]);
}

static int add(struct keeper *k, uint64_t session, const int *fds,
	       unsigned int nfds)
{
	struct kept *kept;
	size_t max;

	if (k->nr == k->max) {
		max = k->max ? k->max * 2 : 16;
		kept = reallocarray(k->kept, max, sizeof(*kept));
		if (!kept)
			return -ENOMEM;
		k->kept = kept;
		k->max = max;
	}
	kept = &k->kept[k->nr++];
	kept->session = session;
	kept->nfds = nfds;
	memcpy(kept->fds, fds, nfds * sizeof(*fds));
	k->ever = true;
	return 0;
}

/* A session has one row for each image file that it maps. */
static void drop_session(struct keeper *k, uint64_t session)
{
	for (size_t i = 0; i < k->nr;) {
		if (k->kept[i].session != session) {
			i++;
			continue;
		}
		drop(&k->kept[i]);
		k->kept[i] = k->kept[--k->nr];
	}
}

static int receive(int fd, struct udax_msg *msg, int *fds, unsigned int *nfds,
		   int flags)
{
	ssize_t n;

	*nfds = UDAX_WIRE_MAX_FDS;
	n = sock_recv(fd, msg, sizeof(*msg), fds, nfds, flags);
	if (n < 0)
		return n;
	if (!n)
		return -ECONNRESET;
	if (n == sizeof(*msg) && msg->hdr.magic == UDAX_WIRE_MAGIC &&
	    msg->hdr.version == UDAX_WIRE_VERSION)
		return 0;
	while (*nfds)
		close(fds[--*nfds]);
	return -EPROTO;
}

static int hello(int fd, uint64_t token)
{
	struct udax_msg msg = {
		.hdr = {
			.magic = UDAX_WIRE_MAGIC,
			.version = UDAX_WIRE_VERSION,
			.op = UDAX_OP_HELLO,
			.seq = 1,
			.flags = UDAX_F_REPLY,
		},
		.hello = { .kind = UDAX_HELLO_KEEPER, .token = token },
	};
	int fds[UDAX_WIRE_MAX_FDS], err;
	unsigned int nfds;

	err = sock_send(fd, &msg, sizeof(msg), NULL, 0, 0);
	if (!err)
		err = receive(fd, &msg, fds, &nfds, 0);
	if (err)
		return err;
	/* A program gets /dev/userfaultfd with the reply; a keeper needs none. */
	while (nfds)
		close(fds[--nfds]);
	if (msg.hdr.op != (UDAX_OP_HELLO | UDAX_OP_REPLY))
		return -EPROTO;
	return -msg.hdr.error;
}

int keeper_open(struct keeper *k, const char *socket, uint64_t token, char *why,
		size_t why_len)
{
	int err;

	*k = (struct keeper) { .fd = -1 };
	k->fd = sock_connect(socket, SOCK_SEQPACKET, why, why_len);
	if (k->fd < 0)
		return k->fd;
	err = hello(k->fd, token);
	if (!err)
		return 0;
	snprintf(why, why_len, "%s: %s", socket, strerror(-err));
	keeper_close(k);
	return err;
}

int keeper_receive(struct keeper *k)
{
	int fds[UDAX_WIRE_MAX_FDS], err;
	struct udax_msg msg;
	unsigned int nfds;

	err = receive(k->fd, &msg, fds, &nfds, MSG_DONTWAIT);
	if (err)
		return err == -EAGAIN ? 0 : err;
	if (msg.hdr.op != UDAX_OP_KEEP)
		err = -EPROTO;
	else if (nfds)
		err = add(k, msg.keep.session, fds, nfds);
	else
		drop_session(k, msg.keep.session);
	if (err)
		while (nfds)
			close(fds[--nfds]);
	if (!(msg.hdr.flags & UDAX_F_REPLY))
		return 0;
	msg.hdr.op |= UDAX_OP_REPLY;
	msg.hdr.flags = 0;
	msg.hdr.nfds = 0;
	msg.hdr.error = -err;
	return sock_send(k->fd, &msg, sizeof(msg), NULL, 0, 0);
}

void keeper_close(struct keeper *k)
{
	for (size_t i = 0; i < k->nr; i++)
		drop(&k->kept[i]);
	free(k->kept);
	if (k->fd >= 0)
		close(k->fd);
	*k = (struct keeper) { .fd = -1 };
}
