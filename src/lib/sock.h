/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Local (AF_UNIX) sockets: listen, connect, and packets with descriptors. Every
 * descriptor made here is close-on-exec. No state, no lock. Calls interrupted
 * by a signal are repeated. Results: a value >= 0, or -errno.
 */
#ifndef UDAX_LIB_SOCK_H
#define UDAX_LIB_SOCK_H

#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

/* At most so many descriptors a packet. */
#define SOCK_MAX_FDS 8u

/*
 * A listening socket at @path, and the mode of the socket file. @type:
 * SOCK_SEQPACKET or SOCK_STREAM, with SOCK_NONBLOCK if wished. A socket file
 * that nobody listens to is replaced; two callers at once are serialized by a
 * flock() of the directory, so that one of them gets -EADDRINUSE. On failure
 * @why (may be NULL) gets a sentence. The caller unlinks @path in the end.
 */
int sock_listen(const char *path, int type, mode_t mode, char *why, size_t why_len);

/* A connected socket; @type and @why as above. Blocks while the backlog is full. */
int sock_connect(const char *path, int type, char *why, size_t why_len);

/* The next connection, with SOCK_NONBLOCK if @flags has it; -EAGAIN: none. */
int sock_accept(int fd, int flags);

/* Who connected, at the time of connect(). */
int sock_peer(int fd, struct ucred *cred);

/*
 * A pidfd of the peer. Where the kernel has no SO_PEERPIDFD (before 6.5) by its
 * process id, which may have been reused if the peer is gone.
 */
int sock_peer_pidfd(int fd);

/*
 * Sends one packet with @nfds descriptors, which stay the caller's. @flags:
 * MSG_DONTWAIT or 0; SIGPIPE is never raised. 0 or -errno. On a SOCK_STREAM
 * socket @len must fit the socket's buffer: -EMSGSIZE when a part was sent.
 */
int sock_send(int fd, const void *buf, size_t len, const int *fds,
	      unsigned int nfds, int flags);

/*
 * Receives one packet of at most @len bytes. *@nfds: in: room in @fds; out: the
 * number received, now the caller's. Returns its length, 0 when the peer has
 * hung up (or sent an empty packet), or -errno; a bad packet is consumed, its
 * descriptors are closed and *@nfds is 0:
 *	-EMSGSIZE	it is longer than @len
 *	-ETOOMANYREFS	more descriptors than *@nfds or than this process can open
 */
ssize_t sock_recv(int fd, void *buf, size_t len, int *fds, unsigned int *nfds,
		  int flags);

#endif
