/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * With exact tracking a thread has one fault at a time, as in the kernel. One
 * resolve of a page wakes every thread that sleeps there, and for one of them the
 * page may not be what it needs: read-only, for a store. It faults again, while its
 * fault is parked or the medium works for it. To the kernel that is the fault which
 * it has: the message is kept back, and the thread woken once that is over. Then it
 * hits, or faults anew.
 */
#include "daemon/session.h"
#include "daemon/trace.h"

/* Session lock held. */
static struct task *served(struct session *s, uint32_t tid)
{
	struct task *t;

	list_for_each(t, &s->serving, serving)
		if (t->tid == tid)
			return t;
	return NULL;
}

/*
 * Session lock held. A thread sleeps at one place: of two messages one is stale, but
 * workers may come here in another order than the messages did. So the former is
 * woken: @stale, or 0.
 */
static bool keep_back(struct session *s, uint32_t tid, uint64_t addr,
		      uint64_t *stale)
{
	struct task *t = tid ? served(s, tid) : NULL;

	*stale = 0;
	if (!t)
		return false;
	if (t->again != addr)
		*stale = t->again;
	t->again = addr;
	return true;
}

static void wake(struct session *s, uint64_t addr)
{
	if (addr)
		uffd_wake(s->uffd, addr, DAX_PAGE_SIZE);
}

bool turn_kept_back(struct exec *x, struct session *s,
		    const struct uffd_msg *msg)
{
	uint64_t addr = msg->arg.pagefault.address & ~(DAX_PAGE_SIZE - 1);
	uint32_t tid = msg->arg.pagefault.feat.ptid;
	uint64_t stale;
	bool kept;

	lock_take(&s->lock);
	kept = keep_back(s, tid, addr, &stale);
	lock_release(&s->lock);
	wake(s, stale);
	if (kept)
		trace_drop(x, s, addr, tid, UDAX_TRACE_DROP_BUSY);
	return kept;
}

bool turn_begin(struct task *t)
{
	struct session *s = t->region->session;
	uint64_t stale;
	bool kept;

	if (!t->file->exact)
		return true;
	t->again = 0;
	lock_take(&s->lock);
	kept = keep_back(s, t->tid, t->addr, &stale);
	if (!kept)
		list_add_tail(&t->serving, &s->serving);
	lock_release(&s->lock);
	wake(s, stale);
	return !kept;
}

void turn_end(struct task *t)
{
	struct session *s = t->region->session;

	if (!t->file->exact)
		return;
	lock_take(&s->lock);
	list_del(&t->serving);
	lock_release(&s->lock);
	wake(s, t->again);
}
