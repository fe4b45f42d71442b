/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Breadth first, so that what is found first is found by the fewest steps. The
 * set of visited states keeps 128-bit hashes (check_state.c); a state itself is
 * kept until its successors are known.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mm/check_int.h"

#define NO_NODE UINT32_MAX

struct node {
	uint64_t hash[2];
	uint32_t from;		/* node; NO_NODE: the first */
	uint8_t task, steps;	/* @steps steps of @task lead here */
	void *state;		/* until it is expanded */
};

struct checker {
	bool por, detail;
	const volatile sig_atomic_t *stop;
	struct check_state *s;
	struct dax_stats stats;
	struct check_report *r;
	struct node *node;
	uint32_t nr, max;
	uint32_t *set;		/* node + 1, by hash; 0: free */
	uint32_t set_size;	/* a power of two */
	void **spare;		/* blocks for states */
	uint32_t nr_spare, max_spare;
	bool nomem;
};

struct checker *checker_new(bool por, bool detail,
			    const volatile sig_atomic_t *stop)
{
	struct checker *x = calloc(1, sizeof(*x));

	if (!x)
		return NULL;
	x->por = por;
	x->detail = detail;
	x->stop = stop;
	x->set_size = 1U << 12;
	x->set = calloc(x->set_size, sizeof(*x->set));
	x->s = aligned_alloc(64, sizeof(*x->s));
	if (x->set && x->s)
		return x;
	checker_free(x);
	return NULL;
}

void checker_free(struct checker *x)
{
	if (!x)
		return;
	for (uint32_t i = 0; i < x->nr_spare; i++)
		free(x->spare[i]);
	free(x->spare);
	free(x->node);
	free(x->set);
	free(x->s);
	free(x);
}

/* ------------------------------------------------------------------ states */

static void *block_get(struct checker *x)
{
	if (x->nr_spare)
		return x->spare[--x->nr_spare];
	return malloc(sizeof(*x->s));
}

static void block_put(struct checker *x, void *block)
{
	void **spare;

	if (x->nr_spare == x->max_spare) {
		x->max_spare = x->max_spare ? x->max_spare * 2 : 64;
		spare = reallocarray(x->spare, x->max_spare, sizeof(*spare));
		if (!spare) {
			x->max_spare = x->nr_spare;
			free(block);
			return;
		}
		x->spare = spare;
	}
	x->spare[x->nr_spare++] = block;
}

static void set_add(struct checker *x, uint32_t nr)
{
	uint32_t i = x->node[nr].hash[0];

	while (x->set[i &= x->set_size - 1])
		i++;
	x->set[i] = nr + 1;
}

static bool set_grow(struct checker *x)
{
	uint32_t *set = calloc(x->set_size * 2UL, sizeof(*set));

	if (!set)
		return false;
	free(x->set);
	x->set = set;
	x->set_size *= 2;
	for (uint32_t i = 0; i < x->nr; i++)
		set_add(x, i);
	return true;
}

static bool set_has(const struct checker *x, const uint64_t hash[2])
{
	uint32_t i = hash[0], nr;

	while ((nr = x->set[i &= x->set_size - 1])) {
		const struct node *n = &x->node[nr - 1];

		if (n->hash[0] == hash[0] && n->hash[1] == hash[1])
			return true;
		i++;
	}
	return false;
}

static bool node_room(struct checker *x)
{
	struct node *node;

	if (x->nr == x->max) {
		x->max = x->max ? x->max * 2 : 1024;
		node = reallocarray(x->node, x->max, sizeof(*node));
		if (!node)
			return false;
		x->node = node;
	}
	return x->nr < x->set_size / 2 || set_grow(x);
}

/* ---------------------------------------------------------------- findings */

/* The way to node @nr, and @steps of @task more. */
static void tell_steps(const struct checker *x, uint32_t nr, unsigned int task,
		       unsigned int steps)
{
	char *s = x->r->steps;
	unsigned int len = 0;

	do {
		while (steps-- && len < CHECK_STEPS - 1)
			s[len++] = '0' + task;
		if (nr == NO_NODE)
			break;
		task = x->node[nr].task;
		steps = x->node[nr].steps;
		nr = x->node[nr].from;
	} while (true);
	s[len] = '\0';
	for (unsigned int i = 0; i < len / 2; i++) {
		char c = s[i];

		s[i] = s[len - 1 - i];
		s[len - 1 - i] = c;
	}
}

static void found(struct checker *x, enum check_finding f, uint32_t nr,
		  unsigned int task, unsigned int steps)
{
	if (f <= x->r->worst)
		return;
	x->r->worst = f;
	tell_steps(x, nr, task, steps);
}

static void found_in_state(struct checker *x, enum check_finding f)
{
	found(x, f, x->nr - 1, 0, 0);
}

/*
 * Is there a sleeper, not stranded, whose lookup would not sleep now? It is let
 * look, in a state that is thrown away.
 */
static bool somebody_delayed(struct checker *x, unsigned int stranded)
{
	const void *saved = x->node[x->nr - 1].state;
	struct check_state *s = x->s;
	bool delayed = false;

	for (unsigned int i = 0; i < s->nr && !delayed; i++) {
		struct check_task *t = &s->task[i];

		if (!t->parked || stranded & 1U << i)
			continue;
		dax_wait_cancel(&s->waits, &t->op.waiter);
		delayed = dax_op_step(&t->op) != DAX_PARK;
		memcpy(s, saved, check_state_size(s));
	}
	return delayed;
}

