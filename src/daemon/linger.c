/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Files that nobody maps any more. A program that maps a file anew for each change
 * of its size does it many times a second, and a medium costs much to set up: the
 * file is opened, the table and the witness are mapped, the folio of each window is
 * looked at. So what is behind a file on tmpfs stays for a moment after the last
 * munmap, and the next MAP of the same file finds it.
 *
 * The entries do not: what a run counts must not depend on how fast it is. And
 * nothing is believed that is not looked at again, for anybody may change the file
 * meanwhile: its size is asked for, and of a window the witness must say that the
 * folio is the one that was seen. An image does not linger: it would have to be
 * compared with a file that others may write.
 *
 * A file that lingers is held open, so that its space would not come back when it
 * is unlinked. Hence only for a short while, not without a name, and not when the
 * session that mapped it last is over or somebody waits for the end of a run.
 *
 * With exact tracking the entries do stay, and what is behind a file with them: a
 * session keeps what it has mapped.
 */
#include "daemon/rangeop.h"
#include "daemon/session.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* A program that maps less often than that will not notice what it costs. */
#define LINGER_NS 10000000ull
/* Files at a time; hardly a program maps more than that anew all the time. */
#define LINGER_MAX 8
/* So much of a table, in bytes, is cleared sooner than mapped anew. */
#define TABLE_CLEAR (64u << 10)
/* Long enough for a thread of ours to get a CPU again. */
#define ROOM_NS 1000000000ull

void backing_close(struct backing *b)
{
	if (b->table_mem)
		munmap(b->table_mem, b->table_size);
	media_close(b->media);
}

/* Daemon lock held. True: somebody waits for it, see group_check(). */
static bool closed(struct udaxd *d)
{
	d->nr_closing--;
	return !list_empty(&d->idle_waits) || atomic_load(&d->stopping);
}

/* On a helper: the last close of an unlinked file gives back its pages. */
static void close_file(struct pool_job *job)
{
	struct file *f = container_of(job, struct file, close);
	struct udaxd *d = f->d;
	bool check;

	backing_close(&f->back);
	free(f);
	lock_take(&d->lock);
	check = closed(d);
	lock_release(&d->lock);
	if (check)
		group_check(d);
}

static void submit_close(struct file *f)
{
	f->close.fn = close_file;
	pool_run(f->d->pool, &f->close);
}

/* Daemon lock held. */
static void end_one(struct file *f)
{
	list_del(&f->link);
	f->d->nr_lingering--;
	f->d->nr_closing++;
	submit_close(f);
}

static void on_timer(struct loop *loop, struct loop_op *op, int res, bool last);

/* Worker 0. The timer runs while a file lingers, and no longer. */
static void watch(struct loop *loop, struct udaxd *d)
{
	uint64_t now = now_ns(), next = 0;
	struct file *f, *n;

	lock_take(&d->lock);
	/* In the order of their ends. */
	list_for_each_safe(f, n, &d->lingering, link) {
		next = f->linger_until;
		if (next > now)
			break;
		end_one(f);
		next = 0;
	}
	d->linger_watched = next;
	lock_release(&d->lock);
	if (!next)
		return;
	loop_op_init(&d->linger_timer, on_timer);
	loop_deadline(loop, &d->linger_timer, next);
}

static void on_timer(struct loop *loop, struct loop_op *op, int res, bool last)
{
	watch(loop, container_of(op, struct udaxd, linger_timer));
}

static void watch_on_worker(struct loop *loop, struct loop_msg *msg)
{
	watch(loop, container_of(msg, struct udaxd, linger_msg));
}

/* Daemon lock held. */
static void begin(struct udaxd *d, struct file *f)
{
	if (d->nr_lingering == LINGER_MAX)
		end_one(list_first(&d->lingering, struct file, link));
	f->linger_until = now_ns() + LINGER_NS;
	list_add_tail(&f->link, &d->lingering);
	d->nr_lingering++;
	if (d->linger_watched)
		return;
	d->linger_watched = true;
	d->linger_msg.fn = watch_on_worker;
	loop_post(d->workers[0]->loop, &d->linger_msg);
}

/* One system call. */
static bool may_linger(const struct file *f)
{
	const struct media *m = f->media;
	struct stat st;

	return m->kind == MEDIA_DIRECT && !f->exact && !f->fs &&
	       !atomic_load(&f->d->stopping) && !fstat(m->fd, &st) && st.st_nlink;
}

/* As table_map() made it. */
static void clear_table(struct backing *b, uint64_t used)
{
	if (used <= TABLE_CLEAR) {
		memset(b->table_mem, 0, used);
		return;
	}
	munmap(b->table_mem, b->table_size);
	b->table_mem = NULL;
}

void linger_or_close(struct file *f)
{
	struct udaxd *d = f->d;
	bool check;

	f->back = (struct backing){ f->media, f->table_mem, f->table_size };
	if (!may_linger(f)) {
		submit_close(f);
		return;
	}
	clear_table(&f->back, f->mapping.table.used);
	lock_take(&d->lock);
	begin(d, f);
	check = closed(d);
	lock_release(&d->lock);
	if (check)
		group_check(d);
}

bool linger_take(struct udaxd *d, uint64_t dev, uint64_t ino, struct backing *b)
{
	struct file *f;

	lock_assert_held(&d->lock);
	list_for_each(f, &d->lingering, link) {
		if (f->back.media->ino != ino || f->back.media->dev != dev)
			continue;
		list_del(&f->link);
		d->nr_lingering--;
		*b = f->back;
		free(f);
		return true;
	}
	return false;
}

