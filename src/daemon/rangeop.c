/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What works on ranges of files: truncate and punch (FILEOP), msync and fsync
 * (SYNC), the last write-back. All of it runs on helpers; the program waits for
 * the reply, its other threads do not.
 */
#include "daemon/rangeop.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct request *request_new(struct session *s, const struct udax_msg *m)
{
	struct request *q = calloc(1, sizeof(*q));

	if (!q) {
		wire_reply(s->sock, m, ENOMEM, NULL, NULL, 0);
		return NULL;
	}
	session_get(s);
	q->session = s;
	q->msg = *m;
	atomic_store(&q->pending, 1);
	return q;
}

void request_get(struct request *q)
{
	atomic_fetch_add(&q->pending, 1);
}

void request_put(struct request *q)
{
	if (atomic_fetch_sub(&q->pending, 1) != 1)
		return;
	zap_reply(q->session, &q->msg, -atomic_load(&q->error), NULL);
	session_put(q->session);
	free(q);
}

void request_error(struct request *q, int error)
{
	int none = 0;

	if (error)
		atomic_compare_exchange_strong(&q->error, &none, error);
}

void request_task_done(struct exec *x, struct task *t)
{
	struct request *q = t->arg;
	struct file *f = t->file;

	request_error(q, t->op.error);
	if (t->op.kind == DAX_OP_WRITEBACK && f->exact && f->media->ops->synced)
		f->media->ops->synced(f->media);
	task_free(x, t);
	file_put(x->d, f);
	request_put(q);
}

struct task *range_task(struct udaxd *d, struct file *f, enum dax_op_kind kind,
			uint64_t first, uint64_t last)
{
	struct task *t = calloc(1, sizeof(*t));

	if (!t) {
		file_put(d, f);
		return NULL;
	}
	dax_op_init_range(&t->op, kind, &f->mapping, first, last);
	t->op.driver = t;
	t->kind = TASK_RANGE;
	t->verb = DAX_MORE;
	t->file = f;
	/*
	 * What a punch makes zeros, also in the page at its edge, a write-back
	 * on its way must not put back: they exclude each other.
	 */
	t->shared = kind == DAX_OP_WRITEBACK && f->media->kind == MEDIA_IMAGE;
	return t;
}

void rangeop_writeback(struct udaxd *d, struct file *f,
		       void (*done)(struct exec *x, struct task *t), void *arg)
{
	struct task *t = range_task(d, f, DAX_OP_WRITEBACK, 0, LAST_PAGE);

	if (!t) {
		logmsg("%s: no memory for a write-back", f->media->name);
		return;
	}
	t->done = done;
	t->arg = arg;
	pool_submit(d->pool, t);
}

/* Takes over a reference of @f. */
static void request_writeback(struct request *q, struct file *f, uint64_t first,
			      uint64_t last)
{
	struct udaxd *d = q->session->d;
	struct task *t;

	if (f->media->kind != MEDIA_IMAGE && !f->exact) {
		file_put(d, f);
		return;
	}
	t = range_task(d, f, DAX_OP_WRITEBACK, first, last);
	if (!t) {
		atomic_store(&q->error, -ENOMEM);
		return;
	}
	t->done = request_task_done;
	t->owner = q->session;
	t->arg = q;
	request_get(q);
	pool_submit(d->pool, t);
}

/* Windows that a punch touched need not be huge folios any more. */
static void forget_huge(struct file *f, uint64_t first, uint64_t last)
{
	struct dax_table *table = &f->mapping.table;
	uint64_t size = (f->mapping.i_size >> PAGE_SHIFT) + PG_PMD_NR;

	if (last > size)
		last = size;
	for (uint64_t i = first & ~PG_PMD_COLOUR; i <= last; i += PG_PMD_NR) {
		uint8_t *byte = dax_table_window_byte(table, i);

		if (byte)
			*byte = 0;
	}
}

/*
 * Between the program's call and now another's fsync may have written the old
 * pages of an image back. A file system that cannot do it did not then.
 */
static void punch_again(const struct fileop *o, struct media *m)
{
	int mode = FALLOC_FL_KEEP_SIZE;

	if (m->kind != MEDIA_IMAGE || m->readonly)
		return;
	if (o->what == UDAX_FILEOP_PUNCH)
		fallocate(m->fd, mode | FALLOC_FL_PUNCH_HOLE, o->offset, o->len);
	else if (o->what == UDAX_FILEOP_ZERO)
		fallocate(m->fd, mode | FALLOC_FL_ZERO_RANGE, o->offset, o->len);
}

/*
 * Somebody may have made the file longer again before we came: what was cut off
 * is gone all the same, from private copies too.
 */
static int follow_size(const struct fileop *o, struct media *m)
{
	if (o->what == UDAX_FILEOP_TRUNCATE && m->kind == MEDIA_IMAGE &&
	    media_size(m) > o->len && !o->followed &&
	    ftruncate(m->memfd, o->len))
		return -errno;
	return m->ops->resize(m);
}

