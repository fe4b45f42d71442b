/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What udaxd's trace says, in the lines of a log. It is read when all is quiet,
 * so the records of a fault are all there.
 */
#include "cli/live.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_SEEN	(SCRIPT_THREADS + 2)

union record {
	struct udax_trace_hdr hdr;
	struct udax_trace_page_fault page_fault;
	struct udax_trace_fault fault;
	struct udax_trace_fault_done done;
	struct udax_trace_install install;
	struct udax_trace_split split;
	struct udax_trace_wake wake;
	struct udax_trace_pages pages;
	struct udax_trace_range range;
};

struct live_log {
	union record *record;		/* @nr of @room, since the last drain */
	size_t nr, room;
	pid_t main;
	struct seen {			/* threads with messages, @nr_seen */
		pid_t tid;
		bool served;		/* not only dropped */
		bool refused;		/* the last came to SIGBUS */
		bool copies;		/* ... met a page, which the mm will copy */
	} seen[MAX_SEEN];
	unsigned int nr_seen;
};

int live_log_new(struct live *l)
{
	l->log = calloc(1, sizeof(*l->log));
	if (!l->log)
		return -ENOMEM;
	l->log->main = getpid();
	return 0;
}

void live_log_free(struct live *l)
{
	if (!l->log)
		return;
	free(l->log->record);
	free(l->log);
	l->log = NULL;
}

const char *live_who(struct live *l, pid_t tid)
{
	static char name[SCRIPT_THREADS][8];

	for (unsigned int i = 0; i < SCRIPT_THREADS; i++) {
		if (!l->thread[i].started || l->thread[i].tid != tid)
			continue;
		snprintf(name[i], sizeof(name[i]), "T%u", i);
		return name[i];
	}
	return tid == l->log->main ? "main" : "child";
}

static struct seen *find_seen(struct live_log *g, pid_t tid)
{
	for (unsigned int i = 0; i < g->nr_seen; i++)
		if (g->seen[i].tid == tid)
			return &g->seen[i];
	return NULL;
}

static void see(struct live_log *g, pid_t tid, bool served)
{
	struct seen *seen = find_seen(g, tid);

	if (!seen && g->nr_seen < MAX_SEEN) {
		seen = &g->seen[g->nr_seen++];
		*seen = (struct seen){ .tid = tid };
	}
	if (seen && served)
		*seen = (struct seen){ .tid = tid, .served = true };
}

struct live_seen live_log_seen(struct live *l, pid_t tid)
{
	struct live_log *g = l->log;
	struct seen *seen = find_seen(g, tid);
	struct live_seen how = { .slept = seen };

	if (!seen)
		return how;
	how.all = seen->served && !seen->copies;
	how.refused = seen->refused;
	*seen = g->seen[--g->nr_seen];
	return how;
}

static void set_who(struct replay *r, pid_t tid)
{
	snprintf(r->log.who, sizeof(r->log.who), "%s",
		 tid ? live_who(live_of(r), tid) : "main");
}

/* ------------------------------------------------------------------ events */

static void split_event(struct replay *r, const struct udax_trace_split *s)
{
	struct log_place place = replay_place(r, s->address);

	log_event(&r->log, "splitpmd(%c+%" PRIu64 "P)", 'A' + place.map,
		  place.page);
}

static void install_event(struct replay *r, const struct udax_trace_install *i)
{
	bool pmd = i->map == DAX_MAP_PMD || i->map == DAX_MAP_PMD_ZERO;

	if (!i->copy && !i->error)
		log_event(&r->log, "install-%s(%s)", pmd ? "pmd" : "pte",
			  i->write ? "w" : "r");
}

