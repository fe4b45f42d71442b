/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Depth first over the choices of a run, which is repeated from its beginning
 * for each: a run follows the choices noted down as far as they go, then makes
 * the first one everywhere, until it ends or comes to a state that was seen.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mm/race_int.h"

/* ------------------------------------------------------------ states seen */

/* The state that the run is in was come to; false: there is no going on from it. */
static bool new_state(struct race *x, uint32_t *node)
{
	struct race_graph *g = &x->graph;
	uint64_t hash[2];
	bool fresh = true;

	if (x->race->merge) {
		race_hash(x, hash);
		*node = graph_state(g, hash, &fresh);
	} else {
		*node = graph_add(g);
	}
	if (g->nomem) {
		x->error = -ENOMEM;
		return false;
	}
	graph_edge(g, x->at, x->label, *node);
	if (fresh && x->t->states == x->race->max_states) {
		x->error = -E2BIG;
		return false;
	}
	x->t->states += fresh;
	return fresh;
}

/* --------------------------------------------------------------- choices */

static bool can_run(const struct race *x, const struct race_task *t)
{
	switch (t->state) {
	case RACE_READY:
		return true;
	case RACE_BLOCKED:
		return !t->lock->excl && !(t->excl && t->lock->shared);
	case RACE_WAITS:
		return x->task[t->other].state == RACE_IDLE ||
		       (t->access_only && x->task[t->other].finished);
	case RACE_IDLE:
	case RACE_PARKED:
		break;
	}
	return false;
}

/* Whoever goes on to its next point unnoticed does so at once. */
static struct race_task *local_task(struct race *x)
{
	unsigned int i;

	for (i = 0; i < RACE_TASKS; i++) {
		struct race_task *t = &x->task[i];

		if ((t->local || t->state == RACE_WAITS) && can_run(x, t))
			return t;
	}
	return NULL;
}

/* Who can run; the one that does comes first. */
static void list_choices(struct race *x, struct race_choice *c)
{
	unsigned int i;

	c->nr = c->at = 0;
	if (can_run(x, &x->task[x->current]))
		c->task[c->nr++] = x->current;
	for (i = 0; i < RACE_TASKS; i++)
		if (i != x->current && can_run(x, &x->task[i]))
			c->task[c->nr++] = i;
	for (i = 0; x->race->live && i < RACE_TASKS; i++)
		if (race_may_release(x, &x->task[i]))
			c->task[c->nr++] = RACE_TASKS + i;
}

static bool note_choice(struct race *x, const struct race_choice *c)
{
	struct race_choice *more;

	if (x->nr_choices == x->max_choices) {
		unsigned int max = x->max_choices ? 2 * x->max_choices : 256;

		more = reallocarray(x->choice, max, sizeof(*more));
		if (!more) {
			x->error = -ENOMEM;
			return false;
		}
		x->choice = more;
		x->max_choices = max;
	}
	x->choice[x->nr_choices++] = *c;
	return true;
}

/* Nobody can run: the run is over, or somebody sleeps for ever. */
static void end_run(struct race *x)
{
	unsigned int i;

	for (i = 0; i < RACE_TASKS; i++)
		x->hang |= x->task[i].state != RACE_IDLE;
	x->given_up = x->hang;
	if (x->task[0].state != RACE_IDLE)
		log_ret(&x->r.log, x->r.op->nr, "HANG");
}

/* The next choice; false: the run ends. */
static bool choose(struct race *x, unsigned int *task)
{
	struct race_choice c;

	list_choices(x, &c);
	if (!c.nr) {
		end_run(x);
		return false;
	}
	if (c.nr > 1) {
		if (x->depth == x->nr_choices &&
		    (!new_state(x, &c.node) || !note_choice(x, &c)))
			return false;
		c = x->choice[x->depth++];
		x->at = c.node;
		x->label = 0;
	}
	*task = c.task[c.at];
	return true;
}

struct race_task *race_choose(struct race *x)
{
	struct race_task *local;
	unsigned int task;

	x->t->steps++;
	for (;;) {
		local = local_task(x);
		if (local)
			return local;
		if (!choose(x, &task))
			return NULL;
		if (task < RACE_TASKS)
			return &x->task[task];
		race_release(x, &x->task[task - RACE_TASKS]);
	}
}

