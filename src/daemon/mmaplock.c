/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The kernel's mmap_lock, for programs that ask for it (UDAX_HELLO_MMAP_LOCK).
 * There a fault sleeps with the lock held for read, and changes of the address
 * space take it for write: behind one stranded fault a whole process piles up. A
 * userfaultfd drops the lock, so it is emulated here.
 *
 * A fault is a reader from its message to its end, also while it is parked on an
 * entry. BEGIN is a writer until END: it is let in when the last reader leaves.
 * Readers that come after a writer queue behind it, as in the kernel's rwsem, and
 * are let in together when it goes. There is one writer at a time: others of the
 * program wait for the shim's lock, and BEGIN and END say how many.
 *
 * All state is under the session's lock. Who queues holds nothing, no entry and
 * no other lock, so whoever holds an entry can always end.
 */
#include "daemon/session.h"
#include "daemon/trace.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

/* Advice for which the kernel holds mmap_lock for read: madvise_need_mmap_write(). */
static bool takes_write(const struct udax_msg *msg)
{
	if (msg->begin.what != UDAX_CHANGE_MADVISE)
		return true;
	switch (msg->begin.advice) {
	case MADV_DONTNEED:
	case MADV_DONTNEED_LOCKED:
	case MADV_FREE:
	case MADV_REMOVE:
		return false;
	}
	return true;
}

/* Session lock held. @behind: threads that wait in the program. */
static void note_length(struct exec *x, struct session *s, unsigned int behind)
{
	const struct mmap_lock *l = &s->mmap_lock;
	uint64_t n = l->queued + (l->writer && !l->granted) + behind;

	counter_max(&s->stats[x->id]->mmap_queue, n);
}

static void waited(struct exec *x, struct session *s, uint64_t since)
{
	hist_add(&s->stats[x->id]->mmap_wait, now_ns() - since);
}

/* ---------------------------------------------------------------- readers */

/* No memory: the thread tries again. Session lock held. */
static bool queue_fault(struct exec *x, struct session *s,
			const struct uffd_msg *msg, uint64_t now)
{
	struct mmap_lock *l = &s->mmap_lock;
	struct task *t = task_alloc(x);

	if (!t)
		return false;
	counter_add(&x->faults, 1);
	t->kind = TASK_FAULT;
	t->region = NULL;
	t->addr = msg->arg.pagefault.address;
	t->tid = msg->arg.pagefault.feat.ptid;
	t->write = msg->arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_WRITE;
	t->minor = msg->arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_MINOR;
	t->wp = msg->arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_WP;
	t->read_ns = now;
	list_add_tail(&t->link, &l->queue);
	l->queued++;
	note_length(x, s, 0);
	return true;
}

static void serve(struct exec *x, struct session *s, const struct uffd_msg *msg,
		  uint64_t now)
{
	if (!fault_serve(x, s, msg, now))
		mmap_lock_read_end(x, s);
}

void mmap_lock_fault(struct exec *x, struct session *s,
		     const struct uffd_msg *msg, uint64_t now)
{
	struct mmap_lock *l = &s->mmap_lock;
	bool writer, queued = false;

	/* The writer waits for that fault: behind it, this one would come too late. */
	if (s->d->opt.track == TRACK_EXACT && turn_kept_back(x, s, msg))
		return;
	lock_take(&s->lock);
	writer = l->writer;
	if (writer)
		queued = queue_fault(x, s, msg, now);
	else
		l->readers++;
	lock_release(&s->lock);
	if (!writer)
		serve(x, s, msg, now);
	else if (queued)
		counter_add(&s->stats[x->id]->mmap_read_waits, 1);
	else
		uffd_wake(s->uffd, msg->arg.pagefault.address, DAX_PAGE_SIZE);
}

void mmap_lock_read_end(struct exec *x, struct session *s)
{
	struct mmap_lock *l = &s->mmap_lock;
	bool grant;

	lock_take(&s->lock);
	grant = !--l->readers && l->writer && !l->granted;
	l->granted |= grant;
	lock_release(&s->lock);
	if (!grant)
		return;
	waited(x, s, l->since);
	bracket_block(s, true);
}

/* ---------------------------------------------------------------- writers */

bool mmap_lock_write(struct exec *x, struct session *s,
		     const struct udax_msg *msg)
{
	struct mmap_lock *l = &s->mmap_lock;
	struct fault_stats *st = s->stats[x->id];
	bool granted;

	if (!takes_write(msg))
		return true;
	counter_add(&st->mmap_writes, 1);
	lock_take(&s->lock);
	granted = !l->readers;
	l->writer = true;
	l->granted = granted;
	l->since = granted ? 0 : now_ns();
	note_length(x, s, msg->begin.waiting);
	lock_release(&s->lock);
	counter_add(&st->mmap_write_waits, !granted);
	return granted;
}

void mmap_lock_write_end(struct exec *x, struct session *s, unsigned int behind)
{
	struct mmap_lock *l = &s->mmap_lock;

	if (!l->writer)
		return;
	note_length(x, s, behind);
	l->writer = l->granted = false;
	list_splice_tail(&l->queue, &l->let_in);
	l->readers += l->queued;
	l->queued = 0;
}

/*
 * With exact tracking the message counts no more: another fault on the page may have
 * let the thread go on, and the mapping may not allow its access any more, to which
 * the kernel says SIGSEGV. The thread tries again.
 */
static void let_in(struct exec *x, struct session *s, const struct uffd_msg *m)
{
	uint64_t addr = m->arg.pagefault.address;

	if (s->d->opt.track != TRACK_EXACT) {
		serve(x, s, m, now_ns());
		return;
	}
	trace_drop(x, s, addr, m->arg.pagefault.feat.ptid,
		   UDAX_TRACE_DROP_CHANGING);
	uffd_wake(s->uffd, addr, DAX_PAGE_SIZE);
	mmap_lock_read_end(x, s);
}

/* A queued fault, as it was read. */
static struct uffd_msg message_of(const struct task *t)
{
	struct uffd_msg m;

	memset(&m, 0, sizeof(m));
	m.event = UFFD_EVENT_PAGEFAULT;
	m.arg.pagefault.address = t->addr;
	m.arg.pagefault.feat.ptid = t->tid;
	m.arg.pagefault.flags = (t->write ? UFFD_PAGEFAULT_FLAG_WRITE : 0) |
				(t->minor ? UFFD_PAGEFAULT_FLAG_MINOR : 0) |
				(t->wp ? UFFD_PAGEFAULT_FLAG_WP : 0);
	return m;
}

void mmap_lock_let_in(struct exec *x, struct session *s)
{
	struct mmap_lock *l = &s->mmap_lock;

	for (;;) {
		struct task *t = NULL;
		struct uffd_msg m;

		lock_take(&s->lock);
		if (!list_empty(&l->let_in)) {
			t = list_first(&l->let_in, struct task, link);
			list_del(&t->link);
		}
		lock_release(&s->lock);
		if (!t)
			return;
		waited(x, s, t->read_ns);
		m = message_of(t);
		task_free(x, t);
		let_in(x, s, &m);
	}
}

/* -------------------------------------------------------------------- life */

void mmap_lock_init(struct mmap_lock *l)
{
	list_init(&l->queue);
	list_init(&l->let_in);
}