static void range_event(struct replay *r, const struct udax_trace_range *g)
{
	static const char *const names[] = {
		[DAX_OP_WRITEBACK] = "wb-range",
		[DAX_OP_DELETE_RANGE] = "delete-range",
		[DAX_OP_LAYOUT_BUSY] = "layout",
	};
	const char *name = g->kind < sizeof(names) / sizeof(names[0]) ?
			   names[g->kind] : NULL;

	/* That of the last page alone is the invalidate lock's. */
	if (!name || g->start >= REPLAY_LAST)
		return;
	if (g->end >= REPLAY_LAST)
		log_event(&r->log, "%s(%" PRIu64 ",end)", name, g->start);
	else
		log_event(&r->log, "%s(%" PRIu64 ",%" PRIu64 ")", name,
			  g->start, g->end);
}

/*
 * Alone, a thread waits for nothing but the end of its own last fault, whose page
 * let it go on.
 */
static bool in_race(struct replay *r)
{
	const struct live *l = live_of(r);

	for (unsigned int i = 0; i < SCRIPT_THREADS; i++)
		if (l->thread[i].state == LIVE_RUNNING)
			return true;
	return r->op->kind == SCRIPT_JOIN;
}

/* An event that may be an attempt's, or stand alone. */
static void event(struct replay *r, const union record *rec)
{
	switch (rec->hdr.type) {
	case UDAX_TRACE_UNMAP:
		log_event(&r->log, "unmap(%" PRIu64 ",%" PRIu64 ",cows=%d)",
			  rec->pages.start,
			  rec->pages.nr > REPLAY_LAST ? 0 : rec->pages.nr,
			  rec->pages.cows);
		break;
	case UDAX_TRACE_WAKE:
		if (rec->wake.mode == WAKE_ALL)
			log_event(&r->log, "wakeall");
		break;
	case UDAX_TRACE_WAIT_BEGIN:
		if (in_race(r))
			log_event(&r->log, "wait");
		break;
	case UDAX_TRACE_INSTALL:
		install_event(r, &rec->install);
		break;
	case UDAX_TRACE_SPLIT_PMD:
		split_event(r, &rec->split);
		break;
	case UDAX_TRACE_WRITEBACK_ONE:
		log_event(&r->log, "wb-one(%" PRIu64 ",%" PRIu64 ")",
			  rec->pages.start, rec->pages.nr);
		break;
	case UDAX_TRACE_RANGE:
		range_event(r, &rec->range);
		break;
	}
}

/* ------------------------------------------------------------------ faults */

static void page_fault(struct replay *r, const struct udax_trace_page_fault *p)
{
	struct live *l = live_of(r);

	if (l->told)
		return;
	see(l->log, p->hdr.tid, true);
	if (p->refill || !replay_named(r, p->address) ||
	    (l->populating && p->hdr.tid == (uint32_t)l->log->main))
		return;
	log_page_fault(&r->log, replay_place(r, p->address),
		       !l->in_kernel || p->hdr.tid != (uint32_t)l->log->main,
		       p->write, p->prot);
}

static void attempt(struct replay *r, size_t end)
{
	const struct live_log *g = live_of(r)->log;
	const struct udax_trace_fault_done *d = &g->record[end].done;
	struct log_attempt a = {
		.place = replay_place(r, d->address),
		.pgoff = d->pgoff,
		.order = d->order,
		.flags = d->flags,
		.vma_lock = r->o->variant->mm.vma_lock,
		.grabbed = d->grabbed,
		.inserted = d->inserted,
		.unlocked = d->unlocked,
		.result = d->result,
	};
	struct seen *seen;
	size_t i = end;

	bool copy = !d->order && d->flags & DAX_FAULT_FLAG_WRITE &&
		    live_is_private(r, d->address);

	seen = find_seen(live_of(r)->log, d->hdr.tid);
	if (seen) {
		seen->refused = d->result & DAX_FAULT_SIGBUS;
		seen->copies = copy && d->result == DAX_FAULT_NOPAGE;
	}
	if (copy && strcmp(live_who(live_of(r), d->hdr.tid), "child"))
		live_note_copy(r, d->address);
	while (i && !(g->record[i].hdr.type == UDAX_TRACE_FAULT &&
		      g->record[i].hdr.cause == d->hdr.cause))
		i--;
	log_attempt_begin(&r->log);
	for (; i < end; i++)
		if (g->record[i].hdr.cause == d->hdr.cause)
			event(r, &g->record[i]);
	log_attempt_end(&r->log, &a);
}

