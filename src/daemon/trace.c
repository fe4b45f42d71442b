/* SPDX-License-Identifier: BSD-3-Clause */
/* The trace: its life, who is who, messages and attempts. */
#include "daemon/trace.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "daemon/session.h"

/* ------------------------------------------------------------------- life */

int trace_start(struct udaxd *d)
{
	struct trace *trace;
	char why[128];
	int err;

	if (!d->opt.trace)
		return 0;
	trace = calloc(1, sizeof(*trace));
	if (!trace) {
		logmsg("--trace %s: %s", d->opt.trace, strerror(ENOMEM));
		return -ENOMEM;
	}
	err = trace_create(&trace->writer, d->opt.trace, d->nr_execs + 1,
			   d->opt.trace_size, why, sizeof(why));
	if (err) {
		logmsg("--trace %s: %s", d->opt.trace, why);
		free(trace);
		return err;
	}
	snprintf(trace->writer.file->protocol,
		 sizeof(trace->writer.file->protocol), "%s", d->opt.protocols.normal->name);
	snprintf(trace->writer.file->track, sizeof(trace->writer.file->track),
		 "%s", udaxd_track_name(d->opt.track));
	lock_init(&trace->lock, LOCK_RANK_LEAF, "trace");
	trace->known = &trace->writer.rings[d->nr_execs];
	for (unsigned int i = 0; i < d->nr_execs; i++)
		d->execs[i]->trace = &trace->writer.rings[i];
	d->trace = trace;
	return 0;
}

void trace_end(struct udaxd *d)
{
	if (!d->trace)
		return;
	if (!d->opt.exit_with_keeper && trace_drops(d))
		logmsg("--trace %s: %llu records did not fit (see --trace-size)",
		       d->opt.trace, (unsigned long long)trace_drops(d));
	trace_close(&d->trace->writer);
	lock_destroy(&d->trace->lock);
	free(d->trace);
	d->trace = NULL;
}

/* ------------------------------------------------------------------ known */

/* NULL: dropped, and the lock is released. */
static void *known_begin(struct trace *trace, enum udax_trace_type type,
			 unsigned int size)
{
	void *rec;

	lock_take(&trace->lock);
	rec = trace_begin(trace->known, type, size);
	if (!rec)
		lock_release(&trace->lock);
	return rec;
}

static void known_end(struct trace *trace)
{
	trace_commit(trace->known);
	lock_release(&trace->lock);
}

void trace_session(struct session *s)
{
	struct trace *trace = s->d->trace;
	struct udax_trace_session *rec;

	if (!trace)
		return;
	rec = known_begin(trace, UDAX_TRACE_SESSION, sizeof(*rec));
	if (!rec)
		return;
	rec->session = s->id;
	rec->parent = s->parent;
	rec->pid = s->pid;
	memcpy(rec->comm, s->comm, sizeof(rec->comm));
	known_end(trace);
}

void trace_file_known(struct udaxd *d, const struct file *f)
{
	struct udax_trace_file_known *rec;
	const struct media *m = f->media;

	if (!d->trace)
		return;
	rec = known_begin(d->trace, UDAX_TRACE_FILE, sizeof(*rec));
	if (!rec)
		return;
	rec->file = f->id;
	rec->major = major(m->dev);
	rec->minor = minor(m->dev);
	rec->ino = m->ino;
	rec->size = __atomic_load_n(&m->size, __ATOMIC_RELAXED);
	rec->media = m->kind == MEDIA_IMAGE;
	snprintf(rec->protocol, sizeof(rec->protocol), "%s",
		 f->mapping.proto->name);
	snprintf(rec->name, sizeof(rec->name), "%.*s",
		 (int)sizeof(rec->name) - 1, m->name);
	known_end(d->trace);
}

void trace_region(struct region *r)
{
	struct trace *trace = r->session->d->trace;
	struct udax_trace_region *rec;

	if (!trace)
		return;
	r->number = atomic_fetch_add(&trace->regions, 1) + 1;
	rec = known_begin(trace, UDAX_TRACE_REGION, sizeof(*rec));
	if (!rec)
		return;
	rec->session = r->session->id;
	rec->file = r->file->id;
	rec->id = r->id;
	rec->start = r->start;
	rec->end = r->end;
	rec->offset = r->offset;
	rec->region = r->number;
	rec->flags = r->flags;
	rec->prot = r->prot;
	known_end(trace);
}

