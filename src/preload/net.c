/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The connection to udaxd: include/udax/wire.h. One socket a process, opened at
 * the first need. The program may close it behind our back (closefrom, dup2
 * over it): before each use its number is compared with the socket's inode.
 */
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/un.h>

#include "preload/shim.h"

/* linux/userfaultfd.h; not in older headers. */
#ifndef USERFAULTFD_IOC_NEW
#define USERFAULTFD_IOC_NEW _IO(0xAA, 0x00)
#endif
#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif

/* A number that programs rarely reach and never ask for. */
#define SOCK_MIN_FD	900

static int sock = -1;
static uint64_t sock_dev, sock_ino;
static uint64_t session;	/* 0: none yet */
static uint32_t seq;
static int uffd_error;		/* errno: there is a session but no userfaultfd */
static bool uffd_told;
static bool dead;
static bool exact;		/* atomic */

bool net_exact(void)
{
	return __atomic_load_n(&exact, __ATOMIC_RELAXED) || unlikely(env.exact);
}

bool net_dead(void)
{
	return dead;
}

bool net_alive(void)
{
	return session && !dead;
}

/* The udax run that we are part of sees it too, and says it once for all. */
static void say_gone(void)
{
	dead = true;
	if (!env.quiet && (!env.token || env.verbose))
		say("udaxd is gone: %d goes on without emulation",
		    (long)sys_getpid());
}

/* At the first need: nothing is emulated in this process. */
static void unreachable(const char *what, int err)
{
	dead = true;
	if (env.require || !env.quiet)
		say("%s %s: %s%s", what, env.socket, say_error(err),
		    env.require ? "" : "; this program runs without emulation");
	if (env.require)
		sys1(SYS_exit_group, 125);
}

/* ----------------------------------------------------------------- socket */

static bool sock_ours(void)
{
	struct stat st;

	return sock >= 0 && !sys_fstat(sock, &st) && S_ISSOCK(st.st_mode) &&
	       st.st_dev == sock_dev && st.st_ino == sock_ino;
}

static void sock_close(void)
{
	if (sock_ours())
		sys_close(sock);
	sock = -1;
}

/* Out of the way of programs that count on low numbers. Closes @fd if it moved. */
static int move_up(int fd)
{
	struct rlimit lim;
	long min = SOCK_MIN_FD, high;

	if (!sys4(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &lim) &&
	    lim.rlim_cur < SOCK_MIN_FD + 16)
		min = (long)(lim.rlim_cur - lim.rlim_cur / 4);
	high = sys3(SYS_fcntl, fd, F_DUPFD_CLOEXEC, min);
	if (sys_failed(high))
		return fd;
	sys_close(fd);
	return (int)high;
}

static int dial(void)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct stat st;
	long fd, ret;
	size_t i;

	for (i = 0; env.socket[i]; i++)
		sa.sun_path[i] = env.socket[i];
	fd = sys3(SYS_socket, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (sys_failed(fd))
		return (int)-fd;
	do
		ret = sys3(SYS_connect, fd, &sa, sizeof(sa));
	while (ret == -EINTR);
	if (sys_failed(ret)) {
		sys_close((int)fd);
		return (int)-ret;
	}
	sock = move_up((int)fd);
	sys_fstat(sock, &st);
	sock_dev = st.st_dev;
	sock_ino = st.st_ino;
	return 0;
}

/* --------------------------------------------------------------- messages */

