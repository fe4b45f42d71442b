/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mremap. A range that grows in place keeps its registration and is growing
 * under it; one that moves loses it (fs/userfaultfd.c, mremap_userfaultfd_prep()
 * without EVENT_REMAP): udaxd registers it again before END is answered.
 */
#include <stdarg.h>

#include "preload/shim.h"

/* One call; lengths in whole pages. */
struct remap {
	uint64_t old, old_len, new_len;
	uint64_t target;	/* with MREMAP_FIXED */
	int flags;
	bool image;
	uint32_t prot;		/* of the range at @old */
};

static bool fixed(const struct remap *m)
{
	return m->flags & MREMAP_FIXED;
}

/* Moves the table's ranges of [old, old + min(lengths)) to @to; grows the last. */
static void move_ranges(const struct remap *m, uint64_t to)
{
	uint64_t part = m->old_len < m->new_len ? m->old_len : m->new_len;
	uint64_t pos = m->old, limit = m->old + part;
	struct range r;
	size_t i;

	while (pos < limit) {
		i = ranges_find(pos);
		if (i == ranges_nr() || ranges_get(i)->start >= limit)
			break;
		r = *ranges_get(i);
		if (r.start < pos) {
			r.offset += pos - r.start;
			r.start = pos;
		}
		if (r.end > limit)
			r.end = limit;
		pos = r.end;
		ranges_cut(r.start, r.end);
		r.start += to - m->old;
		r.end += to - m->old;
		if (pos == limit)
			r.end = to + m->new_len;
		ranges_insert(&r);
	}
}

/* Restores the protections of an image's ranges that were PROT_NONE meanwhile. */
static void unveil(uint64_t start, uint64_t end)
{
	size_t i;
	struct range *r;

	for (i = ranges_find(start); i < ranges_nr(); i++) {
		r = ranges_get(i);
		if (r->start >= end)
			break;
		sys_mprotect(r->start > start ? r->start : start,
			     (r->end < end ? r->end : end) -
			     (r->start > start ? r->start : start), (int)r->prot);
	}
}

/* The kernel chooses the place, but of a colour that 2M faults can use. */
static long move_anywhere(const struct remap *m, uint64_t colour, int flags)
{
	struct reserve r;
	long ret;

	if (m->new_len < SHIM_PMD || !reserve_get(&r, m->new_len, colour))
		return sys_mremap(m->old, m->old_len, m->new_len, flags, 0);
	ret = sys_mremap(m->old, m->old_len, m->new_len, flags | MREMAP_FIXED, r.addr);
	reserve_trim(&r, sys_failed(ret) ? 0 : m->new_len);
	return ret;
}

static uint64_t colour_of(uint64_t addr)
{
	const struct range *r = ranges_get(ranges_find(addr));

	return (r->offset + (addr - r->start)) & (SHIM_PMD - 1);
}

/*
 * Kernels from 6.17 on move a range that is several mappings, MREMAP_FIXED and of
 * one size, but not if one of them has a userfaultfd (mm/mremap.c,
 * vma_multi_allowed()). Is this such a kernel?
 */
