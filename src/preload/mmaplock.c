/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The write side of the emulated mmap_lock (udax run --mmap-lock kernel), for
 * changes that udaxd need not know of. The kernel takes its lock for these too,
 * so a fault that is being served keeps them waiting, and they keep faults.
 *
 * Before the first managed mapping there is no session and no fault to wait for.
 */
#include "preload/shim.h"

static const struct change other = { .what = UDAX_CHANGE_OTHER };

void mmap_lock_take(void)
{
	if (env.mmap_lock)
		bracket_begin(&other);
}

void mmap_lock_drop(void)
{
	if (env.mmap_lock)
		bracket_end(&other, 0, false);
}

long change_other(bool locked, long nr, long a, long b, long c, long d, long e,
		  long f)
{
	bool take = !locked && env.mmap_lock && net_alive();
	struct guard g;
	long ret;

	if (take)
		take = shim_enter(&g);
	if (take || locked)
		mmap_lock_take();
	ret = sys6(nr, a, b, c, d, e, f);
	if (take || locked)
		mmap_lock_drop();
	if (take)
		shim_leave(&g);
	return ret;
}
