/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the files of the checker share: a state. It lies in one block without
 * pointers that lead out of it (but to constants and to the counters), and is
 * copied away and back to the same address.
 */
#ifndef UDAX_MM_CHECK_INT_H
#define UDAX_MM_CHECK_INT_H

#include "dax/dax_int.h"
#include "mm/check.h"

/* A dir, a window, a leaf and the place that no node has, with room to spare. */
#define CHECK_MEMORY 1024

struct check_task {
	struct dax_op op;
	enum dax_verb verb;	/* to be answered before the next step */
	char letter;		/* M becomes P by falling back */
	uint8_t page;
	bool running, parked;
	uint8_t visited;	/* bit a page: scans have looked at it */
	uint64_t own[2];	/* hash of what is the operation's own */
	uint64_t hash[2];	/* with what others do to it */
};

struct check_state {
	struct dax_mapping m;
	struct dax_wait_table waits;
	struct dax_wait_queue queue;
	bool blocks;
	bool missed;		/* the last step ended a scan that had missed one */
	unsigned int nr;
	char memory[CHECK_MEMORY] __attribute__((aligned(64)));
	struct check_task task[CHECK_TASKS];	/* @nr of them are copied */
};

/* False when there is no such protocol. @s stays where it is; @stats too. */
bool check_state_init(struct check_state *s, const struct check_case *c,
		      struct dax_stats *stats);
/* Bytes of @s to be copied. */
size_t check_state_size(const struct check_state *s);
/* Answers what @t has asked. */
void check_answer(struct check_state *s, struct check_task *t);
/* The same, and runs its next step. */
void check_step(struct check_state *s, struct check_task *t);
/* Can nobody notice the next step of @t, and nothing keep it from running? */
bool check_step_is_local(const struct check_task *t);
/* After steps of @t: the hash of its own part. */
void check_hash_task(struct check_task *t, bool detail);
/* Of all of @s, the same however alike operations are numbered. */
void check_hash_state(struct check_state *s, bool detail, uint64_t hash[2]);
/* Bit i: operation i is stranded now. Marks them, as dax_count_stranded(). */
unsigned int check_stranded(struct check_state *s, struct dax_stats *stats);

static inline struct check_task *check_task_of(struct dax_waiter *w)
{
	return container_of(dax_waiter_op(w), struct check_task, op);
}

static inline bool check_runnable(const struct check_task *t)
{
	return t->running && !t->parked;
}

/* Parses all but the steps; *@steps is where they begin. What is wrong, or NULL. */
const char *check_parse_schedule(struct check_case *c, const char *schedule,
				 const char **steps);

#endif
