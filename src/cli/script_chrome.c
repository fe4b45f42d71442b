/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A trace in the trace-event format that Perfetto and chrome://tracing open. A
 * row a thread: page faults are slices, in them the attempts, in these the waits
 * for an entry. An arrow leads from each wake to the end of the wait that it
 * ended. Work for no thread (write-back, punches) is asynchronous slices of
 * udaxd, which has a row for each executor.
 */
#include <errno.h>
#include <inttypes.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "cli/script.h"
#include "dax/dax.h"

#define TIME_DIGITS 15
/* Something to hold an end of an arrow: arrows lead from slice to slice. */
#define DOT_US 0.001

/* Slices open on a row, outer first. */
enum depth { IDLE, IN_FAULT, IN_ATTEMPT, IN_WAIT };

struct row {
	uint64_t key;		/* session and tid */
	uint32_t pid, tid;
	enum depth depth;
	const char *open[IN_WAIT];	/* names of the slices, static storage */
	uint32_t cause;		/* of the fault that is open */
};

struct wake {
	uint64_t key;		/* low bits of its seq */
	double ts;
	uint32_t pid, tid;
};

struct chrome {
	FILE *out;
	uint64_t start_ns;
	uint32_t daemon_pid;
	bool some;		/* an event has been printed */
	int err;		/* 0 or -ENOMEM, sticky */
	void *rows, *processes, *wakes;	/* tsearch(3) trees, by a key */
};

/* All nodes begin with it. */
static int compare(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return left < right ? -1 : left > right;
}

/* The node of @key, of @size bytes; *@is_new: it was made. NULL: no memory. */
static void *node(struct chrome *c, void **tree, uint64_t key, size_t size,
		  bool *is_new)
{
	void **found = tfind(&key, tree, compare);
	uint64_t *made;

	*is_new = !found;
	if (found)
		return *found;
	made = calloc(1, size);
	if (made) {
		*made = key;
		if (tsearch(made, tree, compare))
			return made;
		free(made);
	}
	c->err = -ENOMEM;
	return NULL;
}

/* ------------------------------------------------------------------- output */

/* Takes over @o, which may be NULL: no memory. */
static void put(struct chrome *c, json_t *o)
{
	if (!o) {
		c->err = -ENOMEM;
		return;
	}
	if (c->some)
		fputs(",\n", c->out);
	c->some = true;
	json_dumpf(o, c->out, JSON_COMPACT |
		   JSON_REAL_PRECISION(TIME_DIGITS));
	json_decref(o);
}

static double now(const struct chrome *c, const struct script_event *e)
{
	return ((double)e->hdr->time - (double)c->start_ns) / 1000;
}

static json_t *event(const char *ph, const char *name, double ts, uint32_t pid,
		     uint32_t tid)
{
	return json_pack("{s:s,s:s,s:s,s:f,s:I,s:I}", "name", name, "cat", "dax",
			 "ph", ph, "ts", ts, "pid", (json_int_t)pid,
			 "tid", (json_int_t)tid);
}

static json_t *value(const struct script_field *f)
{
	char hex[24];

	switch (f->kind) {
	case FIELD_HEX:	/* JavaScript's integers are too short */
		snprintf(hex, sizeof(hex), "%#" PRIx64, f->value);
		return json_string(hex);
	case FIELD_WORD:
		return json_string(f->word);
	case FIELD_BOOL:
		return json_boolean(f->value);
	default:
		return json_integer((json_int_t)f->value);
	}
}

static json_t *args(const struct script_event *e)
{
	const struct udax_trace_fault_done *d = (const void *)e->hdr;
	json_t *o = json_object();
	struct script_field f;
	char buf[100];

	for (unsigned int i = 0; o && script_field(e->hdr, i, &f); i++)
		json_object_set_new(o, f.name, value(&f));
	if (e->hdr->type == UDAX_TRACE_FAULT_DONE)
		json_object_set_new(o, "result",
				    json_string(script_result(buf, d->result)));
	if (e->file) {
		script_word(buf, e->file->name, sizeof(e->file->name));
		json_object_set_new(o, "file", json_string(buf));
	}
	return o;
}

static json_t *with(json_t *o, const char *key, json_t *v)
{
	if (json_object_set_new(o, key, v)) {
		json_decref(o);
		return NULL;
	}
	return o;
}

/* --------------------------------------------------------------------- rows */

static void say_name(struct chrome *c, const char *what, uint32_t pid,
		     uint32_t tid, const char *name)
{
	put(c, json_pack("{s:s,s:s,s:I,s:I,s:{s:s}}", "ph", "M", "name", what,
			 "pid", (json_int_t)pid, "tid", (json_int_t)tid, "args",
			 "name", name));
}

