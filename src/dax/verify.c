/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Structural invariants, by number; doc/fault.md says them in words. i_pages
 * held. That somebody sleeps for ever is a finding about the protocol, not a
 * broken structure: it is not looked for here.
 */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "dax/dax_int.h"
#include "dax/table_node.h"

enum {
	INV_BLOCK = 1,	/* nodes lie in the used part of the block, aligned */
	INV_DIR,	/* a dir's bits say which slots are used; one is */
	INV_WINDOW,	/* a window has a 2M entry or leaves, never both */
	INV_LEAF,	/* a leaf's bits say which slots are used; one is */
	INV_WORD,	/* an entry is a value of its slot's size, and of one kind */
	INV_MARKS,	/* marks are on entries, and are summed up above them */
	INV_DIRTY,	/* only a real entry has a mark */
	INV_COUNTS,	/* nr_entries and nr_pages are what is there */
	INV_FREE,	/* every used byte is in a node of the tree or free */
	INV_SLEEPER,	/* a sleeper is in the queue of its key, or was picked,
			   and on the lists that say what became of it */
	INV_QUEUE,	/* non-exclusive waiters stand before exclusive ones */
	INV_WRITEBACK,	/* what is being written back is locked */
};

struct check {
	const struct dax_table *t;
	bool dirty_zero;
	int broken;
	char *msg;
	unsigned int len;
	uint64_t entries, pages, bytes;
};

__attribute__((format(printf, 3, 4)))
static bool breaks(struct check *c, int invariant, const char *fmt, ...)
{
	va_list ap;

	c->broken = invariant;
	va_start(ap, fmt);
	if (c->len)
		vsnprintf(c->msg, c->len, fmt, ap);
	va_end(ap);
	return false;
}

static bool check_ref(struct check *c, dax_ref_t ref, enum dax_node_kind kind)
{
	uint64_t pos = (uint64_t)ref * NODE_ALIGN;

	c->bytes += dax_node_size(kind);
	if (!ref || pos + dax_node_size(kind) > c->t->used ||
	    c->t->used > c->t->size)
		return breaks(c, INV_BLOCK, "node %u of kind %d outside %lu used bytes",
			      ref, kind, c->t->used);
	return true;
}

static bool check_word(struct check *c, dax_entry_t e, uint64_t index, bool pmd)
{
	bool hole = dax_is_zero_entry(e) || dax_is_empty_entry(e);

	c->entries++;
	c->pages += 1UL << dax_entry_order(e);
	if (!dax_is_value(e) || dax_is_pmd_entry(e) != pmd ||
	    (dax_is_zero_entry(e) && dax_is_empty_entry(e)) ||
	    (hole && dax_to_pfn(e)) || (pmd && dax_to_pfn(e) & PG_PMD_COLOUR))
		return breaks(c, INV_WORD, "entry %#lx at page %lu", e, index);
	return true;
}

static bool check_dirty(struct check *c, dax_entry_t e, uint64_t index, bool marked)
{
	if (marked && (dax_is_empty_entry(e) ||
		       (dax_is_zero_entry(e) && !c->dirty_zero)))
		return breaks(c, INV_DIRTY, "marked entry %#lx at page %lu", e,
			      index);
	return true;
}

static bool check_leaf(struct check *c, dax_ref_t ref, uint64_t index,
		       const struct dax_leaf **leafp)
{
	const struct dax_leaf *leaf;
	uint64_t present = 0;

	if (!check_ref(c, ref, DAX_NODE_LEAF))
		return false;
	*leafp = leaf = node_at(c->t, ref);
	for (unsigned int s = 0; s < LEAF_SLOTS; s++) {
		bool marked = false;

		if (!leaf->slot[s])
			continue;
		present |= 1UL << s;
		for (int m = 0; m < DAX_MARKS; m++)
			marked |= leaf->marked[m] >> s & 1;
		if (!check_word(c, leaf->slot[s], index + s, false) ||
		    !check_dirty(c, leaf->slot[s], index + s, marked))
			return false;
	}
	if (!present || present != leaf->present)
		return breaks(c, INV_LEAF, "leaf at page %lu: bits %#lx, slots %#lx",
			      index, leaf->present, present);
	for (int m = 0; m < DAX_MARKS; m++)
		if (leaf->marked[m] & ~present)
			return breaks(c, INV_MARKS, "leaf at page %lu: mark %d without an entry",
				      index, m);
	return true;
}