void linger_end(struct udaxd *d, uint64_t session)
{
	struct file *f, *next;

	lock_take(&d->lock);
	list_for_each_safe(f, next, &d->lingering, link)
		if (!session || f->session == session)
			end_one(f);
	lock_release(&d->lock);
}

/* --------------------------------------------------------- waits for the end */

/*
 * An image whose last mapping is gone still holds what the file held: until it has
 * ended, who maps the file anew would find that. So munmap() waits.
 */
struct ender {
	struct list_head link;		/* file.enders, its lock */
	struct request *request;	/* one of its references */
};

void file_await_end(struct file *f, struct request *q)
{
	struct ender *e;
	bool mapped;

	if (f->media->kind != MEDIA_IMAGE)
		return;
	e = malloc(sizeof(*e));
	if (!e)
		return;
	e->request = q;
	request_get(q);
	lock_take(&f->lock);
	mapped = f->nr_regions || f->nr_opened;
	if (!mapped)
		list_add_tail(&e->link, &f->enders);
	lock_release(&f->lock);
	if (mapped) {
		request_put(q);
		free(e);
	}
}

void file_end_waits(struct file *f)
{
	struct ender *e, *next;
	struct list_head all;

	list_init(&all);
	lock_take(&f->lock);
	list_splice_tail(&f->enders, &all);
	f->letting_go = false;
	lock_release(&f->lock);
	list_for_each_safe(e, next, &all, link) {
		request_put(e->request);
		free(e);
	}
}

void file_opened(struct file *f)
{
	lock_take(&f->lock);
	f->nr_opened++;
	lock_release(&f->lock);
	file_end_waits(f);
}

void file_closed(struct file *f)
{
	lock_take(&f->lock);
	f->nr_opened--;
	lock_release(&f->lock);
}

static void let_go(struct pool_job *job)
{
	struct file *f = container_of(job, struct file, let_go);

	file_end_waits(f);
	file_put(f->d, f);
}

/* Who maps the file holds locks: a helper does it. */
void file_let_go(struct file *f)
{
	file_ref(f);
	f->let_go.fn = let_go;
	pool_run(f->d->pool, &f->let_go);
}

/* ---------------------------------------------- kept, with exact tracking */

static bool nameless(const struct file *f)
{
	struct stat st;

	return !fstat(f->media->fd, &st) && !st.st_nlink;
}

/*
 * Without a name nobody could map it again, and its space would leak. References to
 * such, but for @but, up to @max: the caller's now. Session lock held.
 */
static unsigned int take_nameless(struct session *s, const struct file *but,
				  struct file **out, unsigned int max)
{
	unsigned int taken = 0, n = 0;

	for (unsigned int i = 0; i < s->nr_kept; i++) {
		struct file *f = s->kept[i];

		if (taken < max && f != but && nameless(f))
			out[taken++] = f;
		else
			s->kept[n++] = f;
	}
	s->nr_kept = n;
	return taken;
}

/* Session lock held. */
static void keep(struct session *s, struct file *f)
{
	struct file **kept;

	for (unsigned int i = 0; i < s->nr_kept; i++)
		if (s->kept[i] == f)
			return;
	if (nameless(f))
		return;
	kept = realloc(s->kept, (s->nr_kept + 1) * sizeof(*kept));
	if (!kept)
		return;
	file_ref(f);
	s->kept = kept;
	s->kept[s->nr_kept++] = f;
}

void file_keep(struct session *s, struct file *f)
{
	struct file *gone[LINGER_MAX];
	unsigned int n;

	lock_take(&s->lock);
	n = take_nameless(s, f, gone, LINGER_MAX);
	keep(s, f);
	lock_release(&s->lock);
	while (n)
		file_put(s->d, gone[--n]);
}

void file_keep_none(struct session *s)
{
	struct file **kept;
	unsigned int n;

	lock_take(&s->lock);
	kept = s->kept;
	n = s->nr_kept;
	s->kept = NULL;
	s->nr_kept = 0;
	lock_release(&s->lock);
	for (unsigned int i = 0; i < n; i++)
		file_put(s->d, kept[i]);
	free(kept);
}

/* ----------------------------------------------------------- memory is short */

/*
 * Nobody maps @f nor finds it by name, but a fault of it is still in service, or its
 * last write-back: the thread is awake, and may be here sooner than who woke it gets
 * to run. What lasts for good would keep us here: it has ROOM_NS. Daemon lock held.
 */
static bool leaves_room(struct file *f, uint64_t now)
{
	bool mapped;

	lock_take(&f->lock);
	mapped = f->nr_regions;
	lock_release(&f->lock);
	if (mapped || !nameless(f)) {
		f->room_until = 0;
		return false;
	}
	if (!f->room_until)
		f->room_until = now + ROOM_NS;
	return now < f->room_until;
}

/* What sessions keep without a name, so many at once. */
static unsigned int put_nameless(struct udaxd *d)
{
	struct file *gone[LINGER_MAX];
	unsigned int n = 0, i;
	struct session *s;

	lock_take(&d->lock);
	list_for_each(s, &d->sessions, link) {
		lock_take(&s->lock);
		n += take_nameless(s, NULL, gone + n, LINGER_MAX - n);
		lock_release(&s->lock);
	}
	lock_release(&d->lock);
	for (i = 0; i < n; i++)
		file_put(d, gone[i]);
	return n;
}

bool linger_make_room(struct udaxd *d)
{
	uint64_t now = now_ns();
	struct file *f;
	bool room;

	linger_end(d, 0);
	while (put_nameless(d) == LINGER_MAX)
		;
	lock_take(&d->lock);
	room = d->nr_closing;
	list_for_each(f, &d->files, link)
		room |= leaves_room(f, now);
	lock_release(&d->lock);
	return room;
}
