/* SPDX-License-Identifier: BSD-3-Clause */
/* A schedule, step by step: what each does, and what stands there afterwards. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mm/check_int.h"

struct printer {
	struct check_case c;
	struct check_state *s;
	struct dax_stats stats;
	unsigned int step;
	unsigned int since[CHECK_TASKS];	/* asleep since that step */
	FILE *out;
};

static void print_task(const struct printer *p, unsigned int i)
{
	const struct check_task *t = &p->s->task[i];

	fprintf(p->out, "%u:%c%u", i, p->c.op[i].letter, p->c.op[i].page);
	if (t->running && t->letter != p->c.op[i].letter)
		fprintf(p->out, ">%c%u", t->letter, t->page);
}

static void print_entry(const struct printer *p, dax_entry_t e, uint64_t index)
{
	static const char marks[DAX_MARKS] = {
		[DAX_MARK_DIRTY] = 'd',
		[DAX_MARK_TOWRITE] = 't',
		[DAX_MARK_WRITEBACK] = 'w',
	};

	fprintf(p->out, " %lu:%s%s%s", index, dax_is_pmd_entry(e) ? "2M" : "4K",
		dax_is_zero_entry(e) ? ".ZERO" :
		dax_is_empty_entry(e) ? ".EMPTY" : "",
		dax_is_locked(e) ? ".LOCKED" : "");
	for (int m = 0; m < DAX_MARKS; m++)
		if (dax_table_get_mark(&p->s->m.table, index, m))
			fputc(marks[m], p->out);
	fprintf(p->out, "(%#lx)", e);
}

/* "1", or "1(page)": of the page's own lock. */
static void print_key(const struct printer *p, uint64_t key)
{
	fprintf(p->out, "%lu%s", key & ~DAX_KEY_PAGE_LOCK,
		key & DAX_KEY_PAGE_LOCK ? "(page)" : "");
}

/* Every key that there can be: i = 0 to 2 * PG_PMD_NR - 1. */
static uint64_t nth_key(unsigned int i)
{
	return i < PG_PMD_NR ? i : (i - PG_PMD_NR) | DAX_KEY_PAGE_LOCK;
}

#define KEYS (2 * PG_PMD_NR)

static void print_table(const struct printer *p)
{
	uint64_t index = 0;
	dax_entry_t e;

	fputs("       entries", p->out);
	if (!p->s->m.table.nr_entries)
		fputs(" none", p->out);
	while ((e = dax_table_next(&p->s->m.table, &index, PG_PMD_COLOUR))) {
		print_entry(p, e, index);
		index = dax_entry_last(e, index) + 1;
	}
}

static void print_queues(const struct printer *p)
{
	const struct dax_waiter *w;

	fputs("; queues", p->out);
	if (list_empty(&p->s->queue.head))
		fputs(" empty", p->out);
	for (unsigned int k = 0; k < KEYS; k++) {
		uint64_t key = nth_key(k);
		bool first = true;

		list_for_each(w, &p->s->queue.head, link) {
			const struct check_task *t =
				check_task_of((struct dax_waiter *)w);

			if (w->key.entry_start != key)
				continue;
			if (first) {
				fputs(" key ", p->out);
				print_key(p, key);
				fputc(':', p->out);
			}
			first = false;
			fputc(' ', p->out);
			print_task(p, t - p->s->task);
			if (!w->exclusive)
				fputs("(non-exclusive)", p->out);
		}
	}
	fputc('\n', p->out);
}

/*
 * Which key does the next step of task @i wake? Two exclusive sleepers on every
 * key find out, in a state that is thrown away: one is woken by WAKE_NEXT, both
 * by WAKE_ALL. Bits: 1 << k of the kth key, 1 << KEYS << k when all are woken.
 */
static unsigned int woken_keys(struct printer *p, unsigned int i)
{
	static struct dax_waiter probe[2 * KEYS];
	size_t size = check_state_size(p->s);
	void *saved = malloc(size);
	unsigned int keys = 0;

	if (!saved)
		return 0;
	memcpy(saved, p->s, size);
	/* Before the sleepers there are: each would take a wake of its own. */
	while (!list_empty(&p->s->queue.head))
		dax_wait_cancel(&p->s->waits,
				list_first(&p->s->queue.head,
					   struct dax_waiter, link));
	memset(probe, 0, sizeof(probe));
	for (unsigned int n = 0; n < 2 * KEYS; n++) {
		probe[n].key.mapping = &p->s->m;
		probe[n].key.entry_start = nth_key(n / 2);
		probe[n].exclusive = true;
		dax_wait_sleep(&p->s->waits, &probe[n]);
	}
	check_answer(p->s, &p->s->task[i]);
	dax_op_step(&p->s->task[i].op);
	for (unsigned int k = 0; k < KEYS; k++) {
		if (!probe[2 * k].queued)
			keys |= 1U << k;
		if (!probe[2 * k + 1].queued)
			keys |= 1U << KEYS << k;
	}
	memcpy(p->s, saved, size);
	free(saved);
	return keys;
}

