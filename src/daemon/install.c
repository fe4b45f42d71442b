/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Installs: what the MAP verb means on real memory. The emulated page table is
 * set before the ioctl that lets the program go on, and taken back if it fails:
 * a message that arrives in between is then a refill, not one more fault.
 *
 * Error rules (io/uffd.h): whatever happens, the thread is woken; where nothing
 * was installed it faults again. -EEXIST does not wake by itself.
 */
#include "daemon/around.h"
#include "daemon/folio.h"
#include "daemon/session.h"
#include "daemon/trace.h"

#include <errno.h>

static bool is_image(const struct task *t)
{
	return t->file->media->kind == MEDIA_IMAGE;
}

static bool is_hugetlb(const struct task *t)
{
	return t->file->media->page_size != DAX_PAGE_SIZE;
}

/* The program's mapping is MAP_PRIVATE, by its own wish or the shim's. */
static bool is_private(const struct task *t)
{
	return atomic_load_explicit(&t->region->flags, memory_order_relaxed) &
		(UDAX_MAP_PRIVATE | UDAX_MAP_RDONLY_FD);
}

/* The page is in the memory, says the message; old news once it has waited. */
static bool present(const struct task *t)
{
	return t->minor && !t->waited;
}

/* 512 PTEs, for stores are seen by write protection, which no PMD can have. */
static bool is_exact(const struct task *t)
{
	return t->file->exact && t->region->wp;
}

/* Must what is mapped be write-protected, so that a store is a fault? */
static bool protects(const struct task *t)
{
	if (!t->region->wp)
		return false;
	if (t->refill && t->file->exact)
		return !pgtable_has(&t->region->pt, t->addr, true);
	return !t->write;
}

static int fill(struct exec *x, struct task *t, uint64_t addr, uint64_t len)
{
	struct media *m = t->file->media;
	uint64_t pos = t->region->offset + (addr - t->region->start);
	unsigned int flags = t->minor ? 0 : MEDIA_ABSENT;

	if (is_image(t))
		counter_add(&t->stats->fill_bytes, len);
	if (t->file->exact && (protects(t) || is_private(t)))
		flags |= MEDIA_ZERO;
	return m->ops->fill(m, pos, len, flags);
}

/*
 * After a failed or half done install: 0 when the slot is served, -EAGAIN when
 * the thread will fault again, -ENOSPC for a SIGBUS.
 */
static int settle(struct exec *x, struct task *t, int err, uint64_t start,
		  uint64_t len, bool write)
{
	struct session *s = t->region->session;

	switch (err) {
	case 0:
		return 0;
	case -EEXIST:
		if (t->region->wp && write)
			err = uffd_writeprotect(s->uffd, start, len, false, true);
		if (err != -EAGAIN) {
			uffd_wake(s->uffd, start, len);
			return 0;
		}
		break;
	case -ENOSPC:
	case -ENOMEM:
		/* A file may be gone but for us: the next try may have its space. */
		if (!linger_make_room(x->d))
			return -ENOSPC;
	}
	counter_add(&t->stats->eagain, 1);
	exec_wake_later(x, s, t->addr);
	return -EAGAIN;
}

/* A page that the file does not have yet. */
static int allocate_4k(struct exec *x, struct task *t, bool wake)
{
	struct session *s = t->region->session;
	int err;

	/*
	 * A zero page in a private mapping would stay zero for ever. One that a
	 * store must not pass cannot be had so.
	 */
	if (!is_private(t) && !is_image(t) && !(is_exact(t) && protects(t))) {
		err = uffd_zeropage(s->uffd, t->addr, DAX_PAGE_SIZE, wake);
		if (err != -EEXIST)
			return err;
	} else {
		err = fill(x, t, t->addr, DAX_PAGE_SIZE);
		if (err == -EROFS)
			return -ENXIO;
		if (err)
			return err;
	}
	return uffd_continue(s->uffd, t->addr, DAX_PAGE_SIZE, protects(t), wake,
			     NULL);
}

