/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sleeps: how long, on what, and what they were good for. What the model counts
 * is left to it; here is what needs a clock. The words are doc/fault.md's.
 */
#include "mm/sim_int.h"

static uint64_t wakes(const struct dax_stats *stats)
{
	return stats->wakes_next + stats->wakes_all;
}

void sim_note_before(const struct sim *s, const struct sim_task *t,
		     struct sim_before *b)
{
	b->entry = t->op.entry;
	b->done = t->op.done;
	b->step = t->op.step;
	b->asleep = t->op.waiter.asleep;
	b->stats = s->stats;
}

/* ----------------------------------------------------------------- delayed */

/* Would the sleeper's own lookup sleep again now? */
static bool would_sleep(const struct sim *s, const struct dax_op *op)
{
	uint64_t at;
	dax_entry_t e = dax_table_load(&op->mapping->table, op->xas.index,
				       op->xas.order, &at);

	if (!e || !dax_is_locked(e))
		return false;
	if (dax_entry_order(e) >= op->xas.order)
		return true;
	if (s->proto->pmd_lookup == PMD_LOOKUP_HEAD && at != op->xas.index)
		return false;
	return s->proto->pmd_on_pte == PMD_ON_PTE_WAIT_HEAD ||
	       s->proto->pmd_on_pte == PMD_ON_PTE_WAIT_PTE;
}

static void target_is(struct sim *s, struct sim_task *t, bool is_free)
{
	if (is_free == t->target_free)
		return;
	t->target_free = is_free;
	if (is_free)
		t->free_since = s->now;
	else
		t->free_ns += s->now - t->free_since;
}

/* Entries of @range were locked, unlocked or removed: of all, or of @page. */
static void look_at_targets(struct sim *s, struct sim_range *range, bool all,
			    uint64_t page)
{
	struct sim_task *t;

	list_for_each(t, &range->asleep, asleep)
		if (all || t->op.xas.order || t->op.xas.index == page)
			target_is(s, t, !would_sleep(s, &t->op));
}

void sim_note_picked(struct sim *s, struct sim_task *t)
{
	uint64_t late = t->target_free ? s->now - t->free_since : 0;

	list_del(&t->asleep);
	target_is(s, t, false);
	if (!t->counts)
		return;
	sim_sample(s, &s->r->delayed, t->free_ns);
	sim_sample(s, &s->r->late, late);
}

/* ---------------------------------------------------------------- stranded */

static void on_kick(struct sim *s, void *arg)
{
	struct sim_task *t = arg;
	uint64_t due = t->stranded_at + s->c->kick_after;

	t->kick_armed = false;
	if (!t->op.waiter.queued || !t->op.waiter.stranded)
		return;
	/* It was rescued since, and is stranded again. */
	if (due > s->now) {
		t->kick_armed = true;
		sim_at(s, due, on_kick, t);
		return;
	}
	sim_kick(s, t);
}

static void found_stranded(struct sim *s, struct sim_task *t)
{
	t->stranded_at = s->now;
	if (!s->c->kick || t->kick_armed)
		return;
	t->kick_armed = true;
	sim_at(s, s->now + s->c->kick_after, on_kick, t);
}

/* Keys of a window: pages, and the locks of zero pages. */
struct key_set {
	uint64_t bits[2 * PG_PMD_NR / 64];
};

static uint64_t *key_word(struct key_set *set, uint64_t key, uint64_t *bit)
{
	unsigned int nr = (key & PG_PMD_COLOUR) +
			  (key & DAX_KEY_PAGE_LOCK ? PG_PMD_NR : 0);

	*bit = 1UL << nr % 64;
	return &set->bits[nr / 64];
}

/*
 * Keys lie in the window, so a sleeper's sources do. Many sleep on one key, and
 * it is asked for its source once.
 */
