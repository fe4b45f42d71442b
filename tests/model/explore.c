/* SPDX-License-Identifier: BSD-3-Clause */
#include "explore.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MEMORY 1024

struct task {
	struct dax_op op;
	enum dax_verb verb;
	char letter;
	uint8_t page;
	bool running, parked;
	uint8_t visited;	/* pages that a scan has looked at */
};

/* No stats in here: they would make equal states differ. */
struct arena {
	struct dax_mapping m;
	struct dax_wait_table waits;
	struct dax_wait_queue queue;
	struct task task[EXPLORE_TASKS];
	char memory[MEMORY] __attribute__((aligned(64)));
};

struct node {
	struct node *next;	/* in its bucket */
	const struct node *from;
	uint64_t hash;
	uint8_t task;
	struct arena *state;	/* until it is expanded */
};

#define BUCKETS (1U << 16)

struct explorer {
	struct arena *a;
	struct node *bucket[BUCKETS], **queue;
	uint64_t nr, max, done;
	struct dax_stats stats;
	struct explore_result *result;
	bool hole;
};

static const struct dax_vma vma = {
	.vm_start = 1UL << 40, .vm_end = (1UL << 40) + DAX_PMD_SIZE, .shared = true,
};

/* --------------------------------------------------------------- the tasks */

static void start_fault(struct explorer *x, struct task *t, unsigned int order)
{
	dax_op_init_fault(&t->op, &x->a->m, order, &vma,
			  vma.vm_start + ((uint64_t)t->page << PAGE_SHIFT),
			  DAX_FAULT_FLAG_INVAL_LOCKED |
			  (x->hole ? 0 : DAX_FAULT_FLAG_WRITE));
	t->op.stats = &x->stats;
}

static void start(struct explorer *x, struct task *t)
{
	static const char letters[] = "IWSB";
	static const enum dax_op_kind kinds[] = {
		DAX_OP_INVALIDATE, DAX_OP_LOCK_ENTRY, DAX_OP_DELETE_RANGE,
		DAX_OP_LAYOUT_BUSY,
	};
	bool scan = t->letter == 'S' || t->letter == 'B';

	t->running = true;
	if (t->letter == 'P' || t->letter == 'M') {
		start_fault(x, t, t->letter == 'M' ? PMD_ORDER : 0);
		return;
	}
	dax_op_init_range(&t->op, kinds[strchr(letters, t->letter) - letters],
			  &x->a->m, scan ? 0 : t->page,
			  scan ? PG_PMD_COLOUR : t->page);
	t->op.flags = DAX_FAULT_FLAG_INVAL_LOCKED;
	t->op.stats = &x->stats;
}

/* Each task has a mapping of its own: page tables decide nothing. */
static void answer(struct explorer *x, struct task *t)
{
	struct dax_op *op = &t->op;

	if (t->verb == DAX_IOMAP)
		op->ans.iomap = (struct dax_iomap){
			.type = x->hole ? DAX_IOMAP_HOLE : DAX_IOMAP_MAPPED,
			.length = op->ask.len, .pfn = op->ask.pos >> PAGE_SHIFT,
		};
	if (t->verb == DAX_PAGE_BUSY)
		t->visited |= ((1U << op->ask.nr) - 1) << op->ask.start;
}

/* A scan has ended: has it looked at all that is there? */
static bool scan_missed(const struct explorer *x, const struct task *t)
{
	uint64_t index = 0;
	dax_entry_t e;

	if (t->letter == 'S')
		return dax_table_next(&x->a->m.table, &index, PG_PMD_COLOUR);
	for (; (e = dax_table_next(&x->a->m.table, &index, PG_PMD_COLOUR)); index++)
		if (!dax_is_empty_entry(e) && !dax_is_zero_entry(e) &&
		    !(t->visited >> index & 1))
			return true;
	return false;
}

static void step(struct explorer *x, struct task *t)
{
	struct dax_waiter *w, *next;

	answer(x, t);
	t->verb = dax_op_step(&t->op);
	list_for_each_safe(w, next, &t->op.woken, link) {
		list_del(&w->link);
		container_of(dax_waiter_op(w), struct task, op)->parked = false;
	}
	t->parked = t->verb == DAX_PARK;
	x->result->stranded |= dax_count_stranded(&x->a->m, &x->stats) > 0;
	if (t->verb != DAX_DONE)
		return;
	if (t->letter == 'M' && t->op.result & DAX_FAULT_FALLBACK) {
		t->letter = 'P';
		start_fault(x, t, 0);
		t->verb = DAX_MORE;
		return;
	}
	if (t->letter == 'S' || t->letter == 'B')
		x->result->missed |= scan_missed(x, t);
	/* What is over must not make states differ. */
	memset(t, 0, sizeof(*t));
}

