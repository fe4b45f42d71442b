/* SPDX-License-Identifier: BSD-3-Clause */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fake.h"

#define MAX_CLIENTS 64
#define MAX_MAPS 8192

struct fake {
	enum fake_manner manner;
	char path[108];
	int listener;
	int client[MAX_CLIENTS];
	unsigned int nr_clients;
	uint64_t last_session;
	char log[1 << 16];
	size_t log_len;
	struct udax_map maps[MAX_MAPS];
	unsigned int nr_maps;
	int memfd;		/* the image there is */
	uint64_t regions;
};

static void note(struct fake *f, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void note(struct fake *f, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(f->log + f->log_len, sizeof(f->log) - f->log_len, fmt, ap);
	va_end(ap);
	f->log_len += (size_t)n;
	if (f->log_len >= sizeof(f->log))
		f->log_len = sizeof(f->log) - 1;
}

struct fake *fake_start(const char *path, enum fake_manner manner)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct fake *f = calloc(1, sizeof(*f));

	assert(f);
	f->manner = manner;
	f->memfd = -1;
	f->listener = -1;
	snprintf(f->path, sizeof(f->path), "%s", path);
	memcpy(sa.sun_path, f->path, sizeof(f->path));
	unlink(path);
	if (manner == FAKE_NO_LISTENER)
		return f;
	f->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	assert(f->listener >= 0);
	assert(!bind(f->listener, (struct sockaddr *)&sa, sizeof(sa)));
	assert(!listen(f->listener, 8));
	return f;
}

static const char *name_of(const char *const *names, unsigned int n, unsigned int i)
{
	return i < n && names[i] ? names[i] : "?";
}

static const char *const changes[] = {
	NULL, "mmap", "munmap", "mremap", "mprotect", "madvise",
	"other",
};
static const char *const hellos[] = { NULL, "new", "forked", "again", "keeper" };
static const char *const fileops[] = {
	NULL, "truncate", "punch", "zero", "collapse", "allocate",
};
static const char *const syncs[] = { NULL, "range", "file", "all" };
#define NAME(names, i) name_of(names, sizeof(names) / sizeof(*(names)), i)

static void note_message(struct fake *f, const struct udax_msg *m, int fd)
{
	note(f, "%s", f->log_len ? " " : "");
	switch (m->hdr.op) {
	case UDAX_OP_HELLO:
		note(f, "HELLO:%s", NAME(hellos, m->hello.kind));
		break;
	case UDAX_OP_UFFD:
		note(f, fd >= 0 ? "UFFD" : "UFFD-without-fd");
		break;
	case UDAX_OP_OPEN:
		note(f, fd >= 0 ? "OPEN" : "OPEN-without-fd");
		break;
	case UDAX_OP_BEGIN:
		note(f, "BEGIN:%s", NAME(changes, m->begin.what));
		break;
	case UDAX_OP_END:
		note(f, "END:%s", NAME(changes, m->end.what));
		if (m->end.error)
			note(f, "!%d", m->end.error);
		break;
	case UDAX_OP_MAP:
		note(f, "MAP%s%s%s%s%s", fd >= 0 ? "" : m->map.file ? "#" : "?",
		     m->map.flags & UDAX_MAP_PRIVATE ? "+private" : "",
		     m->map.flags & UDAX_MAP_RDONLY_FD ? "+rdonly" : "",
		     m->map.flags & UDAX_MAP_SYNC ? "+sync" : "",
		     m->map.flags & UDAX_MAP_NOHUGE ? "+nohuge" : "");
		if (f->nr_maps < MAX_MAPS)
			f->maps[f->nr_maps++] = m->map;
		break;
	case UDAX_OP_FILEOP:
		note(f, "FILEOP:%s%s", NAME(fileops, m->fileop.what),
		     fd >= 0 ? "" : "-without-fd");
		break;
	case UDAX_OP_SYNC:
		note(f, "SYNC:%s", NAME(syncs, m->sync.what));
		break;
	default:
		note(f, "op%u", m->hdr.op);
	}
}

/* The image: a memfd with the file's bytes and size. */
static void make_image(struct fake *f, int fd)
{
	char name[40], buf[65536];
	struct stat st;
	ssize_t n;
	off_t off = 0;
	int in;

	if (f->memfd >= 0)
		return;
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	in = open(name, O_RDONLY | O_CLOEXEC);
	f->memfd = memfd_create("image", MFD_CLOEXEC);
	assert(in >= 0 && f->memfd >= 0 && !fstat(in, &st));
	while ((n = read(in, buf, sizeof(buf))) > 0) {
		assert(pwrite(f->memfd, buf, (size_t)n, off) == n);
		off += n;
	}
	assert(!ftruncate(f->memfd, st.st_size));
	close(in);
}

