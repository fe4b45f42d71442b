/* SPDX-License-Identifier: BSD-3-Clause */
#include "preload/shim.h"

void bracket_begin(const struct change *c)
{
	struct udax_msg msg = { .begin = {
		.what = c->what,
		.prot = c->prot,
		.advice = c->advice,
		.waiting = shim_waiting(),
		.addr = c->addr,
		.len = c->len,
		.new_addr = c->new_addr,
		.new_len = c->new_len,
	} };

	if (net_alive())
		net_call(&msg, UDAX_OP_BEGIN, -1, NULL);
}

int bracket_end(const struct change *c, long ret, bool wait)
{
	struct udax_msg msg = { .end = {
		.what = c->what,
		.error = sys_failed(ret) ? (int)-ret : 0,
		.prot = c->prot,
		.advice = c->advice,
		.addr = c->addr,
		.len = c->len,
		.new_addr = c->new_addr,
		.new_len = c->new_len,
		.waiting = shim_waiting(),
	} };

	if (!net_alive())
		return ENOTCONN;
	/* What udaxd zaps because of the change is zapped when it returns. */
	if (wait || (net_exact() && !sys_failed(ret)))
		return net_call(&msg, UDAX_OP_END, -1, NULL);
	net_post(&msg, UDAX_OP_END);
	return 0;
}

/*
 * msync(MS_INVALIDATE) does nothing on today's kernels but say EBUSY for memory
 * that is locked (mm/msync.c). The first page stands for the range: mlock()
 * splits mappings, and a change concerns one mapping.
 */
bool mlock_suspend(uint64_t addr, uint64_t len)
{
	if (sys3(SYS_msync, addr, SHIM_PAGE, MS_INVALIDATE) != -EBUSY)
		return false;
	sys2(SYS_munlock, addr, len);
	return true;
}

void mlock_resume(uint64_t addr, uint64_t len)
{
	sys2(SYS_mlock, addr, len);
}
