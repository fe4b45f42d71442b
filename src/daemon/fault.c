/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A page fault, from the message to its end. Which order is tried, and what
 * follows, is the mm's business: mm/mmfault.h.
 */
#include "daemon/session.h"
#include "daemon/trace.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#define PMD_MASK (DAX_PMD_SIZE - 1)
/* So many unknown addresses between two changes of the regions are refaulted. */
#define UNKNOWN_MAX 64

static void count_result(struct fault_stats *st, unsigned int result)
{
	if (result & DAX_FAULT_FALLBACK)
		counter_add(&st->res_fallback, 1);
	else if (result & (DAX_FAULT_SIGBUS | DAX_FAULT_OOM))
		counter_add(&st->res_sigbus, 1);
	else if (result & DAX_FAULT_NEEDDSYNC)
		counter_add(&st->res_needdsync, 1);
	else if (result & DAX_FAULT_DONE_COW)
		counter_add(&st->res_cow, 1);
	else
		counter_add(&st->res_nopage, 1);
}

static void count_done(struct exec *x, struct task *t)
{
	struct fault_stats *st = t->stats;
	bool pmd = t->op.order;

	if (pmd)
		counter_add(&st->pmd, 1);
	else
		counter_add(&st->pte, 1);
	if (t->write)
		counter_add(&st->write, 1);
	else
		counter_add(&st->read, 1);
	if (t->read_ns)
		hist_add(pmd ? &st->lat_pmd : &st->lat_pte,
			 now_ns() - t->read_ns);
}

static struct dax_vma vma_of(const struct region *r)
{
	uint32_t flags = atomic_load_explicit(&r->flags, memory_order_relaxed);

	return (struct dax_vma){
		.vm_start = r->start,
		.vm_end = r->end,
		.vm_pgoff = r->offset >> PAGE_SHIFT,
		.shared = !(flags & UDAX_MAP_PRIVATE),
		.sync = flags & UDAX_MAP_SYNC,
	};
}

static void start_op(struct exec *x, struct task *t, unsigned int order,
		     unsigned int flags)
{
	struct region *r = t->region;
	uint64_t pos = r->offset + (t->addr - r->start);
	struct dax_vma vma = vma_of(r);

	if ((order ? pos | PMD_MASK : pos) >=
	    __atomic_load_n(&t->file->mapping.i_size, __ATOMIC_RELAXED))
		file_refresh_size(t->file);	/* it may have grown */
	dax_op_init_fault(&t->op, &t->file->mapping, order, &vma, t->addr,
			  flags);
	t->op.driver = t;
	t->verb = DAX_MORE;
	t->folio = -1;
	trace_attempt(x, t);
}

/* dax_finish_sync_fault(): the metadata first, then the mapping. */
static void start_mkwrite(struct exec *x, struct task *t)
{
	struct dax_vma vma = vma_of(t->region);

	dax_op_init_mkwrite(&t->op, &t->file->mapping, t->op.order, &vma,
			    t->addr);
	t->op.driver = t;
	t->verb = DAX_MORE;
	trace_attempt(x, t);
}

/*
 * Ended before it came to an entry: a truncation was faster. The thread is woken
 * and nothing else: the kernel itself says SIGBUS past the end, without a
 * message, and if the file has grown again the fault comes again.
 */
static bool past_eof(const struct task *t)
{
	return (t->op.result & DAX_FAULT_SIGBUS) && !t->op.grabbed;
}

void fault_done(struct exec *x, struct task *t)
{
	struct fault_stats *st = t->stats;

	trace_done(x, t);
	t->attempted = true;
	if (t->op.kind != DAX_OP_FAULT)
		return;		/* the rest of one that is counted */
	count_result(st, t->op.result);
	if (t->op.result & DAX_FAULT_FALLBACK) {
		counter_add(&st->fallback[t->op.reason], 1);
		t->pmd_waited_pte = false;
	}
}

void fault_end(struct exec *x, struct task *t)
{
	struct region *r = t->region;

	turn_end(t);
	task_free(x, t);
	mmap_lock_fault_end(x, r->session);
	region_put(r);
}

