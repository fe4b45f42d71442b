/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A client that breaks the rules of udax/wire.h: each packet that is wrong must
 * be answered with an error and change nothing; afterwards, on the same daemon,
 * one that keeps the rules must be served. First every rule once, then packets
 * at random for some seconds.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "udax/wire.h"

#define PATIENCE_MS 20000
#define FILE_SIZE (4u << 20)
#define MAX_FDS 16

static const char *sock_path, *file_path;
static uint64_t rng = 88172645463325252ull;

static void __attribute__((noreturn, format(printf, 1, 2))) die(const char *fmt, ...)
{
	va_list ap;

	fputs("wire: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

static uint64_t rnd(uint64_t below)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return below ? rng % below : rng;
}

static int dial(void)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", sock_path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&sa, sizeof(sa)))
		die("connect %s: %s", sock_path, strerror(errno));
	return fd;
}

/* False: the other end has hung up, or the buffer is full of unread replies. */
static bool put(int sock, const void *data, size_t len, const int *fds,
		unsigned int nfds)
{
	char control[CMSG_SPACE(MAX_FDS * sizeof(int))] = { 0 };
	struct iovec iov = { (void *)(uintptr_t)data, len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *c;

	if (nfds) {
		msg.msg_control = control;
		msg.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(nfds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, nfds * sizeof(int));
	}
	return sendmsg(sock, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
}

/* The next packet; its descriptors are closed. 0: hung up. */
static ssize_t get(int sock, struct udax_msg *m, const char *what)
{
	char control[CMSG_SPACE(MAX_FDS * sizeof(int))];
	struct iovec iov = { m, sizeof(*m) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct pollfd p = { .fd = sock, .events = POLLIN };
	struct cmsghdr *c;
	ssize_t n;
	int fd;

	if (poll(&p, 1, PATIENCE_MS) != 1)
		die("%s: no answer", what);
	n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	if (n < 0)
		die("%s: %s", what, strerror(errno));
	for (c = n ? CMSG_FIRSTHDR(&msg) : NULL; c; c = CMSG_NXTHDR(&msg, c)) {
		memcpy(&fd, CMSG_DATA(c), sizeof(fd));
		close(fd);
	}
	return n;
}

static struct udax_msg request(unsigned int op)
{
	static uint32_t seq;
	struct udax_msg m = { .hdr = {
		.magic = UDAX_WIRE_MAGIC, .version = UDAX_WIRE_VERSION,
		.op = op, .seq = ++seq, .flags = UDAX_F_REPLY,
	} };

	return m;
}

/* Sends a packet and returns the error of its reply, which must be well formed. */
static int ask_raw(int sock, const void *data, size_t len, const int *fds,
		   unsigned int nfds, struct udax_msg *reply, const char *what)
{
	ssize_t n;

	if (!put(sock, data, len, fds, nfds))
		die("%s: cannot send: %s", what, strerror(errno));
	n = get(sock, reply, what);
	if (n != sizeof(*reply))
		die("%s: an answer of %zd bytes", what, n);
	if (reply->hdr.magic != UDAX_WIRE_MAGIC ||
	    reply->hdr.version != UDAX_WIRE_VERSION ||
	    !(reply->hdr.op & UDAX_OP_REPLY))
		die("%s: the answer is no reply (op %#x)", what, reply->hdr.op);
	return reply->hdr.error;
}

static int ask(int sock, struct udax_msg *m, int fd, const char *what)
{
	struct udax_msg reply;
	int err;

	m->hdr.nfds = fd >= 0;
	err = ask_raw(sock, m, sizeof(*m), &fd, fd >= 0, &reply, what);
	if (reply.hdr.seq != m->hdr.seq)
		die("%s: the answer is to another request", what);
	*m = reply;
	return err;
}

/* Rules broken by the daemon, of this process. */
static unsigned int broken;

static void want(int got, int wanted, const char *what)
{
	if (got == wanted)
		return;
	fprintf(stderr, "wire: %s: error %d (%s), wanted %d\n", what, got,
		strerror(got), wanted);
	broken++;
}

static void want_error(int got, const char *what)
{
	if (got)
		return;
	fprintf(stderr, "wire: %s: no error\n", what);
	broken++;
}

static int hello(int sock)
{
	struct udax_msg m = request(UDAX_OP_HELLO);

	m.hello.kind = UDAX_HELLO_NEW;
	return ask(sock, &m, -1, "hello");
}

static int new_uffd(void)
{
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		die("userfaultfd: %s", strerror(errno));
	return fd;
}

/* A session with a userfaultfd. */
static int attach(void)
{
	struct udax_msg m = request(UDAX_OP_UFFD);
	int sock = dial(), uffd = new_uffd();

	want(hello(sock), 0, "hello");
	want(ask(sock, &m, uffd, "uffd"), 0, "uffd");
	close(uffd);
	return sock;
}

static int open_file(void)
{
	int fd = open(file_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 || ftruncate(fd, FILE_SIZE))
		die("%s: %s", file_path, strerror(errno));
	return fd;
}

static char *map_file(int fd)
{
	char *p = mmap(NULL, FILE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (p == MAP_FAILED)
		die("mmap: %s", strerror(errno));
	return p;
}

static struct udax_msg map_request(const char *addr)
{
	struct udax_msg m = request(UDAX_OP_MAP);

	m.map.addr = (uintptr_t)addr;
	m.map.len = FILE_SIZE;
	m.map.prot = PROT_READ | PROT_WRITE;
	return m;
}

/* Serves itself: a mapping whose faults the daemon must resolve. */
static void well_behaved(int sock)
{
	int fd = open_file(), i;
	char *p = map_file(fd);
	struct udax_msg m = map_request(p);

	want(ask(sock, &m, fd, "a good map"), 0, "a good map");
	want(m.map.media, UDAX_MEDIA_DIRECT, "a good map's medium");
	alarm(PATIENCE_MS / 1000);
	for (i = 0; i < 64; i++)
		p[i * 65536] = i + 1;
	for (i = 0; i < 64; i++)
		if (p[i * 65536] != i + 1)
			die("a good client's byte %d is wrong", i);
	alarm(0);
	m = request(UDAX_OP_BEGIN);
	m.begin.what = UDAX_CHANGE_MUNMAP;
	m.begin.addr = (uintptr_t)p;
	m.begin.len = FILE_SIZE;
	want(ask(sock, &m, -1, "a good begin"), 0, "a good begin");
	munmap(p, FILE_SIZE);
	m = request(UDAX_OP_END);
	m.end.what = UDAX_CHANGE_MUNMAP;
	m.end.addr = (uintptr_t)p;
	m.end.len = FILE_SIZE;
	want(ask(sock, &m, -1, "a good end"), 0, "a good end");
	close(fd);
}

/* In a process of its own: a session is a process's. */
static void in_child(void (*fn)(void), const char *what)
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		die("fork");
	if (!pid) {
		broken = 0;
		fn();
		exit(broken ? 1 : 0);
	}
	if (waitpid(pid, &status, 0) != pid)
		die("waitpid");
	if (!status)
		return;
	fprintf(stderr, "wire: %s: its process ended with status %#x\n", what,
		status);
	broken++;
}

static void good_client(void)
{
	int sock = attach();

	well_behaved(sock);
	close(sock);
}

/* Lengths and headers; @sock may have said hello or not. */
static void bad_packets(int sock)
{
	static const uint16_t ops[] = { 0, UDAX_OP_NR, UDAX_OP_NR + 1, 0x7fff,
		UDAX_OP_REPLY, UDAX_OP_REPLY | UDAX_OP_HELLO, 0xffff };
	char big[4096] = { 0 };
	struct udax_msg m = request(UDAX_OP_HELLO), reply;
	unsigned int i;

	for (i = 1; i < sizeof(m); i++)
		want(ask_raw(sock, &m, i, NULL, 0, &reply, "short"), EPROTO, "short");
	memcpy(big, &m, sizeof(m));
	for (i = sizeof(m) + 1; i <= sizeof(big); i += 61)
		want(ask_raw(sock, big, i, NULL, 0, &reply, "long"), EPROTO, "long");
	for (i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		m = request(ops[i]);
		want(ask(sock, &m, -1, "unknown op"), EPROTO, "unknown op");
	}
	m = request(UDAX_OP_HELLO);
	m.hdr.magic ^= 1;
	want(ask(sock, &m, -1, "magic"), EPROTO, "magic");
	m = request(UDAX_OP_HELLO);
	m.hdr.version++;
	want(ask(sock, &m, -1, "version"), EPROTO, "version");
}

static void bad_counts(int sock, unsigned int op)
{
	int fds[MAX_FDS], i;
	struct udax_msg m, reply;

	for (i = 0; i < MAX_FDS; i++)
		fds[i] = STDERR_FILENO;
	/* Told one, sent none; told none, sent one; too many. */
	m = request(op);
	m.hdr.nfds = 1;
	want(ask_raw(sock, &m, sizeof(m), NULL, 0, &reply, "no fd"), EPROTO, "no fd");
	m = request(op);
	want(ask_raw(sock, &m, sizeof(m), fds, 1, &reply, "a fd"), EPROTO, "a fd");
	for (i = UDAX_WIRE_MAX_FDS + 1; i <= MAX_FDS; i++) {
		m = request(op);
		m.hdr.nfds = i;
		want(ask_raw(sock, &m, sizeof(m), fds, i, &reply, "many fds"),
		     EPROTO, "many fds");
	}
}

static void before_hello(void)
{
	int sock = dial();
	struct udax_msg m;
	unsigned int op;

	bad_packets(sock);
	bad_counts(sock, UDAX_OP_HELLO);
	for (op = UDAX_OP_UFFD; op < UDAX_OP_NR; op++) {
		m = request(op);
		want(ask(sock, &m, -1, "no hello yet"), EPROTO, "no hello yet");
	}
	close(sock);
	sock = dial();
	m = request(UDAX_OP_HELLO);
	m.hello.kind = 99;
	want(ask(sock, &m, -1, "kind"), EINVAL, "kind of hello");
	close(sock);
}

static void bad_uffd(void)
{
	int sock = dial(), null = open("/dev/null", O_RDWR), uffd = new_uffd();
	struct udax_msg m = map_request(NULL);
	struct uffdio_api api = { .api = UFFD_API };
	int used = new_uffd();

	want(hello(sock), 0, "hello");
	want_error(ask(sock, &m, null, "map before uffd"), "map before uffd");
	m = request(UDAX_OP_UFFD);
	want(ask(sock, &m, -1, "uffd without"), EPROTO, "uffd without");
	m = request(UDAX_OP_UFFD);
	want_error(ask(sock, &m, null, "uffd of another kind"), "uffd of another kind");
	m = request(UDAX_OP_UFFD);
	want_error(ask(sock, &m, sock, "a socket as uffd"), "a socket as uffd");
	if (ioctl(used, UFFDIO_API, &api))
		die("UFFDIO_API");
	m = request(UDAX_OP_UFFD);
	want_error(ask(sock, &m, used, "uffd in use"), "uffd in use");
	m = request(UDAX_OP_UFFD);
	want(ask(sock, &m, uffd, "uffd"), 0, "uffd");
	m = request(UDAX_OP_UFFD);
	want_error(ask(sock, &m, used, "second uffd"), "second uffd");
	well_behaved(sock);
}

static void bad_maps(void)
{
	int sock = attach(), fd = open_file(), null = open("/dev/null", O_RDWR);
	char *p = map_file(fd);
	struct udax_msg m;

	bad_packets(sock);
	bad_counts(sock, UDAX_OP_MAP);
	m = map_request(p + 1);
	want(ask(sock, &m, fd, "odd address"), EINVAL, "odd address");
	m = map_request(p);
	m.map.len = 0;
	want(ask(sock, &m, fd, "no length"), EINVAL, "no length");
	m = map_request(p);
	m.map.len = FILE_SIZE + 1;
	want(ask(sock, &m, fd, "odd length"), EINVAL, "odd length");
	m = map_request(p);
	m.map.offset = 17;
	want(ask(sock, &m, fd, "odd offset"), EINVAL, "odd offset");
	m = map_request(p);
	m.map.len = -4096ull;
	want(ask(sock, &m, fd, "all the world"), EINVAL, "all the world");
	m = map_request((char *)4096);
	m.map.len = 1ull << 47;
	want_error(ask(sock, &m, fd, "half the world"), "half the world");
	m = map_request(p);
	m.map.offset = -(uint64_t)FILE_SIZE;
	want_error(ask(sock, &m, fd, "offset too far"), "offset too far");
	m = map_request(p);
	m.map.file = 0xdeadbeef;
	want_error(ask(sock, &m, -1, "no such file"), "no such file");
	m = map_request(p);
	want_error(ask(sock, &m, -1, "map of nothing"), "map of nothing");
	m = map_request(p);
	want_error(ask(sock, &m, null, "map of /dev/null"), "map of /dev/null");
	m = map_request((char *)0x10000);
	want_error(ask(sock, &m, fd, "not mapped"), "not mapped");
	m = request(UDAX_OP_OPEN);
	want_error(ask(sock, &m, -1, "open nothing"), "open nothing");
	m = request(UDAX_OP_OPEN);
	if (!ask(sock, &m, null, "open /dev/null"))
		want(m.open.media, UDAX_MEDIA_NONE, "/dev/null's medium");
	m = request(UDAX_OP_KEEP);
	want_error(ask(sock, &m, -1, "keep"), "keep");
	munmap(p, FILE_SIZE);
	well_behaved(sock);
}

static void bad_brackets(void)
{
	int sock = attach(), fd = open_file();
	struct udax_msg m = request(UDAX_OP_BEGIN);

	m.begin.what = UDAX_CHANGE_MUNMAP;
	m.begin.addr = 1;
	m.begin.len = 4096;
	want(ask(sock, &m, -1, "odd begin"), EINVAL, "odd begin");
	m = request(UDAX_OP_END);
	m.end.what = UDAX_CHANGE_MREMAP;
	m.end.addr = -4096ull;
	m.end.len = 8192;
	want(ask(sock, &m, -1, "end round the corner"), EINVAL, "end round the corner");
	m = request(UDAX_OP_FILEOP);
	m.fileop.what = UDAX_FILEOP_PUNCH;
	want_error(ask(sock, &m, -1, "fileop without"), "fileop without");
	m = request(UDAX_OP_FILEOP);
	m.fileop.what = 77;
	want_error(ask(sock, &m, fd, "fileop of no kind"), "fileop of no kind");
	m = request(UDAX_OP_SYNC);
	m.sync.what = 77;
	want_error(ask(sock, &m, fd, "sync of no kind"), "sync of no kind");
	well_behaved(sock);
	/* Leaves in the middle of a change. */
	m = request(UDAX_OP_BEGIN);
	m.begin.what = UDAX_CHANGE_MUNMAP;
	m.begin.len = 1ull << 46;
	put(sock, &m, sizeof(m), NULL, 0);
	close(sock);
}

/* Half valid, half noise; nobody reads all the answers. */
static void noise(void)
{
	int sock = rnd(2) ? attach() : dial(), fd = open_file(), i, n;
	int uffd = new_uffd(), null = open("/dev/null", O_RDWR);
	int fds[] = { fd, uffd, null, sock, fd, fd, fd, fd };
	char *p = map_file(fd);
	struct udax_msg m, reply;
	uint64_t *word;

	for (i = 0; i < 60; i++) {
		m = rnd(3) ? map_request(p) : request(0);
		m.hdr.op = rnd(20) ? 1 + rnd(UDAX_OP_NR) : rnd(65536);
		m.hdr.nfds = rnd(4);
		n = rnd(5) ? m.hdr.nfds : rnd(8);
		if (m.hdr.op == UDAX_OP_BEGIN || m.hdr.op == UDAX_OP_END)
			m.begin.what = rnd(7);
		if (m.hdr.op == UDAX_OP_FILEOP) {
			m.fileop.what = rnd(7);
			m.fileop.offset = rnd(2 * FILE_SIZE);
			m.fileop.len = rnd(FILE_SIZE);
		}
		/* Spoils a word now and then. */
		word = (uint64_t *)&m + rnd(sizeof(m) / 8);
		if (!rnd(3))
			*word = rnd(2) ? rnd(0) : rnd(64) << 12;
		if (!put(sock, &m, rnd(15) ? sizeof(m) : 1 + rnd(sizeof(m)), fds, n))
			break;
		while (rnd(2) && recv(sock, &reply, sizeof(reply), MSG_DONTWAIT) > 0)
			;
	}
	/* Touches nothing: what it told the daemon about its memory was false. */
	_exit(0);
}

static void noise_child(uint64_t seed)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		rng = seed | 1;
		noise();
	}
	if (waitpid(pid, &status, 0) != pid || status)
		die("noise %llu: its process ended with status %#x",
		    (unsigned long long)seed, status);
}

int main(int argc, char **argv)
{
	time_t end;
	uint64_t seed;
	unsigned int n = 0;

	if (argc < 3) {
		fputs("usage: wire SOCKET FILE [SECONDS [SEED]]\n", stderr);
		return 2;
	}
	sock_path = argv[1];
	file_path = argv[2];
	seed = argc > 4 ? strtoull(argv[4], NULL, 0) : (uint64_t)time(NULL);
	in_child(good_client, "a good client");
	in_child(before_hello, "before hello");
	in_child(bad_uffd, "uffd");
	in_child(bad_maps, "map");
	in_child(bad_brackets, "brackets");
	in_child(good_client, "a good client after bad ones");
	printf("wire: noise from seed %llu\n", (unsigned long long)seed);
	fflush(stdout);
	end = time(NULL) + (argc > 3 ? atoi(argv[3]) : 5);
	while (time(NULL) < end && broken < 10) {
		noise_child(seed + n);
		if (n++ % 16 == 0)
			in_child(good_client, "a good client beside noise");
	}
	in_child(good_client, "a good client at the end");
	printf("wire: %u noisy clients, %u rules broken\n", n, broken);
	return broken ? 1 : 0;
}
