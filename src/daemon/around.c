/* SPDX-License-Identifier: BSD-3-Clause */
#include "daemon/around.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/folio.h"
#include "daemon/hold.h"
#include "daemon/session.h"
#include "daemon/trace.h"

struct around {
	unsigned int pages;		/* N */
	unsigned int nr;		/* neighbours that are locked now */
	struct task *spare;		/* [pages]; the first @nr are theirs */
	struct task *taken[PG_PMD_NR];	/* by place in the span; NULL: not taken */
};

/* A window of addresses, cut to the mapping. Places count from @start. */
struct span {
	uint64_t start;
	unsigned int nr;		/* pages */
	unsigned int own;		/* the place that faulted */
};

int around_init(struct exec *x, unsigned int pages)
{
	if (pages == 1)
		return 0;
	x->around = calloc(1, sizeof(*x->around));
	if (!x->around)
		return -ENOMEM;
	x->around->pages = pages;
	x->around->spare = calloc(pages, sizeof(struct task));
	if (x->around->spare)
		return 0;
	around_exit(x);
	return -ENOMEM;
}

void around_exit(struct exec *x)
{
	if (x->around)
		free(x->around->spare);
	free(x->around);
	x->around = NULL;
}

static struct span span_of(const struct around *a, const struct task *t)
{
	const struct region *r = t->region;
	uint64_t len = (uint64_t)a->pages << PAGE_SHIFT;
	uint64_t start = t->addr & ~(len - 1), end = start + len;
	uint64_t size = __atomic_load_n(&t->file->mapping.i_size,
					__ATOMIC_RELAXED);

	/* Of the file, from the mapping's first byte on. */
	size = size > r->offset ? size - r->offset : 0;
	size = (size + DAX_PAGE_SIZE - 1) & ~(DAX_PAGE_SIZE - 1);
	if (start < r->start)
		start = r->start;
	if (end > r->end)
		end = r->end;
	if (end - r->start > size)
		end = r->start + size;
	if (end <= t->addr)		/* cut short meanwhile */
		end = t->addr + DAX_PAGE_SIZE;
	return (struct span) {
		.start = start,
		.nr = (end - start) >> PAGE_SHIFT,
		.own = (t->addr - start) >> PAGE_SHIFT,
	};
}

/* ------------------------------------------------- what the memory holds */

/* Where a run of pages that ends at @own, or behind it, begins: not before @pos. */
static uint64_t run_begin(struct media *m, uint64_t pos, uint64_t own)
{
	uint64_t first = own, len;
	bool data;

	while (pos < own && (len = media_present(m, pos, own - pos, &data))) {
		first = data && pos + len == own ? pos : own;
		pos += len;
	}
	return first;
}

/*
 * Cuts the span to the pages around the one that faulted that the memory holds. A
 * window that is full is remembered: then nobody need be asked.
 */
static void cut_to_present(struct task *t, struct span *span)
{
	struct media *m = t->file->media;
	uint64_t pos = t->region->offset + (span->start - t->region->start);
	uint64_t own = pos + ((uint64_t)span->own << PAGE_SHIFT);
	uint64_t end = pos + ((uint64_t)span->nr << PAGE_SHIFT), first, len;
	bool data;

	if (media_present(m, pos, end - pos, &data) == end - pos && data) {
		if (m->kind == MEDIA_DIRECT && !(pos & (DAX_PMD_SIZE - 1)) &&
		    media_present(m, pos, DAX_PMD_SIZE, &data) == DAX_PMD_SIZE &&
		    data)
			folio_filled(t);
		return;
	}
	first = run_begin(m, pos, own);
	len = media_present(m, own, end - own, &data);
	if (!data || len < DAX_PAGE_SIZE)
		len = DAX_PAGE_SIZE;
	span->start += first - pos;
	span->own = (own - first) >> PAGE_SHIFT;
	span->nr = span->own + (len >> PAGE_SHIFT);
}

/* ------------------------------------------------------------- the model */

/* i_pages held. A page that a read fault would use or add at once. */
static bool may_take(const struct task *t, uint64_t addr, uint64_t index)
{
	dax_entry_t entry;

	if (pgtable_has(&t->region->pt, addr, false))
		return false;
	entry = dax_table_load(&t->file->mapping.table, index, 0, NULL);
	return !entry || !(entry & (DAX_LOCKED | DAX_PMD | DAX_ZERO_PAGE |
				    DAX_EMPTY));
}

static void init_task(struct task *n, const struct task *t, uint64_t addr)
{
	n->kind = TASK_FAULT;
	n->verb = DAX_MORE;
	n->file = t->file;
	n->region = t->region;
	n->stats = t->stats;
	n->trace = t->trace;
	n->addr = addr;
	n->tid = t->tid;
	n->minor = true;
	n->folio = -1;
	/* The fault's own task holds the invalidate lock until all are done. */
	dax_op_init_fault(&n->op, t->op.mapping, 0, &t->op.vma, addr,
			  DAX_FAULT_FLAG_USER | DAX_FAULT_FLAG_INVAL_LOCKED);
	n->op.stats = &t->stats->dax;
	n->op.driver = n;
}

/*
 * Steps to where the page is to be installed; false: it ended, or would need
 * memory. It cannot sleep: may_take() looked under the same hold of i_pages.
 */