static int send_packet(struct udax_msg *msg, unsigned int op, int fd, bool reply)
{
	union {
		struct cmsghdr hdr;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { .hdr = {
		.cmsg_len = CMSG_LEN(sizeof(int)),
		.cmsg_level = SOL_SOCKET,
		.cmsg_type = SCM_RIGHTS,
	} };
	struct iovec iov = { msg, sizeof(*msg) };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	long ret;

	msg->hdr = (struct udax_hdr){
		.magic = UDAX_WIRE_MAGIC,
		.version = UDAX_WIRE_VERSION,
		.op = (uint16_t)op,
		.seq = ++seq,
		.flags = reply ? UDAX_F_REPLY : 0,
		.nfds = fd >= 0,
	};
	if (fd >= 0) {
		*(int *)CMSG_DATA(&control.hdr) = fd;
		mh.msg_control = &control;
		mh.msg_controllen = sizeof(control);
	}
	do
		ret = sys3(SYS_sendmsg, sock, &mh, MSG_NOSIGNAL);
	while (ret == -EINTR);
	return sys_failed(ret) ? (int)-ret : 0;
}

/* Takes the descriptors out of @mh: the first for the caller, the rest closed. */
static void take_fds(struct msghdr *mh, int *fd_out)
{
	struct cmsghdr *c;
	size_t i, n;
	int fd;

	for (c = CMSG_FIRSTHDR(mh); c; c = CMSG_NXTHDR(mh, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (i = 0; i < n; i++) {
			fd = ((int *)CMSG_DATA(c))[i];
			if (fd_out && *fd_out < 0)
				*fd_out = fd;
			else
				sys_close(fd);
		}
	}
}

/* 0 with the reply in @msg, or the errno of the transport. */
static int receive_packet(struct udax_msg *msg, unsigned int op, int *fd_out)
{
	union {
		struct cmsghdr hdr;
		char space[CMSG_SPACE(UDAX_WIRE_MAX_FDS * sizeof(int))];
	} control;
	struct iovec iov = { msg, sizeof(*msg) };
	struct msghdr mh = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	long ret;

	do
		ret = sys3(SYS_recvmsg, sock, &mh, MSG_CMSG_CLOEXEC);
	while (ret == -EINTR);
	if (sys_failed(ret))
		return (int)-ret;
	if (ret == 0)
		return ECONNRESET;
	take_fds(&mh, fd_out);
	if (ret != sizeof(*msg) || mh.msg_flags & MSG_TRUNC ||
	    msg->hdr.magic != UDAX_WIRE_MAGIC ||
	    msg->hdr.version != UDAX_WIRE_VERSION ||
	    msg->hdr.op != (op | UDAX_OP_REPLY) || msg->hdr.seq != seq ||
	    msg->hdr.error < 0)
		return EPROTO;
	return 0;
}

/* One request and its reply on the socket there is. Transport errors only. */
static int exchange(struct udax_msg *msg, unsigned int op, int fd, int *fd_out)
{
	int err;

	if (fd_out)
		*fd_out = -1;
	err = send_packet(msg, op, fd, true);
	if (!err)
		err = receive_packet(msg, op, fd_out);
	if (err && fd_out && *fd_out >= 0) {
		sys_close(*fd_out);
		*fd_out = -1;
	}
	return err;
}

/* ---------------------------------------------------------------- session */

/*
 * A userfaultfd of this process. With permission on /dev/userfaultfd, ours or
 * udaxd's, the kernel's own faults are served too; so they are for the system
 * call with CAP_SYS_PTRACE. Otherwise those of system calls fail with EFAULT.
 * Source: userfaultfd(2), "USERFAULTFD_IOC_NEW", "UFFD_USER_MODE_ONLY".
 */
static long make_uffd(int dev)
{
	static bool warned;
	long fd, own;

	if (dev >= 0) {
		fd = sys3(SYS_ioctl, dev, USERFAULTFD_IOC_NEW, O_CLOEXEC | O_NONBLOCK);
		if (!sys_failed(fd))
			return fd;
	}
	own = sys4(SYS_openat, AT_FDCWD, "/dev/userfaultfd", O_RDWR | O_CLOEXEC, 0);
	if (!sys_failed(own)) {
		fd = sys3(SYS_ioctl, own, USERFAULTFD_IOC_NEW, O_CLOEXEC | O_NONBLOCK);
		sys_close((int)own);
		if (!sys_failed(fd))
			return fd;
	}
	fd = sys1(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	if (!sys_failed(fd))
		return fd;
	fd = sys1(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
	if (!sys_failed(fd) && !warned && !env.quiet) {
		warned = true;
		say("no permission for /dev/userfaultfd: system calls %s",
		    "that touch pages not yet mapped fail with EFAULT");
	}
	return fd;
}

/*
 * The program keeps no copy: when udaxd dies its own is the last one, and closing
 * it wakes whoever waits for a page. 0 or the transport's error.
 */
static int give_uffd(int dev)
{
	struct udax_msg msg = { .hdr.op = 0 };
	long fd = make_uffd(dev);
	int err;

	uffd_error = sys_failed(fd) ? (int)-fd : 0;
	if (uffd_error)
		return 0;
	err = exchange(&msg, UDAX_OP_UFFD, (int)fd, NULL);
	sys_close((int)fd);
	if (!err)
		uffd_error = msg.hdr.error;
	return err;
}

/* @reply: hello.flags. 0, or an errno of the transport or of udaxd. */
static int hello(uint32_t kind, uint64_t id, uint64_t probe, uint32_t *reply)
{
	struct udax_msg msg = { .hello = {
		.kind = kind,
		.flags = env.mmap_lock ? UDAX_HELLO_MMAP_LOCK : 0,
		.token = env.token,
		.session = id,
		.probe = probe,
	} };
	int dev, err;

	err = exchange(&msg, UDAX_OP_HELLO, -1, &dev);
	if (err || msg.hdr.error)
		return err ? err : msg.hdr.error;
	session = msg.hello.session;
	*reply = msg.hello.flags;
	__atomic_store_n(&exact, (*reply & UDAX_HELLO_EXACT) != 0,
			 __ATOMIC_RELAXED);
	if (kind != UDAX_HELLO_AGAIN && !(*reply & UDAX_HELLO_CLAIMED))
		err = give_uffd(dev);
	if (dev >= 0)
		sys_close(dev);
	return err;
}

static int first_contact(void)
{
	uint32_t flags;
	int err = dial();

	if (!err) {
		err = hello(UDAX_HELLO_NEW, 0, 0, &flags);
		if (!err)
			return 0;
		sock_close();
		session = 0;
	}
	/* Out of descriptors now does not mean for ever. */
	if (err != EMFILE && err != ENFILE)
		unreachable("cannot reach udaxd at", err);
	return err;
}

/* The program closed our socket. The session lives as long as the process. */
static int contact_again(void)
{
	uint32_t flags;
	int err = dial();

	if (!err)
		err = hello(UDAX_HELLO_AGAIN, session, 0, &flags);
	if (!err)
		return 0;
	sock_close();
	if (err != EMFILE && err != ENFILE)
		say_gone();
	return err;
}

int net_session(void)
{
	if (dead)
		return ENOTCONN;
	if (sock_ours())
		return 0;
	sock = -1;
	return session ? contact_again() : first_contact();
}

int net_ready(void)
{
	int err = net_session();

	if (!err && !uffd_error && exact)
		agent_start(session);
	if (err || !uffd_error)
		return err;
	if (!uffd_told && (env.require || !env.quiet)) {
		uffd_told = true;
		say("cannot make a userfaultfd: %s%s", say_error(uffd_error),
		    env.require ? "" : "; this program runs without emulation");
	}
	if (env.require)
		sys1(SYS_exit_group, 125);
	return uffd_error;
}

int net_call(struct udax_msg *msg, unsigned int op, int fd, int *fd_out)
{
	struct udax_msg request = *msg;
	int err = net_session();

	if (fd_out)
		*fd_out = -1;
	if (err)
		return err;
	err = exchange(msg, op, fd, fd_out);
	/* Closed by another thread since net_session() looked. */
	if (err && !sock_ours()) {
		*msg = request;
		err = net_session();
		if (!err)
			err = exchange(msg, op, fd, fd_out);
	}
	/* The descriptor in flight, not the connection. */
	if (err == ETOOMANYREFS || err == EBADF)
		return err;
	if (err) {
		sock_close();
		say_gone();
		return err;
	}
	if (msg->hdr.error && fd_out && *fd_out >= 0) {
		sys_close(*fd_out);
		*fd_out = -1;
	}
	return msg->hdr.error;
}

void net_post(struct udax_msg *msg, unsigned int op)
{
	if (net_session())
		return;
	if (send_packet(msg, op, -1, false)) {
		sock_close();
		say_gone();
	}
}

int net_forked(bool served, bool *claimed)
{
	uint64_t parent = session;
	uint32_t flags = 0;
	long probe;
	int err;

	*claimed = false;
	agent_forget();
	sock_close();
	session = 0;
	uffd_error = 0;
	if (dead || !parent || !served)
		return dead ? ENOTCONN : 0;
	/* udaxd finds our copy of the userfaultfd by a page that only we have. */
	probe = sys_mmap(0, SHIM_PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (sys_failed(probe))
		return (int)-probe;
	err = dial();
	if (!err)
		err = hello(UDAX_HELLO_FORKED, parent, (uint64_t)probe, &flags);
	sys_munmap((uint64_t)probe, SHIM_PAGE);
	if (err) {
		sock_close();
		say_gone();
		return err;
	}
	*claimed = flags & UDAX_HELLO_CLAIMED;
	if (*claimed && exact)
		agent_start(session);
	return 0;
}
