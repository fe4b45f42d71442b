/* SPDX-License-Identifier: BSD-3-Clause */
#include "world.h"

#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define STEPS 127
/* In one schedule: that somebody is kept from his next step. */
#define PREEMPTIONS 5

static uint64_t address_of(const struct actor *a)
{
	return a->v->vma.vm_start +
	       ((a->page - a->v->vma.vm_pgoff) << PAGE_SHIFT);
}

/* ------------------------------------------------------------ what one does */

static void start_op(struct world *w, struct actor *a)
{
	a->op.stats = &w->e.stats;
	a->op.driver = a;
	a->verb = DAX_MORE;
	a->in_op = true;
}

static void start_fault(struct world *w, struct actor *a, unsigned int order)
{
	dax_op_init_fault(&a->op, &w->e.m, order, &a->v->vma, address_of(a),
			  a->write ? DAX_FAULT_FLAG_WRITE : 0);
	start_op(w, a);
}

static void start_range(struct world *w, struct actor *a, enum dax_op_kind kind,
			uint64_t end)
{
	dax_op_init_range(&a->op, kind, &w->e.m, a->page, end);
	start_op(w, a);
}

/* The access itself, or the fault that it takes. */
static void touch(struct world *w, struct actor *a)
{
	enum dax_pt_slot slot = *env_slot(a->v, address_of(a));

	if (env_access(&w->e, a->v, address_of(a), a->write))
		a->done = true;
	else
		start_fault(w, a, slot == DAX_PT_TABLE ? 0 : PMD_ORDER);
}

/* Page tables are zapped after the entry is gone: invalidate_inode_pages2_range(). */
static void write_call(struct world *w, struct actor *a)
{
	uint64_t pfn;
	bool new = false;

	switch (a->phase++) {
	case 0:
		for (uint64_t p = a->page; p <= a->end; p++)
			new |= env_alloc_page(&w->e, p);
		if (new)
			start_range(w, a, a->forget, a->end);
		break;
	case 1:
		env_unmap(&w->e, a->page, a->end - a->page + 1, false);
		break;
	default:
		pfn = w->e.page[a->end].pfn;
		w->e.durable[pfn] = ++w->e.content[pfn];
		a->done = true;
	}
}

static void between_ops(struct world *w, struct actor *a)
{
	switch (a->kind) {
	case ACTOR_TOUCH:
		touch(w, a);
		break;
	case ACTOR_WRITE:
		write_call(w, a);
		break;
	case ACTOR_SYNC:
		if (a->phase++)
			a->done = true;
		else
			start_range(w, a, DAX_OP_WRITEBACK, a->end);
		break;
	}
}

static void op_done(struct world *w, struct actor *a)
{
	a->in_op = false;
	if (a->kind == ACTOR_TOUCH && a->op.order &&
	    a->op.result & DAX_FAULT_FALLBACK)
		start_fault(w, a, 0);
}

static bool runnable(const struct world *w, const struct actor *a)
{
	if (a->done || a->parked || (a->after && !a->after->done))
		return false;
	return !a->in_op || a->verb != DAX_FSLOCK ||
	       !(w->e.fs_excl || (a->op.ask.excl && w->e.fs_shared));
}

static void step(struct world *w, struct actor *a)
{
	struct dax_waiter *x, *next;

	if (!a->in_op) {
		between_ops(w, a);
		return;
	}
	if (a->verb == DAX_FSLOCK)
		env_fs_trylock(&w->e, a->op.ask.excl);
	/* Others may come between the look at the extent and what is made of it. */
	if (a->verb == DAX_IOMAP) {
		env_answer(&w->e, a->v, &a->op, a->verb);
		a->verb = DAX_MORE;
		return;
	}
	env_answer(&w->e, a->v, &a->op, a->verb);
	a->verb = dax_op_step(&a->op);
	list_for_each_safe(x, next, &a->op.woken, link) {
		struct actor *other = dax_waiter_op(x)->driver;

		list_del(&x->link);
		other->parked = false;
	}
	a->parked = a->verb == DAX_PARK;
	if (a->verb == DAX_DONE)
		op_done(w, a);
}

void world_run(struct world *w, struct actor *a)
{
	while (!a->done) {
		assert(runnable(w, a));
		step(w, a);
	}
}