static void look_at_sleepers(struct checker *x, unsigned int stranded)
{
	unsigned int asleep = 0, runnable = 0;

	for (unsigned int i = 0; i < x->s->nr; i++) {
		asleep |= (unsigned int)x->s->task[i].parked << i;
		runnable |= check_runnable(&x->s->task[i]);
	}
	if (stranded) {
		x->r->stranded++;
		found_in_state(x, CHECK_STRANDED);
	}
	if (!asleep)
		return;
	if (!runnable) {
		x->r->lost++;
		x->r->disagreed += stranded != asleep;
		found_in_state(x, CHECK_LOST);
	}
	if (x->detail && somebody_delayed(x, stranded)) {
		x->r->delayed++;
		found_in_state(x, CHECK_DELAYED);
	}
}

/* The state is new, and the last node. */
static void look_at_state(struct checker *x, unsigned int stranded)
{
	char msg[8];
	dax_entry_t e = dax_table_load(&x->s->m.table, 0, PMD_ORDER, NULL);
	int broken = dax_verify(&x->s->m, msg, sizeof(msg));

	x->r->made_2m |= dax_is_pmd_entry(e) && !dax_is_empty_entry(e);
	if (broken) {
		x->r->broken[broken < CHECK_INVARIANTS ? broken : 0]++;
		found_in_state(x, CHECK_BROKEN);
	}
	if (!list_empty(&x->s->m.sleepers))
		look_at_sleepers(x, stranded);
}

/* ----------------------------------------------------------------- explore */

/* The state that @steps of @task made out of node @from, if it is new. */
static void visit(struct checker *x, uint32_t from, unsigned int task,
		  unsigned int steps)
{
	unsigned int stranded = check_stranded(x->s, &x->stats);
	uint64_t hash[2];
	struct node *n;
	void *block;

	check_hash_state(x->s, x->detail, hash);
	if (set_has(x, hash))
		return;
	block = node_room(x) ? block_get(x) : NULL;
	if (!block) {
		x->nomem = true;
		return;
	}
	memcpy(block, x->s, check_state_size(x->s));
	n = &x->node[x->nr];
	*n = (struct node){ { hash[0], hash[1] }, from, task, steps, block };
	set_add(x, x->nr++);
	look_at_state(x, stranded);
}

/* A step of @t, and those after it that nobody can notice. How many? */
static unsigned int advance(struct checker *x, struct check_task *t)
{
	unsigned int steps = 1;

	check_step(x->s, t);
	for (; x->por && check_step_is_local(t); steps++)
		check_step(x->s, t);
	check_hash_task(t, x->detail);
	return steps;
}

static void look_at_edge(struct checker *x, const struct dax_stats *before,
			 uint32_t from, unsigned int task, unsigned int steps)
{
	uint64_t misdirected = x->stats.misdirected - before->misdirected;

	x->r->edges++;
	if (x->s->missed) {
		x->r->missed++;
		found(x, CHECK_MISSED, from, task, steps);
		x->s->missed = false;
	}
	if (!x->detail)
		return;
	x->r->rescued += x->stats.rescued - before->rescued;
	x->r->barged += x->stats.barged - before->barged;
	x->r->useless += x->stats.useless - before->useless;
	x->r->misdirected += misdirected;
	if (misdirected)
		found(x, CHECK_MISDIRECTED, from, task, steps);
}

/* Another runnable operation before @i is its double: one of them will do. */
static bool has_double(const struct check_state *s, unsigned int i)
{
	for (unsigned int j = 0; j < i; j++)
		if (check_runnable(&s->task[j]) &&
		    s->task[j].hash[0] == s->task[i].hash[0] &&
		    s->task[j].hash[1] == s->task[i].hash[1])
			return true;
	return false;
}

static void expand(struct checker *x, uint32_t nr)
{
	void *state = x->node[nr].state;
	struct check_state *s = x->s;
	struct dax_stats before;

	x->node[nr].state = NULL;
	for (unsigned int i = 0; i < s->nr; i++) {
		unsigned int steps;

		memcpy(s, state, check_state_size(s));
		if (!check_runnable(&s->task[i]) || has_double(s, i))
			continue;
		before = x->stats;
		steps = advance(x, &s->task[i]);
		look_at_edge(x, &before, nr, i, steps);
		visit(x, nr, i, steps);
	}
	block_put(x, state);
}

static int explore(struct checker *x)
{
	uint32_t done = 0;

	while (done < x->nr && !x->nomem) {
		if (x->stop && *x->stop)
			return -EINTR;
		expand(x, done++);
	}
	return x->nomem ? -ENOMEM : 0;
}

/* Nodes that an interrupted run has left unexpanded. */
static void forget(struct checker *x)
{
	for (uint32_t i = x->nr; i-- && x->node[i].state;)
		block_put(x, x->node[i].state);
	for (uint32_t i = 0; i < x->nr; i++) {
		uint32_t j = x->node[i].hash[0];

		/* Zeroes all of the cluster: nothing is looked up any more. */
		while (x->set[j &= x->set_size - 1])
			x->set[j++] = 0;
	}
	x->nr = 0;
	x->nomem = false;
}

int checker_run(struct checker *x, const struct check_case *c,
		struct check_report *r)
{
	int rc;

	memset(r, 0, sizeof(*r));
	memset(&x->stats, 0, sizeof(x->stats));
	x->r = r;
	if (!check_state_init(x->s, c, &x->stats))
		return -EINVAL;
	for (unsigned int i = 0; i < c->nr; i++)
		check_hash_task(&x->s->task[i], x->detail);
	visit(x, NO_NODE, 0, 0);
	rc = explore(x);
	r->states = x->nr;
	forget(x);
	return rc;
}
