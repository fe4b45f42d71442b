/* SPDX-License-Identifier: BSD-3-Clause */
#include "mm/race_graph.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Room for one more of @nr items of @size bytes. */
static bool room(struct race_graph *g, void **items, uint32_t nr, uint32_t *max,
		 size_t size)
{
	uint32_t more = *max ? 2 * *max : 1024;
	void *list;

	if (nr < *max)
		return true;
	list = more > *max ? reallocarray(*items, more, size) : NULL;
	if (!list) {
		g->nomem = true;
		return false;
	}
	*items = list;
	*max = more;
	return true;
}

/* --------------------------------------------------------------- states */

/* The state of that key; *@fresh: there was none. */
static uint32_t state_of(struct race_graph *g, const void *key, size_t len, bool *fresh)
{
	uint32_t nr = intern_add(&g->states, key, len);

	*fresh = false;
	g->nomem |= g->states.nomem;
	if (g->nomem || nr < g->nr_nodes)
		return nr;
	if (!room(g, (void **)&g->node, g->nr_nodes, &g->max_nodes,
		  sizeof(*g->node)))
		return RACE_END;
	memset(&g->node[g->nr_nodes++], 0, sizeof(*g->node));
	*fresh = true;
	return nr;
}

uint32_t graph_state(struct race_graph *g, const uint64_t hash[2], bool *fresh)
{
	return state_of(g, hash, 2 * sizeof(*hash), fresh);
}

/* Its own number is no hash's length. */
uint32_t graph_add(struct race_graph *g)
{
	bool fresh;

	return state_of(g, &g->nr_nodes, sizeof(g->nr_nodes), &fresh);
}

void graph_edge(struct race_graph *g, uint32_t from, uint32_t label, uint32_t to)
{
	uint32_t i;

	for (i = g->node[from].edge; i; i = g->edge[i - 1].next)
		if (g->edge[i - 1].label == label && g->edge[i - 1].to == to)
			return;
	if (!room(g, (void **)&g->edge, g->nr_edges, &g->max_edges,
		  sizeof(*g->edge)))
		return;
	g->edge[g->nr_edges++] = (struct race_edge){
		g->node[from].edge, label, to,
	};
	g->node[from].edge = g->nr_edges;
}

void graph_finish(struct race_graph *g, uint32_t node)
{
	if (!room(g, (void **)&g->finished, g->nr_finished, &g->max_finished,
		  sizeof(*g->finished)))
		return;
	g->finished[g->nr_finished++] = node;
	g->node[node].finished = g->nr_finished;
}

void graph_init(struct race_graph *g)
{
	bool fresh;

	memset(g, 0, sizeof(*g));
	said_init(&g->said);
	intern_init(&g->states);
	state_of(g, "", 0, &fresh);		/* RACE_BEGIN */
	graph_add(g);				/* RACE_END */
	if (!g->nomem)
		g->node[RACE_END].set = said_nothing(&g->said);
}

void graph_exit(struct race_graph *g)
{
	said_exit(&g->said);
	free(g->node);
	free(g->edge);
	free(g->finished);
	intern_exit(&g->states);
}

/* ------------------------------------------------------------- outcomes */

/* From what is said behind each of its edges; true: there is more than was known. */
static bool set_of_node(struct race_graph *g, struct race_node *node)
{
	const struct race_edge *e = node->edge ? &g->edge[node->edge - 1] : NULL;
	uint32_t set, i;

	if (e && !e->next && !e->label) {
		set = g->node[e->to].set;
	} else {
		for (i = node->edge; i; i = e->next) {
			e = &g->edge[i - 1];
			said_collect(&g->said, e->label, g->node[e->to].set);
		}
		set = said_collected(&g->said);
	}
	if (set == node->set)
		return false;
	node->set = set;
	return true;
}

/* Is there a way to a state that was finished later? Then there is one in a circle. */
static bool has_circle(const struct race_graph *g)
{
	uint32_t i, k;

	for (i = 0; i < g->nr_finished; i++) {
		const struct race_node *node = &g->node[g->finished[i]];

		for (k = node->edge; k; k = g->edge[k - 1].next)
			if (g->edge[k - 1].to != RACE_END &&
			    g->node[g->edge[k - 1].to].finished > i)
				return true;
	}
	return false;
}

/* Once, each state behind those that it leads to; in circles until all is known. */
int graph_outcomes(struct race_graph *g, struct outcomes *out)
{
	bool circle = has_circle(g), more = true;
	uint32_t i;

	while (more && !g->nomem && !g->said.nomem) {
		more = false;
		for (i = 0; i < g->nr_finished; i++)
			more |= set_of_node(g, &g->node[g->finished[i]]);
		more &= circle;
	}
	if (g->nomem)
		return -ENOMEM;
	return said_outcomes(&g->said, g->node[RACE_BEGIN].set, out);
}