static void finish(struct exec *x, struct task *t)
{
	struct region *r = t->region;

	t->finishing = true;
	if (zap_task(t))
		return;
	if (t->late && !install_late(x, t))
		return;
	if (!t->attempted || past_eof(t))
		uffd_wake(r->session->uffd, t->addr, DAX_PAGE_SIZE);
	else if (t->op.result & (DAX_FAULT_SIGBUS | DAX_FAULT_OOM))
		install_sigbus(x, t);
	else if (!t->installed)	/* the page table has changed: look again */
		uffd_wake(r->session->uffd, t->addr, DAX_PAGE_SIZE);
	if (t->pmd_waited_pte && t->op.result == DAX_FAULT_NOPAGE)
		counter_add(&t->stats->useful_waits, 1);
	if (t->attempted)
		count_done(x, t);
	else
		trace_nothing(x, t);
	fault_end(x, t);
}

/* The slot's own order, and 4K where that falls back. */
static bool next_rebuild(struct exec *x, struct task *t,
			 const struct mm_slot *slot)
{
	unsigned int order = slot->pmd == DAX_PT_HUGE ? PMD_ORDER : 0;

	if (t->attempted &&
	    !(t->op.result & DAX_FAULT_FALLBACK && t->op.order)) {
		finish(x, t);
		return false;
	}
	start_op(x, t, t->attempted ? 0 : order, t->mm.base_flags);
	return true;
}

static void look_up(struct task *t)
{
	struct mm_slot *slot = &t->mm.slot;

	shadow_get(t->region, t->addr, slot);
	/* There is nothing but huge pmds. */
	if (t->file->media->page_size > DAX_PAGE_SIZE &&
	    slot->pmd == DAX_PT_TABLE)
		slot->pmd = DAX_PT_NONE;
}

bool fault_next(struct exec *x, struct task *t)
{

	if (t->finishing) {
		finish(x, t);
		return false;
	}
	if (t->attempted && t->op.kind == DAX_OP_FAULT &&
	    t->op.result & DAX_FAULT_NEEDDSYNC) {
		start_mkwrite(x, t);
		return true;
	}
	if (t->attempted)
		t->mm.attempt = t->op.result;
	for (;;) {
		if (t->rebuild || mm_fault_looks(&t->mm))
			look_up(t);
		if (t->rebuild)
			return next_rebuild(x, t, &t->mm.slot);
		switch (mm_fault_step(&t->mm)) {
		case MM_FAULT_ATTEMPT:
			if (t->mm.cow)
				atomic_store(&t->region->anon, true);
			start_op(x, t, t->mm.order, t->mm.flags);
			return true;
		case MM_FAULT_DROP_PMD:
			exec_drop_pmd(x, t);
			break;
		case MM_FAULT_COPY:
			/* The kernel's own, once it is mapped. */
			atomic_store(&t->region->anon, true);
			install_refill(x, t);
			return false;
		case MM_FAULT_RETRY:	/* there is one lock for both */
			break;
		case MM_FAULT_DONE:
			finish(x, t);
			return false;
		}
	}
}

/* Since the regions last changed; others may have taken its place. */
static bool comes_again(struct session *s, uint64_t addr)
{
	const unsigned int slots = sizeof(s->unknown) / sizeof(s->unknown[0]);
	unsigned int slot = (addr >> PAGE_SHIFT) % slots;

	return atomic_exchange(&s->unknown[slot], addr) == addr;
}

/*
 * Nobody knows the address. A message that was read before the end of a munmap
 * or an mmap over it is such a case: the refault is for what is there now. Only
 * if it comes again was the mapping changed behind our back; the thread must not
 * stall, and from here on the kernel serves the page.
 */
static void unknown(struct exec *x, struct session *s, uint64_t addr)
{
	if (comes_again(s, addr) ||
	    atomic_fetch_add(&s->nr_unknown, 1) > UNKNOWN_MAX) {
		counter_add(&s->stats[x->id]->unknown, 1);
		uffd_unregister(s->uffd, addr, DAX_PAGE_SIZE);
	}
	uffd_wake(s->uffd, addr, DAX_PAGE_SIZE);
}

/*
 * A refill holds neither the entry nor the invalidate lock. Of an image,
 * permission to write could slip in behind a write-back, and a page that must be
 * loaded could be one that a punch has just taken away: the model sees to it.
 */
static bool may_refill(const struct task *t)
{
	if (t->file->media->kind != MEDIA_IMAGE)
		return true;
	return t->minor && !(t->region->wp && t->write);
}

/* The main thread of a file system's client makes system calls only. */
static bool is_user(const struct task *t)
{
	const struct session *s = t->region->session;

	return !t->file->fs || s->parent || t->tid != (uint32_t)s->pid;
}

