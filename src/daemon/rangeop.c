/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What works on ranges of files: truncate and punch (FILEOP), msync and fsync
 * (SYNC), the last write-back. All of it runs on helpers; the program waits for
 * the reply, its other threads do not.
 */
#include "daemon/session.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <string.h>

#define LAST_PAGE (UINT64_MAX >> (PAGE_SHIFT + 1))

/* A program's request; answered when the last of its tasks is done. */
struct request {
	struct session *session;	/* a reference */
	struct udax_msg msg;
	atomic_uint pending;
	atomic_int error;		/* the first -errno */
	enum udax_fileop what;
	uint64_t offset, len;		/* FILEOP, bytes */
};

static struct request *request_new(struct session *s, const struct udax_msg *m)
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

static void request_put(struct request *q)
{
	if (atomic_fetch_sub(&q->pending, 1) != 1)
		return;
	wire_reply(q->session->sock, &q->msg, -atomic_load(&q->error), NULL,
		   NULL, 0);
	session_put(q->session);
	free(q);
}

static void request_task_done(struct exec *x, struct task *t)
{
	struct request *q = t->arg;
	struct file *f = t->file;
	int none = 0;

	if (t->op.error)
		atomic_compare_exchange_strong(&q->error, &none, t->op.error);
	task_free(x, t);
	file_put(x->d, f);
	request_put(q);
}

/* Takes over a reference of @f. NULL: no memory, the reference is dropped. */
static struct task *range_task(struct udaxd *d, struct file *f,
			       enum dax_op_kind kind, uint64_t first,
			       uint64_t last)
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

	if (f->media->kind != MEDIA_IMAGE) {
		file_put(d, f);
		return;
	}
	t = range_task(d, f, DAX_OP_WRITEBACK, first, last);
	if (!t) {
		atomic_store(&q->error, -ENOMEM);
		return;
	}
	t->done = request_task_done;
	t->arg = q;
	atomic_fetch_add(&q->pending, 1);
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
static void punch_again(const struct request *q, struct media *m)
{
	int mode = FALLOC_FL_KEEP_SIZE;

	if (m->kind != MEDIA_IMAGE || m->readonly)
		return;
	if (q->what == UDAX_FILEOP_PUNCH)
		fallocate(m->fd, mode | FALLOC_FL_PUNCH_HOLE, q->offset, q->len);
	else if (q->what == UDAX_FILEOP_ZERO)
		fallocate(m->fd, mode | FALLOC_FL_ZERO_RANGE, q->offset, q->len);
}

static void fileop_locked(struct exec *x, struct task *t)
{
	struct request *q = t->arg;
	struct file *f = t->file;
	struct media *m = f->media;
	int err;

	file_unmap(f, t->op.pgoff, t->op.end - t->op.pgoff + 1, false);
	punch_again(q, m);
	if (q->what == UDAX_FILEOP_PUNCH || q->what == UDAX_FILEOP_ZERO)
		err = m->ops->punch(m, q->offset, q->len);
	else if (q->what == UDAX_FILEOP_COLLAPSE)
		err = m->ops->punch(m, q->offset, INT64_MAX - q->offset);
	else
		err = m->ops->resize(m);
	if (err)
		atomic_store(&q->error, err);
	lock_take(&f->mapping.i_pages);
	forget_huge(f, t->op.pgoff, t->op.end);
	__atomic_store_n(&f->mapping.i_size, media_size(m), __ATOMIC_RELAXED);
	lock_release(&f->mapping.i_pages);
}

/* The pages that lose their blocks: whole ones only, the edges are zeroed. */
static bool fileop_range(const struct udax_fileop_msg *o, uint64_t *first,
			 uint64_t *last)
{
	uint64_t mask = DAX_PAGE_SIZE - 1;

	*last = LAST_PAGE;
	switch (o->what) {
	case UDAX_FILEOP_TRUNCATE:
		*first = (o->len + mask) >> PAGE_SHIFT;
		return true;
	case UDAX_FILEOP_PUNCH:
	case UDAX_FILEOP_ZERO:
		*first = (o->offset + mask) >> PAGE_SHIFT;
		*last = (o->offset + o->len) >> PAGE_SHIFT;
		if (*last <= *first)
			return false;
		(*last)--;
		return true;
	case UDAX_FILEOP_COLLAPSE:
		*first = o->offset >> PAGE_SHIFT;
		return true;
	default:
		return false;
	}
}

/* Nothing loses its blocks, but the size, or parts of pages, changed. */
static void fileop_small(struct request *q, struct file *f)
{
	struct media *m = f->media;

	if (q->what == UDAX_FILEOP_PUNCH || q->what == UDAX_FILEOP_ZERO)
		m->ops->punch(m, q->offset, q->len);
	else
		m->ops->resize(m);
	lock_take(&f->mapping.i_pages);
	__atomic_store_n(&f->mapping.i_size, media_size(m), __ATOMIC_RELAXED);
	lock_release(&f->mapping.i_pages);
}

/* What the kernel would take: offsets and sizes fit off_t. */
static bool fileop_valid(const struct udax_fileop_msg *o)
{
	return o->what >= UDAX_FILEOP_TRUNCATE &&
	       o->what <= UDAX_FILEOP_ALLOCATE && o->offset <= INT64_MAX &&
	       o->len <= INT64_MAX - o->offset;
}

void rangeop_fileop(struct exec *x, struct session *s, const struct udax_msg *m,
		    int fd)
{
	struct udaxd *d = s->d;
	uint64_t first, last;
	struct request *q;
	struct task *t;
	struct file *f;

	if (!fileop_valid(&m->fileop)) {
		wire_reply(s->sock, m, EINVAL, NULL, NULL, 0);
		return;
	}
	f = file_find_fd(d, fd);
	if (!f) {	/* nobody maps it */
		wire_reply(s->sock, m, 0, NULL, NULL, 0);
		return;
	}
	q = request_new(s, m);
	if (!q) {
		file_put(d, f);
		return;
	}
	q->what = m->fileop.what;
	q->offset = m->fileop.offset;
	q->len = m->fileop.len;
	if (!fileop_range(&m->fileop, &first, &last)) {
		fileop_small(q, f);
		file_put(d, f);
		request_put(q);
		return;
	}
	t = range_task(d, f, DAX_OP_DELETE_RANGE, first, last);
	if (!t) {
		atomic_store(&q->error, -ENOMEM);
		request_put(q);
		return;
	}
	t->done = request_task_done;
	t->locked = fileop_locked;
	t->arg = q;
	pool_submit(d->pool, t);
}

/* The files under [addr, addr + len), or under all of the session's regions. */
static void sync_regions(struct session *s, struct request *q, uint64_t addr,
			 uint64_t len)
{
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
		uint64_t a = r->start > addr ? r->start : addr;
		uint64_t b = r->end < addr + len ? r->end : addr + len;

		file_ref(r->file);
		request_writeback(q, r->file,
				  (r->offset + (a - r->start)) >> PAGE_SHIFT,
				  (r->offset + (b - r->start) - 1) >> PAGE_SHIFT);
		region_put(r);
	}
	free(all);
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
		sync_regions(s, q, addr, len);
		break;
	case UDAX_SYNC_ALL:
		sync_regions(s, q, 0, UINT64_MAX);
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
	}
	if (q)
		request_put(q);
}
