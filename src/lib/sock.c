/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdbool.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/sock.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77		/* Linux 6.5; the same on all but sparc, parisc */
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

/* Stores the sentence and returns @err, so that a caller can return it. */
static int __attribute__((format(printf, 4, 5)))
fail(int err, char *why, size_t why_len, const char *fmt, ...)
{
	va_list ap;

	if (why && why_len) {
		va_start(ap, fmt);
		vsnprintf(why, why_len, fmt, ap);
		va_end(ap);
	}
	return err;
}

static int fill_address(struct sockaddr_un *sun, const char *path, char *why, size_t why_len)
{
	size_t len = strlen(path);

	memset(sun, 0, sizeof(*sun));
	sun->sun_family = AF_UNIX;
	if (!len)
		return fail(-EINVAL, why, why_len, "the path of the socket is empty");
	if (len >= sizeof(sun->sun_path))
		return fail(-ENAMETOOLONG, why, why_len,
			    "%s: longer than the %zu bytes that a socket's path may have",
			    path, sizeof(sun->sun_path) - 1);
	memcpy(sun->sun_path, path, len);
	return 0;
}

/* connect() that a signal interrupted goes on by itself; EISCONN tells its end. */
static int connect_retry(int fd, const struct sockaddr_un *sun)
{
	while (connect(fd, (const struct sockaddr *)sun, sizeof(*sun)) < 0) {
		if (errno == EISCONN)
			return 0;
		if (errno != EINTR)
			return -errno;
	}
	return 0;
}

int sock_connect(const char *path, int type, char *why, size_t why_len)
{
	struct sockaddr_un sun;
	int fd, ret;

	ret = fill_address(&sun, path, why, why_len);
	if (ret)
		return ret;
	fd = socket(AF_UNIX, (type & ~SOCK_NONBLOCK) | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return fail(-errno, why, why_len, "socket: %s", strerror(errno));
	ret = connect_retry(fd, &sun);
	if (!ret && (type & SOCK_NONBLOCK) && fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		ret = -errno;
	if (!ret)
		return fd;
	close(fd);
	switch (ret) {
	case -ENOENT:
		return fail(ret, why, why_len, "%s: there is no such socket", path);
	case -ECONNREFUSED:
		return fail(ret, why, why_len, "%s: nobody listens there", path);
	case -EPROTOTYPE:
		return fail(ret, why, why_len, "%s: a socket of another kind", path);
	default:
		return fail(ret, why, why_len, "%s: %s", path, strerror(-ret));
	}
}

/*
 * Removes the socket file at @path if nobody listens to it; 0 also when there
 * is none. Never removes what is not a socket. The directory is locked.
 */
static int remove_stale(const char *path, int type, char *why, size_t why_len)
{
	struct stat st;
	int fd;

	if (lstat(path, &st) < 0) {
		if (errno == ENOENT)
			return 0;
		return fail(-errno, why, why_len, "%s: %s", path, strerror(errno));
	}
	if (!S_ISSOCK(st.st_mode))
		return fail(-EEXIST, why, why_len, "%s: exists and is not a socket", path);
	fd = sock_connect(path, type & ~SOCK_NONBLOCK, NULL, 0);
	if (fd >= 0)
		close(fd);
	if (fd != -ECONNREFUSED)
		return fail(-EADDRINUSE, why, why_len, "%s: another process listens there", path);
	if (unlink(path) < 0)
		return fail(-errno, why, why_len, "%s: cannot remove the stale socket: %s",
			    path, strerror(errno));
	return 0;
}

/* The directory of @path, locked until the descriptor is closed. */
static int lock_directory(const char *path, char *why, size_t why_len)
{
	char copy[sizeof(((struct sockaddr_un *)0)->sun_path)];
	const char *dir;
	int fd, err;

	snprintf(copy, sizeof(copy), "%s", path);
	dir = dirname(copy);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return fail(-errno, why, why_len, "%s: %s", dir, strerror(errno));
	while (flock(fd, LOCK_EX) < 0) {
		err = errno;
		if (err == EINTR)
			continue;
		close(fd);
		return fail(-err, why, why_len, "%s: flock: %s", dir, strerror(err));
	}
	return fd;
}

int sock_listen(const char *path, int type, mode_t mode, char *why, size_t why_len)
{
	struct sockaddr_un sun;
	int dir, fd, ret;

	ret = fill_address(&sun, path, why, why_len);
	if (ret)
		return ret;
	dir = lock_directory(path, why, why_len);
	if (dir < 0)
		return dir;
	ret = remove_stale(path, type, why, why_len);
	if (ret)
		goto out_dir;
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		ret = fail(-errno, why, why_len, "socket: %s", strerror(errno));
		goto out_dir;
	}
	/* Nobody connects before listen(), so the mode is in force by then. */
	if (bind(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0) {
		ret = fail(-errno, why, why_len, "%s: bind: %s", path, strerror(errno));
		goto err_fd;
	}
	if (chmod(path, mode) < 0 || listen(fd, SOMAXCONN) < 0) {
		ret = fail(-errno, why, why_len, "%s: listen: %s", path, strerror(errno));
		goto err_bound;
	}
	close(dir);
	return fd;

err_bound:
	unlink(path);
err_fd:
	close(fd);
out_dir:
	close(dir);
	return ret;
}

int sock_accept(int fd, int flags)
{
	int conn;

	do {
		conn = accept4(fd, NULL, NULL, SOCK_CLOEXEC | (flags & SOCK_NONBLOCK));
	} while (conn < 0 && (errno == EINTR || errno == ECONNABORTED));
	return conn < 0 ? -errno : conn;
}

int sock_peer(int fd, struct ucred *cred)
{
	socklen_t len = sizeof(*cred);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, cred, &len) < 0 ? -errno : 0;
}

int sock_peer_pidfd(int fd)
{
	struct ucred cred;
	socklen_t len = sizeof(int);
	int pidfd, ret;

	if (!getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &len))
		return pidfd;
	if (errno != ENOPROTOOPT)
		return -errno;
	ret = sock_peer(fd, &cred);
	if (ret)
		return ret;
	pidfd = (int)syscall(SYS_pidfd_open, cred.pid, 0);
	return pidfd < 0 ? -errno : pidfd;
}