int fileop_follow(const struct fileop *o, struct file *f)
{
	struct media *m = f->media;
	int err;

	punch_again(o, m);
	if (o->what == UDAX_FILEOP_PUNCH || o->what == UDAX_FILEOP_ZERO)
		err = m->ops->punch(m, o->offset, o->len);
	else if (o->what == UDAX_FILEOP_COLLAPSE)
		err = m->ops->punch(m, o->offset, INT64_MAX - o->offset);
	else
		err = follow_size(o, m);
	lock_take(&f->mapping.i_pages);
	if (o->first <= o->last)
		forget_huge(f, o->first, o->last);
	__atomic_store_n(&f->mapping.i_size, media_size(m), __ATOMIC_RELAXED);
	lock_release(&f->mapping.i_pages);
	return err;
}

static void fileop_locked(struct exec *x, struct task *t)
{
	struct fileop *o = t->arg;
	int err;

	if (o->first <= o->last)
		file_unmap(t->file, o->first, o->last - o->first + 1, false);
	err = fileop_follow(o, t->file);
	if (err)
		atomic_store(&o->request->error, err);
}

static void fileop_done(struct exec *x, struct task *t)
{
	struct fileop *o = t->arg;

	t->arg = o->request;
	free(o);
	request_task_done(x, t);
}

static void edge_done(struct exec *x, struct task *t)
{
	struct task *parent = t->arg;
	struct fileop *o = parent->arg;
	struct file *f = t->file;

	if (t->op.error)
		atomic_store(&o->request->error, t->op.error);
	task_free(x, t);
	file_put(x->d, f);
	if (atomic_fetch_sub(&o->edges, 1) == 1)
		pool_submit(x->d->pool, parent);
}

static void write_edge(struct exec *x, struct task *parent, uint64_t page)
{
	struct fileop *o = parent->arg;
	struct task *t;

	file_ref(parent->file);
	t = range_task(x->d, parent->file, DAX_OP_WRITEBACK,
		       page & ~PG_PMD_COLOUR, page | PG_PMD_COLOUR);
	if (!t) {
		atomic_store(&o->request->error, -ENOMEM);
		return;
	}
	t->shared = false;	/* the parent holds the lock */
	t->done = edge_done;
	t->owner = parent->owner;
	t->arg = parent;
	atomic_fetch_add(&o->edges, 1);
	pool_submit(x->d->pool, t);
}

/*
 * With the invalidate lock held. A 2M entry goes as a whole, and with it what it
 * knew of stores to pages that stay: those are written back first. Stores after
 * that fault, and wait for the lock.
 */
static enum task_next fileop_prepare(struct exec *x, struct task *t)
{
	struct fileop *o = t->arg;
	int err;

	if (t->file->media->kind != MEDIA_IMAGE || o->first > o->last)
		return TASK_STEP;
	/* First what goes: the file may be longer again and would take it. */
	err = fileop_follow(o, t->file);
	o->followed = true;
	if (err)
		atomic_store(&o->request->error, err);
	atomic_store(&o->edges, 1);
	if (o->first & PG_PMD_COLOUR)
		write_edge(x, t, o->first);
	if (o->last != LAST_PAGE && ((o->last + 1) & PG_PMD_COLOUR))
		write_edge(x, t, o->last);
	return atomic_fetch_sub(&o->edges, 1) == 1 ? TASK_STEP : TASK_AWAY;
}

/* The pages that lose their blocks: whole ones only, the edges are zeroed. */
bool fileop_range(struct fileop *o)
{
	uint64_t mask = DAX_PAGE_SIZE - 1;

	o->first = 1;
	o->last = 0;
	switch (o->what) {
	case UDAX_FILEOP_TRUNCATE:
		o->first = (o->len + mask) >> PAGE_SHIFT;
		o->last = LAST_PAGE;
		return true;
	case UDAX_FILEOP_PUNCH:
	case UDAX_FILEOP_ZERO:
		if ((o->offset + mask) >> PAGE_SHIFT >=
		    (o->offset + o->len) >> PAGE_SHIFT)
			return false;
		o->first = (o->offset + mask) >> PAGE_SHIFT;
		o->last = ((o->offset + o->len) >> PAGE_SHIFT) - 1;
		return true;
	case UDAX_FILEOP_COLLAPSE:
		o->first = o->offset >> PAGE_SHIFT;
		o->last = LAST_PAGE;
		return true;
	default:
		return false;
	}
}

/* Takes over a reference of @f. */
static void request_fileop(struct request *q, struct file *f,
			   enum udax_fileop what, uint64_t offset, uint64_t len)
{
	struct udaxd *d = q->session->d;
	struct fileop *o;
	struct task *t = NULL;

