/* SPDX-License-Identifier: BSD-3-Clause */
/* A state of the checker: its operations, their steps, and its hash. */
#include "mm/check_int.h"

#include <errno.h>
#include <string.h>

static const struct dax_vma vma = {
	.vm_start = 1UL << 40, .vm_end = (1UL << 40) + DAX_PMD_SIZE, .shared = true,
};

/* -------------------------------------------------------------- operations */

static void start_fault(struct check_state *s, struct check_task *t,
			unsigned int order, struct dax_stats *stats)
{
	dax_op_init_fault(&t->op, &s->m, order, &vma,
			  vma.vm_start + ((uint64_t)t->page << PAGE_SHIFT),
			  DAX_FAULT_FLAG_INVAL_LOCKED |
			  (s->blocks ? DAX_FAULT_FLAG_WRITE : 0));
	t->op.stats = stats;
	t->verb = DAX_MORE;
}

static void start(struct check_state *s, struct check_task *t,
		  struct dax_stats *stats)
{
	bool scan = t->letter == 'S' || t->letter == 'B';
	enum dax_op_kind kind;

	t->running = true;
	switch (t->letter) {
	case 'P':
		start_fault(s, t, 0, stats);
		return;
	case 'M':
		start_fault(s, t, PMD_ORDER, stats);
		return;
	case 'I':
		kind = DAX_OP_INVALIDATE;
		break;
	case 'S':
		kind = DAX_OP_DELETE_RANGE;
		break;
	case 'B':
		kind = DAX_OP_LAYOUT_BUSY;
		break;
	default:
		kind = DAX_OP_LOCK_ENTRY;
	}
	dax_op_init_range(&t->op, kind, &s->m, scan ? 0 : t->page,
			  scan ? PG_PMD_COLOUR : t->page);
	t->op.flags = DAX_FAULT_FLAG_INVAL_LOCKED;
	t->op.stats = stats;
	t->verb = DAX_MORE;
}

static void put_entries(struct dax_table *t, enum check_table table)
{
	switch (table) {
	case CHECK_ZERO_2M:
		dax_table_insert(t, 0, dax_make_entry(0, DAX_PMD | DAX_ZERO_PAGE));
		break;
	case CHECK_REAL_2M:
		dax_table_insert(t, 0, dax_make_entry(0, DAX_PMD));
		break;
	case CHECK_PAGE0:
		dax_table_insert(t, 0, dax_make_entry(0, 0));
		break;
	case CHECK_PAGES12:
		dax_table_insert(t, 1, dax_make_entry(1, 0));
		dax_table_insert(t, 2, dax_make_entry(2, 0));
		break;
	case CHECK_PAGE1:
		dax_table_insert(t, 1, dax_make_entry(1, 0));
		break;
	case CHECK_EMPTY:
	case CHECK_TABLES:
		break;
	}
}

bool check_state_init(struct check_state *s, const struct check_case *c,
		      struct dax_stats *stats)
{
	const struct dax_protocol *proto = dax_protocol_find(c->protocol);

	if (!proto)
		return false;
	memset(s, 0, sizeof(*s));
	s->blocks = c->blocks;
	s->nr = c->nr;
	dax_wait_table_init(&s->waits, DAX_WAIT_TABLE_BITS, &s->queue);
	dax_mapping_init(&s->m, proto, &s->waits, s->memory, CHECK_MEMORY);
	s->m.i_size = DAX_PMD_SIZE;
	put_entries(&s->m.table, c->table);
	for (unsigned int i = 0; i < c->nr; i++) {
		s->task[i].letter = c->op[i].letter;
		s->task[i].page = c->op[i].page;
		start(s, &s->task[i], stats);
	}
	return true;
}

size_t check_state_size(const struct check_state *s)
{
	return offsetof(struct check_state, task) + s->nr * sizeof(s->task[0]);
}

/* ------------------------------------------------------------------- steps */

