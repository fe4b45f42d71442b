/* SPDX-License-Identifier: BSD-3-Clause */
/* What programs say: one packet, one function; the rules are in udax/wire.h. */
#include "daemon/session.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/sock.h"

int wire_reply(int sock, const struct udax_msg *req, int error,
	       struct udax_msg *reply, const int *fds, unsigned int nfds)
{
	struct udax_msg m = reply ? *reply : *req;

	m.hdr.magic = UDAX_WIRE_MAGIC;
	m.hdr.version = UDAX_WIRE_VERSION;
	m.hdr.op = req->hdr.op | UDAX_OP_REPLY;
	m.hdr.seq = req->hdr.seq;
	m.hdr.flags = 0;
	m.hdr.error = error;
	m.hdr.nfds = nfds;
	return sock_send(sock, &m, sizeof(m), nfds ? fds : NULL, nfds,
			 MSG_DONTWAIT);
}

int wire_check(const struct udax_msg *m, ssize_t len, unsigned int nfds)
{
	if (len != sizeof(*m) || m->hdr.magic != UDAX_WIRE_MAGIC ||
	    m->hdr.version != UDAX_WIRE_VERSION || !m->hdr.op ||
	    m->hdr.op >= UDAX_OP_NR || m->hdr.nfds != nfds)
		return EPROTO;
	return 0;
}

static int do_uffd(struct session *s, const int *fds, unsigned int nfds)
{
	uint64_t need = UFFD_FEATURE_MISSING_SHMEM | UFFD_FEATURE_MINOR_SHMEM;
	uint64_t want = need | UFFD_FEATURE_EVENT_FORK | UFFD_FEATURE_THREAD_ID |
		UFFD_FEATURE_MISSING_HUGETLBFS | UFFD_FEATURE_MINOR_HUGETLBFS |
		UFFD_FEATURE_PAGEFAULT_FLAG_WP | UFFD_FEATURE_POISON |
		UFFD_FEATURE_WP_HUGETLBFS_SHMEM;
	int err;

	if (nfds != 1)
		return EPROTO;
	if (s->uffd >= 0)
		return EEXIST;
	err = uffd_api(fds[0], need, want, &s->features);
	if (err)
		return -err;
	s->uffd = dup(fds[0]);
	if (s->uffd < 0)
		return errno;
	readers_start(s, NULL);
	return 0;
}

/* The file behind a descriptor, if this udaxd serves it; positive errno. */
static int get_file(struct session *s, int fd, struct file **f)
{
	char why[128] = "";
	int err = file_get(s->d, s->group, fd, keeper_there(s), f, why, sizeof(why));

	if (err && (why[0] || (err != -EOPNOTSUPP && err != -ENOTCONN)))
		logmsg("pid %d (%s): cannot serve a file: %s", (int)s->pid,
		       s->comm, why[0] ? why : strerror(-err));
	return -err;
}

static void do_open(struct session *s, const struct udax_msg *m, const int *fds,
		    unsigned int nfds)
{
	struct udax_msg reply = *m;
	struct file *f;
	int err = nfds == 1 ? get_file(s, fds[0], &f) : EPROTO;

	memset(&reply.open, 0, sizeof(reply.open));
	if (err == EOPNOTSUPP || err == ENOTCONN) {
		reply.open.media = UDAX_MEDIA_NONE;
		wire_reply(s->sock, m, 0, &reply, NULL, 0);
		return;
	}
	if (err) {
		wire_reply(s->sock, m, err, NULL, NULL, 0);
		return;
	}
	reply.open.media = f->media->kind == MEDIA_IMAGE ? UDAX_MEDIA_IMAGE :
		UDAX_MEDIA_DIRECT;
	reply.open.page_size = f->media->page_size;
	reply.open.file = f->id;
	reply.open.dev = f->media->dev;
	reply.open.ino = f->media->ino;
	f->media->ops->resize(f->media);
	wire_reply(s->sock, m, 0, &reply, &f->media->memfd,
		   f->media->memfd >= 0);
	session_remember_open(s, f);
}

/* A range that MAP may name: page aligned, not empty, no overflow. */
static int check_map(const struct udax_map *a)
{
	uint64_t mask = DAX_PAGE_SIZE - 1;

	if (((a->addr | a->len | a->offset) & mask) || !a->len ||
	    a->addr + a->len < a->addr || a->offset + a->len < a->offset ||
	    a->addr + a->len > 1ULL << 56)
		return EINVAL;
	return 0;
}

static int map_region(struct session *s, struct file *f, struct udax_map *a)
{
	bool shared = !(a->flags & (UDAX_MAP_PRIVATE | UDAX_MAP_RDONLY_FD));
	bool wp = shared && (f->media->kind == MEDIA_IMAGE || f->exact);
	unsigned int modes = UFFD_MISSING | UFFD_MINOR | (wp ? UFFD_WP : 0);
	struct region_ref removed = { 0 };
	struct region *r;
	int err;

	if (f->media->page_size != DAX_PAGE_SIZE && !shared)
		return EOPNOTSUPP;	/* MINOR is for shared hugetlb only */
	r = region_new(s, f, a->addr, a->addr + a->len, a->offset, a->prot,
		       a->flags, wp);
	if (!r)
		return ENOMEM;
	r->id = a->region = atomic_fetch_add(&s->mappings, 1) + 1;
	file_seen(s, f);
	lock_take(&s->lock);
	err = region_remove(s, r->start, r->end, &removed);
	if (!err)
		err = region_insert(s, r);
	lock_release(&s->lock);
	if (err) {
		region_put(r);
	} else {
		/* Before the registration, or a fault would find no region. */
		err = uffd_register(s->uffd, a->addr, a->len, modes);
		if (err) {
			lock_take(&s->lock);
			region_remove(s, a->addr, a->addr + a->len, &removed);
			lock_release(&s->lock);
		}
	}
	if (!err && f->exact) {
		lock_take(&s->lock);
		shadow_merge(s, a->addr, a->addr + a->len, &removed);
		lock_release(&s->lock);
		file_keep(s, f);
	}
	region_ref_put(&removed);
	return -err;
}