/* The row of the thread that the record is about, introduced; NULL: no memory. */
static struct row *row_of(struct chrome *c, const struct script_event *e)
{
	uint64_t session = e->session && e->hdr->tid ? e->session->session : 0;
	uint32_t pid = e->session ? e->session->pid : 0, tid = e->hdr->tid;
	char name[32];
	struct row *row;
	bool is_new;

	if (!tid) {
		pid = c->daemon_pid;
		tid = e->hdr->ring + 1;
	}
	/* A forked child faults before it is known, by the thread it is named for. */
	if (!pid)
		pid = tid;
	row = node(c, &c->rows, session << 32 | tid, sizeof(*row), &is_new);
	if (!row || !is_new)
		return row;
	row->pid = pid;
	row->tid = tid;
	if (e->hdr->tid)
		script_comm(name, e->session);
	else
		snprintf(name, sizeof(name), "executor %u", e->hdr->ring);
	say_name(c, "thread_name", pid, tid, name);
	if (node(c, &c->processes, pid, sizeof(uint64_t), &is_new) && is_new)
		say_name(c, "process_name", pid, tid,
			 e->hdr->tid ? name : "udaxd");
	return row;
}

static void open_slice(struct chrome *c, struct row *row,
		       const struct script_event *e, const char *name)
{
	put(c, with(event("B", name, now(c, e), row->pid, row->tid), "args",
		    args(e)));
	row->open[row->depth++] = name;
}

/* Ends what is open below @depth. The innermost slice gets the record's fields. */
static void close_slices(struct chrome *c, struct row *row, enum depth depth,
			 const struct script_event *e, bool say)
{
	while (row->depth > depth) {
		json_t *o = event("E", row->open[--row->depth], now(c, e),
				  row->pid, row->tid);

		put(c, say ? with(o, "args", args(e)) : o);
		say = false;
	}
}

static void instant(struct chrome *c, const struct row *row,
		    const struct script_event *e)
{
	json_t *o = event("i", e->name, now(c, e), row->pid, row->tid);

	put(c, with(with(o, "s", json_string("t")), "args", args(e)));
}

static void dot(struct chrome *c, const struct row *row,
		const struct script_event *e)
{
	json_t *o = event("X", e->name, now(c, e), row->pid, row->tid);

	put(c, with(with(o, "dur", json_real(DOT_US)), "args", args(e)));
}

/* ------------------------------------------------------------ waits, wakes */

static void wake(struct chrome *c, struct row *row, const struct script_event *e)
{
	const struct udax_trace_wake *r = (const void *)e->hdr;
	struct wake *w;
	bool is_new;

	if (!r->woken) {
		instant(c, row, e);
		return;
	}
	dot(c, row, e);
	w = node(c, &c->wakes, (uint32_t)e->hdr->seq, sizeof(*w), &is_new);
	if (!w)
		return;
	w->ts = now(c, e);
	w->pid = row->pid;
	w->tid = row->tid;
}

/* One arrow a wait, even if one wake ended many. */
static void arrow(struct chrome *c, const struct row *row,
		  const struct script_event *e)
{
	const struct udax_trace_wait_end *r = (const void *)e->hdr;
	json_int_t id = e->hdr->seq;
	uint64_t key = r->wake;
	struct wake **w = r->wake ? tfind(&key, &c->wakes, compare) : NULL;

	if (!w)
		return;
	put(c, with(event("s", "wake", (*w)->ts, (*w)->pid, (*w)->tid), "id",
		    json_integer(id)));
	put(c, with(with(event("f", "wake", now(c, e), row->pid, row->tid), "id",
			 json_integer(id)), "bp", json_string("e")));
}

/* ----------------------------------------------------------- asynchronous */

/* Slices of operations that no thread waits in: by their number. */
static void async(struct chrome *c, const struct row *row,
		  const struct script_event *e, const char *ph, const char *name)
{
	json_t *o = event(ph, name, now(c, e), row->pid, row->tid);

	put(c, with(with(o, "id", json_integer(e->hdr->cause)), "args", args(e)));
}

static void async_event(struct chrome *c, struct row *row,
			const struct script_event *e)
{
	const struct udax_trace_range *r = (const void *)e->hdr;
	struct udax_trace_range begin;
	const char *names[2];

	switch (e->hdr->type) {
	case UDAX_TRACE_RANGE:
		async(c, row, e, "b", e->name);
		break;
	case UDAX_TRACE_RANGE_DONE:	/* under the name of the beginning */
		begin = *r;
		begin.hdr.type = UDAX_TRACE_RANGE;
		script_event_names(&begin.hdr, names);
		async(c, row, e, "e", names[0]);
		break;
	case UDAX_TRACE_WAIT_BEGIN:
		async(c, row, e, "b", "wait");
		break;
	case UDAX_TRACE_WAIT_END:
		dot(c, row, e);
		arrow(c, row, e);
		async(c, row, e, "e", "wait");
		break;
	case UDAX_TRACE_WAKE:
		wake(c, row, e);
		break;
	default:
		instant(c, row, e);
	}
}

