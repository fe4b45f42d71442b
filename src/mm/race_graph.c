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

uint32_t graph_add(struct race_graph *g)
{
	if (!room(g, (void **)&g->node, g->nr_nodes, &g->max_nodes,
		  sizeof(*g->node)))
		return RACE_END;
	memset(&g->node[g->nr_nodes], 0, sizeof(*g->node));
	return g->nr_nodes++;
}

static bool grow_table(struct race_graph *g)
{
	uint32_t size = g->size ? 2 * g->size : 1 << 12, i, k;
	uint32_t *table = calloc(size, sizeof(*table));

	if (!table) {
		g->nomem = true;
		return false;
	}
	for (i = RACE_END + 1; i < g->nr_nodes; i++) {
		for (k = g->node[i].hash[0] & (size - 1); table[k];
		     k = (k + 1) & (size - 1))
			;
		table[k] = i;
	}
	free(g->table);
	g->table = table;
	g->size = size;
	return true;
}

uint32_t graph_state(struct race_graph *g, const uint64_t hash[2], bool *fresh)
{
	uint32_t k, nr;

	*fresh = false;
	if (2 * g->nr_nodes >= g->size && !grow_table(g))
		return RACE_END;
	for (k = hash[0] & (g->size - 1); (nr = g->table[k]);
	     k = (k + 1) & (g->size - 1))
		if (g->node[nr].hash[0] == hash[0] &&
		    g->node[nr].hash[1] == hash[1])
			return nr;
	nr = graph_add(g);
	if (g->nomem)
		return nr;
	memcpy(g->node[nr].hash, hash, sizeof(g->node[nr].hash));
	g->table[k] = nr;
	*fresh = true;
	return nr;
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
	memset(g, 0, sizeof(*g));
	said_init(&g->said);
	graph_add(g);
	graph_add(g);
	if (!g->nomem)
		g->node[RACE_END].set = said_nothing(&g->said);
}

void graph_exit(struct race_graph *g)
{
	said_exit(&g->said);
	free(g->node);
	free(g->edge);
	free(g->finished);
	free(g->table);
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