/* Room for the descriptors of one packet, aligned for struct cmsghdr. */
union fd_control {
	struct cmsghdr align;
	char buf[CMSG_SPACE(SOCK_MAX_FDS * sizeof(int))];
};

int sock_send(int fd, const void *buf, size_t len, const int *fds, unsigned int nfds, int flags)
{
	struct iovec iov = { .iov_base = (void *)buf, .iov_len = len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	union fd_control control;
	struct cmsghdr *cmsg;
	ssize_t n;

	if (nfds > SOCK_MAX_FDS)
		return -EINVAL;
	if (nfds) {
		memset(&control, 0, sizeof(control));
		msg.msg_control = control.buf;
		msg.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(nfds * sizeof(int));
		memcpy(CMSG_DATA(cmsg), fds, nfds * sizeof(int));
	}
	do {
		n = sendmsg(fd, &msg, flags | MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EMSGSIZE;
}

/* Takes the descriptors of @msg: up to *@nfds to @fds; closes the others. */
static int take_fds(struct msghdr *msg, int *fds, unsigned int *nfds)
{
	bool refuse = msg->msg_flags & (MSG_TRUNC | MSG_CTRUNC);
	unsigned int max = refuse ? 0 : *nfds, got = 0, lost = 0, i, n;
	struct cmsghdr *cmsg;
	int fd;

	for (cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
		if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
			continue;
		n = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (i = 0; i < n; i++) {
			memcpy(&fd, CMSG_DATA(cmsg) + i * sizeof(int), sizeof(fd));
			if (got < max) {
				fds[got++] = fd;
			} else {
				close(fd);
				lost++;
			}
		}
	}
	*nfds = got;
	if (msg->msg_flags & MSG_TRUNC)
		return -EMSGSIZE;
	if (!lost && !refuse)
		return 0;
	while (got)
		close(fds[--got]);
	*nfds = 0;
	return -ETOOMANYREFS;
}

ssize_t sock_recv(int fd, void *buf, size_t len, int *fds, unsigned int *nfds, int flags)
{
	struct iovec iov = { .iov_base = buf, .iov_len = len };
	union fd_control control;
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof(control.buf),
	};
	ssize_t n;
	int ret;

	do {
		n = recvmsg(fd, &msg, flags | MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n < 0) {
		ret = -errno;
		*nfds = 0;
		return ret;
	}
	ret = take_fds(&msg, fds, nfds);
	return ret ? ret : n;
}