void check_answer(struct check_state *s, struct check_task *t)
{
	struct dax_op *op = &t->op;

	op->ans.error = 0;
	switch (t->verb) {
	case DAX_IOMAP:
		op->ans.iomap = (struct dax_iomap){
			.type = s->blocks ? DAX_IOMAP_MAPPED : DAX_IOMAP_HOLE,
			.length = op->ask.len,
			.pfn = s->blocks ? op->ask.pos >> PAGE_SHIFT : 0,
		};
		break;
	case DAX_PAGE_BUSY:
		t->visited |= ((1U << op->ask.nr) - 1) << op->ask.start;
		break;
	case DAX_ALLOC:
		op->ans.error = -ENOMEM;
		break;
	default:
		break;
	}
}

/* A scan has ended: is there what it has not looked at? */
static bool scan_missed(const struct check_state *s, const struct check_task *t)
{
	uint64_t index = 0;
	dax_entry_t e;

	if (t->letter == 'S')
		return dax_table_next(&s->m.table, &index, PG_PMD_COLOUR);
	for (; (e = dax_table_next(&s->m.table, &index, PG_PMD_COLOUR)); index++)
		if (!dax_is_empty_entry(e) && !dax_is_zero_entry(e) &&
		    !(t->visited >> index & 1))
			return true;
	return false;
}

static void finished(struct check_state *s, struct check_task *t)
{
	if (t->letter == 'M' && t->op.result & DAX_FAULT_FALLBACK) {
		t->letter = 'P';
		start_fault(s, t, 0, t->op.stats);
		return;
	}
	if (t->letter == 'S' || t->letter == 'B')
		s->missed = scan_missed(s, t);
	/* What is over must not make states differ. */
	memset(t, 0, sizeof(*t));
}

void check_step(struct check_state *s, struct check_task *t)
{
	struct dax_waiter *w, *next;

	check_answer(s, t);
	t->verb = dax_op_step(&t->op);
	list_for_each_safe(w, next, &t->op.woken, link) {
		list_del(&w->link);
		check_task_of(w)->parked = false;
	}
	t->parked = t->verb == DAX_PARK;
	if (t->verb == DAX_DONE)
		finished(s, t);
}

/*
 * These steps neither wake nor sleep, and take, release or remove no entry; at
 * most they change the word of an entry that the operation holds, of which all
 * that others look at is the lock bit and the size, and those stay. So they may
 * run at once: no order with the steps of others makes a difference, nor with
 * what is looked for in states. Writebacks do look at more; there are none here.
 * Where a hole's zero page has a lock of its own, storing it is no such step: it
 * wakes, and others look at its kind.
 */
bool check_step_is_local(const struct check_task *t)
{
	if (!check_runnable(t) || t->op.waiter.asleep)
		return false;
	switch (t->op.step) {
	case STEP_PT_CHECKED:
	case STEP_IOMAPPED:
	case STEP_INSERT:
		return !t->op.mapping->proto->hole_page_lock;
	case STEP_FAULT_END:
	case STEP_BUSY_ANSWERED:
	case STEP_DONE:
		return true;
	default:
		return false;
	}
}

/* ------------------------------------------------------------------ hashes */

/*
 * Two lanes of 64 bits. Each word changes each lane by a bijection, so that two
 * states share a hash by chance alone: n states do with probability n^2 / 2^129.
 */
static inline void mix(uint64_t h[2], uint64_t word)
{
	h[0] = (h[0] ^ word) * 0xff51afd7ed558ccdUL;
	h[0] ^= h[0] >> 32;
	h[1] = (h[1] + word) * 0x9e3779b97f4a7c15UL;
	h[1] ^= h[1] >> 29;
}

static void mix_bytes(uint64_t h[2], const void *data, size_t len)
{
	const char *p = data;
	uint64_t word;

	for (; len >= sizeof(word); len -= sizeof(word), p += sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		mix(h, word);
	}
	if (len) {
		word = 0;
		memcpy(&word, p, len);
		mix(h, word);
	}
}

static void mix_end(uint64_t h[2])
{
	for (int i = 0; i < 2; i++) {
		h[i] = (h[i] ^ h[i] >> 33) * 0xc4ceb9fe1a85ec53UL;
		h[i] = (h[i] ^ h[i] >> 29) * 0xbf58476d1ce4e5b9UL;
		h[i] ^= h[i] >> 32;
	}
}

