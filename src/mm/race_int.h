/* SPDX-License-Identifier: BSD-3-Clause */
/* Shared by race*.c, and by nobody else. */
#ifndef UDAX_MM_RACE_INT_H
#define UDAX_MM_RACE_INT_H

#include <ucontext.h>

#include "mm/race.h"
#include "mm/race_graph.h"
#include "mm/replay_model_int.h"

#define RACE_TASKS	(SCRIPT_THREADS + 1)	/* the script itself is 0 */
#define RACE_MARKS	16

enum race_state {
	RACE_IDLE,		/* has nothing to do */
	RACE_READY,
	RACE_PARKED,		/* in a queue of the model */
	RACE_BLOCKED,		/* until @lock may be taken, @excl */
	RACE_WAITS,		/* until task @other is idle, with @access_only
				   until it has finished */
};

/* A flow of control: a thread of the script, or the script. */
struct race_task {
	ucontext_t context;
	char *stack;
	enum race_state state;
	const struct model_lock *lock;
	bool excl;
	unsigned int other;
	bool access_only;
	struct log log;			/* while it does not run */
	uint64_t said[2];		/* hash of what the outcome has of it;
					   without reduction alone */
	uint64_t seen[2];		/* hash of what it acts by */
	uint64_t mark[RACE_MARKS][2];	/* what @seen was */
	unsigned int nr_marks;
	bool local;			/* nothing it does until its next point
					   is noticed by others */
	/* Threads. */
	const struct script_op *op;	/* what it does, or was armed with */
	uint64_t addr;
	bool armed, finished;		/* @access waits for `join` */
	bool solo;			/* see struct model_sched */
	bool released;			/* finished, while its fault goes on */
	struct replay_access access;
};

/* A choice that was made, and what else there was. */
struct race_choice {
	uint32_t node;			/* of the state */
	uint8_t nr, at;
	uint8_t task[2 * RACE_TASKS];	/* RACE_TASKS + n: releases task n */
};

struct race {
	struct model m;			/* replay.arg points here */
	struct replay r;
	struct replay_driver driver;
	struct replay_options o;
	const struct race_options *race;
	const struct script *script;
	struct race_totals *t;
	struct race_task task[RACE_TASKS];
	unsigned int current;
	ucontext_t explorer;
	bool sync;			/* the script has MAP_SYNC */
	unsigned int calm_from;		/* operations from here on are faults */
	bool given_up;			/* the run was left in the middle */
	bool hang;
	/* The log. */
	char *text;
	size_t len, heard;
	const struct script_op *log_op;	/* whose lines are heard; NULL: of none yet */
	/* Choices: of this run the first @depth of @nr_choices. */
	struct race_choice *choice;
	unsigned int depth, nr_choices, max_choices;
	/* States seen; the last one, and what has been said since. */
	struct race_graph graph;
	uint32_t at, label;
	const struct script_op *go;	/* the first; NULL: none */
	const struct script_op *known_op;	/* the script's @seen is of it */
	int error;			/* -ENOMEM, -E2BIG: exploration ends */
};

/* race_task.c: one run. */

/*
 * Runs the script once, by x->choice as far as that goes. The log is x->text
 * afterwards, all of it unless x->given_up.
 */
void race_run(struct race *x);
void race_run_exit(struct race *x);
int race_tasks_init(struct race *x);
void race_tasks_exit(struct race *x);

/* Does the page table allow what @t waits for? */
bool race_may_release(struct race *x, const struct race_task *t);
void race_release(struct race *x, struct race_task *t);

/* race_solo.c: has @t a page to itself, from here on? */
bool race_is_solo(struct race *x, const struct race_task *t);

/* race.c: which task runs next; NULL ends the run. */
struct race_task *race_choose(struct race *x);

/* race_hear.c: what the log has got since was said by the running task. */
void race_hear(struct race *x);
/* Its attempt sleeps, which its line will tell. */
void race_hear_sleep(struct race *x);

/* race_hash.c */

void race_mix(uint64_t hash[2], uint64_t value);
void race_mix_bytes(uint64_t hash[2], const void *data, size_t len);
/* Lines of a log, less what an outcome does not have. */
void race_mix_log(uint64_t hash[2], const char *text, size_t len);
/* Of the file system: sizes, extents. */
void race_hash_extents(struct race *x, uint64_t hash[2]);
/* Of all that decides how the run may go on, and how it has gone. */
void race_hash(struct race *x, uint64_t hash[2]);

static inline struct race *race_of(struct replay *r)
{
	return container_of((struct model *)r->arg, struct race, m);
}

#endif
