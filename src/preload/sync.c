/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Making data durable. An image is written to its file by udaxd before the
 * kernel is asked for the rest. A file in memory (direct) has nothing to write
 * back; with exact tracking udaxd runs the protocol of a write-back all the same,
 * which write-protects its pages.
 */
#include <unistd.h>

#include "preload/shim.h"

static int sync_call(struct guard *g, uint32_t what, int fd, uint64_t addr,
		     uint64_t len)
{
	struct udax_msg msg = { .sync = {
		.what = what, .addr = addr, .len = len,
	} };
	int err = net_session();

	if (!err)
		err = net_call(&msg, UDAX_OP_SYNC, fd, NULL);
	if (net_dead())
		err = 0;	/* there is no image any more */
	shim_leave(g);
	return err;
}

EXPORT int msync(void *addr, size_t len, int flags)
{
	uint64_t start = (uint64_t)addr, end = start + round_up(len, SHIM_PAGE);
	struct guard g;
	long ret = sys_cancel(SYS_msync, (long)addr, (long)len, flags, 0, 0, 0);
	int err;

	if (ret || !(flags & MS_SYNC) || (!ranges_images() && !net_exact()) ||
	    !ranges_near(start, end) || !shim_enter(&g))
		return (int)sys_return(ret);
	if (!(net_exact() ? ranges_overlap(start, end) :
	      ranges_image(start, end))) {
		shim_leave(&g);
		return 0;
	}
	err = sync_call(&g, UDAX_SYNC_RANGE, -1, start, end - start);
	return (int)sys_return(-err);
}

int sync_file(int fd)
{
	struct guard g;
	struct file f;

	if (!file_managed(fd, &f) || (f.memory && !net_exact()) || net_dead() ||
	    !shim_enter(&g))
		return 0;
	return sync_call(&g, UDAX_SYNC_FILE, fd, 0, 0);
}

static void sync_all(void)
{
	struct guard g;

	if ((ranges_had_image() || (net_exact() && net_alive())) && shim_enter(&g))
		sync_call(&g, UDAX_SYNC_ALL, -1, 0, 0);
}

static int sync_then(int fd, long nr, long a, long b, long c)
{
	int err = sync_file(fd);
	long ret = sys_cancel(nr, fd, a, b, c, 0, 0);

	return (int)sys_return(sys_failed(ret) ? ret : -err);
}

EXPORT int fsync(int fd)
{
	return sync_then(fd, SYS_fsync, 0, 0, 0);
}

EXPORT int fdatasync(int fd)
{
	return sync_then(fd, SYS_fdatasync, 0, 0, 0);
}

/* The kernel's DAX does nothing here: it is no WB_SYNC_ALL. */
EXPORT int sync_file_range(int fd, off64_t off, off64_t len, unsigned int flags)
{
	struct file f;

	if (net_exact() && file_managed(fd, &f) && f.memory)
		return (int)sys_return(sys_cancel(SYS_sync_file_range, fd, off,
						  len, flags, 0, 0));
	return sync_then(fd, SYS_sync_file_range, off, len, flags);
}

EXPORT int syncfs(int fd)
{
	sync_all();
	return (int)sys_return(sys1(SYS_syncfs, fd));
}

EXPORT void sync(void)
{
	sync_all();
	sys0(SYS_sync);
}