/*
 * All of the operation but its place in lists, what others change (its hash has
 * that), what is for logs alone, and a sleep that is over.
 */
void check_hash_task(struct check_task *t, bool detail)
{
	struct dax_op op = t->op;

	t->own[0] = t->own[1] = 0;
	if (!t->running)
		return;
	memset(&op.woken, 0, sizeof(op.woken));
	memset(&op.waiter.link, 0, sizeof(op.waiter.link));
	memset(&op.waiter.sleeper, 0, sizeof(op.waiter.sleeper));
	memset(&op.waiter.blocked, 0, sizeof(op.waiter.blocked));
	memset(&op.waiter.picked, 0, sizeof(op.waiter.picked));
	op.waiter.queued = op.waiter.released = op.waiter.stranded = false;
	if (!op.waiter.asleep)
		memset(&op.waiter, 0, sizeof(op.waiter));
	op.grabbed = op.inserted = op.done = 0;
	memset(&op.note, 0, sizeof(op.note));
	if (!detail)
		op.woken_once = false;
	mix(t->own, t->letter | t->page << 8 | t->visited << 16 |
	    (uint64_t)t->verb << 32);
	mix_bytes(t->own, &op, sizeof(op));
}

/* How many stand before @w in the queue of its key. */
static unsigned int queue_rank(const struct check_state *s,
			       const struct dax_waiter *w)
{
	const struct dax_waiter *other;
	unsigned int rank = 1;

	if (!w->queued)
		return 0;
	list_for_each(other, &s->queue.head, link) {
		if (other == w)
			break;
		rank += other->key.entry_start == w->key.entry_start;
	}
	return rank;
}

static void hash_table(const struct check_state *s, uint64_t h[2])
{
	const struct dax_table *t = &s->m.table;
	uint64_t index = 0, marks;
	dax_entry_t e;

	while ((e = dax_table_next(t, &index, PG_PMD_COLOUR))) {
		marks = 0;
		for (int m = 0; m < DAX_MARKS; m++)
			marks |= (uint64_t)dax_table_get_mark(t, index, m) << m;
		mix(h, e);
		mix(h, index << DAX_MARKS | marks);
		index = dax_entry_last(e, index) + 1;
	}
	mix(h, s->m.wakes_pending);
}

/*
 * Operations are summed up, so that equal ones may change places. Of the queue
 * only the order within a key counts: wakes pass over the others.
 */
void check_hash_state(struct check_state *s, bool detail, uint64_t hash[2])
{
	hash[0] = 1;
	hash[1] = 2;
	hash_table(s, hash);
	mix_end(hash);
	for (unsigned int i = 0; i < s->nr; i++) {
		struct check_task *t = &s->task[i];
		const struct dax_waiter *w = &t->op.waiter;
		unsigned int said = 0;

		if (detail && w->asleep)
			said = w->released | w->stranded << 1;
		t->hash[0] = t->own[0];
		t->hash[1] = t->own[1];
		mix(t->hash, queue_rank(s, w) << 8 | said << 4 | t->parked);
		mix_end(t->hash);
		hash[0] += t->hash[0];
		hash[1] += t->hash[1];
	}
}

/* ---------------------------------------------------------------- stranded */

/* The marks are remembered by the model; who bears one now is asked anew. */
unsigned int check_stranded(struct check_state *s, struct dax_stats *stats)
{
	unsigned int before = 0, now = 0;
	struct dax_waiter *w;

	if (list_empty(&s->m.sleepers))
		return 0;
	list_for_each(w, &s->m.sleepers, sleeper) {
		before |= (unsigned int)w->stranded << (check_task_of(w) - s->task);
		w->stranded = false;
	}
	dax_count_stranded(&s->m, stats);
	list_for_each(w, &s->m.sleepers, sleeper) {
		unsigned int bit = 1U << (check_task_of(w) - s->task);

		if (w->stranded)
			now |= bit;
		w->stranded = (before | now) & bit;
	}
	return now;
}