static bool step_to_map(struct exec *x, struct task *n)
{
	struct dax_op *op = &n->op;

	for (;;) {
		n->verb = trace_step(x, n);
		switch (n->verb) {
		case DAX_MAP:
			return true;
		case DAX_PT_CHECK:
			op->ans.slot = DAX_PT_TABLE;
			break;
		case DAX_IOMAP:
			op->ans.iomap = (struct dax_iomap) {
				.type = DAX_IOMAP_MAPPED,
				.length = op->ask.len,
				.pfn = op->ask.pos >> PAGE_SHIFT,
			};
			break;
		case DAX_ALLOC:
			op->ans.error = -ENOMEM;
			break;
		case DAX_DONE:
			return false;
		default:
			break;
		}
		list_splice_tail(&op->woken, &x->ready);
	}
}

/* Locks and inserts every neighbour that can be had. */
static void take(struct exec *x, struct task *t, const struct span *span)
{
	struct dax_mapping *mapping = &t->file->mapping;
	struct around *a = x->around;

	a->nr = 0;
	memset(a->taken, 0, span->nr * sizeof(a->taken[0]));
	lock_take(&mapping->i_pages);
	for (unsigned int i = 0; i < span->nr; i++) {
		uint64_t addr = span->start + ((uint64_t)i << PAGE_SHIFT);
		struct task *n = &a->spare[a->nr];

		if (i == span->own ||
		    !may_take(t, addr, t->op.pgoff + i - span->own))
			continue;
		init_task(n, t, addr);
		if (!step_to_map(x, n))
			continue;
		a->taken[i] = n;
		a->nr++;
		pgtable_set_pte(&t->region->pt, addr, false);
	}
	lock_release(&mapping->i_pages);
}

/* Unlocks what take() has locked; an operation that slept on one is made ready. */
static void give_back(struct exec *x, struct task *t)
{
	struct dax_mapping *mapping = &t->file->mapping;
	struct around *a = x->around;
	unsigned int mapped = 0;

	lock_take(&mapping->i_pages);
	for (unsigned int i = 0; i < a->nr; i++) {
		struct task *n = &a->spare[i];

		if (n->op.ans.error)
			pgtable_zap(&n->region->pt, n->addr,
				    n->addr + DAX_PAGE_SIZE);
		else
			mapped++;
		do {
			n->verb = trace_step(x, n);
			list_splice_tail(&n->op.woken, &x->ready);
		} while (n->verb != DAX_DONE);
	}
	lock_release(&mapping->i_pages);
	counter_add(&t->stats->around, mapped);
}

/* ------------------------------------------------------------ the install */

/*
 * One CONTINUE for the pages [i, end), and another behind a page that it stopped
 * at: one that is mapped already, which is as good, or that has left the file.
 */
static void map_run(struct task *t, struct around *a, const struct span *span,
		    unsigned int i, unsigned int end, bool *own_mapped)
{
	struct session *s = t->region->session;
	uint64_t done;
	int err = -EEXIST;

	while (i < end && (err == -EEXIST || err == -EFAULT || err == -EAGAIN)) {
		err = uffd_continue(s->uffd,
				    span->start + ((uint64_t)i << PAGE_SHIFT),
				    (uint64_t)(end - i) << PAGE_SHIFT,
				    t->region->wp, true, &done);
		/* A part done says EAGAIN; what it stopped at is told next. */
		if (err == -EAGAIN && !done)
			break;
		for (; done; done -= DAX_PAGE_SIZE, i++) {
			if (a->taken[i])
				a->taken[i]->op.ans.error = 0;
			*own_mapped |= i == span->own;
		}
		if (err == -EFAULT)
			folio_doubt(t);
		if (err == -EEXIST && a->taken[i])
			a->taken[i]->op.ans.error = 0;
		if (err == -EEXIST || err == -EFAULT)
			i++;
	}
}

static bool in_run(const struct around *a, const struct span *span,
		   unsigned int i, bool with_own)
{
	return a->taken[i] || (with_own && i == span->own);
}

/* Runs of neighbours, with the page itself unless it is mapped otherwise. */
static bool map_runs(struct task *t, struct around *a, const struct span *span,
		     bool with_own)
{
	bool own_mapped = false;
	unsigned int i, end;

	for (i = 0; i < a->nr; i++)
		a->spare[i].op.ans.error = -EAGAIN;
	for (i = 0; i < span->nr; i = end) {
		end = i + 1;
		if (!in_run(a, span, i, with_own))
			continue;
		while (end < span->nr && in_run(a, span, end, with_own))
			end++;
		map_run(t, a, span, i, end, &own_mapped);
	}
	return own_mapped;
}

/* One that a store made is mapped writable: not in a run that is protected. */
static bool differs(const struct task *t)
{
	return t->region->wp && t->write;
}

bool around_map(struct exec *x, struct task *t)
{
	struct around *a = x->around;
	struct span span;
	bool own = false;

	if (!t->minor || t->waited || t->wp || t->file->fs || hold_has(t->file))
		return false;
	span = span_of(a, t);
	if (!folio_seen(t))
		cut_to_present(t, &span);
	take(x, t, &span);
	if (a->nr)
		own = map_runs(t, a, &span, !differs(t));
	give_back(x, t);
	return own;
}