	if (f->exact) {
		exact_fileop(q, f, what, offset, len);
		return;
	}
	o = calloc(1, sizeof(*o));
	if (o) {
		*o = (struct fileop){ .request = q, .what = what,
				      .offset = offset, .len = len };
		/* Nothing may lose its blocks: parts of pages, or the size. */
		if (!fileop_range(o) && f->media->kind == MEDIA_DIRECT) {
			fileop_follow(o, f);
			free(o);
			file_put(d, f);
			return;
		}
		t = o->first > o->last ?
			range_task(d, f, DAX_OP_DELETE_RANGE, LAST_PAGE, LAST_PAGE) :
			range_task(d, f, DAX_OP_DELETE_RANGE, o->first, o->last);
	} else {
		file_put(d, f);
	}
	if (!t) {
		free(o);
		atomic_store(&q->error, -ENOMEM);
		return;
	}
	t->done = fileop_done;
	t->owner = q->session;
	t->prepare = fileop_prepare;
	t->locked = fileop_locked;
	t->arg = o;
	atomic_fetch_add(&q->pending, 1);
	pool_submit(d->pool, t);
}

/* What the kernel would take: offsets and sizes fit off_t. */
static bool fileop_valid(const struct udax_fileop_msg *o)
{
	return o->what >= UDAX_FILEOP_TRUNCATE &&
	       o->what <= UDAX_FILEOP_WRITE && o->offset <= INT64_MAX &&
	       o->len <= INT64_MAX - o->offset;
}

void rangeop_fileop(struct exec *x, struct session *s, const struct udax_msg *m,
		    int fd)
{
	const struct udax_fileop_msg *o = &m->fileop;
	struct request *q;
	struct file *f;

	if (!fileop_valid(o)) {
		wire_reply(s->sock, m, EINVAL, NULL, NULL, 0);
		return;
	}
	q = request_new(s, m);
	if (!q)
		return;
	f = file_find_fd(s->d, fd);
	if (f)	/* else nobody maps it */
		request_fileop(q, f, o->what, o->offset, o->len);
	request_put(q);
}

typedef void region_fn(struct request *q, struct region *r, uint64_t start,
		       uint64_t end);

/* @fn for the part of each region of the session in [addr, addr + len). */
static void for_regions(struct request *q, uint64_t addr, uint64_t len,
			region_fn *fn)
{
	struct session *s = q->session;
	struct region **all;
	unsigned int nr = 0;

	lock_take(&s->lock);
	all = calloc(s->nr_regions + 1, sizeof(*all));
	for (unsigned int i = 0; all && i < s->nr_regions; i++) {
		struct region *r = s->regions[i];

		if (r->end <= addr || r->start >= addr + len)
			continue;
		region_get(r);
		all[nr++] = r;
	}
	lock_release(&s->lock);
	for (unsigned int i = 0; i < nr; i++) {
		struct region *r = all[i];

		fn(q, r, r->start > addr ? r->start : addr,
		   r->end < addr + len ? r->end : addr + len);
		region_put(r);
	}
	free(all);
}

static void sync_region(struct request *q, struct region *r, uint64_t start,
			uint64_t end)
{
	if (r->file->exact && r->flags & UDAX_MAP_PRIVATE)
		return;
	file_ref(r->file);
	request_writeback(q, r->file,
			  (r->offset + (start - r->start)) >> PAGE_SHIFT,
			  (r->offset + (end - r->start) - 1) >> PAGE_SHIFT);
}

static void punch_region(struct request *q, struct region *r, uint64_t start,
			 uint64_t end)
{
	file_ref(r->file);
	request_fileop(q, r->file, UDAX_FILEOP_PUNCH,
		       r->offset + (start - r->start), end - start);
}

void rangeop_remove(struct session *s, const struct udax_msg *m)
{
	struct request *q = request_new(s, m);

	if (!q)
		return;
	for_regions(q, m->end.addr, m->end.len, punch_region);
	request_put(q);
}

void rangeop_sync(struct exec *x, struct session *s, const struct udax_msg *m,
		  int fd)
{
	uint64_t addr = m->sync.addr, len = m->sync.len;
	struct request *q;
	struct file *f;

	if (m->sync.what < UDAX_SYNC_RANGE || m->sync.what > UDAX_SYNC_ALL ||
	    (m->sync.what == UDAX_SYNC_RANGE && addr + len < addr) ||
	    (m->sync.what == UDAX_SYNC_FILE && fd < 0)) {
		wire_reply(s->sock, m, EINVAL, NULL, NULL, 0);
		return;
	}
	q = request_new(s, m);
	if (!q)
		return;
	switch (m->sync.what) {
	case UDAX_SYNC_RANGE:
		for_regions(q, addr, len, sync_region);
		break;
	case UDAX_SYNC_ALL:
		for_regions(q, 0, UINT64_MAX, sync_region);
		break;
	default:
		f = file_find_fd(s->d, fd);
		if (f)
			request_writeback(q, f, 0, LAST_PAGE);
	}
	request_put(q);
}

void rangeop_sync_removed(struct session *s, const struct udax_msg *m,
			  const struct region_ref *removed)
{
	struct request *q = request_new(s, m);

	for (unsigned int i = 0; q && i < removed->nr; i++) {
		struct file *f = removed->r[i]->file;
		bool mapped;

		lock_take(&f->lock);
		mapped = f->nr_regions;
		lock_release(&f->lock);
		if (mapped)
			continue;
		file_ref(f);
		request_writeback(q, f, 0, LAST_PAGE);
		file_await_end(f, q);
	}
	if (q)
		request_put(q);
}
