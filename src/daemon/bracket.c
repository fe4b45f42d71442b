/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The bracket around a change of the program's address space. From the reply to
 * BEGIN to END udaxd installs nothing in the session, so that no late resolve
 * can land in what is mapped there next.
 *
 * An executor says which session it is about to install in (exec.installing),
 * then looks whether the session is blocked; BEGIN blocks the session, then
 * looks who is installing. Both sides use sequentially consistent atomics, so at
 * least one of them sees the other (Dekker). The installer that BEGIN saw sends
 * the reply when it has finished. Entries, holds and media are never waited for.
 *
 * A fault that meets a blocked session is dropped: its thread stays asleep and
 * faults again when END wakes it.
 */
#include "daemon/session.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

static bool anyone_installing(struct session *s)
{
	struct udaxd *d = s->d;

	for (unsigned int i = 0; i < d->nr_execs; i++)
		if (atomic_load(&d->execs[i]->installing) == s)
			return true;
	return false;
}

/* Answers BEGIN once nobody installs any more. */
static void reply_if_quiet(struct session *s)
{
	struct udax_msg reply;
	bool send;

	lock_take(&s->lock);
	send = s->reply_pending && !s->zapper.busy && !anyone_installing(s);
	if (send) {
		s->reply_pending = false;
		reply = s->reply;
		if (reply.begin.what == UDAX_CHANGE_MPROTECT ||
		    reply.begin.what == UDAX_CHANGE_MREMAP)
			shadow_protect(s, reply.begin.addr,
				       reply.begin.addr + reply.begin.len);
	}
	lock_release(&s->lock);
	if (send)
		wire_reply(s->sock, &reply, 0, NULL, NULL, 0);
}

void bracket_quiet(struct session *s)
{
	if (atomic_load(&s->blocked))
		reply_if_quiet(s);
}

static bool try_install(struct exec *x, struct region *r)
{
	struct session *s = r->session;

	atomic_store(&x->installing, s);
	if (!atomic_load(&s->blocked) && !atomic_load(&r->dead))
		return true;
	install_end(x, s);
	return false;
}

bool install_begin(struct exec *x, struct region *r, uint64_t addr)
{
	if (try_install(x, r))
		return true;
	bracket_drop(x, r->session, addr);
	return false;
}

void install_end(struct exec *x, struct session *s)
{
	atomic_store(&x->installing, NULL);
	if (atomic_load(&s->blocked))
		reply_if_quiet(s);
}

static void remember_dropped(struct dropped *d, uint64_t addr)
{
	if (d->nr < DROPPED_MAX)
		d->addr[d->nr] = addr;
	if (!d->nr || addr < d->start)
		d->start = addr;
	if (!d->nr || addr + DAX_PAGE_SIZE > d->end)
		d->end = addr + DAX_PAGE_SIZE;
	d->nr++;
}

/*
 * One by one: whoever sleeps in between may be in service, and would fault again and
 * be counted twice.
 */
static void wake_dropped(struct session *s, const struct dropped *d)
{
	if (d->nr > DROPPED_MAX) {
		uffd_wake(s->uffd, d->start, d->end - d->start);
		return;
	}
	for (unsigned int i = 0; i < d->nr; i++)
		uffd_wake(s->uffd, d->addr[i], DAX_PAGE_SIZE);
}

void bracket_drop(struct exec *x, struct session *s, uint64_t addr)
{
	bool wake;

	counter_add(&s->stats[x->id]->dropped, 1);
	lock_take(&s->lock);
	wake = !atomic_load(&s->blocked);
	if (!wake) {
		remember_dropped(&s->dropped, addr);
	}
	lock_release(&s->lock);
	if (wake)
		uffd_wake(s->uffd, addr, DAX_PAGE_SIZE);
}

/*
 * With exact tracking a fault that comes to its installation inside a bracket was
 * before the change: the emulated table has the page, the change is made there too at
 * END, and what is left of it then the thread has by a refill. Were it dropped, the
 * fault would be counted, and told, twice.
 */
