/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * model: what the protocol itself costs, without page faults and without udaxd: the
 * library of src/dax in this process, driven as the daemon drives it, by one
 * thread. Tables from one entry to a million, queues from one waiter to 4096.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "bench.h"
#include "dax/dax.h"
#include "results.h"
#include "stats.h"

#define ROUNDS 11
#define QUICK_ROUNDS 3
#define MAX_ROUNDS 1000
#define OPS 100000		/* timed in a round */
#define QUICK_OPS 4000
#define TABLE_BYTES (1ull << 32)	/* address space; what is used is counted */
#define MAX_BYTES_AN_ENTRY 16
#define MAX_SPARSE_BYTES (64ull << 20)
#define MAX_GRAB_NS 60

/* ---------------------------------------------------------------- tables */

/* Entries @stride pages apart. */
static const struct shape {
	const char *name;
	uint64_t entries, stride;
} shapes[] = {
	{ "1 entry", 1, 1 },
	{ "1000", 1000, 1 },
	{ "10000", 10000, 1 },
	{ "100000", 100000, 1 },
	{ "1000000 (4 GB)", 1000000, 1 },
	{ "16384, one a GB (16 TB)", 16384, 1ull << 18 },
};

#define NR_SHAPES (sizeof(shapes) / sizeof(shapes[0]))

enum { EMPTY_LOOKUP, LOOKUP, GRAB, GRAB_RANDOM, NR_FIGURES };

struct table {
	const struct shape *shape;
	void *memory;
	struct dax_mapping mapping;
	double ns[NR_FIGURES][MAX_ROUNDS];
};

struct model {
	const struct bench_opts *opts;
	json_t *report;
	unsigned int rounds, ops;
	struct rng rng;
	uint64_t clock_cost;	/* ns, of two looks */
	struct dax_stats stats;
	struct dax_wait_table waits;
	void *queues;
	struct table tables[NR_SHAPES];
	bool holds;
};

