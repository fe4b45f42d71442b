/* SPDX-License-Identifier: BSD-3-Clause */
/* munmap, and the call that replaces mappings by others of the same file. */
#include "preload/shim.h"

EXPORT int munmap(void *addr, size_t len)
{
	struct change c = {
		.what = UDAX_CHANGE_MUNMAP,
		.addr = (uint64_t)addr,
		.len = round_up(len, SHIM_PAGE),
	};
	uint64_t limit = c.addr + c.len;
	struct guard g;
	bool image;
	long ret;

	if (len > SHIM_LEN_MAX || c.addr & (SHIM_PAGE - 1) ||
	    !ranges_near(c.addr, limit) || !shim_enter(&g))
		return (int)sys_return(change_other(false, SYS_munmap, c.addr,
						    len, 0, 0, 0, 0));
	if (!ranges_overlap(c.addr, limit)) {
		ret = change_other(true, SYS_munmap, c.addr, len, 0, 0, 0, 0);
	} else if (ranges_reserve(2)) {
		ret = -ENOMEM;
	} else {
		/* The last unmap of an image writes it back: wait for that. */
		image = ranges_image(c.addr, limit);
		bracket_begin(&c);
		ret = sys_munmap(c.addr, len);
		bracket_end(&c, ret, image);
		if (!ret)
			ranges_cut(c.addr, limit);
	}
	shim_leave(&g);
	return (int)sys_return(ret);
}

/*
 * Obsolete; the kernel makes a new mapping of the same file in the place
 * (mm/mmap.c, SYSCALL remap_file_pages), which is not registered. MAP_NONBLOCK
 * keeps it from being populated before it is.
 */
EXPORT int remap_file_pages(void *addr, size_t len, int prot, size_t pgoff, int flags)
{
	struct change c = {
		.what = UDAX_CHANGE_MMAP,
		.addr = (uint64_t)addr & ~(SHIM_PAGE - 1),
		.len = len & ~(SHIM_PAGE - 1),
	};
	struct range r;
	struct guard g;
	long ret;

	if (len > SHIM_LEN_MAX || !ranges_near(c.addr, c.addr + c.len) ||
	    !shim_enter(&g))
		return (int)sys_return(change_other(false, SYS_remap_file_pages,
						    (long)addr, len, prot,
						    pgoff, flags, 0));
	if (!ranges_overlap(c.addr, c.addr + c.len)) {
		ret = change_other(true, SYS_remap_file_pages, (long)addr, len,
				   prot, pgoff, flags, 0);
	} else if (ranges_reserve(4)) {
		ret = -ENOMEM;
	} else {
		r = *ranges_get(ranges_find(c.addr));
		bracket_begin(&c);
		ret = sys5(SYS_remap_file_pages, addr, len, prot, pgoff,
			   flags | MAP_NONBLOCK);
		if (sys_failed(ret)) {
			bracket_end(&c, ret, false);
		} else {
			r.start = c.addr;
			r.end = c.addr + c.len;
			r.offset = pgoff * SHIM_PAGE;
			if (map_again(&r))
				ranges_cut(r.start, r.end);
			else
				ranges_insert(&r);
		}
	}
	shim_leave(&g);
	return (int)sys_return(ret);
}
