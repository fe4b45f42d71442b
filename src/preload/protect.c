/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mprotect and madvise. The kernel walks the mappings of the range in order of
 * address and stops at the first error (mm/mprotect.c, do_mprotect_pkey();
 * mm/madvise.c, madvise_walk_vmas()). So does the shim, one managed range or one
 * gap between them at a time: then udaxd knows what was done even if the rest
 * failed.
 */
#include "preload/shim.h"

#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24
#endif

/* The part of [@pos, @end) that lies in one managed range, or in none. */
static uint64_t segment(uint64_t pos, uint64_t end, bool *managed)
{
	size_t i = ranges_find(pos);
	const struct range *r = i < ranges_nr() ? ranges_get(i) : NULL;

	*managed = r && r->start <= pos;
	if (*managed)
		return r->end < end ? r->end : end;
	return r && r->start < end ? r->start : end;
}

/* The range at @pos cut out, so that [@pos, @end) is one of its own. */
static struct range *isolate(uint64_t pos, uint64_t end)
{
	ranges_split(pos);
	ranges_split(end);
	return ranges_get(ranges_find(pos));
}

/* --------------------------------------------------------------- mprotect */

static long raw_mprotect(uint64_t addr, uint64_t len, int prot, int pkey)
{
	if (pkey == -1)
		return sys_mprotect(addr, len, prot);
	return sys4(SYS_pkey_mprotect, addr, len, prot, pkey);
}

static long other_mprotect(bool locked, uint64_t addr, uint64_t len, int prot,
			   int pkey)
{
	return change_other(locked, pkey == -1 ? SYS_mprotect :
			    SYS_pkey_mprotect, addr, len, prot, pkey, 0, 0);
}

struct unlocked {
	uint64_t addr, len;	/* 0: nothing */
};

static long protect_range(uint64_t pos, uint64_t end, int prot, int pkey,
			  struct unlocked *u)
{
	const struct range *r = ranges_get(ranges_find(pos));
	struct change c = {
		.what = UDAX_CHANGE_MPROTECT,
		.prot = (uint32_t)prot,
		.addr = pos,
		.len = end - pos,
	};
	long ret;

	/* As for any shared mapping of an O_RDONLY descriptor. */
	if (r->flags & RANGE_RDONLY && prot & PROT_WRITE)
		return -EACCES;
	/* A locked private mapping made writable is copied at once: mprotect_fixup(). */
	if (r->flags & (RANGE_PRIVATE | RANGE_RDONLY) && prot & PROT_WRITE &&
	    mlock_suspend(pos, end - pos)) {
		u->addr = u->len ? u->addr : pos;
		u->len = end - u->addr;
	}
	if (ranges_reserve(4))
		return -ENOMEM;
	bracket_begin(&c);
	ret = raw_mprotect(pos, end - pos, prot, pkey);
	bracket_end(&c, ret, false);
	if (!ret)
		isolate(pos, end)->prot = (uint32_t)prot;
	return ret;
}

static long do_mprotect(uint64_t addr, size_t len, int prot, int pkey)
{
	uint64_t pos = addr, limit = addr + round_up(len, SHIM_PAGE), end;
	struct unlocked u = { 0, 0 };
	struct guard g;
	bool managed;
	long ret = 0;

	if (addr & (SHIM_PAGE - 1) || !len || len > SHIM_LEN_MAX ||
	    prot & (PROT_GROWSDOWN | PROT_GROWSUP) ||
	    !ranges_near(addr, limit) || !shim_enter(&g))
		return other_mprotect(false, addr, len, prot, pkey);
	for (; !ret && pos < limit; pos = end) {
		end = segment(pos, limit, &managed);
		if (managed)
			ret = protect_range(pos, end, prot, pkey, &u);
		else
			ret = other_mprotect(true, pos, end - pos, prot, pkey);
	}
	shim_leave(&g);
	if (u.len)
		mlock_resume(u.addr, u.len);
	return ret;
}

EXPORT int mprotect(void *addr, size_t len, int prot)
{
	return (int)sys_return(do_mprotect((uint64_t)addr, len, prot, -1));
}