/* ---------------------------------------------------------------- messages */

void trace_do_page_fault(struct exec *x, struct task *t, bool refill)
{
	struct udax_trace_page_fault *rec;

	t->trace = (struct task_trace) { 0 };
	rec = trace_task_begin(x, t, UDAX_TRACE_PAGE_FAULT, sizeof(*rec));
	if (!rec)
		return;
	rec->hdr.cause = t->trace.cause = rec->hdr.seq;
	rec->address = t->addr;
	rec->session = t->region->session->id;
	rec->region = t->region->number;
	rec->write = t->write;
	rec->kind = t->wp ? UDAX_TRACE_WP : t->minor ? UDAX_TRACE_MINOR :
		    UDAX_TRACE_MISSING;
	rec->refill = refill;
	rec->prot = t->write && pgtable_has(&t->region->pt, t->addr, false) &&
		    !pgtable_has(&t->region->pt, t->addr, true);
	trace_commit(x->trace);
}

void trace_do_drop(struct exec *x, struct session *s, uint64_t addr,
		   uint32_t tid, enum udax_trace_drop_why why)
{
	struct udax_trace_drop *rec;

	rec = trace_begin(x->trace, UDAX_TRACE_DROP, sizeof(*rec));
	if (!rec)
		return;
	rec->hdr.tid = tid;
	rec->hdr.cause = rec->hdr.seq;
	rec->address = addr;
	rec->session = s->id;
	rec->why = why;
	trace_commit(x->trace);
}

void trace_do_nothing(struct exec *x, struct task *t)
{
	struct udax_trace_drop *rec;

	rec = trace_task_begin(x, t, UDAX_TRACE_DROP, sizeof(*rec));
	if (!rec)
		return;
	rec->address = t->addr;
	rec->session = t->region->session->id;
	rec->why = UDAX_TRACE_DROP_NOTHING;
	trace_commit(x->trace);
}

void trace_do_refill(struct exec *x, struct task *t, int error)
{
	struct udax_trace_refill *rec;

	rec = trace_task_begin(x, t, UDAX_TRACE_REFILL, sizeof(*rec));
	if (!rec)
		return;
	rec->address = t->addr;
	rec->region = t->region->number;
	rec->error = error;
	trace_commit(x->trace);
}

/* ---------------------------------------------------------------- attempts */

static uint64_t max_pgoff(const struct dax_op *op)
{
	uint64_t size = __atomic_load_n(&op->mapping->i_size, __ATOMIC_RELAXED);

	return (size + DAX_PAGE_SIZE - 1) >> PAGE_SHIFT;
}

void trace_do_attempt(struct exec *x, struct task *t)
{
	struct udax_trace_fault *rec;

	rec = trace_task_begin(x, t, UDAX_TRACE_FAULT, sizeof(*rec));
	if (!rec)
		return;
	rec->address = t->addr;
	rec->pgoff = t->op.pgoff;
	rec->max_pgoff = max_pgoff(&t->op);
	rec->region = t->region->number;
	rec->order = t->op.order;
	rec->flags = t->op.flags;
	rec->kind = t->op.kind;
	trace_commit(x->trace);
}

void trace_do_done(struct exec *x, struct task *t)
{
	const struct dax_op *op = &t->op;
	struct udax_trace_fault_done *rec;

	rec = trace_task_begin(x, t, UDAX_TRACE_FAULT_DONE, sizeof(*rec));
	if (!rec)
		return;
	rec->address = t->addr;
	rec->pgoff = op->pgoff;
	rec->max_pgoff = max_pgoff(op);
	rec->region = t->region->number;
	rec->order = op->order;
	rec->flags = op->flags;
	rec->kind = op->kind;
	rec->reason = op->result & DAX_FAULT_FALLBACK ? op->reason :
		      DAX_FALLBACK_NONE;
	rec->grabbed = op->grabbed;
	rec->inserted = op->inserted;
	rec->unlocked = op->unlocked;
	rec->result = op->result;
	trace_commit(x->trace);
}