static bool defer(struct exec *x, struct region *r, uint64_t addr, bool pmd,
		  bool write)
{
	struct session *s = r->session;
	bool blocked;

	lock_take(&s->lock);
	blocked = atomic_load(&s->blocked);
	if (blocked && pmd)
		pgtable_set_pmd(&r->pt, addr, write);
	else if (blocked)
		pgtable_set_pte(&r->pt, addr, write);
	if (blocked)
		remember_dropped(&s->dropped, addr);
	lock_release(&s->lock);
	if (blocked)
		counter_add(&s->stats[x->id]->dropped, 1);
	return blocked;
}

int install_begin_or_defer(struct exec *x, struct region *r, uint64_t addr,
			   bool pmd, bool write)
{
	while (!try_install(x, r)) {
		if (r->file->exact && !atomic_load(&r->dead)) {
			if (defer(x, r, addr, pmd, write))
				return -EINPROGRESS;
			continue;
		}
		bracket_drop(x, r->session, addr);
		return -EAGAIN;
	}
	return 0;
}

/*
 * The range is about to move: pages that are writable would stay so, unseen,
 * where they move to. Stores are tracked by write protection there.
 */
static void protect_before_move(struct session *s, uint64_t start, uint64_t end)
{
	lock_take(&s->lock);
	for (unsigned int i = 0; i < s->nr_regions; i++) {
		struct region *r = s->regions[i];

		if (!r->wp || r->file->exact || r->end <= start ||
		    r->start >= end)
			continue;
		pgtable_wrprotect(&r->pt, r->start, r->end);
		uffd_writeprotect(s->uffd, r->start, r->end - r->start, true,
				  false);
	}
	lock_release(&s->lock);
}

void bracket_begin(struct exec *x, struct session *s, const struct udax_msg *msg)
{
	lock_take(&s->lock);
	s->reply = *msg;
	lock_release(&s->lock);
	if (!s->mmap_lock.on || mmap_lock_write(x, s, msg))
		bracket_block(s, false);
}

void bracket_block(struct session *s, bool granted)
{
	struct udax_begin b;

	lock_take(&s->lock);
	b = s->reply.begin;
	lock_release(&s->lock);
	if (b.what == UDAX_CHANGE_MREMAP && s->image)
		protect_before_move(s, b.addr, b.addr + b.len);
	lock_take(&s->lock);
	if (granted && !s->mmap_lock.granted) {	/* it has hung up */
		lock_release(&s->lock);
		return;
	}
	s->reply_pending = true;
	s->dropped.nr = 0;
	atomic_store(&s->blocked, true);
	lock_release(&s->lock);
	reply_if_quiet(s);
}

static void release(struct session *s, unsigned int behind)
{
	struct dropped dropped;

	for (unsigned int i = 0; i < sizeof(s->unknown) / sizeof(s->unknown[0]); i++)
		atomic_store(&s->unknown[i], 0);
	atomic_store(&s->nr_unknown, 0);
	lock_take(&s->lock);
	atomic_store(&s->blocked, false);
	s->reply_pending = false;
	mmap_lock_write_end(s->home->x, s, behind);
	dropped = s->dropped;
	s->dropped.nr = 0;
	zap_resume(s);
	lock_release(&s->lock);
	if (s->uffd >= 0)
		wake_dropped(s, &dropped);
}

void bracket_release(struct session *s)
{
	release(s, 0);
}

/* Each whole region of [start, end) becomes what @fn makes of it. */
static void replace_regions(struct session *s, uint64_t start, uint64_t end,
			    uint32_t prot, uint32_t set, uint32_t clear,
			    bool zap, struct region_ref *removed)
{
	if (region_split(s, start, removed) || region_split(s, end, removed))
		return;
	for (unsigned int i = 0; i < s->nr_regions; i++) {
		struct region *r = s->regions[i];

		if (r->end <= start || r->start >= end)
			continue;
		r->prot = prot == UINT32_MAX ? r->prot : prot;
		r->flags = (r->flags | set) & ~clear;
		if (zap)
			pgtable_zap(&r->pt, r->start, r->end);
	}
}