/* On to the next schedule; false: there is none. */
static bool next_schedule(struct race *x)
{
	while (x->nr_choices) {
		struct race_choice *c = &x->choice[x->nr_choices - 1];

		if (++c->at < c->nr)
			return true;
		graph_finish(&x->graph, c->node);
		x->nr_choices--;
	}
	return false;
}

/* ------------------------------------------------------------ exploration */

static int take_run(struct race *x, char *msg, size_t len)
{
	int rc = x->error;

	x->t->runs++;
	if (x->r.error == -ELOOP) {
		x->t->cut++;
	} else if (x->r.error) {
		rc = x->r.error;
		snprintf(msg, len, "line %u: %s", x->r.op->line, x->r.why);
	} else if (!x->given_up || x->hang) {
		x->t->hangs += x->hang;
		race_hear(x);
		graph_edge(&x->graph, x->at, x->label, RACE_END);
	}
	race_run_exit(x);
	return rc ? rc : x->error;
}

/* What was not tried when exploration ends counts for nothing. */
static int take_outcomes(struct race *x, struct outcomes *set)
{
	while (x->nr_choices)
		graph_finish(&x->graph, x->choice[--x->nr_choices].node);
	graph_finish(&x->graph, RACE_BEGIN);
	return graph_outcomes(&x->graph, set);
}

static int explore(struct race *x, struct outcomes *set, char *msg, size_t len)
{
	int rc;

	do {
		race_run(x);
		rc = take_run(x, msg, len);
		if (!rc && x->race->stop && *x->race->stop)
			rc = -EINTR;
		if (x->race->progress)
			x->race->progress(x->t);
	} while (!rc && next_schedule(x));
	if (!rc || rc == -EINTR || rc == -E2BIG) {
		int failed = take_outcomes(x, set);

		rc = failed ? failed : rc;
	}
	return rc;
}

/* Does it nothing but look, make threads fault, and wait for them? */
static bool calm_op(const struct script_op *op)
{
	switch (op->kind) {
	case SCRIPT_TOUCH:
	case SCRIPT_ATOUCH:
	case SCRIPT_ARM:
	case SCRIPT_GO:
	case SCRIPT_JOIN:
	case SCRIPT_PREAD:
	case SCRIPT_STAT:
	case SCRIPT_EXTENTS:
		return true;
	default:
		return false;
	}
}

static void look_at_script(struct race *x)
{
	const struct script *s = x->script;
	unsigned int i;

	x->calm_from = s->nr;
	while (x->calm_from && calm_op(&s->ops[x->calm_from - 1]))
		x->calm_from--;
	for (i = s->nr; i--;)
		if (s->ops[i].kind == SCRIPT_GO)
			x->go = &s->ops[i];
	for (i = 0; i < s->nr; i++)
		x->sync |= s->ops[i].kind == SCRIPT_MAP &&
			   s->ops[i].map_kind == SCRIPT_SYNC;
}

static void set_name(struct outcomes *set, const struct race_options *o)
{
	snprintf(set->name, sizeof(set->name), "%s", o->name);
	snprintf(set->fs, sizeof(set->fs), "%s", o->variant->fs);
	snprintf(set->kernel, sizeof(set->kernel), "%s", o->variant->kernel);
}

int race_explore(const struct script *script, const struct race_options *o,
		 struct outcomes *set, struct race_totals *t, char *msg,
		 size_t len)
{
	struct race *x = calloc(1, sizeof(*x));
	struct race_options race = *o;
	int rc = -ENOMEM;

	memset(t, 0, sizeof(*t));
	snprintf(msg, len, "out of memory");
	if (!x)
		return rc;
	set_name(set, o);
	if (!race.protocol)
		race.protocol = dax_protocol_find(o->variant->protocol);
	x->race = &race;
	x->script = script;
	x->t = t;
	graph_init(&x->graph);
	look_at_script(x);
	x->o.variant = o->variant;
	x->o.scenario = o->name;
	x->o.extents = o->extents;
	x->o.out = open_memstream(&x->text, &x->len);
	if (x->o.out && !race_tasks_init(x))
		rc = explore(x, set, msg, len);
	race_tasks_exit(x);
	if (x->o.out)
		fclose(x->o.out);
	free(x->text);
	free(x->choice);
	graph_exit(&x->graph);
	free(x);
	return rc;
}