static bool check_window(struct check *c, dax_ref_t ref, uint64_t nr,
			 const struct dax_window **wp)
{
	uint8_t marked[DAX_MARKS] = { 0 }, any = 0;
	uint64_t first = nr << PMD_ORDER;
	const struct dax_window *w;
	const struct dax_leaf *leaf;
	unsigned int leaves = 0;

	if (!check_ref(c, ref, DAX_NODE_WINDOW))
		return false;
	*wp = w = node_at(c->t, ref);
	for (unsigned int l = 0; l < LEAVES; l++) {
		if (!w->leaf[l])
			continue;
		leaves++;
		if (!check_leaf(c, w->leaf[l], first + (l << LEAF_BITS), &leaf))
			return false;
		for (int m = 0; m < DAX_MARKS; m++)
			marked[m] |= (leaf->marked[m] != 0) << l;
	}
	if (!w->pmd == !leaves)
		return breaks(c, INV_WINDOW, "window %lu: 2M entry %#lx and %u leaves",
			      nr, w->pmd, leaves);
	for (int m = 0; m < DAX_MARKS; m++)
		any |= w->marked[m];
	if (w->pmd)
		return check_word(c, w->pmd, first, true) &&
		       check_dirty(c, w->pmd, first, any);
	for (int m = 0; m < DAX_MARKS; m++)
		if (marked[m] != w->marked[m])
			return breaks(c, INV_MARKS, "window %lu: mark %d is %#x, leaves have %#x",
				      nr, m, w->marked[m], marked[m]);
	return true;
}

/* The bits that a child at @slot puts into its dir. */
static void sum_up(uint64_t sum[DAX_MARKS], unsigned int slot,
		   const uint64_t *marked64, const uint8_t *marked8)
{
	for (int m = 0; m < DAX_MARKS; m++)
		if (marked64 ? marked64[m] != 0 : marked8[m] != 0)
			sum[m] |= 1UL << slot;
}

/*
 * A dir at @level (0: over windows) for windows from @nr on. @only: check no
 * children but those that lead to this window; UINT64_MAX: all.
 */
static bool check_dir(struct check *c, dax_ref_t ref, unsigned int level,
		      uint64_t nr, uint64_t only)
{
	uint64_t present = 0, sum[DAX_MARKS] = { 0 };
	const struct dax_window *w;
	const struct dax_dir *dir, *child;

	if (!check_ref(c, ref, DAX_NODE_DIR))
		return false;
	dir = node_at(c->t, ref);
	for (unsigned int s = 0; s < DIR_SLOTS; s++) {
		uint64_t below = nr | (uint64_t)s << (level * DIR_BITS);
		bool skip = only != UINT64_MAX && dir_slot(only, level) != s;

		if (!dir->slot[s])
			continue;
		present |= 1UL << s;
		w = node_at(c->t, dir->slot[s]);
		if (!level && !skip && !check_window(c, dir->slot[s], below, &w))
			return false;
		if (level && !skip &&
		    !check_dir(c, dir->slot[s], level - 1, below, only))
			return false;
		child = node_at(c->t, dir->slot[s]);
		sum_up(sum, s, level ? child->marked : NULL, w->marked);
	}
	if (!present || present != dir->present)
		return breaks(c, INV_DIR, "dir of level %u at window %lu: bits %#lx, slots %#lx",
			      level, nr, dir->present, present);
	for (int m = 0; m < DAX_MARKS; m++)
		if (sum[m] != dir->marked[m])
			return breaks(c, INV_MARKS, "dir of level %u at window %lu: mark %d",
				      level, nr, m);
	return true;
}

static bool check_free(struct check *c)
{
	const struct dax_table *t = c->t;

	for (int kind = 0; kind < DAX_NODES; kind++)
		for (dax_ref_t ref = t->free[kind]; ref;
		     ref = *(dax_ref_t *)node_at(t, ref)) {
			if (!check_ref(c, ref, kind))
				return false;
			if (c->bytes > t->used)
				return breaks(c, INV_FREE, "chain %d of free nodes is a ring",
					      kind);
		}
	if (t->used && c->bytes + NODE_ALIGN != t->used)
		return breaks(c, INV_FREE, "%lu bytes in nodes, %lu used",
			      c->bytes, t->used);
	return true;
}

int dax_table_verify(const struct dax_table *t, bool dirty_zero, char *msg,
		     unsigned int len)
{
	struct check c = { .t = t, .dirty_zero = dirty_zero, .msg = msg, .len = len };

	if (t->root && !check_dir(&c, root_ref(t->root),
				  root_height(t->root) - 1, 0, UINT64_MAX))
		return c.broken;
	if (c.entries != t->nr_entries || c.pages != t->nr_pages)
		breaks(&c, INV_COUNTS, "%lu entries, %lu pages; counted %lu, %lu",
		       t->nr_entries, t->nr_pages, c.entries, c.pages);
	else
		check_free(&c);
	return c.broken;
}

