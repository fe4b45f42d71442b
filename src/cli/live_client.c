/* SPDX-License-Identifier: BSD-3-Clause */
#include "cli/live.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/userfaultfd.h>

#include "lib/sock.h"

#ifndef USERFAULTFD_IOC_NEW
#define USERFAULTFD_IOC_NEW _IO(0xAA, 0x00)
#endif

int live_exchange(struct live *l, int sock, struct udax_msg *m, enum udax_op op,
		  const int *fds, unsigned int nfds, int *fd)
{
	int got[UDAX_WIRE_MAX_FDS];
	unsigned int nr = UDAX_WIRE_MAX_FDS;
	ssize_t n;
	int err;

	m->hdr = (struct udax_hdr){
		.magic = UDAX_WIRE_MAGIC,
		.version = UDAX_WIRE_VERSION,
		.op = op,
		.seq = ++l->seq,
		.flags = UDAX_F_REPLY,
		.nfds = nfds,
	};
	err = sock_send(sock, m, sizeof(*m), fds, nfds, 0);
	if (err)
		return err;
	n = sock_recv(sock, m, sizeof(*m), got, &nr, 0);
	if (n < 0)
		return n;
	if (n != sizeof(*m) || m->hdr.op != (op | UDAX_OP_REPLY) ||
	    m->hdr.seq != l->seq)
		return n ? -EPROTO : -ECONNRESET;
	for (unsigned int i = 0; i < nr; i++) {
		if (fd && !i)
			*fd = got[i];
		else
			close(got[i]);
	}
	return -m->hdr.error;
}

int live_call(struct live *l, struct udax_msg *m, enum udax_op op,
	      const int *fds, unsigned int nfds)
{
	return live_exchange(l, l->sock, m, op, fds, nfds, NULL);
}

int live_fs_call(struct live *l, const struct udax_fs_msg *fs, int fd)
{
	struct udax_msg m = { .fs = *fs };

	return live_call(l, &m, UDAX_OP_FS, &fd, fd >= 0);
}

int live_begin(struct live *l, const struct udax_begin *b)
{
	struct udax_msg m = { .begin = *b };

	return live_call(l, &m, UDAX_OP_BEGIN, NULL, 0);
}

int live_end(struct live *l, const struct udax_begin *b, int error)
{
	struct udax_msg m = { .end = {
		.what = b->what,
		.error = error,
		.prot = b->prot,
		.advice = b->advice,
		.addr = b->addr,
		.len = b->len,
		.new_addr = b->new_addr,
		.new_len = b->new_len,
	} };

	return live_call(l, &m, UDAX_OP_END, NULL, 0);
}

static int make_uffd(int dev)
{
	int fd = dev < 0 ? -1 :
		 ioctl(dev, USERFAULTFD_IOC_NEW, O_CLOEXEC | O_NONBLOCK);

	return fd < 0 ? syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK) : fd;
}

static int hello(struct live *l)
{
	/* No fault is under way while a mapping changes, as in the kernel. */
	struct udax_msg m = { .hello = {
		.kind = UDAX_HELLO_NEW,
		.flags = UDAX_HELLO_MMAP_LOCK,
	} };
	int dev = -1, uffd, err;

	if (getrandom(&m.hello.token, sizeof(m.hello.token), 0) !=
	    sizeof(m.hello.token))
		return -errno;
	err = live_exchange(l, l->sock, &m, UDAX_OP_HELLO, NULL, 0, &dev);
	if (err)
		return err;
	l->session = m.hello.session;
	uffd = make_uffd(dev);
	err = uffd < 0 ? -errno : 0;
	if (dev >= 0)
		close(dev);
	if (err)
		return err;
	err = live_call(l, &m, UDAX_OP_UFFD, &uffd, 1);
	close(uffd);
	return err;
}

int live_connect(struct live *l, const char *socket, char *msg, size_t len)
{
	int err;

	l->sock = sock_connect(socket, SOCK_SEQPACKET, msg, len);
	if (l->sock < 0)
		return l->sock;
	err = hello(l);
	if (!err)
		return 0;
	snprintf(msg, len, "udaxd does not take us: %s", strerror(-err));
	live_disconnect(l);
	return err;
}

void live_disconnect(struct live *l)
{
	close(l->sock);
	l->sock = -1;
}