static void init_mm(struct task *t)
{
	uint32_t flags = atomic_load_explicit(&t->region->flags,
					      memory_order_relaxed);

	mm_fault_init(&t->mm, &t->region->session->d->opt.variant->mm, is_user(t),
		      t->write, !(flags & UDAX_MAP_PRIVATE),
		      flags & UDAX_MAP_NOHUGE);
}

/*
 * The kernel asks about permission first. A message that says otherwise is older than an
 * mprotect(): at its next try the thread has its SIGSEGV, and exact tracking no fault.
 * If it comes again the mapping was changed behind our back, or by a debugger.
 */
static bool is_forbidden(struct session *s, const struct region *r,
			 const struct uffd_msg *msg, uint64_t addr)
{
	bool write = msg->arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_WRITE;
	uint32_t need = write ? PROT_WRITE : PROT_READ | PROT_WRITE | PROT_EXEC;

	if (!r->file->exact ||
	    atomic_load_explicit(&r->prot, memory_order_relaxed) & need)
		return false;
	return !comes_again(s, addr) || r->file->fs;
}

bool fault_serve(struct exec *x, struct session *s, const struct uffd_msg *msg,
		 uint64_t now)
{
	uint64_t flags = msg->arg.pagefault.flags;
	uint64_t addr = msg->arg.pagefault.address & ~(DAX_PAGE_SIZE - 1);
	struct region *r;
	struct task *t;
	bool blocked, refill;

	lock_take(&s->lock);
	blocked = atomic_load(&s->blocked);
	r = blocked ? NULL : region_lookup(s, addr);
	lock_release(&s->lock);
	if (!r) {
		trace_drop(x, s, addr, msg->arg.pagefault.feat.ptid, blocked ?
			   UDAX_TRACE_DROP_CHANGING : UDAX_TRACE_DROP_UNKNOWN);
		if (blocked)
			bracket_drop(x, s, addr);
		else
			unknown(x, s, addr);
		return false;
	}
	if (is_forbidden(s, r, msg, addr)) {
		trace_drop(x, s, addr, msg->arg.pagefault.feat.ptid,
			   UDAX_TRACE_DROP_CHANGING);
		region_put(r);
		uffd_wake(s->uffd, addr, DAX_PAGE_SIZE);
		return false;
	}
	counter_add(&x->faults, 1);
	if (!s->pid)
		session_learn_pid(s, msg->arg.pagefault.feat.ptid);
	t = task_alloc(x);
	if (!t) {
		/* The refault comes when there is memory again. */
		exec_fault_ended(x);
		region_put(r);
		uffd_wake(s->uffd, addr, DAX_PAGE_SIZE);
		return false;
	}
	t->kind = TASK_FAULT;
	t->region = r;
	t->file = r->file;
	t->addr = addr;
	t->tid = msg->arg.pagefault.feat.ptid;
	t->write = flags & UFFD_PAGEFAULT_FLAG_WRITE;
	t->minor = flags & UFFD_PAGEFAULT_FLAG_MINOR;
	t->wp = flags & UFFD_PAGEFAULT_FLAG_WP;
	t->granted = t->waited = t->inval_held = t->pmd_waited_pte = false;
	t->stats = s->stats[x->id];
	t->folio = -1;
	t->parked_ns = 0;
	t->read_ns = now;
	t->refill = t->installed = t->synced = t->attempted = false;
	t->finishing = t->late = false;
	t->zap.seq = 0;
	if (!turn_begin(t)) {
		trace_drop(x, s, addr, t->tid, UDAX_TRACE_DROP_BUSY);
		task_free(x, t);
		region_put(r);
		return false;
	}
	t->rebuild = pgtable_has(&r->pt, addr, t->write);
	refill = t->rebuild && may_refill(t);
	trace_page_fault(x, t, refill);
	if (refill) {
		install_refill(x, t);
		return true;
	}
	init_mm(t);
	t->verb = DAX_DONE;
	task_run(x, t);
	return true;
}

void fault_message(struct exec *x, struct session *s,
		   const struct uffd_msg *msg, uint64_t now)
{
	switch (msg->event) {
	case UFFD_EVENT_PAGEFAULT:
		if (s->mmap_lock.on)
			mmap_lock_fault(x, s, msg, now);
		else
			fault_serve(x, s, msg, now);
		break;
	case UFFD_EVENT_FORK:
		session_forked(x, s, msg->arg.fork.ufd);
		break;
	}
}