/* Is the record part of an attempt that ends later? It is told with that. */
static bool inside(const struct live_log *g, size_t i)
{
	uint32_t cause = g->record[i].hdr.cause;
	size_t k;

	if (!cause)
		return false;
	for (k = i; k < g->nr; k++) {
		if (g->record[k].hdr.cause != cause)
			continue;
		if (g->record[k].hdr.type == UDAX_TRACE_FAULT_DONE)
			return true;
		if (k > i && g->record[k].hdr.type == UDAX_TRACE_FAULT)
			return false;
	}
	return false;
}

static void tell(struct replay *r, size_t i)
{
	const struct live_log *g = live_of(r)->log;
	const union record *rec = &g->record[i];

	set_who(r, rec->hdr.tid);
	switch (rec->hdr.type) {
	case UDAX_TRACE_PAGE_FAULT:
		page_fault(r, &rec->page_fault);
		break;
	case UDAX_TRACE_DROP:
		see(live_of(r)->log, rec->hdr.tid, false);
		break;
	case UDAX_TRACE_FAULT_DONE:
		if (rec->done.kind == DAX_OP_FAULT)
			attempt(r, i);
		else
			log_event(&r->log, "insert_pfn_mkwrite");
		break;
	default:
		if (!inside(g, i))
			event(r, rec);
		break;
	}
	set_who(r, 0);
}

/* Did the page fault that the record belongs to come with this lot? */
static bool of_page_fault(const struct live_log *g, size_t i)
{
	uint32_t cause = g->record[i].hdr.cause;

	for (size_t k = 0; cause && k < i; k++)
		if (g->record[k].hdr.type == UDAX_TRACE_PAGE_FAULT &&
		    g->record[k].hdr.cause == cause)
			return true;
	return false;
}

/*
 * A thread runs again when its page is mapped, and may fault the next time before
 * the fault has unlocked its entry: each page fault is told with all that is its.
 */
static void tell_all(struct replay *r)
{
	const struct live_log *g = live_of(r)->log;

	for (size_t i = 0; i < g->nr && !r->error; i++) {
		if (of_page_fault(g, i))
			continue;
		tell(r, i);
		if (g->record[i].hdr.type != UDAX_TRACE_PAGE_FAULT)
			continue;
		for (size_t k = i + 1; k < g->nr && !r->error; k++)
			if (g->record[k].hdr.cause == g->record[i].hdr.cause)
				tell(r, k);
	}
}

static int keep(struct live_log *g, const struct udax_trace_hdr *hdr)
{
	size_t size = hdr->size < sizeof(union record) ? hdr->size :
		      sizeof(union record);

	if (g->nr == g->room) {
		size_t room = g->room ? 2 * g->room : 256;
		union record *p = realloc(g->record, room * sizeof(*p));

		if (!p)
			return -ENOMEM;
		g->record = p;
		g->room = room;
	}
	memset(&g->record[g->nr], 0, sizeof(g->record[0]));
	memcpy(&g->record[g->nr++], hdr, size);
	return 0;
}

void live_log_drain(struct replay *r)
{
	struct live *l = live_of(r);
	const struct udax_trace_hdr *hdr;
	int n;

	while ((n = trace_next(l->trace, &hdr)) > 0 && !r->error)
		if (keep(l->log, hdr))
			replay_fail(r, -ENOMEM, "no memory for the trace");
	if (n < 0)
		replay_fail(r, n, "udaxd's trace cannot be read");
	if (trace_lost(l->trace))
		replay_fail(r, -ENOBUFS, "udaxd's trace has lost records");
	tell_all(r);
	l->log->nr = 0;
}