int dax_table_verify_at(const struct dax_table *t, uint64_t index,
			bool dirty_zero, char *msg, unsigned int len)
{
	struct check c = { .t = t, .dirty_zero = dirty_zero, .msg = msg, .len = len };
	uint64_t nr = window_nr(index);

	if (t->root && dir_covers(root_height(t->root), nr))
		check_dir(&c, root_ref(t->root), root_height(t->root) - 1, 0, nr);
	return c.broken;
}

static bool check_queue(struct check *c, const struct dax_waiter *w)
{
	struct dax_wait_queue *q = dax_wait_queue(w->key.mapping->waits, &w->key);
	bool exclusive = false, here = false, sorted = true;
	const struct dax_waiter *other;
	unsigned int n = 0;

	lock_take(&q->lock);
	list_for_each(other, &q->head, link) {
		sorted &= !(exclusive && !other->exclusive);
		exclusive |= other->exclusive;
		here |= other == w;
		n++;
	}
	sorted &= n == q->nr;
	lock_release(&q->lock);
	if (here != w->queued)
		return breaks(c, INV_SLEEPER, "sleeper on %lu: queued %d, in the queue %d",
			      w->key.entry_start, w->queued, here);
	if (!sorted)
		return breaks(c, INV_QUEUE, "queue of key %lu: order or count",
			      w->key.entry_start);
	return true;
}

/* What wait.c keeps so that nobody has to be searched for. */
static bool check_lists(struct check *c, const struct dax_waiter *w)
{
	bool picked = !list_empty(&w->picked), waits = !list_empty(&w->blocked);

	if (picked != (!w->queued && !w->kicked))
		return breaks(c, INV_SLEEPER, "sleeper on %lu: picked %d, queued %d, kicked %d",
			      w->key.entry_start, picked, w->queued, w->kicked);
	if (waits == w->released)
		return breaks(c, INV_SLEEPER, "sleeper on %lu: blocked %d, released %d",
			      w->key.entry_start, waits, w->released);
	return true;
}

static int verify_sleepers(const struct dax_mapping *mapping, char *msg,
			   unsigned int len)
{
	struct check c = { .msg = msg, .len = len };
	const struct dax_waiter *w;

	list_for_each(w, &mapping->sleepers, sleeper) {
		if (!w->asleep || w->key.mapping != mapping)
			breaks(&c, INV_SLEEPER, "sleeper on %lu is awake",
			       w->key.entry_start);
		else if (check_lists(&c, w))
			check_queue(&c, w);
		if (c.broken)
			break;
	}
	return c.broken;
}

static int verify_writeback(const struct dax_mapping *mapping, char *msg,
			    unsigned int len)
{
	struct check c = { .msg = msg, .len = len };
	uint64_t index = 0;
	dax_entry_t entry;

	while ((entry = dax_table_next_marked(&mapping->table, &index,
					      DAX_TABLE_MAX, DAX_MARK_WRITEBACK))) {
		if (!dax_is_locked(entry))
			breaks(&c, INV_WRITEBACK, "entry %#lx at page %lu", entry,
			       index);
		index = dax_entry_last(entry, index) + 1;
	}
	return c.broken;
}

int dax_verify(const struct dax_mapping *mapping, char *msg, unsigned int len)
{
	int broken = dax_table_verify(&mapping->table,
				      mapping->proto->dirty_on_read, msg, len);

	if (!broken)
		broken = verify_writeback(mapping, msg, len);
	return broken ? broken : verify_sleepers(mapping, msg, len);
}

#ifdef UDAX_DEBUG

/*
 * After each step: all of a small table, in a larger one what leads to the
 * operation's page, and all of it now and then.
 */
void dax_verify_step(const struct dax_op *op)
{
	static __thread unsigned int steps;
	const struct dax_mapping *mapping = op->mapping;
	char msg[128] = "";
	int broken;

	if (mapping->table.nr_entries <= 64 || !(++steps & 0xfff))
		broken = dax_verify(mapping, msg, sizeof(msg));
	else
		broken = dax_table_verify_at(&mapping->table, op->xas.index,
					     mapping->proto->dirty_on_read, msg,
					     sizeof(msg));
	if (!broken)
		return;
	fprintf(stderr, "udax: invariant %d broken at step %s: %s\n", broken,
		dax_step_name(op), msg);
	abort();
}

void dax_verify_idle(const struct dax_mapping *mapping)
{
	uint64_t index = 0;
	dax_entry_t entry;

	while ((entry = dax_table_next(&mapping->table, &index, DAX_TABLE_MAX))) {
		assert(!dax_is_locked(entry));
		index = dax_entry_last(entry, index) + 1;
	}
}

#endif
