/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Files: one struct for each pmem file that somebody maps, found by identity
 * (device, inode) while it is open, and closed soon after the last unmap: the
 * space of an unlinked file would leak otherwise.
 */
#include "daemon/hold.h"
#include "daemon/session.h"
#include "daemon/trace.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

/*
 * Virtual memory that a file's table starts with; it doubles when it is full.
 * Only what is used is backed: 64 MiB hold the 4K entries of 16 GiB.
 */
#ifndef TABLE_BYTES
#define TABLE_BYTES (64ULL << 20)
#endif

static void *table_map(uint64_t size)
{
	void *mem = mmap(NULL, size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return mem == MAP_FAILED ? NULL : mem;
}

int file_grow_table(struct file *f)
{
	void *mem;
	int err = 0;

	lock_take(&f->mapping.i_pages);
	mem = mremap(f->table_mem, f->table_size, f->table_size * 2,
		     MREMAP_MAYMOVE);
	if (mem == MAP_FAILED) {
		err = -ENOMEM;
	} else {
		f->table_mem = mem;
		f->table_size *= 2;
		dax_table_set_memory(&f->mapping.table, mem, f->table_size);
	}
	lock_release(&f->mapping.i_pages);
	return err;
}

void file_refresh_size(struct file *f)
{
	uint64_t size = media_size(f->media);

	lock_take(&f->mapping.i_pages);
	__atomic_store_n(&f->mapping.i_size, size, __ATOMIC_RELAXED);
	lock_release(&f->mapping.i_pages);
}

/* Takes over @b, also when it fails: NULL, no memory. */
static struct file *file_new(struct udaxd *d, struct backing *b)
{
	struct file *f = calloc(1, sizeof(*f));
	char path[PATH_MAX];

	if (f && !b->table_mem) {
		b->table_size = TABLE_BYTES;
		b->table_mem = table_map(b->table_size);
	}
	if (!f || !b->table_mem) {
		backing_close(b);
		free(f);
		return NULL;
	}
	f->d = d;
	f->table_mem = b->table_mem;
	f->table_size = b->table_size;
	f->media = b->media;
	atomic_store(&f->refs, 1);
	lock_init(&f->lock, LOCK_RANK_FILE, "file");
	list_init(&f->regions);
	list_init(&f->inval_queue);
	list_init(&f->held);
	list_init(&f->enders);
	list_init(&f->link);
	/* Nobody asks for it mostly, and it takes a system call. */
	if (!d->opt.protocols.nr || media_path(f->media->fd, path, sizeof(path)))
		path[0] = '\0';
	dax_mapping_init(&f->mapping,
			 protocol_rules_find(&d->opt.protocols, path),
			 &d->waits, f->table_mem, f->table_size);
	f->mapping.driver = f;
	f->mapping.i_size = f->media->size;
	f->exact = d->opt.track == TRACK_EXACT && !media_track(f->media);
	return f;
}

/* Nobody finds it any more; udaxd.nr_closing has been told. No lock held. */
static void file_end(struct file *f)
{
	file_end_waits(f);
	dax_mapping_exit(&f->mapping);
	lock_destroy(&f->lock);
	if (f->fs)
		fs_close(f->fs);
	linger_or_close(f);
}

/* Daemon lock held. */
static struct file *find_locked(struct udaxd *d, uint64_t dev, uint64_t ino)
{
	struct file *f;

	list_for_each(f, &d->files, link)
		if (f->media->ino == ino && f->media->dev == dev)
			return f;
	return NULL;
}

struct file *file_find_fd(struct udaxd *d, int fd)
{
	struct stat st;
	struct file *f;

	if (fstat(fd, &st))
		return NULL;
	lock_take(&d->lock);
	f = find_locked(d, st.st_dev, st.st_ino);
	if (f)
		atomic_fetch_add(&f->refs, 1);
	lock_release(&d->lock);
	return f;
}

struct file *file_find(struct udaxd *d, uint64_t id)
{
	struct file *f, *found = NULL;

	lock_take(&d->lock);
	list_for_each(f, &d->files, link)
		if (f->id == id) {
			found = f;
			atomic_fetch_add(&found->refs, 1);
			break;
		}
	lock_release(&d->lock);
	return found;
}

/* Daemon lock held. Another opener may have been faster: his file stands. */
static struct file *file_add(struct udaxd *d, struct group *g, struct file *f)
{
	struct file *old = find_locked(d, f->media->dev, f->media->ino);

	if (old) {
		atomic_fetch_add(&old->refs, 1);
		return old;
	}
	f->id = ++d->next_id;
	f->group = g;
	hold_choose(d, f);
	d->nr_files++;
	list_add_tail(&f->link, &d->files);
	trace_file_known(d, f);
	return f;
}

void file_seen(struct session *s, struct file *f)
{
	struct udaxd *d = s->d;
	struct group *g = s->group;
	struct file_id id = { f->media->dev, f->media->ino }, *seen;

	lock_take(&d->lock);
	f->session = s->id;
	g->mappings++;
	g->media |= 1u << f->media->kind;
	if (!g->protocol)
		g->protocol = f->mapping.proto->name;
	else if (strcmp(g->protocol, f->mapping.proto->name))
		g->protocol = "mixed";
	if (!f->draining)
		f->group = g;
	for (uint64_t i = 0; i < g->files; i++)
		if (g->seen[i].ino == id.ino && g->seen[i].dev == id.dev)
			goto out;
	seen = realloc(g->seen, (g->files + 1) * sizeof(*seen));
	if (seen) {
		g->seen = seen;
		seen[g->files++] = id;
	}
out:
	lock_release(&d->lock);
}

/* Does its name lie in one of the directories that are served? */
static bool under_pmem(const struct udaxd *d, int fd)
{
	char path[PATH_MAX];

	if (!d->opt.nr_pmem)
		return true;
	if (media_path(fd, path, sizeof(path)))
		return false;
	for (unsigned int i = 0; i < d->opt.nr_pmem; i++) {
		size_t n = strlen(d->opt.pmem[i]);

		if (!strncmp(path, d->opt.pmem[i], n) &&
		    (path[n] == '/' || (n && path[n - 1] == '/')))
			return true;
	}
	return false;
}

/* For a file that was not known. 0 or -errno. */
static int file_open(struct udaxd *d, int fd, bool image, struct backing *b,
		     char *why, unsigned int why_len)
{
	enum udaxd_media choice = d->opt.media;
	int kind;

	if (!under_pmem(d, fd))
		return -EOPNOTSUPP;
	kind = media_kind_of(fd);
	if (kind < 0)
		return kind;
	if ((choice == MEDIA_CHOICE_DIRECT && kind != MEDIA_DIRECT) ||
	    (choice == MEDIA_CHOICE_IMAGE && kind != MEDIA_IMAGE))
		return -EOPNOTSUPP;
	if (kind == MEDIA_IMAGE && !image)
		return -ENOTCONN;
	return media_open(&b->media, fd, why, why_len);
}

int file_get(struct udaxd *d, struct group *g, int fd, bool image,
	     struct file **out, char *why, unsigned int why_len)
{
	struct backing b = { 0 };
	struct file *f, *fresh;
	struct stat st;
	int err = 0;

	if (fstat(fd, &st))
		return -errno;
	lock_take(&d->lock);
	f = find_locked(d, st.st_dev, st.st_ino);
	if (f)
		atomic_fetch_add(&f->refs, 1);
	else if (linger_take(d, st.st_dev, st.st_ino, &b))
		b.media->size = (uint64_t)st.st_size;
	lock_release(&d->lock);
	if (!f && !b.media)
		err = file_open(d, fd, image, &b, why, why_len);
	if (err)
		return err;
	if (!f) {
		fresh = file_new(d, &b);
		if (!fresh)
			return -ENOMEM;
		lock_take(&d->lock);
		f = file_add(d, g, fresh);
		if (f != fresh)
			d->nr_closing++;
		lock_release(&d->lock);
		if (f != fresh)
			file_end(fresh);
	}
	if (f->media->kind == MEDIA_IMAGE && !image) {
		file_put(d, f);
		return -ENOTCONN;
	}
	*out = f;
	return 0;
}

void file_ref(struct file *f)
{
	atomic_fetch_add(&f->refs, 1);
}

/* The last reference is gone. Daemon lock held. */
static void file_gone(struct udaxd *d, struct file *f)
{
	list_del(&f->link);
	d->nr_files--;
	d->nr_closing++;
}

static void drained(struct exec *x, struct task *t)
{
	struct udaxd *d = x->d;
	struct file *f = t->file;
	bool last, again;

	if (t->op.error)
		logmsg("%s: last write-back failed: %s", f->media->name,
		       strerror(-t->op.error));
	task_free(x, t);
	lock_take(&d->lock);
	again = f->redrain && atomic_load(&f->refs) == 1;
	f->redrain = false;
	last = !again && atomic_fetch_sub(&f->refs, 1) == 1;
	if (!again) {
		f->draining = false;
		f->group->draining--;
	}
	if (last)
		file_gone(d, f);
	lock_release(&d->lock);
	if (again) {
		rangeop_writeback(d, f, drained, NULL);
		return;
	}
	if (last)
		file_end(f);
	group_check(d);
}

/*
 * Does a write-back of it do anything? The pages of a file in memory are the file;
 * but it may take its time, and be traced.
 */
static bool writes_back(const struct file *f)
{
	return f->media->kind == MEDIA_IMAGE || f->exact || hold_has(f) ||
	       f->d->trace;
}

/*
 * The last user is gone. Write-back and close may take long, so a helper does
 * them, the write-back with a reference of its own: who maps the file meanwhile
 * finds it.
 */
void file_put(struct udaxd *d, struct file *f)
{
	unsigned int refs = atomic_load(&f->refs);
	bool drain, last;

	/* Others hold it: two may be one of them and a drain. */
	while (refs > 2)
		if (atomic_compare_exchange_weak(&f->refs, &refs, refs - 1))
			return;
	lock_take(&d->lock);
	last = atomic_load(&f->refs) == 1 && !f->draining;
	drain = last && writes_back(f);
	if (drain) {
		f->draining = true;
		f->group->draining++;
	} else if (last) {
		atomic_store(&f->refs, 0);
		file_gone(d, f);
	} else if (atomic_fetch_sub(&f->refs, 1) == 2 && f->draining) {
		f->redrain = true;	/* used meanwhile: once more */
	}
	lock_release(&d->lock);
	if (drain)
		rangeop_writeback(d, f, drained, NULL);
	else if (last)
		file_end(f);
}

void file_link_region(struct file *f, struct region *r)
{
	bool go;

	lock_take(&f->lock);
	list_add_tail(&r->file_link, &f->regions);
	f->nr_regions++;
	go = !list_empty(&f->enders) && !f->letting_go;
	f->letting_go |= go;
	lock_release(&f->lock);
	if (go)
		file_let_go(f);
}

void file_unlink_region(struct file *f, struct region *r)
{
	lock_take(&f->lock);
	if (!list_empty(&r->file_link)) {
		list_del(&r->file_link);
		f->nr_regions--;
	}
	lock_release(&f->lock);
}

bool region_overlap(const struct region *r, uint64_t index, uint64_t nr,
		    uint64_t *start, uint64_t *end)
{
	uint64_t first = r->offset >> PAGE_SHIFT;
	uint64_t last = first + ((r->end - r->start) >> PAGE_SHIFT);
	uint64_t stop = nr > UINT64_MAX - index ? UINT64_MAX : index + nr;

	if (index > first)
		first = index;
	if (stop < last)
		last = stop;
	if (first >= last)
		return false;
	*start = r->start + (first << PAGE_SHIFT) - r->offset;
	*end = r->start + (last << PAGE_SHIFT) - r->offset;
	return true;
}

void file_get_regions(struct file *f, struct region_ref *all)
{
	struct region *r;

	lock_take(&f->lock);
	all->r = calloc(f->nr_regions + 1, sizeof(struct region *));
	list_for_each(r, &f->regions, file_link) {
		if (!all->r)
			break;
		region_get(r);
		all->r[all->nr++] = r;
	}
	lock_release(&f->lock);
}

/*
 * Stores that land in a page without a fault must not be lost, so nothing is
 * punched here: the pages under a zero entry are real pages of the file, and the
 * emulated tables alone forget them (doc/fault.md, "Zero entries").
 */
void file_unmap(struct file *f, uint64_t index, uint64_t nr, bool cows)
{
	struct region *r;
	uint64_t start, end;

	lock_take(&f->lock);
	list_for_each(r, &f->regions, file_link)
		if (region_overlap(r, index, nr, &start, &end))
			pgtable_zap(&r->pt, start, end);
	lock_release(&f->lock);
}

/* The fork event of the session is unread: a worker reads it at once. */
static void wait_for_event(void)
{
	struct timespec ts = { .tv_nsec = 50000 };

	nanosleep(&ts, NULL);
}

static void wrprotect_range(void *arg, uint64_t start, uint64_t end)
{
	struct region *r = arg;

	while (uffd_writeprotect(r->session->uffd, start, end - start, true,
				 false) == -EAGAIN)
		wait_for_event();
}

static void wrprotect_region(struct region *r, uint64_t start, uint64_t end)
{
	pgtable_wrprotect(&r->pt, start, end);
	if (r->file->exact && r->wp)	/* where nothing is, no page table is made */
		pgtable_each(&r->pt, start, end, wrprotect_range, r);
	else if (r->wp)
		wrprotect_range(r, start, end);
}

/* Helpers only: the ioctls may have to be repeated. */
void file_wrprotect(struct exec *x, struct file *f, uint64_t index, uint64_t nr)
{
	struct region_ref all = { 0 };

	/*
	 * Before a flush: whoever stores from now on faults first. Errors say
	 * that the range or the program is gone, and its stores with it. The
	 * ioctls are made without the lock, since a fork event takes it.
	 */
	file_get_regions(f, &all);
	for (unsigned int i = 0; i < all.nr; i++) {
		uint64_t start, end;

		if (region_overlap(all.r[i], index, nr, &start, &end))
			wrprotect_region(all.r[i], start, end);
	}
	region_ref_put(&all);
}
