/* SPDX-License-Identifier: BSD-3-Clause */
#include "cli/script.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

/* A record, or of a thread the number of its session, under a number. */
struct node {
	uint64_t key;
	union {
		uint64_t session;
		struct udax_trace_session as_session;
		struct udax_trace_file_known as_file;
		struct udax_trace_region as_region;
	};
};

static int compare(const void *a, const void *b)
{
	uint64_t left = ((const struct node *)a)->key;
	uint64_t right = ((const struct node *)b)->key;

	return left < right ? -1 : left > right;
}

static struct node *find(void **tree, uint64_t key)
{
	struct node wanted = { .key = key }, **found;

	found = tfind(&wanted, tree, compare);
	return found ? *found : NULL;
}

/* The node of @key, made if need be; NULL: no memory. */
static struct node *get(void **tree, uint64_t key)
{
	struct node *node = find(tree, key);

	if (node)
		return node;
	node = calloc(1, sizeof(*node));
	if (!node)
		return NULL;
	node->key = key;
	if (tsearch(node, tree, compare))
		return node;
	free(node);
	return NULL;
}

static int learn_thread(struct script_names *n, uint32_t tid, uint64_t session)
{
	struct node *node = get(&n->threads, tid);

	if (!node)
		return -ENOMEM;
	node->session = session;
	return 0;
}

int names_learn(struct script_names *n, const struct udax_trace_hdr *hdr)
{
	const struct udax_trace_session *s = (const void *)hdr;
	const struct udax_trace_file_known *f = (const void *)hdr;
	const struct udax_trace_region *r = (const void *)hdr;
	struct node *node;

	switch (hdr->type) {
	case UDAX_TRACE_SESSION:
		node = get(&n->sessions, s->session);
		if (node)
			node->as_session = *s;
		break;
	case UDAX_TRACE_FILE:
		node = get(&n->files, f->file);
		if (node)
			node->as_file = *f;
		break;
	case UDAX_TRACE_REGION:
		node = get(&n->regions, r->region);
		if (node)
			node->as_region = *r;
		break;
	case UDAX_TRACE_PAGE_FAULT:
		return learn_thread(n, hdr->tid,
			((const struct udax_trace_page_fault *)hdr)->session);
	case UDAX_TRACE_DROP:
		return learn_thread(n, hdr->tid,
			((const struct udax_trace_drop *)hdr)->session);
	default:
		return 0;
	}
	return node ? 0 : -ENOMEM;
}

void names_free(struct script_names *n)
{
	tdestroy(n->sessions, free);
	tdestroy(n->files, free);
	tdestroy(n->regions, free);
	tdestroy(n->threads, free);
}

const struct udax_trace_session *names_session(struct script_names *n,
					       const struct udax_trace_hdr *hdr)
{
	struct node *node;

	if (hdr->type == UDAX_TRACE_SESSION)
		return (const void *)hdr;
	if (hdr->type == UDAX_TRACE_RANGE || hdr->type == UDAX_TRACE_RANGE_DONE) {
		node = find(&n->sessions,
			    ((const struct udax_trace_range *)hdr)->session);
		return node ? &node->as_session : NULL;
	}
	node = hdr->tid ? find(&n->threads, hdr->tid) : NULL;
	node = node ? find(&n->sessions, node->session) : NULL;
	return node ? &node->as_session : NULL;
}

/* Number of the region that the record names; 0: none. */
static uint32_t region_of(const struct udax_trace_hdr *hdr)
{
	switch (hdr->type) {
	case UDAX_TRACE_PAGE_FAULT:
		return ((const struct udax_trace_page_fault *)hdr)->region;
	case UDAX_TRACE_REFILL:
		return ((const struct udax_trace_refill *)hdr)->region;
	case UDAX_TRACE_FAULT:
		return ((const struct udax_trace_fault *)hdr)->region;
	case UDAX_TRACE_FAULT_DONE:
		return ((const struct udax_trace_fault_done *)hdr)->region;
	case UDAX_TRACE_INSTALL:
		return ((const struct udax_trace_install *)hdr)->region;
	case UDAX_TRACE_SPLIT_PMD:
		return ((const struct udax_trace_split *)hdr)->region;
	case UDAX_TRACE_REGION:
		return ((const struct udax_trace_region *)hdr)->region;
	default:
		return 0;
	}
}

const struct udax_trace_region *names_region(struct script_names *n,
					     const struct udax_trace_hdr *hdr)
{
	uint32_t number = region_of(hdr);
	struct node *node = number ? find(&n->regions, number) : NULL;

	return node ? &node->as_region : NULL;
}

/* Of records that name no region: the file's number stands first. */
static bool names_a_file(unsigned int type)
{
	switch (type) {
	case UDAX_TRACE_LOCK:
	case UDAX_TRACE_UNLOCK:
	case UDAX_TRACE_WAIT_BEGIN:
	case UDAX_TRACE_WAIT_END:
	case UDAX_TRACE_WAKE:
	case UDAX_TRACE_CONFLICT:
	case UDAX_TRACE_REMOVE:
	case UDAX_TRACE_UNMAP:
	case UDAX_TRACE_WRPROTECT:
	case UDAX_TRACE_RANGE:
	case UDAX_TRACE_RANGE_DONE:
	case UDAX_TRACE_WRITEBACK_ONE:
	case UDAX_TRACE_FSYNC:
	case UDAX_TRACE_STRANDED:
	case UDAX_TRACE_FILE:
		return true;
	default:
		return false;
	}
}

const struct udax_trace_file_known *names_file(struct script_names *n,
					       const struct udax_trace_hdr *hdr)
{
	const struct udax_trace_region *region;
	struct node *node = NULL;

	if (names_a_file(hdr->type)) {
		node = find(&n->files, *(const uint64_t *)(hdr + 1));
	} else {
		region = names_region(n, hdr);
		node = region ? find(&n->files, region->file) : NULL;
	}
	return node ? &node->as_file : NULL;
}
