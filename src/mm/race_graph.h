/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The states of a race, and what is said on the way from one to the next. A state
 * is where there was a choice; what was said before does not belong to it. What
 * may be said from it on is worked out behind the exploration, from the last
 * states to the first: so the outcomes of alike states are found once, however
 * many ways lead to them.
 *
 * No lock. Where memory is short @nomem is set for good.
 */
#ifndef UDAX_MM_RACE_GRAPH_H
#define UDAX_MM_RACE_GRAPH_H

#include "mm/race_said.h"

#define RACE_BEGIN	0U	/* the state before the first choice */
#define RACE_END	1U	/* nothing more happens */

struct race_node {
	uint32_t edge;		/* the first, + 1 */
	uint32_t set;		/* what is said from here on */
	uint32_t finished;	/* the how manieth; 0: not yet */
};

struct race_edge {
	uint32_t next;		/* of the same node, + 1 */
	uint32_t label, to;
};

struct race_graph {
	struct race_node *node;
	uint32_t nr_nodes, max_nodes;
	struct race_edge *edge;
	uint32_t nr_edges, max_edges;
	uint32_t *finished;	/* nodes, in this order */
	uint32_t nr_finished, max_finished;
	struct intern states;	/* hashes; numbers are those of nodes */
	struct said said;
	bool nomem;
};

void graph_init(struct race_graph *g);
void graph_exit(struct race_graph *g);

/* The state of that hash; *@fresh: there was none. */
uint32_t graph_state(struct race_graph *g, const uint64_t hash[2], bool *fresh);
/* A new state, alike to no other. */
uint32_t graph_add(struct race_graph *g);
/* @label is said on the way from @from to @to. */
void graph_edge(struct race_graph *g, uint32_t from, uint32_t label, uint32_t to);
/* All ways from @node were tried, or will not be. */
void graph_finish(struct race_graph *g, uint32_t node);

/*
 * Adds what may be said from the begin on to @out; unfinished states count for
 * nothing. 0 or -ENOMEM.
 */
int graph_outcomes(struct race_graph *g, struct outcomes *out);

#endif