void world_blocks(struct world *w, uint64_t page)
{
	struct env *e = &w->e;

	page &= ~PG_PMD_COLOUR;
	e->next_pfn = (e->next_pfn + PG_PMD_COLOUR) & ~PG_PMD_COLOUR;
	for (uint64_t i = 0; i < PG_PMD_NR; i++)
		env_alloc_page(e, page + i);
}

void world_no_2m(struct env_vma *v, uint64_t page)
{
	struct actor a = { .v = v, .page = page };

	*env_slot(v, address_of(&a)) = DAX_PT_TABLE;
}

/* ---------------------------------------------------------- every schedule */

/* Choice @i was the @taken[i]th of @of[i] that could run. */
struct schedule {
	unsigned char taken[STEPS], of[STEPS], actor[STEPS];
	unsigned int len;
};

/* @last goes on if he can, once there were preemptions enough. */
static unsigned int candidates(const struct world *w, unsigned int *who,
			       unsigned int last, unsigned int preemptions)
{
	unsigned int n = 0;

	if (preemptions == PREEMPTIONS && runnable(w, &w->actor[last])) {
		who[0] = last;
		return 1;
	}
	for (unsigned int i = 0; i < w->nr; i++)
		if (runnable(w, &w->actor[i]))
			who[n++] = i;
	return n;
}

static const char *judge(struct world *w, const struct scenario *s)
{
	char msg[128];
	const char *bad;

	for (unsigned int i = 0; i < w->nr; i++)
		if (!w->actor[i].done)
			return "somebody waits for ever";
	if (dax_verify(&w->e.m, msg, sizeof(msg)))
		return "an invariant of the model is broken";
	bad = env_check(&w->e);
	return !bad && s->verdict ? s->verdict(w) : bad;
}

/* Those who wait for ever are taken out, so that the world can be left. */
static void leave(struct world *w)
{
	for (unsigned int i = 0; i < w->nr; i++)
		if (w->actor[i].parked)
			dax_op_cancel(&w->actor[i].op);
	env_exit(&w->e);
}

static const char *run(const char *protocol, const struct scenario *s,
		       struct schedule *c)
{
	const struct dax_protocol *proto = dax_protocol_find(protocol);
	static struct world w;
	unsigned int who[WORLD_ACTORS], n, i = 0, last = 0, preemptions = 0;
	const char *bad;

	assert(proto);
	memset(&w, 0, sizeof(w));
	env_init(&w.e, s->few_nodes ? 2 : 0, proto);
	w.e.m.i_size = ENV_PAGES * DAX_PAGE_SIZE;
	s->setup(&w);
	while ((n = candidates(&w, who, last, preemptions))) {
		assert(i < STEPS);
		if (i >= c->len)
			c->taken[i] = 0;
		c->of[i] = n;
		c->actor[i] = who[c->taken[i]];
		preemptions += c->actor[i] != last &&
			       runnable(&w, &w.actor[last]);
		last = c->actor[i++];
		step(&w, &w.actor[last]);
	}
	c->len = i;
	bad = judge(&w, s);
	leave(&w);
	return bad;
}

static bool next_schedule(struct schedule *c)
{
	while (c->len && c->taken[c->len - 1] + 1 == c->of[c->len - 1])
		c->len--;
	if (!c->len)
		return false;
	c->taken[c->len - 1]++;
	return true;
}

/* What goes wrong first, or NULL; @steps: by which schedule. */
static const char *explore_world(const char *protocol, const struct scenario *s,
				 char *steps)
{
	struct schedule c = { .len = 0 };
	unsigned long schedules = 0;
	const char *bad;

	do {
		schedules++;
		bad = run(protocol, s, &c);
	} while (!bad && next_schedule(&c));
	memset(steps, 0, STEPS + 1);
	for (unsigned int i = 0; bad && i < c.len; i++)
		steps[i] = '0' + c.actor[i];
	print_message("%-10s %lu schedules: %s %s\n", protocol, schedules,
		      bad ? bad : "nothing goes wrong", steps);
	return bad;
}

void expect_bad(const char *protocol, const struct scenario *s)
{
	char steps[STEPS + 1];

	if (!explore_world(protocol, s, steps))
		fail_msg("%s: nothing goes wrong", protocol);
}

void expect_good(const char *protocol, const struct scenario *s)
{
	char steps[STEPS + 1];
	const char *bad = explore_world(protocol, s, steps);

	if (bad)
		fail_msg("%s: %s, by %s", protocol, bad, steps);
}