/* DONTNEED and its kin zap; nothing is split by them. */
static void zap_range(struct session *s, uint64_t start, uint64_t end)
{
	for (unsigned int i = 0; i < s->nr_regions; i++) {
		struct region *r = s->regions[i];
		uint64_t a = r->start > start ? r->start : start;
		uint64_t b = r->end < end ? r->end : end;

		if (a < b && r->file->exact)
			shadow_dontneed(r, a, b);
		else if (a < b)
			pgtable_zap(&r->pt, a, b);
	}
}

static void end_madvise(struct session *s, const struct udax_end *e,
			struct region_ref *removed)
{
	uint64_t start = e->addr, end = e->addr + e->len;

	switch (e->advice) {
	case MADV_NOHUGEPAGE:
		replace_regions(s, start, end, UINT32_MAX, UDAX_MAP_NOHUGE,
				UDAX_MAP_HUGE, false, removed);
		break;
	case MADV_HUGEPAGE:
		replace_regions(s, start, end, UINT32_MAX, UDAX_MAP_HUGE,
				UDAX_MAP_NOHUGE, false, removed);
		break;
	case MADV_DONTNEED:
	case MADV_DONTNEED_LOCKED:
	case MADV_FREE:
	case MADV_REMOVE:
		zap_range(s, start, end);
		break;
	}
}

#define PROT_ACCESS (PROT_READ | PROT_WRITE)

static bool changes_prot(const struct session *s, uint64_t start, uint64_t end,
			 uint32_t prot)
{
	for (unsigned int i = region_index(s, start); i < s->nr_regions; i++) {
		const struct region *r = s->regions[i];

		if (r->start >= end)
			break;
		if (!r->file->exact || (r->prot ^ prot) & PROT_ACCESS)
			return true;
	}
	return false;
}

/*
 * mprotect takes permissions from the emulated tables; a huge pmd of which only
 * a part changes is dropped (the kernel splits a DAX pmd so).
 */
static void end_mprotect(struct session *s, const struct udax_end *e,
			 struct region_ref *removed)
{
	uint64_t end = e->addr + e->len;

	/* mprotect_fixup() leaves alone what is so already. */
	if (!changes_prot(s, e->addr, end, e->prot))
		return;
	replace_regions(s, e->addr, end, e->prot, 0, 0, false, removed);
	for (unsigned int i = 0; i < s->nr_regions; i++) {
		struct region *r = s->regions[i];

		if (r->end <= e->addr || r->start >= end || !r->wp)
			continue;
		if (r->file->exact)
			shadow_mprotect(r, r->start, r->end);
		else
			pgtable_wrprotect(&r->pt, r->start, r->end);
	}
}

/* A new registration; what is mapped is kept. */
static int reregister(struct session *s, struct region *r)
{
	unsigned int modes = UFFD_MISSING | UFFD_MINOR | (r->wp ? UFFD_WP : 0);
	int err = uffd_register(s->uffd, r->start, r->end - r->start, modes);

	if (!err && r->file->exact)
		shadow_protect(s, r->start, r->end);
	else if (!err && r->wp)
		uffd_writeprotect(s->uffd, r->start, r->end - r->start, true,
				  false);
	return err;
}

/*
 * What moved, or grew, has lost its registration. The kernel first merges it with
 * neighbours that it continues, so theirs has gone with it.
 */
static int reregister_all(struct session *s, uint64_t start, uint64_t end)
{
	unsigned int i = region_index(s, start);
	int err = 0;

	while (i && s->regions[i - 1]->end == start)
		start = s->regions[--i]->start;
	for (; i < s->nr_regions && s->regions[i]->start <= end && !err; i++) {
		struct region *r = s->regions[i];

		err = reregister(s, r);
		if (r->end > end)
			end = r->end;
	}
	return err;
}

static struct region *moved_region(struct region *old, const struct udax_end *e)
{
	uint64_t head = old->start > e->addr ? old->start - e->addr : 0;
	uint64_t start = e->new_addr + head, end;
	uint64_t skip = e->addr > old->start ? e->addr - old->start : 0;
	struct region *r;