/* Fills in the reply. False: hang up. */
static bool answer(struct fake *f, struct udax_msg *m, int fd, int *out)
{
	struct stat st;

	switch (m->hdr.op) {
	case UDAX_OP_HELLO:
		if (f->manner == FAKE_REFUSES_HELLO)
			m->hdr.error = EPERM;
		m->hello.flags = m->hello.kind == UDAX_HELLO_FORKED &&
				 f->manner == FAKE_CLAIMS ? UDAX_HELLO_CLAIMED : 0;
		if (m->hello.kind != UDAX_HELLO_AGAIN)
			m->hello.session = ++f->last_session;
		break;
	case UDAX_OP_OPEN:
		m->open.media = UDAX_MEDIA_IMAGE;
		if (f->manner == FAKE_OPEN_NONE)
			m->open.media = UDAX_MEDIA_NONE;
		m->open.page_size = 4096;
		m->open.file = 77;
		if (m->open.media == UDAX_MEDIA_IMAGE) {
			make_image(f, fd);
			*out = f->memfd;
		}
		break;
	case UDAX_OP_MAP:
		if (f->manner == FAKE_HANGS_UP_ON_MAP)
			return false;
		if (f->manner == FAKE_REFUSES_MAP)
			m->hdr.error = ENOMEM;
		m->map.media = m->map.file == 77 ? UDAX_MEDIA_IMAGE : UDAX_MEDIA_DIRECT;
		m->map.region = ++f->regions;
		if (fd >= 0 && !fstat(fd, &st))
			m->map.file = st.st_ino;
		break;
	case UDAX_OP_BEGIN:
		if (f->manner == FAKE_HANGS_UP_ON_BEGIN)
			return false;
		break;
	case UDAX_OP_SYNC:
		if (f->manner == FAKE_REFUSES_SYNC)
			m->hdr.error = EIO;
		break;
	}
	return true;
}

static void reply(struct fake *f, int client, struct udax_msg *m, int fd)
{
	union {
		struct cmsghdr hdr;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { .hdr = {
		.cmsg_len = CMSG_LEN(sizeof(int)),
		.cmsg_level = SOL_SOCKET,
		.cmsg_type = SCM_RIGHTS,
	} };
	char packet[sizeof(*m) + 8] = "";
	struct iovec iov = { packet, sizeof(*m) };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (m->hdr.op == UDAX_OP_MAP) {
		iov.iov_len -= f->manner == FAKE_SHORT_REPLY ? 8 : 0;
		iov.iov_len += f->manner == FAKE_LONG_REPLY ? 8 : 0;
		m->hdr.seq += f->manner == FAKE_WRONG_SEQ;
		m->hdr.op += f->manner == FAKE_WRONG_OP;
	}
	m->hdr.op |= UDAX_OP_REPLY;
	if (f->manner == FAKE_EXTRA_FD && fd < 0)
		fd = f->listener;
	m->hdr.nfds = fd >= 0;
	memcpy(packet, m, sizeof(*m));
	if (fd >= 0) {
		memcpy(CMSG_DATA(&control.hdr), &fd, sizeof(fd));
		mh.msg_control = &control;
		mh.msg_controllen = sizeof(control);
	}
	(void)!sendmsg(client, &mh, MSG_NOSIGNAL);
}

static void drop_client(struct fake *f, unsigned int i)
{
	close(f->client[i]);
	f->client[i] = f->client[--f->nr_clients];
}

static void serve_client(struct fake *f, unsigned int i)
{
	union {
		struct cmsghdr hdr;
		char space[CMSG_SPACE(2 * sizeof(int))];
	} control;
	struct udax_msg m;
	struct iovec iov = { &m, sizeof(m) };
	struct msghdr mh = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n = recvmsg(f->client[i], &mh, MSG_CMSG_CLOEXEC);
	struct cmsghdr *c = CMSG_FIRSTHDR(&mh);
	int fd = -1, out = -1;

	if (n <= 0) {
		drop_client(f, i);
		return;
	}
	if (c)
		memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	if (n != sizeof(m) || m.hdr.magic != UDAX_WIRE_MAGIC ||
	    m.hdr.nfds != (fd >= 0) || m.hdr.version != UDAX_WIRE_VERSION)
		note(f, " malformed");
	note_message(f, &m, fd);
	if (!answer(f, &m, fd, &out))
		drop_client(f, i);
	else if (m.hdr.flags & UDAX_F_REPLY)
		reply(f, f->client[i], &m, out);
	if (fd >= 0)
		close(fd);
}

/* What the clients still sent before they went. */
static void drain(struct fake *f, struct pollfd *fds)
{
	unsigned int i;
	bool more;

	do {
		more = false;
		for (i = f->nr_clients; i-- > 0; ) {
			fds[0] = (struct pollfd){ .fd = f->client[i], .events = POLLIN };
			if (poll(fds, 1, 0) == 1) {
				serve_client(f, i);
				more = true;
			}
		}
	} while (more);
}

int fake_serve(struct fake *f, pid_t pid)
{
	struct pollfd fds[MAX_CLIENTS + 2];
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0), status;
	unsigned int i;

	assert(pidfd >= 0);
	for (;;) {
		fds[0] = (struct pollfd){ .fd = pidfd, .events = POLLIN };
		fds[1] = (struct pollfd){ .fd = f->listener, .events = POLLIN };
		for (i = 0; i < f->nr_clients; i++)
			fds[2 + i] = (struct pollfd){
				.fd = f->client[i], .events = POLLIN };
		assert(poll(fds, 2 + f->nr_clients, -1) > 0);
		for (i = f->nr_clients; i-- > 0; )
			if (fds[2 + i].revents)
				serve_client(f, i);
		if (fds[1].revents && f->nr_clients < MAX_CLIENTS)
			f->client[f->nr_clients++] = accept4(f->listener, NULL, NULL,
							     SOCK_CLOEXEC);
		if (fds[0].revents && !fds[1].revents)
			break;
	}
	drain(f, fds);
	assert(waitpid(pid, &status, 0) == pid);
	close(pidfd);
	return status;
}

const char *fake_log(const struct fake *f)
{
	return f->log;
}

const struct udax_map *fake_map(const struct fake *f, unsigned int nth)
{
	return nth < f->nr_maps ? &f->maps[nth] : NULL;
}

void fake_stop(struct fake *f)
{
	while (f->nr_clients)
		drop_client(f, 0);
	if (f->memfd >= 0)
		close(f->memfd);
	if (f->listener >= 0)
		close(f->listener);
	unlink(f->path);
	free(f);
}
