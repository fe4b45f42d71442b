/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The system calls that change mappings, each in a bracket of udaxd's protocol:
 * what the preload library does for programs. r->mm keeps the VMAs; its page
 * tables stay empty, udaxd has those.
 */
#include "cli/live.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif

/* A script has few mappings, and few of them are cut. */
#define MAX_PIECES	64

struct pieces {
	unsigned int nr;
	struct piece {
		uint64_t from, to;
	} piece[MAX_PIECES];
};

static int add_piece(void *arg, struct vma *vma, uint64_t from, uint64_t to)
{
	struct pieces *p = arg;

	if (p->nr == MAX_PIECES)
		return -E2BIG;
	p->piece[p->nr++] = (struct piece){ from, to };
	return 0;
}

/* The parts of [addr, addr + len) that VMAs hold, in order. -errno of the kernel. */
static int find_pieces(struct replay *r, uint64_t addr, uint64_t len,
		       struct pieces *p)
{
	int rc;

	p->nr = 0;
	rc = mm_for_each(&r->mm, addr, len, add_piece, p);
	if (rc == -E2BIG)
		replay_fail(r, rc, "a range of too many mappings");
	return rc;
}

static int sys(long rc)
{
	return rc == -1 ? -errno : 0;
}

/* udaxd is told before and after. A connection that fails ends the run. */
static void begin(struct replay *r, const struct udax_begin *b)
{
	int err = live_begin(live_of(r), b);

	if (err)
		replay_fail(r, err, "udaxd refuses a change of a mapping");
}

static void end(struct replay *r, const struct udax_begin *b, int rc)
{
	int err = live_end(live_of(r), b, -rc);

	if (err)
		replay_fail(r, err, "udaxd refuses a change of a mapping");
}

bool live_is_private(struct replay *r, uint64_t addr)
{
	const struct vma *vma = mm_find_vma(&r->mm, addr);

	return vma && !(vma->flags & VMA_SHARED);
}

void live_note_copy(struct replay *r, uint64_t addr)
{
	struct vma *vma = mm_find_vma(&r->mm, addr);

	/* By the time that a thread is joined it may have moved. */
	if (vma)
		vma->flags |= VMA_ANON;
}

/* ------------------------------------------------------- mmap and munmap */

static int prot_of(unsigned int flags)
{
	return (flags & VMA_READ ? PROT_READ : 0) |
	       (flags & VMA_WRITE ? PROT_WRITE : 0);
}

static void register_vma(struct replay *r, const struct vma *vma)
{
	struct live_file *lf = live_file(vma->owner);
	struct udax_msg m = { .map = {
		.addr = vma->start,
		.len = vma->end - vma->start,
		.offset = vma->pgoff << PAGE_SHIFT,
		.prot = prot_of(vma->flags),
		.flags = (vma->flags & VMA_SHARED ? 0 : UDAX_MAP_PRIVATE) |
			 (vma->flags & VMA_SYNC ? UDAX_MAP_SYNC : 0),
	} };
	int err = live_call(live_of(r), &m, UDAX_OP_MAP, &lf->fd, 1);

	if (err)
		replay_fail(r, err, "udaxd does not serve a mapping");
}

int live_mmap(struct replay *r, const struct vma *vma)
{
	struct live_file *lf = live_file(vma->owner);
	uint64_t len = vma->end - vma->start;
	int flags = MAP_FIXED | MAP_NORESERVE |
		    (vma->flags & VMA_SHARED ? MAP_SHARED : MAP_PRIVATE);
	struct udax_begin b = {
		.what = UDAX_CHANGE_MMAP, .addr = vma->start, .len = len,
	};
	void *p;
	int rc;

	begin(r, &b);
	p = mmap((void *)vma->start, len, prot_of(vma->flags), flags, lf->fd,
		 vma->pgoff << PAGE_SHIFT);
	rc = p == MAP_FAILED ? -errno : 0;
	if (rc)
		end(r, &b, rc);
	else
		register_vma(r, vma);
	live_settle(r);
	return rc ? rc : mm_mmap(&r->mm, vma);
}