	/* The last old region grows with the mapping; shrinking cuts it. */
	if (old->end >= e->addr + e->len)
		end = e->new_addr + e->new_len;
	else
		end = e->new_addr + (old->end - e->addr);
	if (end > e->new_addr + e->new_len)
		end = e->new_addr + e->new_len;
	if (start >= end)
		return NULL;
	r = region_new(old->session, old->file, start, end,
		       old->offset + skip, old->prot, old->flags, old->wp);
	if (r) {
		uint64_t from = old->start + skip;
		uint64_t stop = from + (end - start);

		r->id = old->id;
		if (stop > old->end)
			stop = old->end;
		pgtable_copy(&r->pt, &old->pt, from, stop, start - from);
		if (old->file->exact)
			shadow_moved(r, old, from, stop, start - from);
	}
	return r;
}

/*
 * The old range is empty now: a mapping that stays (length 0, MREMAP_DONTUNMAP)
 * comes as a MAP of the new one.
 */
static int end_mremap(struct session *s, const struct udax_end *e,
		      struct region_ref *removed, struct region_ref *old)
{
	uint64_t end = e->addr + e->len;
	int err = 0;

	if (e->addr != e->new_addr)
		err = region_remove(s, e->new_addr, e->new_addr + e->new_len,
				    removed);
	/* Wholes that are split go to @removed: @old has the parts that move. */
	if (!err)
		err = region_split(s, e->addr, removed);
	if (!err)
		err = region_split(s, end, removed);
	/* A mapping that shrinks is cut. */
	if (!err && e->new_len < e->len)
		err = region_split(s, e->addr + e->new_len, removed);
	if (!err)
		err = region_remove(s, e->addr, end, old);
	zap_moved(s, e->addr, end, e->new_addr);
	for (unsigned int i = 0; i < old->nr && !err; i++) {
		struct region *r = moved_region(old->r[i], e);

		if (r)
			err = region_insert(s, r);
	}
	if (!err)
		err = reregister_all(s, e->new_addr, e->new_addr + e->new_len);
	return err;
}

/*
 * Removed regions are put without the lock, and only after the bracket is over:
 * the last one of a file starts its write-back.
 */
void bracket_end(struct exec *x, struct session *s, const struct udax_msg *msg)
{
	const struct udax_end *e = &msg->end;
	struct region_ref removed = { 0 }, moved = { 0 };
	int err = 0;

	lock_take(&s->lock);
	if (!e->error) {
		switch (e->what) {
		case UDAX_CHANGE_MMAP:
		case UDAX_CHANGE_MUNMAP:
			err = region_remove(s, e->addr, e->addr + e->len,
					    &removed);
			break;
		case UDAX_CHANGE_MREMAP:
			err = end_mremap(s, e, &removed, &moved);
			break;
		case UDAX_CHANGE_MPROTECT:
			end_mprotect(s, e, &removed);
			break;
		case UDAX_CHANGE_MADVISE:
			end_madvise(s, e, &removed);
			break;
		}
		shadow_merge(s, e->what == UDAX_CHANGE_MREMAP ? e->new_addr :
			     e->addr, e->what == UDAX_CHANGE_MREMAP ?
			     e->new_addr + e->new_len : e->addr + e->len,
			     &removed);
	}
	lock_release(&s->lock);
	release(s, e->waiting);
	if (msg->hdr.flags & UDAX_F_REPLY) {
		/* What was opened before and has not been mapped will not be. */
		if (e->what == UDAX_CHANGE_MUNMAP)
			session_remember_open(s, NULL);
		if (!err && removed.nr && s->image &&
		    (e->what == UDAX_CHANGE_MUNMAP || e->what == UDAX_CHANGE_MMAP))
			rangeop_sync_removed(s, msg, &removed);
		else if (!e->error && e->what == UDAX_CHANGE_MADVISE &&
			 e->advice == MADV_REMOVE)
			rangeop_remove(s, msg);
		else
			zap_reply(s, msg, -err, NULL);
	}
	region_ref_put(&moved);
	region_ref_put(&removed);
	mmap_lock_let_in(x, s);
}