EXPORT int pkey_mprotect(void *addr, size_t len, int prot, int pkey)
{
	return (int)sys_return(do_mprotect((uint64_t)addr, len, prot, pkey));
}

/* ---------------------------------------------------------------- madvise */

/*
 * The advice that udaxd must know of. The others either change nothing that it
 * follows, or fault pages in (POPULATE_*, WILLNEED), which must not happen in a
 * bracket. posix_madvise() gives none of these: it is left alone.
 */
static bool concerns_udaxd(int advice)
{
	switch (advice) {
	case MADV_DONTNEED:
	case MADV_DONTNEED_LOCKED:
	case MADV_FREE:
	case MADV_REMOVE:
	case MADV_HUGEPAGE:
	case MADV_NOHUGEPAGE:
	case MADV_DONTFORK:
	case MADV_DOFORK:
		return true;
	}
	return false;
}

/* Advice that the kernel gives with mmap_lock held for write: madvise_need_mmap_write(). */
static bool takes_mmap_lock(int advice)
{
	switch (advice) {
	case MADV_NORMAL:
	case MADV_RANDOM:
	case MADV_SEQUENTIAL:
	case MADV_DONTFORK:
	case MADV_DOFORK:
	case MADV_MERGEABLE:
	case MADV_UNMERGEABLE:
	case MADV_HUGEPAGE:
	case MADV_NOHUGEPAGE:
	case MADV_DONTDUMP:
	case MADV_DODUMP:
	case MADV_WIPEONFORK:
	case MADV_KEEPONFORK:
		return true;
	}
	return false;
}

static long other_madvise(bool locked, uint64_t addr, uint64_t len, int advice)
{
	if (!takes_mmap_lock(advice))
		return sys_madvise(addr, len, advice);
	return change_other(locked, SYS_madvise, addr, len, advice, 0, 0, 0);
}

static void remember(struct range *r, int advice)
{
	if (advice == MADV_NOHUGEPAGE)
		r->flags |= RANGE_NOHUGE;
	else if (advice == MADV_HUGEPAGE)
		r->flags &= (uint16_t)~RANGE_NOHUGE;
	else if (advice == MADV_DONTFORK)
		r->flags |= RANGE_DONTFORK;
	else if (advice == MADV_DOFORK)
		r->flags &= (uint16_t)~RANGE_DONTFORK;
}

/* END of a MADV_REMOVE is the punch of what the range maps: wait for it. */
static long advise_range(uint64_t pos, uint64_t end, int advice)
{
	struct change c = {
		.what = UDAX_CHANGE_MADVISE,
		.advice = advice,
		.addr = pos,
		.len = end - pos,
	};
	bool lasting = advice != MADV_DONTNEED && advice != MADV_DONTNEED_LOCKED &&
		       advice != MADV_FREE && advice != MADV_REMOVE;
	long ret;

	if (lasting && ranges_reserve(4))
		return -ENOMEM;
	bracket_begin(&c);
	ret = sys_madvise(pos, end - pos, advice);
	bracket_end(&c, ret, advice == MADV_REMOVE);
	if (!ret && lasting)
		remember(isolate(pos, end), advice);
	return ret;
}

EXPORT int madvise(void *addr, size_t len, int advice)
{
	uint64_t pos = (uint64_t)addr, limit = pos + round_up(len, SHIM_PAGE), end;
	bool managed, hole = false;
	struct guard g;
	long ret = 0;

	if (!concerns_udaxd(advice) || pos & (SHIM_PAGE - 1) || !len ||
	    len > SHIM_LEN_MAX || !ranges_near(pos, limit) || !shim_enter(&g))
		return (int)sys_return(other_madvise(false, (uint64_t)addr, len,
						     advice));
	for (; !ret && pos < limit; pos = end) {
		end = segment(pos, limit, &managed);
		ret = managed ? advise_range(pos, end, advice) :
		      other_madvise(true, pos, end - pos, advice);
		/* Unmapped parts are skipped, and reported at the end. */
		if (ret == -ENOMEM) {
			hole = true;
			ret = 0;
		}
	}
	shim_leave(&g);
	return (int)sys_return(!ret && hole ? -ENOMEM : ret);
}