/* ------------------------------------------------------------------- faults */

/* Does another attempt follow in the same fault? */
static bool goes_on(const struct udax_trace_fault_done *d)
{
	return (d->order && d->result & DAX_FAULT_FALLBACK) ||
	       d->result & DAX_FAULT_NEEDDSYNC;
}

/*
 * The thread runs again as soon as its page is installed, before the attempt is
 * over: its next fault may come first, and ends what is open.
 */
static void fault_event(struct chrome *c, struct row *row,
			const struct script_event *e)
{
	const struct udax_trace_page_fault *p = (const void *)e->hdr;
	bool own = row->depth && row->cause == e->hdr->cause;

	switch (e->hdr->type) {
	case UDAX_TRACE_PAGE_FAULT:
		close_slices(c, row, IDLE, e, false);
		row->cause = e->hdr->cause;
		open_slice(c, row, e, p->refill ? "refill" : p->write ?
			   "page fault, write" : "page fault, read");
		return;
	case UDAX_TRACE_DROP:	/* of a message, or of a fault that was begun */
		if (!own)
			instant(c, row, e);
		/* fall through */
	case UDAX_TRACE_REFILL:
		if (own)
			close_slices(c, row, IDLE, e, true);
		return;
	case UDAX_TRACE_FAULT:
		if (!own)
			return;
		close_slices(c, row, IN_FAULT, e, false);
		open_slice(c, row, e, e->name);
		return;
	case UDAX_TRACE_FAULT_DONE:
		if (!own)
			return;
		close_slices(c, row, IN_FAULT, e, true);
		if (!goes_on((const void *)e->hdr))
			close_slices(c, row, IDLE, e, false);
		return;
	case UDAX_TRACE_WAIT_BEGIN:
		if (own && row->depth == IN_ATTEMPT)
			open_slice(c, row, e, "wait");
		return;
	case UDAX_TRACE_WAIT_END:
		if (own && row->depth == IN_WAIT) {
			arrow(c, row, e);
			close_slices(c, row, IN_ATTEMPT, e, true);
			return;
		}
		/* Its page was mapped for another: the thread is elsewhere by now. */
		dot(c, row, e);
		arrow(c, row, e);
		return;
	case UDAX_TRACE_WAKE:
		wake(c, row, e);
		return;
	default:
		instant(c, row, e);
	}
}

static int chrome_event(void *state, FILE *out, const struct script_event *e)
{
	struct chrome *c = state;
	struct row *row;
	const char *names[2];
	unsigned int nr = script_event_names(e->hdr, names);

	switch (e->hdr->type) {
	case UDAX_TRACE_SESSION:
	case UDAX_TRACE_FILE:
	case UDAX_TRACE_REGION:
	case UDAX_TRACE_LOCK:	/* slices and waits show it better */
	case UDAX_TRACE_UNLOCK:
		return 0;
	case UDAX_TRACE_INSTALL:	/* one of the two */
		if (strcmp(e->name, names[nr - 1]))
			return 0;
		break;
	case UDAX_TRACE_FAULT_DONE:
		if (strcmp(e->name, names[0]))
			return 0;
		break;
	}
	row = row_of(c, e);
	if (!row)
		return c->err;
	if (e->hdr->tid)
		fault_event(c, row, e);
	else
		async_event(c, row, e);
	return c->err;
}

/* --------------------------------------------------------------------- file */

static int chrome_begin(void **state, FILE *out,
			const struct udax_trace_file *file)
{
	struct chrome *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->out = out;
	c->start_ns = file->start_ns;
	c->daemon_pid = file->pid;
	*state = c;
	fputs("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n", out);
	return 0;
}

/* What is still open did not end: viewers draw it to the end. */
static int chrome_end(void *state, FILE *out)
{
	struct chrome *c = state;
	int err = c->err;

	fputs("\n]}\n", out);
	tdestroy(c->rows, free);
	tdestroy(c->processes, free);
	tdestroy(c->wakes, free);
	free(c);
	return err;
}

const struct script_format script_chrome = {
	.name = "chrome",
	.begin = chrome_begin,
	.event = chrome_event,
	.end = chrome_end,
	.whole = true,
};