static int map_4k(struct exec *x, struct task *t)
{
	struct session *s = t->region->session;
	bool wake = !exec_batches(x, s);
	int err = -EFAULT;

	if (t->wp)	/* mapped, and to be made writable */
		err = uffd_writeprotect(s->uffd, t->addr, DAX_PAGE_SIZE, false,
					wake);
	if (err && present(t))
		err = uffd_continue(s->uffd, t->addr, DAX_PAGE_SIZE,
				    protects(t), wake, NULL);
	else if (err)
		err = -EFAULT;
	/* An image's refill may not load (fault.c): it faults again instead. */
	if (err == -EFAULT && !(t->refill && is_image(t)))
		err = allocate_4k(x, t, wake);
	if (!err && !wake)
		exec_wake_joins(x, t->addr);
	if (err == -ENXIO) {
		/* A hole that nobody may fill: the kernel's own zero page. */
		uffd_unregister(s->uffd, t->addr, DAX_PAGE_SIZE);
		uffd_wake(s->uffd, t->addr, DAX_PAGE_SIZE);
		return 0;
	}
	return settle(x, t, err, t->addr, DAX_PAGE_SIZE, t->write);
}

/*
 * Is the window mapped? MADV_COLLAPSE gives each VMA its part, finds no window in the
 * parts of one that is cut in two, and says that all went well (madvise_collapse()). So
 * the page that faulted is asked for, which is EEXIST under a huge pmd.
 */
static int collapsed(struct exec *x, struct task *t, uint64_t head)
{
	struct session *s = t->region->session;
	struct media *m = t->file->media;
	int err = uffd_continue(s->uffd, t->addr, DAX_PAGE_SIZE, false, true, NULL);

	if (err != -EEXIST) {
		if (!err) {
			counter_add(&t->stats->nohuge, 1);
			folio_set(t, FOLIO_NOHUGE);
		}
		return err;
	}
	if (m->ops->set_huge && folio_get(t) != FOLIO_HUGE)
		m->ops->set_huge(m, folio_pos(t));
	folio_set(t, FOLIO_HUGE);
	counter_add(&t->stats->huge_bytes, DAX_PMD_SIZE);
	uffd_wake(s->uffd, head, DAX_PMD_SIZE);
	return 0;
}

/* A real PMD, or 512 PTEs where none can be had. */
static int collapse(struct exec *x, struct task *t, uint64_t head)
{
	struct session *s = t->region->session;
	int err;

	if (folio_get(t) != FOLIO_NOHUGE && s->pidfd >= 0 &&
	    media_cleared(t->file->media, folio_pos(t))) {
		err = uffd_collapse(s->pidfd, head);
		if (!err)
			return collapsed(x, t, head);
		if (err != -EAGAIN && err != -ESRCH)
			folio_set(t, FOLIO_NOHUGE);
	}
	counter_add(&t->stats->nohuge, 1);
	/*
	 * A store to a page that is mapped in a private mapping makes no message,
	 * but one to a huge pmd does in the kernel: let as few be as can be.
	 */
	if (t->file->exact)
		return -ENOENT;
	err = uffd_continue_range(s->uffd, head, DAX_PMD_SIZE, false, NULL);
	if (err == -EFAULT)
		folio_set(t, FOLIO_UNKNOWN);	/* a hole: look it up again */
	return err;
}

/* 512 PTEs: the mapping is write-protected where stores are tracked. */
static int map_2m_image(struct exec *x, struct task *t, uint64_t head)
{
	struct session *s = t->region->session;
	int err = 0;

	counter_add(&t->stats->nohuge, 1);
	if (t->wp)	/* mapped: what is missing is filled when touched */
		return uffd_writeprotect(s->uffd, head, DAX_PMD_SIZE, false,
					 true);
	if (folio_get(t) == FOLIO_UNKNOWN) {
		err = fill(x, t, head, DAX_PMD_SIZE);
		if (!err)
			folio_set(t, FOLIO_NOHUGE);
	}
	if (!err && t->write && t->region->wp)
		uffd_writeprotect(s->uffd, head, DAX_PMD_SIZE, false, false);
	if (!err)
		err = uffd_continue_range(s->uffd, head, DAX_PMD_SIZE,
					  t->region->wp && !t->write, NULL);
	return err;
}

/*
 * What is mapped is made writable, what is missing is mapped. Blocks that a client
 * has told of need not be in the memory yet.
 */
static int map_2m_exact(struct task *t, uint64_t head)
{
	int fd = t->region->session->uffd, err;
	struct media *m = t->file->media;

	if (t->file->fs) {
		err = m->ops->fill(m, folio_pos(t), DAX_PMD_SIZE, 0);
		if (err)
			return err;
	}

	if (t->write)
		uffd_writeprotect(fd, head, DAX_PMD_SIZE, false, false);
	return uffd_continue_range(fd, head, DAX_PMD_SIZE, !t->write, NULL);
}

