/* SPDX-License-Identifier: BSD-3-Clause */
/* A simulation from its beginning to its end. */
#include "mm/sim.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mm/sim_int.h"

static const struct {
	const char *name;
	uint64_t ns;
} costs[SIM_COSTS] = {
#define X(name, ns, what) [SIM_COST_##name] = { #name, ns },
#include "mm/tbl/sim_cost.h"
#undef X
};

const char *sim_cost_name(enum sim_cost cost)
{
	return costs[cost].name;
}

const char *sim_stall_name(enum sim_stall stall)
{
	static const char *const names[SIM_STALLS] = {
		[SIM_PTE_ON_PTE] = "pte_on_pte",
		[SIM_PTE_ON_PMD] = "pte_on_pmd",
		[SIM_PMD_ON_PMD] = "pmd_on_pmd",
		[SIM_PMD_ON_OWN] = "pmd_on_own_pte",
		[SIM_PMD_ON_PTE] = "pmd_on_other_pte",
	};

	return names[stall];
}

void sim_config_init(struct sim_config *c)
{
	*c = (struct sim_config){
		.cpus = 4,
		.quantum = 3000000,
		.table_bits = DAX_WAIT_TABLE_BITS,
		.tasks = 16,
		.think = { .shape = DIST_EXP, .ns = 100000 },
		.files = 1,
		.windows = 16,
		.pages = 8,
		.pmd = 0.25,
		.write = 0.5,
		.holes = 1,
		.renew = 32,
		.conflict = -1,
		.hold.seed = 1,
		.faults = 200000,
		.seed = 1,
	};
	for (int i = 0; i < SIM_COSTS; i++)
		c->cost[i] = costs[i].ns;
}

void sim_at(struct sim *s, uint64_t time, sim_event_fn *fn, void *arg)
{
	if (sim_queue_push(&s->queue, time, fn, arg))
		s->nomem = true;
}

void sim_sample(struct sim *s, struct sim_samples *samples, uint64_t value)
{
	if (sim_samples_add(samples, value))
		s->nomem = true;
}

static int init(struct sim *s)
{
	uint64_t size = dax_wait_table_size(s->c->table_bits);
	void *queues = aligned_alloc(64, size);
	int err;

	s->queue_until = calloc(1UL << s->c->table_bits, sizeof(*s->queue_until));
	if (!queues || !s->queue_until) {
		free(queues);
		return -ENOMEM;
	}
	dax_wait_table_init(&s->waits, s->c->table_bits, queues);
	s->idle_cpus = s->c->cpus;
	list_init(&s->run_queue);
	list_init(&s->idle_extras);
	list_init(&s->idle_tasks);
	err = sim_ranges_init(s);
	return err ? err : sim_work_init(s);
}

static void run(struct sim *s)
{
	struct sim_event e;

	while (!s->nomem && sim_queue_pop(&s->queue, &e)) {
		s->now = e.time;
		s->r->events++;
		e.fn(s, e.arg);
	}
}

/* Nobody is runnable: who sleeps is lost. */
static void count_lost(struct sim *s, struct sim_task *t)
{
	if (!t->op.waiter.queued)
		return;
	s->r->lost++;
	s->r->lost_faults += t->role != ROLE_WORKER;
	sim_give_up(s, t);
}

static void minus(uint64_t *a, const uint64_t *b, size_t size)
{
	for (size_t i = 0; i < size / sizeof(*a); i++)
		a[i] -= b[i];
}

/* Sleeps that began in the warm-up are all that is left out. */
static void finish(struct sim *s)
{
	struct sim_result *r = s->r;

	for (unsigned int i = 0; i < s->c->tasks; i++)
		count_lost(s, &s->tasks[i]);
	for (unsigned int i = 0; i < s->nr_extras; i++)
		count_lost(s, s->extras[i]);
	r->stats = s->stats;
	if (s->counting)
		minus((uint64_t *)&r->stats, (uint64_t *)&s->stats_before,
		      sizeof(r->stats));
	r->stopped = s->c->stop && *s->c->stop;
	for (int i = 0; i < SIM_STALLS; i++)
		sim_samples_sort(&r->stall[i]);
	for (int i = 0; i < SIM_ORDERS; i++)
		sim_samples_sort(&r->latency[i]);
	sim_samples_sort(&r->delayed);
	sim_samples_sort(&r->late);
	sim_samples_sort(&r->woken[0]);
	sim_samples_sort(&r->woken[1]);
}

static void destroy(struct sim *s)
{
	sim_ranges_exit(s);
	if (!s->nomem && s->waits.queues)
		dax_wait_table_exit(&s->waits);
	free(s->waits.queues);
	free(s->queue_until);
	free(s->tasks);
	for (unsigned int i = 0; i < s->nr_extras; i++)
		free(s->extras[i]);
	free(s->extras);
	sim_queue_free(&s->queue);
}

int sim_run(const struct sim_config *c, const struct dax_protocol *proto,
	    struct sim_result *r)
{
	struct sim s = { .c = c, .proto = proto, .r = r };
	int err;

	memset(r, 0, sizeof(*r));
	err = init(&s);
	if (err)
		s.nomem = true;
	run(&s);
	if (!s.nomem)
		finish(&s);
	destroy(&s);
	return s.nomem ? -ENOMEM : 0;
}

void sim_result_free(struct sim_result *r)
{
	for (int i = 0; i < SIM_STALLS; i++)
		sim_samples_free(&r->stall[i]);
	for (int i = 0; i < SIM_ORDERS; i++)
		sim_samples_free(&r->latency[i]);
	sim_samples_free(&r->delayed);
	sim_samples_free(&r->late);
	sim_samples_free(&r->woken[0]);
	sim_samples_free(&r->woken[1]);
}