static bool moves_several(void)
{
	static int known;	/* lock held */
	long a, b, ret;

	if (known)
		return known > 0;
	a = sys_mmap(0, 2 * SHIM_PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	b = sys_mmap(0, 2 * SHIM_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (sys_failed(a) || sys_failed(b))
		return false;
	sys_mprotect((uint64_t)a, SHIM_PAGE, PROT_NONE);
	ret = sys_mremap((uint64_t)a, 2 * SHIM_PAGE, 2 * SHIM_PAGE,
			 MREMAP_MAYMOVE | MREMAP_FIXED, (uint64_t)b);
	known = sys_failed(ret) ? -1 : 1;
	sys_munmap((uint64_t)a, 2 * SHIM_PAGE);
	sys_munmap((uint64_t)b, 2 * SHIM_PAGE);
	return known > 0;
}

/*
 * Moves mapping after mapping. Where they begin only the kernel knows (advice
 * and locks split them, too): what is refused is halved. Of what is refused a
 * part may have moved, so an unmapped page is one that is done; the kernel, too,
 * passes over gaps.
 */
static long move_several(uint64_t old, uint64_t len, uint64_t target)
{
	long ret = sys_mremap(old, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, target);
	uint64_t half = round_up(len / 2, SHIM_PAGE);

	if (ret != -EFAULT)
		return ret;
	if (len == SHIM_PAGE)
		return (long)target;
	ret = move_several(old, half, target);
	if (!sys_failed(ret))
		ret = move_several(old + half, len - half, target + half);
	return sys_failed(ret) ? ret : (long)target;
}

static long remap_fixed(const struct remap *m)
{
	const struct range *r = ranges_get(ranges_find(m->old));
	bool one = r->start <= m->old && r->end >= m->old + m->old_len;
	bool several = m->old_len == m->new_len && moves_several();
	long ret = -EFAULT;

	/* The kernel alone would stop half way, at the first that is managed. */
	if (one || !several)
		ret = sys_mremap(m->old, m->old_len, m->new_len, m->flags, m->target);
	if (ret != -EFAULT || !several ||
	    sys3(SYS_msync, m->old, SHIM_PAGE, MS_ASYNC))
		return ret;
	return move_several(m->old, m->old_len, m->target);
}

/* The raw call of a plain mremap: in place if it can be, else where it is best. */
static long remap_plain(const struct remap *m)
{
	long ret;

	if (fixed(m))
		return remap_fixed(m);
	if (m->new_len <= m->old_len)
		return sys_mremap(m->old, m->old_len, m->new_len, m->flags, 0);
	ret = sys_mremap(m->old, m->old_len, m->new_len, 0, 0);
	if (ret != -ENOMEM || !(m->flags & MREMAP_MAYMOVE))
		return ret;
	return move_anywhere(m, colour_of(m->old), MREMAP_MAYMOVE);
}

/*
 * Is the old range one mapping to the kernel too? Taking the permissions of
 * several would make them one, and let a call succeed that must fail.
 */
static bool is_uniform(const struct remap *m)
{
	uint64_t limit = m->old + m->old_len;
	size_t i = ranges_find(m->old);
	const struct range *a = ranges_get(i), *b;

	if (a->start > m->old)
		return false;
	for (; a->end < limit; a = b) {
		if (++i == ranges_nr())
			return false;
		b = ranges_get(i);
		if (b->start != a->end || b->prot != a->prot || b->flags != a->flags ||
		    b->file != a->file || b->offset != a->offset + (a->end - a->start))
			return false;
	}
	return true;
}

/*
 * Resize or move. An image that moves to a place that others know (MREMAP_FIXED)
 * is out of reach until it is registered there: a page not loaded would read as
 * zeros. Any other new place is nobody's before mremap returns it.
 */
static long remap_managed(const struct remap *m, bool *locked)
{
	struct change c = {
		.what = UDAX_CHANGE_MREMAP,
		.addr = m->old,
		.len = m->old_len,
		.new_addr = fixed(m) ? m->target : 0,
		.new_len = m->new_len,
	};
	bool grows = m->new_len > m->old_len, moved, veil;
	long ret;

	*locked = grows && mlock_suspend(m->old, m->old_len);
	bracket_begin(&c);
	veil = m->image && fixed(m) && is_uniform(m);
	if (veil)
		sys_mprotect(m->old, m->old_len, PROT_NONE);
	ret = remap_plain(m);
	if (sys_failed(ret)) {
		bracket_end(&c, ret, false);
		if (veil)
			unveil(m->old, m->old + m->old_len);
		return ret;
	}
	moved = (uint64_t)ret != m->old;
	c.new_addr = (uint64_t)ret;
	if (moved && bracket_end(&c, ret, true) && net_alive()) {
		/* Not registered: the mapping is there, but not emulated. */
		ranges_cut(m->old, m->old + m->old_len);
		ranges_cut(c.new_addr, c.new_addr + m->new_len);
		if (veil)
			sys_mprotect(c.new_addr, m->new_len, (int)m->prot);
		return ret;
	}
	if (!moved)
		bracket_end(&c, ret, grows || m->image);
	if (moved || grows)
		move_ranges(m, c.new_addr);
	if (!moved && m->new_len < m->old_len)
		ranges_cut(m->old + m->new_len, m->old + m->old_len);
	if (moved)
		ranges_cut(m->old, m->old + m->old_len);
	if (veil)
		unveil(c.new_addr, c.new_addr + m->new_len);
	return ret;
}

/*
 * A second mapping of the same pages: old_size 0. The kernel refuses it for a
 * private mapping; one that the shim made private from a shared one is given a
 * second place by MREMAP_DONTUNMAP, which leaves the first to fault again.
 */
static long raw_duplicate(const struct remap *m, const struct range *r)
{
	struct remap part = *m;
	uint64_t have = r->end - m->old;
	long ret, grown;

	if (!(r->flags & RANGE_RDONLY) || r->flags & RANGE_PRIVATE) {
		if (fixed(m))
			return sys_mremap(m->old, 0, m->new_len, m->flags, m->target);
		return move_anywhere(m, colour_of(m->old), m->flags);
	}
	if (!(m->flags & MREMAP_MAYMOVE))
		return -ENOMEM;
	part.new_len = part.old_len = have < m->new_len ? have : m->new_len;
	ret = sys_mremap(m->old, part.old_len, part.new_len,
			 m->flags | MREMAP_DONTUNMAP, m->target);
	if (sys_failed(ret) || part.new_len == m->new_len)
		return ret;
	grown = sys_mremap((uint64_t)ret, part.new_len, m->new_len,
			   fixed(m) ? 0 : MREMAP_MAYMOVE, 0);
	if (sys_failed(grown))
		sys_munmap((uint64_t)ret, part.new_len);
	return grown;
}

/*
 * The old range stays mapped (MREMAP_DONTUNMAP, old_size 0): for udaxd there is
 * one mapping more, of a file that it knows.
 */
static long remap_twice(const struct remap *m)
{
	struct change c = {
		.what = UDAX_CHANGE_MMAP, .addr = m->target, .len = m->new_len,
	};
	bool over = fixed(m) && ranges_overlap(m->target, m->target + m->new_len);
	struct range r = *ranges_get(ranges_find(m->old));
	long ret;

	if (r.start > m->old)
		return change_other(true, SYS_mremap, m->old, m->old_len,
				    m->new_len, m->flags, m->target, 0);
	if (over)
		bracket_begin(&c);
	else
		mmap_lock_take();
	if (!m->old_len)
		ret = raw_duplicate(m, &r);
	else if (fixed(m))
		ret = sys_mremap(m->old, m->old_len, m->new_len, m->flags, m->target);
	else
		ret = move_anywhere(m, colour_of(m->old), m->flags);
	if (sys_failed(ret)) {
		if (over)
			bracket_end(&c, ret, false);
		else
			mmap_lock_drop();
		return ret;
	}
	r.offset += m->old - r.start;
	r.start = (uint64_t)ret;
	r.end = r.start + m->new_len;
	if (map_again(&r))
		ranges_cut(r.start, r.end);
	else
		ranges_insert(&r);
	return ret;
}

/* Something unmanaged is moved over something managed. */
static long remap_over(const struct remap *m)
{
	struct change c = {
		.what = UDAX_CHANGE_MMAP, .addr = m->target, .len = m->new_len,
	};
	long ret;

	bracket_begin(&c);
	ret = sys_mremap(m->old, m->old_len, m->new_len, m->flags, m->target);
	bracket_end(&c, ret, false);
	if (!sys_failed(ret))
		ranges_cut(m->target, m->target + m->new_len);
	return ret;
}

static long remap_locked(struct remap *m, bool *locked)
{
	uint64_t seen = m->old_len ? m->old_len : SHIM_PAGE;
	bool managed = ranges_overlap(m->old, m->old + seen);
	size_t pieces = ranges_find(m->old + seen) - ranges_find(m->old);
	struct range *r;

	if (!managed && !(fixed(m) && ranges_overlap(m->target,
						     m->target + m->new_len)))
		return change_other(true, SYS_mremap, m->old, m->old_len,
				    m->new_len, m->flags, m->target, 0);
	if (ranges_reserve(pieces + 8))
		return -ENOMEM;
	if (!managed)
		return remap_over(m);
	r = ranges_get(ranges_find(m->old));
	m->old_len = round_up(m->old_len, r->page_size);
	m->new_len = round_up(m->new_len, r->page_size);
	m->image = ranges_image(m->old, m->old + seen);
	m->prot = r->prot;
	if (!m->old_len || m->flags & MREMAP_DONTUNMAP)
		return remap_twice(m);
	return remap_managed(m, locked);
}

EXPORT void *mremap(void *old, size_t old_len, size_t new_len, int flags, ...)
{
	struct remap m = { .old = (uint64_t)old, .flags = flags };
	bool locked = false;
	struct guard g;
	va_list ap;
	long ret;

	if (flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) {
		va_start(ap, flags);
		m.target = (uint64_t)va_arg(ap, void *);
		va_end(ap);
	}
	m.old_len = round_up(old_len, SHIM_PAGE);
	m.new_len = round_up(new_len, SHIM_PAGE);
	if (old_len > SHIM_LEN_MAX || new_len > SHIM_LEN_MAX || !new_len ||
	    (m.old | m.target) & (SHIM_PAGE - 1) ||
	    (!ranges_near(m.old, m.old + m.old_len + SHIM_PAGE) &&
	     !(fixed(&m) && ranges_near(m.target, m.target + m.new_len))) ||
	    !shim_enter(&g))
		return (void *)sys_return(change_other(false, SYS_mremap, m.old,
						       old_len, new_len, flags,
						       m.target, 0));
	ret = remap_locked(&m, &locked);
	shim_leave(&g);
	if (locked)
		mlock_resume(sys_failed(ret) ? m.old : (uint64_t)ret,
			     sys_failed(ret) ? m.old_len : m.new_len);
	return (void *)sys_return(ret);
}
