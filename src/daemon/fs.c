/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A file whose file system is a client (UDAX_OP_FS): extents are asked of it, and
 * it says which operations of the model its own come to. Everything else about
 * such a file, its faults first of all, is as for any other.
 *
 * A client that does not answer holds up a helper, and with it everybody: only
 * a udaxd that was started with --fs-clients takes part, that of udax replay.
 */
#include "daemon/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/sock.h"

#define LAST_PAGE (DAX_TABLE_MAX - 1)

/* The other end of a file's socket: one question at a time. */
struct fs_client {
	pthread_mutex_t lock;
	int sock;
};

/* A file that a session is the file system of. */
struct fs_file {
	struct list_head link;		/* session.fs_files */
	atomic_uint refs;		/* that list, and who waits for the lock */
	struct file *file;		/* a reference */
	_Atomic(struct task *) locked;	/* holds the invalidate lock for it */
	atomic_bool gone;		/* the session is over */
};

/* ---------------------------------------------------------------- extents */

static bool ask(struct fs_client *fs, struct udax_extent *e)
{
	unsigned int nfds = 0;
	ssize_t n = -EIO;

	pthread_mutex_lock(&fs->lock);
	if (!sock_send(fs->sock, e, sizeof(*e), NULL, 0, 0))
		n = sock_recv(fs->sock, e, sizeof(*e), NULL, &nfds, 0);
	pthread_mutex_unlock(&fs->lock);
	return n == sizeof(*e);
}

int fs_synced(struct file *f)
{
	struct udax_extent e = { .len = 0 };

	return ask(f->fs, &e) ? 0 : -EIO;
}

void fs_iomap(struct file *f, struct dax_op *op)
{
	struct udax_extent e = {
		.pos = op->ask.pos, .len = op->ask.len, .write = op->ask.write,
	};

	/* Nobody knows any more. */
	if (!ask(f->fs, &e) || e.type > DAX_IOMAP_MAPPED || e.error > 0)
		e = (struct udax_extent){ .error = -EIO };
	op->ans.iomap = (struct dax_iomap){
		.error = e.error,
		.type = e.type,
		.flags = e.flags,
		.length = e.len,
		.pfn = e.pfn,
	};
}

void fs_close(struct fs_client *fs)
{
	close(fs->sock);
	pthread_mutex_destroy(&fs->lock);
	free(fs);
}

static struct fs_file *find(struct session *s, struct file *f)
{
	struct fs_file *ff;

	list_for_each(ff, &s->fs_files, link)
		if (ff->file == f)
			return ff;
	return NULL;
}

/* Before it is mapped, so that no fault has asked the medium. */
static bool adopt(struct file *f, struct fs_client *fs)
{
	bool free;

	lock_take(&f->lock);
	free = !f->fs && !f->nr_regions;
	if (free)
		f->fs = fs;
	lock_release(&f->lock);
	return free;
}

static int do_extents(struct session *s, const int *fds)
{
	struct fs_client *fs = calloc(1, sizeof(*fs));
	struct fs_file *ff = calloc(1, sizeof(*ff));
	struct file *f = NULL;
	char why[128] = "";
	int err = fs && ff ? 0 : -ENOMEM;

	if (!err)
		err = file_get(s->d, s->group, fds[0], false, &f, why, sizeof(why));
	if (!err && f->media->kind != MEDIA_DIRECT)
		err = -EOPNOTSUPP;
	if (err)
		goto fail;
	pthread_mutex_init(&fs->lock, NULL);
	fs->sock = dup(fds[1]);
	err = fs->sock < 0 ? -errno : adopt(f, fs) ? 0 : -EBUSY;
	if (err) {
		if (fs->sock >= 0)
			close(fs->sock);
		goto fail;
	}
	ff->file = f;
	atomic_store(&ff->refs, 1);
	list_add_tail(&ff->link, &s->fs_files);
	return 0;
fail:
	if (f)
		file_put(s->d, f);
	free(ff);
	free(fs);
	return -err;
}

/* ------------------------------------------------- entries and the lock */

static void fs_file_put(struct udaxd *d, struct fs_file *ff)
{
	if (atomic_fetch_sub(&ff->refs, 1) != 1)
		return;
	file_put(d, ff->file);
	free(ff);
}

static void released(struct exec *x, struct task *t)
{
	struct file *f = t->file;

	task_free(x, t);
	file_put(x->d, f);
}

/* @q: who waits for the release; NULL: nobody. False: it was not locked. */
static bool release(struct udaxd *d, struct fs_file *ff, struct request *q)
{
	struct task *t = atomic_exchange(&ff->locked, NULL);

	if (!t)
		return false;
	t->done = q ? request_task_done : released;
	t->arg = q;
	pool_submit(d->pool, t);
	return true;
}

/* Who waits for the lock; the task's arg until it is granted. */
struct fs_lock {
	struct request *request;
	struct fs_file *ff;		/* a reference */
};

/*
 * On a helper, with the lock held; the task keeps it until it is run again. If
 * the session is over, either we see that, or fs_session_end() sees the task.
 */
static enum task_next lock_granted(struct exec *x, struct task *t)
{
	struct fs_lock *l = t->arg;

	atomic_store(&l->ff->locked, t);
	if (atomic_load(&l->ff->gone))
		release(x->d, l->ff, NULL);
	request_put(l->request);
	fs_file_put(x->d, l->ff);
	free(l);
	return TASK_AWAY;
}