static void put_entries(struct arena *a, enum explore_table table)
{
	struct dax_table *t = &a->m.table;

	if (table == TABLE_ZERO_PMD)
		dax_table_insert(t, 0, dax_make_entry(0, DAX_PMD | DAX_ZERO_PAGE));
	if (table == TABLE_REAL_PMD)
		dax_table_insert(t, 0, dax_make_entry(0, DAX_PMD));
	if (table == TABLE_REAL_PTE0)
		dax_table_insert(t, 0, dax_make_entry(0, 0));
	if (table == TABLE_REAL_PTE1 || table == TABLE_REAL_PTE12)
		dax_table_insert(t, 1, dax_make_entry(1, 0));
	if (table == TABLE_REAL_PTE12)
		dax_table_insert(t, 2, dax_make_entry(2, 0));
}

/* -------------------------------------------------------------- the states */

static uint64_t hash_arena(const struct arena *a)
{
	const uint64_t *p = (const uint64_t *)a;
	uint64_t h = 0x9e3779b97f4a7c15UL;

	for (size_t i = 0; i < sizeof(*a) / sizeof(*p); i++) {
		h = (h ^ p[i]) * 0xff51afd7ed558ccdUL;
		h ^= h >> 32;
	}
	return h;
}

/* The state in the arena, if it is new. */
static void visit(struct explorer *x, const struct node *from, unsigned int task)
{
	uint64_t hash = hash_arena(x->a);
	struct node **b = &x->bucket[hash % BUCKETS], *n;

	for (n = *b; n; n = n->next)
		if (n->hash == hash)
			return;
	n = calloc(1, sizeof(*n));
	n->state = aligned_alloc(64, sizeof(*n->state));
	memcpy(n->state, x->a, sizeof(*n->state));
	n->hash = hash;
	n->from = from;
	n->task = task;
	n->next = *b;
	*b = n;
	if (x->nr == x->max) {
		x->max = x->max ? x->max * 2 : 1024;
		x->queue = realloc(x->queue, x->max * sizeof(*x->queue));
	}
	x->queue[x->nr++] = n;
}

static void tell(struct explorer *x, const struct node *n, int last)
{
	char *s = x->result->schedule;
	unsigned int len = 0, max = sizeof(x->result->schedule) - 1;

	if (*s)
		return;
	if (last >= 0)
		s[len++] = '0' + last;
	for (; n->from && len < max; n = n->from)
		s[len++] = '0' + n->task;
	for (unsigned int i = 0; i < len / 2; i++) {
		char c = s[i];

		s[i] = s[len - 1 - i];
		s[len - 1 - i] = c;
	}
}

static void final_state(struct explorer *x, const struct node *n)
{
	bool asleep = false;
	dax_entry_t e;

	for (int i = 0; i < EXPLORE_TASKS; i++)
		asleep |= x->a->task[i].parked;
	x->result->hang |= asleep;
	e = dax_table_load(&x->a->m.table, 0, PMD_ORDER, NULL);
	x->result->pmd |= dax_is_pmd_entry(e) && !dax_is_empty_entry(e);
	if (asleep)
		tell(x, n, -1);
}

static void expand(struct explorer *x, struct node *n)
{
	bool moved = false, missed = x->result->missed;

	for (int i = 0; i < EXPLORE_TASKS; i++) {
		memcpy(x->a, n->state, sizeof(*x->a));
		if (!x->a->task[i].running || x->a->task[i].parked)
			continue;
		moved = true;
		step(x, &x->a->task[i]);
		if (x->result->missed && !missed)
			tell(x, n, i);
		visit(x, n, i);
	}
	if (!moved)
		final_state(x, n);
	free(n->state);
	n->state = NULL;
}

static void free_all(struct explorer *x)
{
	for (uint64_t i = 0; i < x->nr; i++) {
		free(x->queue[i]->state);
		free(x->queue[i]);
	}
	free(x->queue);
	free(x->a);
	free(x);
}

void explore(const struct dax_protocol *proto, enum explore_table table,
	     const char *tasks, bool hole, struct explore_result *result)
{
	struct explorer *x = calloc(1, sizeof(*x));

	memset(result, 0, sizeof(*result));
	x->a = aligned_alloc(64, sizeof(*x->a));
	memset(x->a, 0, sizeof(*x->a));
	x->result = result;
	x->hole = hole;
	dax_wait_table_init(&x->a->waits, 0, &x->a->queue);
	dax_mapping_init(&x->a->m, proto, &x->a->waits, x->a->memory, MEMORY);
	x->a->m.i_size = DAX_PMD_SIZE;
	put_entries(x->a, table);
	for (int i = 0; *tasks; i++) {
		x->a->task[i].letter = tasks[0];
		x->a->task[i].page = tasks[1] - '0';
		start(x, &x->a->task[i]);
		tasks += tasks[2] ? 3 : 2;
	}
	visit(x, NULL, 0);
	while (x->done < x->nr)
		expand(x, x->queue[x->done++]);
	result->states = x->nr;
	result->waits = x->stats.waits;
	result->misdirected = x->stats.misdirected;
	result->useless = x->stats.useless;
	result->rescued = x->stats.rescued > 0;
	free_all(x);
}
