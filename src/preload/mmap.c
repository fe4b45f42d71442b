/* SPDX-License-Identifier: BSD-3-Clause */
/* mmap: how a managed file gets into the program. */
#include "preload/shim.h"

#ifndef MAP_DROPPABLE
#define MAP_DROPPABLE 0x08
#endif

/* One call of mmap for a managed file. */
struct request {
	uint64_t addr, len;	/* as asked */
	uint64_t size;		/* len in whole pages of the file system */
	uint64_t off;
	int prot, flags, fd;
	struct file file;
	bool rdonly;		/* MAP_SHARED of an O_RDONLY descriptor */
	bool bracket;		/* BEGIN was sent */
	bool over;		/* ... for a range in which something managed was */
	bool granted;		/* MAP_SYNC, by the shim */
};

/* ------------------------------------------------------------ reservation */

bool reserve_get(struct reserve *r, uint64_t len, uint64_t colour)
{
	long mem;

	r->size = round_up(len, SHIM_PAGE) + SHIM_PMD;
	mem = sys_mmap(0, r->size, PROT_NONE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (sys_failed(mem))
		return false;
	r->base = (uint64_t)mem;
	r->addr = r->base + ((colour - r->base) & (SHIM_PMD - 1));
	return true;
}

void reserve_trim(const struct reserve *r, uint64_t used)
{
	uint64_t end = r->addr + round_up(used, SHIM_PAGE);

	if (!used) {
		sys_munmap(r->base, r->size);
		return;
	}
	if (r->addr > r->base)
		sys_munmap(r->base, r->addr - r->base);
	if (r->base + r->size > end)
		sys_munmap(end, r->base + r->size - end);
}

/*
 * The raw call. Without a hint the address agrees with the file offset modulo
 * 2M, or no fault could ever map 2M; smaller mappings hold no 2M window.
 */
static long place(const struct request *q, int fd, int prot, int flags)
{
	struct reserve r;
	long ret;

	if (q->addr || q->len < SHIM_PMD || q->file.hugetlb ||
	    flags & (MAP_FIXED | MAP_FIXED_NOREPLACE | MAP_32BIT) ||
	    !reserve_get(&r, q->len, q->off & (SHIM_PMD - 1)))
		return sys_mmap(q->addr, q->len, prot, flags, fd, q->off);
	ret = sys_mmap(r.addr, q->len, prot, flags | MAP_FIXED, fd, q->off);
	reserve_trim(&r, sys_failed(ret) ? 0 : q->len);
	return ret;
}

/* --------------------------------------------------------------- messages */

uint32_t map_flags(const struct range *r)
{
	return (r->flags & RANGE_PRIVATE ? UDAX_MAP_PRIVATE : 0) |
	       (r->flags & RANGE_RDONLY ? UDAX_MAP_RDONLY_FD : 0) |
	       (r->flags & RANGE_SYNC ? UDAX_MAP_SYNC : 0) |
	       (r->flags & RANGE_NOHUGE ? UDAX_MAP_NOHUGE : 0);
}

/* MAP of @r, with @fd or by the id that is in it; fills in file and media. */
static int send_map(struct range *r, int fd, uint64_t *region)
{
	struct udax_msg msg = { .map = {
		.addr = r->start,
		.len = r->end - r->start,
		.offset = r->offset,
		.file = fd >= 0 ? 0 : r->file,
		.prot = r->prot,
		.flags = map_flags(r),
	} };
	int err = net_call(&msg, UDAX_OP_MAP, fd, NULL);

	if (err)
		return err;
	r->file = msg.map.file;
	r->media = (uint16_t)msg.map.media;
	*region = msg.map.region;
	return 0;
}

int map_again(struct range *r)
{
	uint64_t region;

	return send_map(r, -1, &region);
}

static void say_unserved(int err)
{
	static bool told;

	if (net_dead() || env.quiet || (told && !env.verbose))
		return;
	told = true;
	say("%d: a mapping is not emulated: %s", (long)sys_getpid(),
	    say_error(err));
}

/* ---------------------------------------------------------- managed mmap */

/* BEGIN when the range is in use by a managed mapping. */
static void begin(struct request *q, uint64_t addr)
{
	struct change c = {
		.what = UDAX_CHANGE_MMAP, .addr = addr, .len = q->size,
	};

	if (addr & (SHIM_PAGE - 1) || !ranges_overlap(addr, addr + q->size))
		return;
	if (!q->bracket)
		bracket_begin(&c);
	q->bracket = q->over = true;
}

/* For every mapping of a file under the emulated mmap_lock. */
static void begin_any(struct request *q)
{
	mmap_lock_take();
	q->bracket = env.mmap_lock;
}

/* END: the range holds nothing managed now, or (@ret failed) what it held. */
static void end(struct request *q, uint64_t addr, long ret)
{
	struct change c = {
		.what = UDAX_CHANGE_MMAP, .addr = addr, .len = q->size,
	};

	if (!q->bracket)
		return;
	q->bracket = false;
	if (!q->over) {
		mmap_lock_drop();
		return;
	}
	q->over = false;
	bracket_end(&c, ret, false);
	if (!sys_failed(ret))
		ranges_cut(addr, addr + q->size);
}

/*
 * MAP_LOCKED populates inside the system call, before anybody serves the range:
 * the lock is taken here, page by page as they come, and the pages are asked
 * for when the range is registered. Errors as mmap gives them: mm/mmap.c,
 * do_mmap(): can_do_mlock() EPERM, mlock_future_ok() EAGAIN.
 */
static long lock_range(const struct request *q, uint64_t addr)
{
	long ret;

	if (!(q->flags & MAP_LOCKED))
		return 0;
	ret = sys3(SYS_mlock2, addr, q->len, MLOCK_ONFAULT);
	if (!sys_failed(ret))
		return 0;
	sys_munmap(addr, q->len);
	return ret == -ENOMEM ? -EAGAIN : ret;
}

static struct range describe(const struct request *q, uint64_t addr)
{
	int type = q->flags & MAP_TYPE;

	return (struct range){
		.start = addr,
		.end = addr + q->size,
		.offset = q->off,
		.dev = q->file.dev,
		.ino = q->file.ino,
		.page_size = q->file.page_size,
		.prot = (uint32_t)q->prot,
		.flags = (uint16_t)((type == MAP_PRIVATE ? RANGE_PRIVATE : 0) |
			(q->rdonly ? RANGE_RDONLY : 0) |
			(type == MAP_SHARED_VALIDATE && q->flags & MAP_SYNC ?
			 RANGE_SYNC : 0)),
	};
}

/* The mapping is there: have it served. 0, or why it is not. */
static int serve(struct request *q, uint64_t addr, uint64_t file, int fd)
{
	struct range r = describe(q, addr);
	uint64_t region;
	int err;

	r.file = file;
	begin(q, addr);		/* the table says so of a range that escaped */
	err = send_map(&r, fd, &region);
	q->bracket = q->over = false;	/* by MAP */
	if (err) {
		ranges_cut(r.start, r.end);
		say_unserved(err);
		return err;
	}
	ranges_insert(&r);
	if (env.verbose)
		say("%d: region %u: %x+%x of inode %u at %x, %s, prot %x%s%s",
		    (long)sys_getpid(), region, addr, q->size, r.ino, r.offset,
		    r.media == UDAX_MEDIA_IMAGE ? "image" : "direct",
		    (unsigned long)r.prot,
		    r.flags & RANGE_PRIVATE ? ", private" : "",
		    r.flags & RANGE_RDONLY ? ", read-only descriptor" : "");
	return 0;
}

/* What of the program's flags the raw call gets. */
static int raw_flags(const struct request *q)
{
	int flags = q->flags & ~(MAP_POPULATE | MAP_LOCKED);

	if (q->granted)
		flags &= ~MAP_SYNC;
	if (q->rdonly)
		flags = (flags & ~(MAP_TYPE | MAP_SYNC)) | MAP_PRIVATE;
	return flags;
}

static long map_direct(struct request *q)
{
	long ret, locked;

	if (q->flags & MAP_FIXED)
		begin(q, q->addr);
	ret = place(q, q->fd, q->prot, raw_flags(q));
	locked = sys_failed(ret) ? 0 : lock_range(q, (uint64_t)ret);
	if (sys_failed(ret) || sys_failed(locked)) {
		end(q, q->addr, ret);
		return sys_failed(ret) ? ret : locked;
	}
	if (!serve(q, (uint64_t)ret, 0, q->fd) || !q->granted)
		return ret;
	/* As the file system answers where nobody emulates it. */
	sys_munmap((uint64_t)ret, q->len);
	return -EOPNOTSUPP;
}

/*
 * The errors that the file system and the descriptor would give, found by a
 * mapping that nobody sees. 0 or -errno.
 */
static long try_native(const struct request *q)
{
	int flags = q->flags & ~(MAP_FIXED | MAP_FIXED_NOREPLACE | MAP_POPULATE |
				 MAP_LOCKED | (q->granted ? MAP_SYNC : 0));
	long ret = sys_mmap(0, q->len, q->prot, flags, q->fd, q->off);

	if (sys_failed(ret))
		return ret;
	sys_munmap((uint64_t)ret, q->len);
	return 0;
}

/*
 * Pages of the image that are not loaded would read as zeros: nothing may touch
 * the range, nor mlockall(MCL_FUTURE) populate it, before it is registered.
 */
static long map_image(struct request *q, uint64_t file, int memfd)
{
	int flags = raw_flags(q) & ~(MAP_TYPE | MAP_SYNC);
	uint64_t addr;
	long ret, err;

	flags |= q->rdonly || (q->flags & MAP_TYPE) == MAP_PRIVATE ?
		 MAP_PRIVATE : MAP_SHARED;
	if (q->flags & MAP_FIXED)
		begin(q, q->addr);
	ret = place(q, memfd, PROT_NONE, flags);
	err = sys_failed(ret) ? 0 : lock_range(q, (uint64_t)ret);
	if (sys_failed(ret) || err) {
		end(q, q->addr, ret);
		return sys_failed(ret) ? ret : err;
	}
	addr = (uint64_t)ret;
	if (serve(q, addr, file, -1))
		return sys_mmap(addr, q->len, q->prot,
				(raw_flags(q) & ~MAP_FIXED_NOREPLACE) | MAP_FIXED,
				q->fd, q->off);
	err = sys_mprotect(addr, q->len, q->prot);
	if (!err)
		return ret;
	begin(q, addr);
	sys_munmap(addr, q->len);
	end(q, addr, 0);
	return err;
}

static long map_by_reply(struct request *q)
{
	struct udax_msg msg = { .hdr.op = 0 };
	int memfd, err;
	long ret;

	ret = try_native(q);
	if (ret)
		return ret;
	err = net_call(&msg, UDAX_OP_OPEN, q->fd, &memfd);
	if (!err && msg.open.media == UDAX_MEDIA_DIRECT) {
		q->file.page_size = msg.open.page_size;
		ret = map_direct(q);
	} else if (!err && msg.open.media == UDAX_MEDIA_IMAGE && memfd >= 0) {
		ret = map_image(q, msg.open.file, memfd);
	} else {
		say_unserved(err ? err : EOPNOTSUPP);
		if (q->flags & MAP_FIXED)
			begin(q, q->addr);
		ret = sys_mmap(q->addr, q->len, q->prot, q->flags, q->fd, q->off);
		end(q, q->addr, ret);
	}
	if (memfd >= 0)
		sys_close(memfd);	/* no inode of the program's: no locks on it */
	return ret;
}

/*
 * What MAP_POPULATE and MAP_LOCKED still owe. A shared mapping is read: the
 * kernel does not dirty it for nothing; a private writable one is copied:
 * mm/gup.c, populate_vma_page_range().
 */
static void populate(const struct request *q, uint64_t addr)
{
	bool copy = (q->flags & MAP_TYPE) == MAP_PRIVATE && q->prot & PROT_WRITE;

	if (q->flags & MAP_LOCKED)
		sys2(SYS_mlock, addr, q->len);
	else if ((q->flags & (MAP_POPULATE | MAP_NONBLOCK)) == MAP_POPULATE)
		sys_madvise(addr, q->len,
			    copy ? MADV_POPULATE_WRITE : MADV_POPULATE_READ);
}

/* False: not for us, the kernel's own answer is the right one. */
static bool ask_udaxd(struct request *q)
{
	int type = q->flags & MAP_TYPE;
	long mode;

	if (q->flags & MAP_ANONYMOUS || !q->len || q->len > SHIM_LEN_MAX ||
	    q->off & (SHIM_PAGE - 1) ||
	    (type != MAP_SHARED && type != MAP_PRIVATE &&
	     type != MAP_SHARED_VALIDATE) ||
	    !file_managed(q->fd, &q->file))
		return false;
	mode = sys2(SYS_fcntl, q->fd, F_GETFL);
	if (sys_failed(mode) || mode & O_PATH || (mode & O_ACCMODE) == O_WRONLY)
		return false;
	q->rdonly = type != MAP_PRIVATE && (mode & O_ACCMODE) == O_RDONLY;
	q->size = round_up(q->len, q->file.page_size);
	return !(q->rdonly && q->prot & PROT_WRITE);
}

/* Anything else, over something managed or not. */
static long map_other(struct request *q)
{
	struct guard g;
	long ret;

	q->size = round_up(q->len, SHIM_PAGE);
	if (!(q->flags & MAP_FIXED) || q->len > SHIM_LEN_MAX ||
	    !ranges_near(q->addr, q->addr + q->size) || !shim_enter(&g))
		return change_other(false, SYS_mmap, q->addr, q->len, q->prot,
				    q->flags, q->fd, q->off);
	if (!ranges_overlap(q->addr, q->addr + q->size)) {
		ret = change_other(true, SYS_mmap, q->addr, q->len, q->prot,
				   q->flags, q->fd, q->off);
	} else if (ranges_reserve(2)) {
		ret = -ENOMEM;
	} else {
		begin(q, q->addr);
		ret = sys_mmap(q->addr, q->len, q->prot, q->flags, q->fd, q->off);
		end(q, q->addr, ret);
	}
	shim_leave(&g);
	return ret;
}

static long do_mmap(struct request *q)
{
	struct guard g;
	long ret;

	if (!ask_udaxd(q) || net_dead() || !shim_enter(&g))
		return map_other(q);
	if (net_ready()) {
		shim_leave(&g);
		return map_other(q);
	}
	/* tmpfs has none; what it promises is emulated. */
	q->granted = net_exact() && q->file.memory && !q->file.hugetlb &&
		     (q->flags & MAP_TYPE) == MAP_SHARED_VALIDATE &&
		     q->flags & MAP_SYNC;
	ret = 0;
	begin_any(q);
	if (ranges_reserve(4))
		ret = -ENOMEM;
	else if (q->rdonly && (q->flags & MAP_TYPE) == MAP_SHARED_VALIDATE)
		ret = try_native(q);
	if (!ret)
		ret = q->file.memory ? map_direct(q) : map_by_reply(q);
	end(q, q->addr, -ECANCELED);	/* nothing was mapped, or nothing served */
	shim_leave(&g);
	if (!sys_failed(ret))
		populate(q, (uint64_t)ret);
	return ret;
}

EXPORT void *mmap(void *addr, size_t len, int prot, int flags, int fd, off_t off)
{
	struct request q = {
		.addr = (uint64_t)addr,
		.len = len,
		.off = (uint64_t)off,
		.prot = prot,
		.flags = flags,
		.fd = fd,
	};

	return (void *)sys_return(do_mmap(&q));
}

/* off_t and off64_t are the same type here. */
EXPORT void *mmap64(void *addr, size_t len, int prot, int flags, int fd, off64_t off)
	__attribute__((alias("mmap")));