/* A deletion of nothing, for the sake of the lock that it takes. */
static int do_lock(struct session *s, const struct udax_msg *m,
		   struct fs_file *ff)
{
	struct fs_lock *l;
	struct task *t;

	if (atomic_load(&ff->locked))
		return EBUSY;
	l = calloc(1, sizeof(*l));
	if (!l)
		return ENOMEM;
	file_ref(ff->file);
	t = range_task(s->d, ff->file, DAX_OP_DELETE_RANGE, LAST_PAGE,
		       LAST_PAGE);
	if (t)
		l->request = request_new(s, m);
	if (!t || !l->request) {
		if (t)
			released(s->home->x, t);
		free(l);
		return t ? 0 : ENOMEM;	/* request_new() has replied */
	}
	atomic_fetch_add(&ff->refs, 1);
	l->ff = ff;
	t->prepare = lock_granted;
	t->arg = l;
	pool_submit(s->d->pool, t);
	return 0;
}

static int do_unlock(struct session *s, const struct udax_msg *m,
		     struct fs_file *ff)
{
	struct request *q;

	if (!atomic_load(&ff->locked))
		return EINVAL;
	q = request_new(s, m);
	if (q && !release(s->d, ff, q))
		request_put(q);
	return 0;
}

static bool is_range_op(uint32_t kind)
{
	switch (kind) {
	case DAX_OP_WRITEBACK:
	case DAX_OP_INVALIDATE:
	case DAX_OP_DELETE:
	case DAX_OP_DELETE_RANGE:
	case DAX_OP_LAYOUT_BUSY:
		return true;
	}
	return false;
}

static int do_range(struct session *s, const struct udax_msg *m,
		    struct fs_file *ff)
{
	struct request *q;
	struct task *t;

	if (!is_range_op(m->fs.kind))
		return EINVAL;
	q = request_new(s, m);
	if (!q)
		return 0;
	file_ref(ff->file);
	t = range_task(s->d, ff->file, m->fs.kind, m->fs.first, m->fs.last);
	if (!t) {
		atomic_store(&q->error, -ENOMEM);
		request_put(q);
		return 0;
	}
	if (atomic_load(&ff->locked))
		t->op.flags |= DAX_FAULT_FLAG_INVAL_LOCKED;
	t->done = request_task_done;
	t->owner = s;
	t->arg = q;
	pool_submit(s->d->pool, t);
	return 0;
}

static int do_unmap(struct session *s, const struct udax_msg *m,
		    struct fs_file *ff)
{
	uint64_t nr = m->fs.last - m->fs.first + 1;

	if (ff->file->exact) {
		zap_file(ff->file, m->fs.first, nr, s);
		zap_reply(s, m, 0, NULL);
	} else {
		file_unmap(ff->file, m->fs.first, nr, true);
		wire_reply(s->sock, m, 0, NULL, NULL, 0);
	}
	return 0;
}

static int do_resized(struct session *s, const struct udax_msg *m,
		      struct file *f)
{
	file_refresh_size(f);
	wire_reply(s->sock, m, 0, NULL, NULL, 0);
	return 0;
}

static int file_message(struct session *s, const struct udax_msg *m, int fd)
{
	struct file *f = file_find_fd(s->d, fd);
	struct fs_file *ff = f ? find(s, f) : NULL;

	if (f)
		file_put(s->d, f);	/* @ff holds it */
	if (!ff)
		return ENOENT;
	if (m->fs.first > m->fs.last || m->fs.last > LAST_PAGE)
		return EINVAL;
	switch (m->fs.what) {
	case UDAX_FS_LOCK:
		return do_lock(s, m, ff);
	case UDAX_FS_UNLOCK:
		return do_unlock(s, m, ff);
	case UDAX_FS_RANGE:
		return do_range(s, m, ff);
	case UDAX_FS_UNMAP:
		return do_unmap(s, m, ff);
	case UDAX_FS_RESIZED:
		return do_resized(s, m, ff->file);
	}
	return EINVAL;
}

void fs_session_end(struct session *s)
{
	struct fs_file *ff, *next;

	list_for_each_safe(ff, next, &s->fs_files, link) {
		list_del(&ff->link);
		atomic_store(&ff->gone, true);
		release(s->d, ff, NULL);
		fs_file_put(s->d, ff);
	}
}

/* --------------------------------------------------------------- messages */

void fs_message(struct exec *x, struct session *s, const struct udax_msg *m,
		const int *fds, unsigned int nfds)
{
	unsigned int want = m->fs.what == UDAX_FS_EXTENTS ? 2 :
			    m->fs.what >= UDAX_FS_PROBE ? 0 : 1;
	int err = 0;

	if (!s->d->opt.fs_clients)
		err = EPERM;
	else if (nfds != want)
		err = EPROTO;
	else if (m->fs.what == UDAX_FS_PROBE || m->fs.what == UDAX_FS_LOOK)
		fs_ask(x, s, m);
	else if (m->fs.what == UDAX_FS_QUIET)
		err = fs_quiet(s, m);
	else if (want == 1)
		err = file_message(s, m, fds[0]);
	else
		err = do_extents(s, fds);
	if (err || m->fs.what == UDAX_FS_EXTENTS)
		wire_reply(s->sock, m, err, NULL, NULL, 0);
}