int live_munmap(struct replay *r, uint64_t addr, uint64_t len)
{
	uint64_t mask = DAX_PAGE_SIZE - 1;
	struct udax_begin b = {
		.what = UDAX_CHANGE_MUNMAP,
		.addr = addr,
		.len = (len + mask) & ~mask,
	};
	int rc;

	if (addr & mask || !len)
		return sys(munmap((void *)addr, len));
	begin(r, &b);
	rc = sys(munmap((void *)addr, len));
	end(r, &b, rc);
	live_settle(r);
	return rc ? rc : mm_munmap(&r->mm, addr, len);
}

/* ------------------------------------------------- protection and advice */

static int protect(struct replay *r, const struct piece *p, unsigned int prot)
{
	struct udax_begin b = {
		.what = UDAX_CHANGE_MPROTECT,
		.prot = prot_of(prot),
		.addr = p->from,
		.len = p->to - p->from,
	};
	int rc;

	begin(r, &b);
	rc = sys(mprotect((void *)p->from, b.len, b.prot));
	end(r, &b, rc);
	return rc;
}

/* What lies before the first hole is changed. */
int live_mprotect(struct replay *r, uint64_t addr, uint64_t len,
		  unsigned int prot)
{
	struct pieces p;
	uint64_t at = addr;
	int rc = find_pieces(r, addr, len, &p), err = 0;

	for (unsigned int i = 0; i < p.nr && p.piece[i].from == at && !err; i++) {
		err = protect(r, &p.piece[i], prot);
		at = p.piece[i].to;
	}
	live_settle(r);
	if (rc == -EINVAL || !len)
		return sys(mprotect((void *)addr, len, prot_of(prot)));
	mm_mprotect(&r->mm, addr, len, prot);
	return err ? err : rc;
}

static int advise(struct replay *r, const struct piece *p, int advice)
{
	struct udax_begin b = {
		.what = UDAX_CHANGE_MADVISE,
		.advice = advice,
		.addr = p->from,
		.len = p->to - p->from,
	};
	int rc;

	begin(r, &b);
	rc = sys(madvise((void *)p->from, b.len, advice));
	end(r, &b, rc);
	return rc;
}

/* Holes are passed over, and told in the end. */
static int advise_all(struct replay *r, uint64_t addr, uint64_t len, int advice)
{
	struct pieces p;
	int rc = find_pieces(r, addr, len, &p), err = 0;

	for (unsigned int i = 0; i < p.nr && !err; i++)
		err = advise(r, &p.piece[i], advice);
	live_settle(r);
	return err ? err : rc;
}

/* What of a private mapping is there the kernel copies by itself. */
static int populate_copy(struct replay *r, uint64_t addr)
{
	bool copied = live_is_copy(addr);
	long faults = live_count_faults();
	int rc;

	live_log_seen(live_of(r), gettid());
	rc = sys(madvise((void *)addr, DAX_PAGE_SIZE, MADV_POPULATE_WRITE));
	faults = live_count_faults() - faults;
	live_settle(r);
	if (!rc && faults && !live_log_seen(live_of(r), gettid()).all)
		live_copied(r, addr, copied);
	return rc;
}

/* A page at a time, as the kernel does: the first that it refuses is known. */
static int populate_pages(struct replay *r, uint64_t addr, uint64_t end,
			  int advice)
{
	int rc = 0;

	for (; addr < end && !rc && !r->error; addr += DAX_PAGE_SIZE) {
		if (advice == MADV_POPULATE_WRITE && live_is_private(r, addr))
			rc = populate_copy(r, addr);
		else
			rc = sys(madvise((void *)addr, DAX_PAGE_SIZE, advice));
	}
	live_settle(r);
	if (rc == -EFAULT)
		live_refused(r, addr - DAX_PAGE_SIZE,
			     advice == MADV_POPULATE_WRITE);
	return rc;
}