static int map_2m(struct exec *x, struct task *t)
{
	struct session *s = t->region->session;
	uint64_t head = t->addr & ~(DAX_PMD_SIZE - 1);
	int err = 0;

	if (is_hugetlb(t)) {
		if (!present(t))
			err = fill(x, t, head, DAX_PMD_SIZE);
		if (!err || err == -EEXIST)
			err = uffd_continue(s->uffd, head, DAX_PMD_SIZE, false,
					    true, NULL);
		if (!err)
			counter_add(&t->stats->huge_bytes, DAX_PMD_SIZE);
	} else if (is_image(t)) {
		err = map_2m_image(x, t, head);
	} else if (is_exact(t)) {
		err = map_2m_exact(t, head);
	} else {
		err = collapse(x, t, head);
	}
	/*
	 * The kernel maps within one VMA. Boundaries that are no region's, as of
	 * MADV_RANDOM, may lie in the window: then it is filled page by page.
	 */
	if (err == -ENOENT && !is_hugetlb(t))
		return map_4k(x, t);
	return settle(x, t, err, head, DAX_PMD_SIZE, t->write);
}

/* Would it block? Then it is a helper's. */
static bool must_block(struct task *t, bool pmd)
{
	if (is_image(t))
		return !t->wp && (pmd ? folio_get(t) == FOLIO_UNKNOWN :
				  !present(t));
	if (is_hugetlb(t))
		return !present(t);
	return pmd && t->file->fs;
}

static bool hand_over(struct exec *x, struct task *t, bool pmd)
{
	bool blocks = must_block(t, pmd);

	if (x->may_block)
		return false;
	if (!blocks && pmd && !is_hugetlb(t) && !is_image(t) && !is_exact(t))
		blocks = !folio_seen_for_2m(folio_get(t));
	if (blocks) {
		t->folio = -1;
		pool_submit(x->d->pool, t);
	}
	return blocks;
}

/*
 * Somebody took the slot out of the table while it was being installed, with no
 * need of the entry: a write(2), or, of a refill, anybody.
 */
static void look_again(struct task *t, bool write)
{
	struct region *r = t->region;

	if (!t->file->exact || pgtable_has(&r->pt, t->addr, false)) {
		if (is_exact(t) && write && !pgtable_has(&r->pt, t->addr, true))
			uffd_writeprotect(r->session->uffd, t->addr,
					  DAX_PAGE_SIZE, true, false);
		return;
	}
	zap_again(r, t->addr, t->addr + DAX_PAGE_SIZE);
}

/*
 * The process has still to zap what may be here, and nobody shall wait for that
 * with an entry locked: the slot is set, and the page made while it is.
 */
static int put_off(struct exec *x, struct task *t, bool pmd, bool zero,
		   bool write)
{
	struct region *r = t->region;
	bool one = !pmd || zero;
	int err = 0;

	if (one && !t->minor && !t->wp)
		err = fill(x, t, t->addr, DAX_PAGE_SIZE);
	if (err == -ENOSPC || err == -ENOMEM)
		return err;
	if (pmd)
		pgtable_set_pmd(&r->pt, t->addr, write);
	else
		pgtable_set_pte(&r->pt, t->addr, write);
	t->minor |= !err && one;
	t->late = true;
	t->late_pmd = !one;
	return 0;
}

bool install_late(struct exec *x, struct task *t)
{
	struct region *r = t->region;
	int err = -EAGAIN;

	if (hand_over(x, t, t->late_pmd))
		return false;
	t->late = false;
	t->waited = false;
	if (!install_begin(x, r, t->addr))
		return true;
	if (pgtable_has(&r->pt, t->addr, t->write && !is_private(t))) {
		PROBE_INSTALL_BEGIN(t->addr, t->tid, t->late_pmd);
		err = t->late_pmd ? map_2m(x, t) : map_4k(x, t);
		PROBE_INSTALL_END(t->addr, t->tid, t->late_pmd, err);
		if (err)
			pgtable_zap(&r->pt, t->addr, t->addr + DAX_PAGE_SIZE);
		else
			look_again(t, t->write);
	} else {
		uffd_wake(r->session->uffd, t->addr, DAX_PAGE_SIZE);
	}
	install_end(x, r->session);
	if (err == -ENOSPC)
		install_sigbus(x, t);
	return true;
}