static void print_wakes(const struct printer *p, unsigned int keys,
			unsigned int asleep)
{
	for (unsigned int k = 0; k < KEYS; k++) {
		uint64_t key = nth_key(k);
		bool nobody = true;

		if (!(keys & 1U << k))
			continue;
		fprintf(p->out, "       wakes %s of key ",
			keys & 1U << KEYS << k ? "all" : "the next");
		print_key(p, key);
		fputc(':', p->out);
		for (unsigned int i = 0; i < p->s->nr; i++) {
			const struct check_task *t = &p->s->task[i];

			if (!(asleep & 1U << i) || t->parked ||
			    t->op.waiter.key.entry_start != key)
				continue;
			nobody = false;
			fputc(' ', p->out);
			print_task(p, i);
		}
		fputs(nobody ? " nobody\n" : "\n", p->out);
	}
}

static void print_sleep(struct printer *p, unsigned int i)
{
	const struct dax_waiter *w = &p->s->task[i].op.waiter;

	p->since[i] = p->step;
	fputs("       sleeps on key ", p->out);
	print_key(p, w->key.entry_start);
	fprintf(p->out, ", for the locked %s entry at %lu\n", w->blocker_order ? "2M" : "4K", w->blocker);
}

static unsigned int sleepers(const struct printer *p)
{
	unsigned int asleep = 0;

	for (unsigned int i = 0; i < p->s->nr; i++)
		asleep |= (unsigned int)p->s->task[i].parked << i;
	return asleep;
}

static void print_step(struct printer *p, unsigned int i)
{
	struct check_task *t = &p->s->task[i];
	unsigned int asleep = sleepers(p), keys = woken_keys(p, i), stranded;
	const char *section = dax_step_name(&t->op);
	char msg[128];
	int broken;

	fprintf(p->out, "%5u  ", ++p->step);
	print_task(p, i);
	check_step(p->s, t);
	fprintf(p->out, " %s: %s\n", section,
		t->running ? dax_verb_name(t->verb) : "done");
	if (t->parked)
		print_sleep(p, i);
	print_wakes(p, keys, asleep);
	print_table(p);
	print_queues(p);
	if (p->s->missed)
		fputs("       the scan has missed an entry that stays\n", p->out);
	p->s->missed = false;
	broken = dax_verify(&p->s->m, msg, sizeof(msg));
	if (broken)
		fprintf(p->out, "       invariant %d is broken: %s\n", broken, msg);
	stranded = check_stranded(p->s, &p->stats);
	for (unsigned int n = 0; n < p->s->nr; n++) {
		if (!(stranded & 1U << n))
			continue;
		fputs("       stranded: ", p->out);
		print_task(p, n);
		fputs(" on key ", p->out);
		print_key(p, p->s->task[n].op.waiter.key.entry_start);
		fputc('\n', p->out);
	}
}

static void print_end(const struct printer *p)
{
	bool runnable = false;

	for (unsigned int i = 0; i < p->s->nr; i++)
		runnable |= check_runnable(&p->s->task[i]);
	if (runnable) {
		fputs("Not the end: some can go on.\n", p->out);
		return;
	}
	if (!sleepers(p)) {
		fputs("All have ended.\n", p->out);
		return;
	}
	for (unsigned int i = 0; i < p->s->nr; i++) {
		if (!p->s->task[i].parked)
			continue;
		fputs("LOST: ", p->out);
		print_task(p, i);
		fputs(" sleeps on key ", p->out);
		print_key(p, p->s->task[i].op.waiter.key.entry_start);
		fprintf(p->out, " since step %u; nobody is left to wake it\n",
			p->since[i]);
	}
}

static bool steps_fit(const struct printer *p, const char *steps)
{
	return strspn(steps, "01234567") == strlen(steps) &&
	       (!*steps || p->c.nr) && strlen(steps) < CHECK_STEPS;
}

static int replay_steps(struct printer *p, const char *steps, char *msg,
			size_t len)
{
	check_state_init(p->s, &p->c, &p->stats);
	fprintf(p->out, "protocol %s, %s\n", p->c.protocol,
		p->c.blocks ? "faults write to blocks" : "faults read holes");
	print_table(p);
	print_queues(p);
	for (; *steps; steps++) {
		unsigned int i = *steps - '0';

		if (i >= p->c.nr || !check_runnable(&p->s->task[i])) {
			snprintf(msg, len, "step %u: operation %u cannot run then",
				 p->step + 1, i);
			return -EINVAL;
		}
		print_step(p, i);
	}
	print_end(p);
	return 0;
}

int check_replay(const char *schedule, FILE *out, char *msg, size_t len)
{
	struct printer p = { .out = out };
	const char *steps, *wrong = check_parse_schedule(&p.c, schedule, &steps);
	int rc;

	if (!wrong && !steps_fit(&p, steps))
		wrong = "its steps are not operations' numbers";
	if (wrong) {
		snprintf(msg, len, "%s", wrong);
		return -EINVAL;
	}
	p.s = aligned_alloc(64, sizeof(*p.s));
	if (!p.s) {
		snprintf(msg, len, "out of memory");
		return -ENOMEM;
	}
	rc = replay_steps(&p, steps, msg, len);
	free(p.s);
	return rc;
}