/*
 * A mapping that cannot be emulated stays as the kernel made it; the summary
 * says that there was one.
 */
static void do_map(struct exec *x, struct session *s, const struct udax_msg *m,
		   const int *fds, unsigned int nfds)
{
	struct udax_msg reply = *m;
	struct udax_map *a = &reply.map;
	struct file *f = NULL;
	int err = check_map(a);

	if (!err && s->uffd < 0)
		err = EBADF;
	if (!err && a->file) {
		f = file_find(s->d, a->file);
		err = f ? 0 : ENOENT;
	} else if (!err) {
		err = nfds == 1 ? get_file(s, fds[0], &f) : EPROTO;
	}
	if (!err && f->media->kind == MEDIA_IMAGE) {
		s->image = true;
		err = -keeper_keep(s, f->media->memfd);
	}
	if (!err) {
		err = map_region(s, f, a);
		a->media = f->media->kind == MEDIA_IMAGE ? UDAX_MEDIA_IMAGE :
			UDAX_MEDIA_DIRECT;
		a->file = f->id;
	}
	if (f)
		file_put(s->d, f);
	session_remember_open(s, NULL);
	if (err) {
		logv(s->d, "pid %d (%s): mapping %#llx not served: %s",
		     (int)s->pid, s->comm, (unsigned long long)m->map.addr,
		     strerror(err));
		lock_take(&s->d->lock);
		s->group->escaped = true;
		lock_release(&s->d->lock);
	}
	bracket_release(s);
	zap_reply(s, m, err, &reply);
	mmap_lock_let_in(x, s);
}

static int check_range(uint64_t addr, uint64_t len)
{
	return addr + len < addr || ((addr | len) & (DAX_PAGE_SIZE - 1)) ?
		EINVAL : 0;
}

static void dispatch(struct exec *x, struct session *s, const struct udax_msg *m,
		     const int *fds, unsigned int nfds)
{
	int err = 0;

	switch (m->hdr.op) {
	case UDAX_OP_UFFD:
		err = do_uffd(s, fds, nfds);
		wire_reply(s->sock, m, err, NULL, NULL, 0);
		break;
	case UDAX_OP_OPEN:
		do_open(s, m, fds, nfds);
		break;
	case UDAX_OP_MAP:
		do_map(x, s, m, fds, nfds);
		break;
	case UDAX_OP_BEGIN:
		err = check_range(m->begin.addr, m->begin.len);
		if (err)
			wire_reply(s->sock, m, err, NULL, NULL, 0);
		else
			bracket_begin(x, s, m);
		break;
	case UDAX_OP_END:
		err = check_range(m->end.addr, m->end.len);
		if (!err)
			err = check_range(m->end.new_addr, m->end.new_len);
		if (!err)
			bracket_end(x, s, m);
		else if (m->hdr.flags & UDAX_F_REPLY)
			wire_reply(s->sock, m, err, NULL, NULL, 0);
		break;
	case UDAX_OP_FILEOP:
		if (nfds == 1)
			rangeop_fileop(x, s, m, fds[0]);
		else
			wire_reply(s->sock, m, EPROTO, NULL, NULL, 0);
		break;
	case UDAX_OP_SYNC:
		rangeop_sync(x, s, m, nfds ? fds[0] : -1);
		break;
	case UDAX_OP_FS:
		fs_message(x, s, m, fds, nfds);
		break;
	default:
		wire_reply(s->sock, m, EPROTO, NULL, NULL, 0);
	}
}

/* False: the program has hung up. */
static bool one_message(struct exec *x, struct session *s, bool *more)
{
	struct udax_msg m = { 0 };
	int fds[UDAX_WIRE_MAX_FDS];
	unsigned int nfds = UDAX_WIRE_MAX_FDS;
	ssize_t len = sock_recv(s->sock, &m, sizeof(m), fds, &nfds,
				MSG_DONTWAIT);
	int err;

	*more = true;
	if (len == -EAGAIN) {
		*more = false;
		return true;
	}
	if (!len || (len < 0 && len != -EMSGSIZE && len != -ETOOMANYREFS)) {
		*more = false;
		return false;
	}
	err = wire_check(&m, len, nfds);
	if (err)
		wire_reply(s->sock, &m, err, NULL, NULL, 0);
	else
		dispatch(x, s, &m, fds, nfds);
	for (unsigned int i = 0; i < nfds; i++)
		close(fds[i]);
	return true;
}

void handshake_messages(struct exec *x, struct session *s)
{
	struct worker *w = s->home;
	bool more = true;

	while (more) {
		if (one_message(x, s, &more))
			continue;
		if (s->sock_op.armed)
			loop_cancel(w->loop, &s->sock_op);
		bracket_release(s);
		mmap_lock_let_in(x, s);
		if (s->uffd < 0 || session_mm_gone(s) || session_process_gone(s))
			session_end(s);
	}
	exec_run_ready(x);
}