static void look_for_stranded(struct sim *s, struct sim_range *range)
{
	struct key_set sourced = { 0 };
	uint64_t *word, bit;
	struct sim_task *t;

	if (range->owed)
		return;
	list_for_each(t, &range->asleep, asleep) {
		struct dax_waiter *w = &t->op.waiter;

		word = key_word(&sourced, w->key.entry_start, &bit);
		if (*word & bit || w->stranded)
			continue;
		if (dax_waiter_stranded(w, &s->stats))
			found_stranded(s, t);
		else
			*word |= bit;
	}
}

/* ------------------------------------------------------------------ stalls */

static enum sim_stall stall_of(const struct sim_task *t)
{
	const struct dax_waiter *w = &t->op.waiter;

	if (!t->op.order)
		return w->blocker_order ? SIM_PTE_ON_PMD : SIM_PTE_ON_PTE;
	if (w->blocker_order)
		return SIM_PMD_ON_PMD;
	return w->blocker == t->page ? SIM_PMD_ON_OWN : SIM_PMD_ON_PTE;
}

static void falls_asleep(struct sim *s, struct sim_task *t)
{
	list_add_tail(&t->asleep, &t->range->asleep);
	t->target_free = false;
	t->free_ns = 0;
	if (t->stalled || t->role == ROLE_WORKER)
		return;
	t->stalled = true;
	t->stall = stall_of(t);
	t->stall_start = s->now;
}

static void stall_ends(struct sim *s, struct sim_task *t)
{
	struct sim_result *r = s->r;

	t->stalled = false;
	if (!t->counts)
		return;
	sim_sample(s, &r->stall[t->stall], s->now - t->stall_start);
	if (t->stall == SIM_PMD_ON_PMD)
		r->pmd_waits_pmd++;
	if (t->stall == SIM_PMD_ON_OWN || t->stall == SIM_PMD_ON_PTE) {
		r->pmd_waits_pte++;
		r->pmd_useful += t->op.entry != 0;
	}
}

/* ------------------------------------------------------------------- steps */

static void note_wakes(struct sim *s, struct sim_task *t,
		       const struct dax_stats *before)
{
	struct sim_result *r = s->r;
	struct dax_waiter *w;

	list_for_each(w, &t->op.woken, link)
		sim_note_picked(s, sim_task_of(w));
	if (!s->counting)
		return;
	r->wake_calls += s->stats.scanned != before->scanned;
	if (wakes(&s->stats) != wakes(before))
		sim_sample(s, &r->woken[s->stats.wakes_all != before->wakes_all],
			   s->stats.woken - before->woken);
}

static void note_lock(struct sim *s, struct sim_task *t, bool before)
{
	if (!before)
		t->locked_at = s->now;
	else if (s->counting)
		s->r->held += s->now - t->locked_at;
}

void sim_note_step(struct sim *s, struct sim_task *t,
		   const struct sim_before *b, enum dax_verb verb)
{
	struct sim_range *range = t->range;
	const struct dax_op *op = &t->op;
	bool lock = !b->entry != !op->entry;
	bool resized = b->entry && op->entry &&
		       dax_entry_order(b->entry) != dax_entry_order(op->entry);
	bool changed = lock || resized || op->done != b->done;

	if (b->step == STEP_UNLOCK_WAKE)
		range->owed--;
	else if (op->step == STEP_UNLOCK_WAKE)
		range->owed++;
	note_wakes(s, t, &b->stats);
	if (lock)
		note_lock(s, t, b->entry);
	if (verb == DAX_PARK)
		falls_asleep(s, t);
	else if (t->stalled && verb != DAX_ALLOC)
		stall_ends(s, t);
	if (list_empty(&range->asleep))
		return;
	if (changed)
		look_at_targets(s, range, !lock || dax_entry_order(b->entry | op->entry),
				op->xas.index);
	if (changed || b->asleep || verb == DAX_PARK ||
	    b->step == STEP_UNLOCK_WAKE)
		look_for_stranded(s, range);
}