/* No change of the address space, and no bracket: its faults are served. */
static int populate(struct replay *r, uint64_t addr, uint64_t len, int advice)
{
	struct live *l = live_of(r);
	int rc;

	l->in_kernel = l->populating = true;
	if (addr & (DAX_PAGE_SIZE - 1))
		rc = -EINVAL;
	else
		rc = populate_pages(r, addr, addr + len, advice);
	l->in_kernel = l->populating = false;
	return rc;
}

int live_madvise(struct replay *r, uint64_t addr, uint64_t len,
		 enum script_advice advice)
{
	int rc;

	switch (advice) {
	case SCRIPT_DONTNEED:
		return advise_all(r, addr, len, MADV_DONTNEED);
	case SCRIPT_NOHUGEPAGE:
		rc = advise_all(r, addr, len, MADV_NOHUGEPAGE);
		mm_set_nohuge(&r->mm, addr, len, true);
		return rc;
	case SCRIPT_HUGEPAGE:
		rc = advise_all(r, addr, len, MADV_HUGEPAGE);
		mm_set_nohuge(&r->mm, addr, len, false);
		return rc;
	case SCRIPT_POPULATE_READ:
		return populate(r, addr, len, MADV_POPULATE_READ);
	case SCRIPT_POPULATE_WRITE:
		return populate(r, addr, len, MADV_POPULATE_WRITE);
	case SCRIPT_WILLNEED:
		return sys(madvise((void *)addr, len, MADV_WILLNEED));
	case SCRIPT_REMOVE:
		break;
	}
	return -EINVAL;
}

void live_drop_copies(struct replay *r, struct replay_file *file,
		      uint64_t start, uint64_t nr)
{
	uint64_t from, to;

	for (unsigned int i = 0; i < r->mm.nr_vmas; i++) {
		const struct vma *vma = &r->mm.vmas[i];

		if (!(vma->flags & VMA_SHARED) &&
		    mm_file_range(vma, &file->fs, start, nr, &from, &to))
			madvise((void *)from, to - from, MADV_DONTNEED);
	}
}

/* ----------------------------------------------------------------- mremap */

static void move_piece(struct replay *r, const struct piece *p, uint64_t to)
{
	uint64_t len = p->to - p->from;
	struct udax_begin b = {
		.what = UDAX_CHANGE_MREMAP,
		.addr = p->from,
		.len = len,
		.new_addr = to,
		.new_len = len,
	};
	void *at;
	int rc;

	begin(r, &b);
	at = mremap((void *)p->from, len, len, MREMAP_MAYMOVE | MREMAP_FIXED,
		    (void *)to);
	rc = at == MAP_FAILED ? -errno : 0;
	end(r, &b, rc);
	if (rc)
		replay_fail(r, rc, "the machine does not move a mapping");
}

static void make_room(struct replay *r, uint64_t to, uint64_t len)
{
	struct udax_begin b = {
		.what = UDAX_CHANGE_MUNMAP, .addr = to, .len = len,
	};

	begin(r, &b);
	munmap((void *)to, len);
	end(r, &b, 0);
}

/*
 * One mapping at a time: the kernel refuses several when one of them has a
 * userfaultfd. What is refused for other reasons the simulated process knows; a
 * kernel that moves one alone has made room by then.
 */
int live_mremap(struct replay *r, uint64_t from, uint64_t len, uint64_t to)
{
	uint64_t room = (len + DAX_PAGE_SIZE - 1) & ~(DAX_PAGE_SIZE - 1);
	struct pieces p;
	int rc;

	find_pieces(r, from, len, &p);
	rc = mm_mremap(&r->mm, from, len, to);
	if (rc == -EINVAL || !p.nr || p.piece[0].from != from)
		return rc;
	if (!r->mm.rules->mremap_many)
		make_room(r, to, room);
	for (unsigned int i = 0; i < p.nr && !rc && !r->error; i++)
		move_piece(r, &p.piece[i], to + (p.piece[i].from - from));
	live_settle(r);
	return rc;
}
