/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A few threads in the world of tests/model/env.h, with page tables, a medium
 * with holes and the invalidate lock: every interleaving in which nobody is
 * preempted more than five times in all. A schedule is run from the beginning
 * each time; the next one takes its last choice differently.
 */
#ifndef UDAX_TESTS_REGRESS_WORLD_H
#define UDAX_TESTS_REGRESS_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "env.h"

#define WORLD_ACTORS 4

enum actor_kind {
	ACTOR_TOUCH,	/* loads or stores, with all faults that it takes */
	/* write(2) of [page, end]: allocates, invalidates the range if there was
	   something to allocate, then stores into the last page */
	ACTOR_WRITE,
	ACTOR_SYNC,	/* writes [page, end] back */
};

struct actor {
	enum actor_kind kind;
	struct env_vma *v;		/* TOUCH */
	uint64_t page, end;
	bool write;			/* TOUCH: a store */
	/* WRITE: how the entry goes; DAX_OP_INVALIDATE, or DAX_OP_DELETE. */
	enum dax_op_kind forget;
	struct actor *after;		/* begins when that one has ended */
	/* The world's own. */
	struct dax_op op;
	enum dax_verb verb;
	unsigned int phase;
	bool in_op, done, parked;
};

struct world {
	struct env e;
	struct actor actor[WORLD_ACTORS];
	unsigned int nr;
};

/* What a scenario is run with. */
struct scenario {
	/* Fills in w->actor and w->nr; what was there before them. */
	void (*setup)(struct world *w);
	/* NULL, or what is wrong in the end; env_check() is asked too. May be NULL. */
	const char *(*verdict)(struct world *w);
	bool few_nodes;		/* the table has to ask for its memory */
};

/* In setup. Runs the actor alone, to its end. */
void world_run(struct world *w, struct actor *a);
/* The window of @page has 2M of contiguous, aligned blocks. */
void world_blocks(struct world *w, uint64_t page);
/* @v has a page table where @page is: no 2M fault is tried there. */
void world_no_2m(struct env_vma *v, uint64_t page);

/* Fails the test unless there is a bad schedule, or none. */
void expect_bad(const char *protocol, const struct scenario *s);
void expect_good(const char *protocol, const struct scenario *s);

/* The same test with the model as it is, and with the bug planted in it. */
#ifdef REGRESS_PLANTED
#define REGRESS_EXPECT expect_bad
#else
#define REGRESS_EXPECT expect_good
#endif

#endif