static int table_make(struct model *m, struct table *t, const struct shape *shape)
{
	uint64_t i;

	t->shape = shape;
	t->memory = mmap(NULL, TABLE_BYTES, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (t->memory == MAP_FAILED) {
		t->memory = NULL;
		return -errno;
	}
	dax_mapping_init(&t->mapping, dax_protocol_find("616"), &m->waits,
			 t->memory, TABLE_BYTES);
	for (i = 0; i < shape->entries; i++)
		if (dax_table_insert(&t->mapping.table, i * shape->stride,
				     dax_make_entry(i, 0)))
			return -ENOMEM;
	return 0;
}

static void table_free(struct table *t)
{
	if (!t->memory)
		return;
	dax_mapping_exit(&t->mapping);
	munmap(t->memory, TABLE_BYTES);
}

/* Until @op is done or asleep, under one hold of i_pages, as udaxd steps faults. */
static void run(struct dax_op *op)
{
	enum dax_verb verb;

	lock_take(&op->mapping->i_pages);
	do {
		verb = dax_op_step(op);
	} while (verb == DAX_MORE);
	lock_release(&op->mapping->i_pages);
}

/* Up to the locked entry. */
static void run_to_lock(struct dax_op *op)
{
	lock_take(&op->mapping->i_pages);
	dax_op_step(op);
	lock_release(&op->mapping->i_pages);
}

/*
 * Lock and unlock of an entry that nobody else wants, as the protocol has it: look
 * up and lock; store the unlocked word; wake.
 */
static void grab_unlock(struct model *m, struct dax_op *op,
			struct dax_mapping *mapping, uint64_t index)
{
	dax_op_init_range(op, DAX_OP_LOCK_ENTRY, mapping, index, index);
	op->stats = &m->stats;
	run(op);
}

static uint64_t random_index(struct model *m, const struct table *t)
{
	return rng_below(&m->rng, t->shape->entries) * t->shape->stride;
}

static double time_figure(struct model *m, struct table *t, int figure)
{
	const struct dax_table *table = &t->mapping.table;
	static uint64_t at[OPS];
	uint64_t start, i, hot = random_index(m, t);
	volatile dax_entry_t sink;
	struct dax_op op;

	for (i = 0; i < m->ops; i++)
		at[i] = random_index(m, t);
	start = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	for (i = 0; i < m->ops; i++) {
		switch (figure) {
		case EMPTY_LOOKUP:
			sink = dax_table_load(table, (1ull << 40) + at[i], 0, NULL);
			break;
		case LOOKUP:
			sink = dax_table_load(table, at[i], 0, NULL);
			break;
		case GRAB:
			grab_unlock(m, &op, &t->mapping, hot);
			break;
		default:
			grab_unlock(m, &op, &t->mapping, at[i]);
		}
	}
	(void)sink;
	return (double)(clock_ns(CLOCK_THREAD_CPUTIME_ID) - start) / m->ops;
}

static void run_tables(struct model *m)
{
	unsigned int i, f;
	int round;

	for (round = -1; round < (int)m->rounds && !bench_interrupted; round++) {
		progress("model: tables, round %d/%u", round + 1, m->rounds);
		for (i = 0; i < NR_SHAPES; i++) {
			struct table *t = &m->tables[(i + round + 1) % NR_SHAPES];

			for (f = 0; f < NR_FIGURES; f++) {
				double ns = time_figure(m, t, f);

				if (round >= 0)
					t->ns[f][round] = ns;
			}
		}
	}
	progress("%s", "");
}

/* A sentence about a bound, and whether it holds. */
static void judge(struct model *m, const char *what, double is, double bound,
		  const char *unit)
{
	bool holds = is <= bound;

	m->holds &= holds;
	printf("  %s: %.3g %s, wanted at most %.3g: %s\n", what, is, unit, bound,
	       holds ? "holds" : "DOES NOT HOLD");
	json_array_append_new(json_object_get(m->report, "bounds"), json_pack(
		"{s:s,s:f,s:f,s:s,s:b}", "what", what, "is", is, "bound", bound,
		"unit", unit, "holds", holds));
}

static void report_tables(struct model *m)
{
	json_t *table = results_table(m->report, "model-tables",
		"A file's table, one thread, nobody waits; ns",
		"entries|lookup, none there|lookup, random|grab+unlock, same entry|"
		"grab+unlock, random entry|bytes an entry");
	double grab[NR_SHAPES];
	unsigned int i, f;

	for (i = 0; i < NR_SHAPES; i++) {
		const struct table *t = &m->tables[i];
		json_t *row = json_array();

		json_array_append_new(row, json_string(t->shape->name));
		for (f = 0; f < NR_FIGURES; f++) {
			struct spread s = spread_of(m->tables[i].ns[f], m->rounds);

			if (f == GRAB)
				grab[i] = s.median;
			json_array_append_new(row, spread_json(&s));
		}
		json_array_append_new(row, json_real((double)
			t->mapping.table.used / t->shape->entries));
		results_row(table, row);
	}
	results_print_table(table, stdout);
	judge(m, "grab+unlock, one entry", grab[0], MAX_GRAB_NS, "ns");
	judge(m, "grab+unlock, a million entries", grab[NR_SHAPES - 2],
	      MAX_GRAB_NS, "ns");
	judge(m, "grab+unlock, 16 TB", grab[NR_SHAPES - 1], MAX_GRAB_NS, "ns");
	judge(m, "bytes an entry, a million",
	      (double)m->tables[NR_SHAPES - 2].mapping.table.used /
	      shapes[NR_SHAPES - 2].entries, MAX_BYTES_AN_ENTRY, "bytes");
	judge(m, "16 TB, one entry a GB",
	      m->tables[NR_SHAPES - 1].mapping.table.used / 1048576.0,
	      MAX_SPARSE_BYTES / 1048576.0, "MB");
	putchar('\n');
}

/* --------------------------------------------------------------- waiters */

static const unsigned int waiters[] = { 1, 16, 256, 1024, 4096 };

#define NR_WAITERS (sizeof(waiters) / sizeof(waiters[0]))
#define MAX_WAITERS 4096

/* So many sleep, each on an entry of its own; in one queue, or in many. */
struct crowd {
	struct dax_mapping mapping;
	struct dax_wait_table waits;
	void *memory, *queues;
	struct dax_op *holders, *sleepers;	/* [MAX_WAITERS] */
	double ns[NR_WAITERS][MAX_ROUNDS], scanned[NR_WAITERS];
};

static int crowd_make(struct crowd *c, unsigned int bits)
{
	uint64_t i;

	c->queues = aligned_alloc(64, dax_wait_table_size(bits));
	c->memory = aligned_alloc(64, 1 << 20);
	c->holders = calloc(MAX_WAITERS, sizeof(*c->holders));
	c->sleepers = calloc(MAX_WAITERS, sizeof(*c->sleepers));
	if (!c->queues || !c->memory || !c->holders || !c->sleepers)
		return -ENOMEM;
	memset(c->memory, 0, 1 << 20);
	dax_wait_table_init(&c->waits, bits, c->queues);
	dax_mapping_init(&c->mapping, dax_protocol_find("616"), &c->waits,
			 c->memory, 1 << 20);
	for (i = 0; i < MAX_WAITERS; i++)
		if (dax_table_insert(&c->mapping.table, i, dax_make_entry(i, 0)))
			return -ENOMEM;
	return 0;
}

static void crowd_free(struct crowd *c)
{
	free(c->queues);
	free(c->memory);
	free(c->holders);
	free(c->sleepers);
	free(c);
}

static void op_on(struct model *m, struct crowd *c, struct dax_op *op, uint64_t index)
{
	dax_op_init_range(op, DAX_OP_LOCK_ENTRY, &c->mapping, index, index);
	op->stats = &m->stats;
	run_to_lock(op);
}

/*
 * All unlock, one after the other in random order: ns of an unlock and its wake. A
 * clock costs more than one of them: they are timed together, its cost is taken off.
 */
static double unlock_all(struct model *m, struct crowd *c, unsigned int nr)
{
	static unsigned int order[MAX_WAITERS];
	uint64_t start, ns;
	unsigned int i;

	for (i = 0; i < nr; i++) {
		unsigned int k = rng_below(&m->rng, i + 1);

		order[i] = order[k];
		order[k] = i;
		op_on(m, c, &c->holders[i], i);
	}
	for (i = 0; i < nr; i++)
		op_on(m, c, &c->sleepers[i], i);
	start = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	for (i = 0; i < nr; i++)
		run(&c->holders[order[i]]);
	ns = clock_ns(CLOCK_THREAD_CPUTIME_ID) - start;
	ns = ns > m->clock_cost ? ns - m->clock_cost : 0;
	/* Those that were woken lock and unlock in turn; nobody waits for them. */
	for (i = 0; i < nr; i++)
		run(&c->sleepers[i]);
	return (double)ns / nr;
}

static int run_crowd(struct model *m, struct crowd *c, const char *what)
{
	unsigned int i;
	int round;

	for (round = -1; round < (int)m->rounds && !bench_interrupted; round++) {
		progress("model: %s, round %d/%u", what, round + 1, m->rounds);
		for (i = 0; i < NR_WAITERS; i++) {
			uint64_t before = m->stats.scanned;
			double ns = unlock_all(m, c, waiters[i]);

			if (round < 0)
				continue;
			c->ns[i][round] = ns;
			c->scanned[i] = (double)(m->stats.scanned - before) /
					waiters[i];
		}
	}
	progress("%s", "");
	return 0;
}

static int waiters_figure(struct model *m, unsigned int bits, const char *name,
			  const char *title)
{
	struct crowd *c = calloc(1, sizeof(*c));
	json_t *table;
	unsigned int i;
	int ret = c ? crowd_make(c, bits) : -ENOMEM;

	if (!ret)
		ret = run_crowd(m, c, title);
	if (!ret && !bench_interrupted) {
		table = results_table(m->report, name, title,
			"waiters|unlock and wake, ns|waiters looked at");
		for (i = 0; i < NR_WAITERS; i++) {
			struct spread s = spread_of(c->ns[i], m->rounds);

			results_row(table, json_pack("[i,o,f]", (int)waiters[i],
						     spread_json(&s),
						     c->scanned[i]));
		}
		results_print_table(table, stdout);
		dax_mapping_exit(&c->mapping);
		dax_wait_table_exit(&c->waits);
	}
	if (c)
		crowd_free(c);
	return ret;
}

/* ------------------------------------------------------------------ run */

static const char *const how_to_read[] = {
	"grab+unlock: one entry is looked up and locked, its unlocked word stored, and whoever "
	"waits for it woken: three critical sections under one hold of the mutex, as nobody "
	"disturbs them. CPU time of the thread. The same entry: all of it is in the first-level cache.",
	"A random entry of many is not in the cache: that figure shows the machine's memory.",
	"An unlock with sleepers looks through the queue of its key, and marks those of the "
	"file that the entry blocked; udaxd has 4096 queues for all files.",
};

static const char *const what_not[] = {
	"This is no page fault: of one, the kernel's part is ten times as much.",
	"One thread: what a contended lock costs is in e3 and in the floor with two CPUs.",
};

static void say(json_t *report, const char *where, const char *title,
		const char *const *text, size_t nr)
{
	size_t i;

	puts(title);
	for (i = 0; i < nr; i++) {
		results_say(report, where, "%s", text[i]);
		results_print_sentence(text[i], stdout);
	}
}

/* The least of many: it is taken off, so that what is left errs upwards. */
static uint64_t clock_cost(void)
{
	uint64_t least = UINT64_MAX, ns;
	unsigned int i;

	for (i = 0; i < 1000; i++) {
		ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
		ns = clock_ns(CLOCK_THREAD_CPUTIME_ID) - ns;
		least = ns < least ? ns : least;
	}
	return least;
}

static int model_figures(struct model *m)
{
	unsigned int i;
	int ret = 0;

	m->clock_cost = clock_cost();
	for (i = 0; i < NR_SHAPES && !ret; i++)
		ret = table_make(m, &m->tables[i], &shapes[i]);
	if (ret)
		return ret;
	run_tables(m);
	if (bench_interrupted)
		return -EINTR;
	report_tables(m);
	ret = waiters_figure(m, 0, "model-one-queue",
			     "Waiters with other keys in the same queue");
	if (!ret)
		ret = waiters_figure(m, DAX_WAIT_TABLE_BITS, "model-queues",
				     "Waiters in the 4096 queues of udaxd");
	return bench_interrupted ? -EINTR : ret;
}

int model_run(const struct bench_opts *opts, json_t *report)
{
	struct model *m = calloc(1, sizeof(*m));
	unsigned int i;
	int ret;

	if (!m)
		return BENCH_FAIL;
	m->opts = opts;
	m->report = report;
	m->holds = true;
	m->rng = rng_seed(opts->seed, 1);
	m->rounds = opts->repeat ? opts->repeat : opts->quick ? QUICK_ROUNDS : ROUNDS;
	if (m->rounds > MAX_ROUNDS)
		m->rounds = MAX_ROUNDS;
	m->ops = opts->quick ? QUICK_OPS : OPS;
#ifdef UDAX_DEBUG
	puts("This build checks the tables at every step (--enable-debug): its times "
	     "stand for nothing.");
#endif
	json_object_set_new(report, "bounds", json_array());
	m->queues = aligned_alloc(64, dax_wait_table_size(DAX_WAIT_TABLE_BITS));
	ret = m->queues ? 0 : -ENOMEM;
	if (!ret)
		dax_wait_table_init(&m->waits, DAX_WAIT_TABLE_BITS, m->queues);
	if (!ret)
		ret = model_figures(m);
	for (i = 0; i < NR_SHAPES; i++)
		table_free(&m->tables[i]);
	if (!ret) {
		say(report, "read", "How to read this", how_to_read,
		    sizeof(how_to_read) / sizeof(how_to_read[0]));
		say(report, "not", "What not to conclude", what_not,
		    sizeof(what_not) / sizeof(what_not[0]));
	} else {
		fprintf(stderr, "udax-bench: model: %s\n", strerror(-ret));
	}
	free(m->queues);
	free(m);
	return ret ? BENCH_FAIL : BENCH_OK;
}