/* Sets the emulated slot, installs, takes it back on failure. */
static int install(struct exec *x, struct task *t, bool pmd, bool zero)
{
	struct region *r = t->region;
	bool write = t->op.ask.write, huge = (pmd && !zero) || is_hugetlb(t);
	int err;

	t->installed = true;	/* or dropped: the thread is seen to either way */
	err = install_begin_or_defer(x, r, t->addr, pmd, write);
	if (err)
		return err == -EINPROGRESS ? 0 : err;
	if (t->zap.seq && zap_pending(r->session, t->zap.seq)) {
		err = put_off(x, t, pmd, zero, write);
		install_end(x, r->session);
		return err;
	}
	PROBE_INSTALL_BEGIN(t->addr, t->tid, huge);
	if (pmd)
		pgtable_set_pmd(&r->pt, t->addr, write);
	else
		pgtable_set_pte(&r->pt, t->addr, write);
	if (huge)
		err = map_2m(x, t);
	else if (x->around && !zero && !t->file->exact && around_map(x, t))
		err = 0;
	else
		err = map_4k(x, t);
	if (err)
		pgtable_zap(&r->pt, t->addr, t->addr + DAX_PAGE_SIZE);
	else
		look_again(t, write);
	PROBE_INSTALL_END(t->addr, t->tid, huge, err);
	install_end(x, r->session);
	return err;
}

enum task_next install_map(struct exec *x, struct task *t)
{
	enum dax_map_kind map = t->op.ask.map;
	bool pmd = map == DAX_MAP_PMD || map == DAX_MAP_PMD_ZERO;
	bool zero = map == DAX_MAP_PTE_ZERO || map == DAX_MAP_PMD_ZERO;

	if (hand_over(x, t, pmd && !zero))
		return TASK_AWAY;
	/* dax_pmd_load_hole(): another thread's is there. */
	if (t->file->exact && map == DAX_MAP_PMD_ZERO &&
	    t->file->mapping.proto->zero_pmd_falls_back &&
	    pgtable_is_huge(&t->region->pt, t->addr)) {
		t->op.ans.error = -EEXIST;
		return TASK_STEP;
	}
	t->op.ans.error = install(x, t, pmd, zero);
	return TASK_STEP;
}

/* The file's page is mapped read-only; the kernel copies it at the refault. */
enum task_next install_private(struct exec *x, struct task *t)
{
	if (hand_over(x, t, false))
		return TASK_AWAY;
	/* finish_fault(): another thread's page is there, or its copy. */
	if (t->file->exact && pgtable_has(&t->region->pt, t->addr, false)) {
		t->op.ans.error = -EEXIST;
		return TASK_STEP;
	}
	t->op.ask.write = true;
	t->op.ans.error = install(x, t, false, false);
	return TASK_STEP;
}

void install_refill(struct exec *x, struct task *t)
{
	struct region *r = t->region;
	int err = -EAGAIN;
	bool pmd = pgtable_is_huge(&r->pt, t->addr) && !is_image(t) &&
		   !is_exact(t) && (is_hugetlb(t) || folio_get(t) == FOLIO_HUGE);

	t->refill = true;
	t->op.pgoff = (r->offset + (t->addr - r->start)) >> PAGE_SHIFT;
	if (hand_over(x, t, pmd))
		return;
	counter_add(&t->stats->refill, 1);
	if (install_begin(x, r, t->addr)) {
		PROBE_INSTALL_BEGIN(t->addr, t->tid, pmd);
		err = pmd ? map_2m(x, t) : map_4k(x, t);
		PROBE_INSTALL_END(t->addr, t->tid, pmd, err);
		if (!err)
			look_again(t, t->write);
		install_end(x, r->session);
		if (err == -ENOSPC)
			install_sigbus(x, t);
	}
	trace_refill(x, t, err);
	fault_end(x, t);
}

/*
 * No memory for the page. The kernel's own fault says so best: without the
 * registration it ends in the SIGBUS of the file system, or succeeds if there
 * is space by then. (A poison marker would outlive the shortage.)
 */
void install_sigbus(struct exec *x, struct task *t)
{
	struct session *s = t->region->session;

	if (!install_begin(x, t->region, t->addr))
		return;
	uffd_unregister(s->uffd, t->addr, DAX_PAGE_SIZE);
	uffd_wake(s->uffd, t->addr, DAX_PAGE_SIZE);
	install_end(x, s);
}
