/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Methods that show the model of a running daemon: who waits, who holds, what is
 * in a file's table. What is shown is copied under the lock of the file's table,
 * a few microseconds at a time, and put into words after.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/methods.h"
#include "daemon/session.h"
#include "daemon/sleeper.h"

/* Entries copied in one hold of the lock, and the most a request is answered with. */
#define ENTRIES_MAX 4096

/* ----------------------------------------------------------------- waiters */

static json_t *sleeper_json(const struct sleeper *s, const struct file *f,
			    uint64_t now)
{
	char name[SLEEPER_NAME];
	json_t *o;

	sleeper_name(s, name, sizeof(name));
	o = json_pack("{s:I,s:i,s:I,s:o,s:s,s:i,s:I,s:I,s:I,s:b,s:s,s:b,s:s,s:{s:I,s:i,s:b,s:I}}",
		      "file", (json_int_t)f->id, "pid", (int)s->pid,
		      "tid", (json_int_t)s->tid, "name", rpc_text(name),
		      "operation", dax_kind_name(s->kind),
		      "order", (int)s->order, "index", (json_int_t)s->index,
		      "page", (json_int_t)s->page, "key", (json_int_t)s->key,
		      "exclusive", (int)s->exclusive,
		      "state", s->woken ? "woken" : "asleep",
		      "stranded", (int)s->stranded,
		      "protocol", f->mapping.proto->name,
		      "blocker", "index", (json_int_t)s->blocker,
		      "order", (int)s->blocker_order,
		      "released", (int)s->released, "wakes", (json_int_t)s->wakes);
	if (o && s->since_ns)
		json_object_set_new(o, "ns", json_integer(now - s->since_ns));
	return o;
}

/* Copies of all sleepers of @f; the caller frees it. NULL: none, or no memory. */
static struct sleeper *copy_sleepers(struct file *f, unsigned int *nr)
{
	struct sleeper *all = NULL;
	struct dax_waiter *w;
	unsigned int n = 0;

	*nr = 0;
	lock_take(&f->mapping.i_pages);
	list_for_each(w, &f->mapping.sleepers, sleeper)
		n++;
	if (n)
		all = calloc(n, sizeof(*all));
	if (all)
		list_for_each(w, &f->mapping.sleepers, sleeper)
			sleeper_copy(&all[(*nr)++], dax_waiter_op(w));
	lock_release(&f->mapping.i_pages);
	return all;
}

/* Daemon lock held. */
static void append_sleepers(json_t *list, struct file *f)
{
	unsigned int nr;
	struct sleeper *all = copy_sleepers(f, &nr);
	uint64_t now = now_ns();

	for (unsigned int i = 0; i < nr; i++)
		json_array_append_new(list, sleeper_json(&all[i], f, now));
	free(all);
}

/* All files, or the one with that id. */
static json_t *for_files(struct udaxd *d, json_int_t only,
			 void (*append)(json_t *list, struct file *f))
{
	json_t *list = json_array();
	struct file *f;

	lock_take(&d->lock);
	list_for_each(f, &d->files, link)
		if (!only || f->id == (uint64_t)only)
			append(list, f);
	lock_release(&d->lock);
	return list;
}

json_t *method_list_waiters(struct rpc_call *call)
{
	json_int_t only = 0;

	if (!rpc_params(call, "{s?:I}", "file", &only))
		return NULL;
	return for_files(call->d, only, append_sleepers);
}

/* ------------------------------------------------------------------- holds */

/* Daemon lock held. */
static void append_holds(json_t *list, struct file *f)
{
	uint64_t now = now_ns();
	const struct task *t;

	lock_take(&f->lock);
	list_for_each(t, &f->held, link) {
		const struct session *s = task_session(t);
		bool gate = t->hold.until == UINT64_MAX;
		bool fault = t->kind == TASK_FAULT;
		json_t *o;

		o = json_pack("{s:I,s:i,s:I,s:s,s:s,s:i,s:I,s:b}",
			      "file", (json_int_t)f->id,
			      "pid", s ? (int)s->pid : 0,
			      "tid", fault ? (json_int_t)t->tid : 0,
			      "operation", dax_kind_name(t->op.kind),
			      "kind", hold_kind_name(t->hold.kind),
			      "order", (int)dax_entry_order(t->op.entry),
			      "index", (json_int_t)t->op.xas.index,
			      "gate", (int)gate);
		if (!gate)
			json_object_set_new(o, "ns", json_integer(
				t->hold.until > now ? t->hold.until - now : 0));
		json_array_append_new(list, o);
	}
	lock_release(&f->lock);
}

json_t *method_list_holds(struct rpc_call *call)
{
	json_int_t only = 0;

	if (!rpc_params(call, "{s?:I}", "file", &only))
		return NULL;
	return for_files(call->d, only, append_holds);
}

/* ----------------------------------------------------------------- entries */

struct copied {
	uint64_t index;
	dax_entry_t entry;
	bool dirty, towrite, writeback;
};

/* Up to @max entries from *@index on, which moves; the last one ends it. */
static unsigned int copy_entries(struct file *f, uint64_t *index,
				 struct copied *to, unsigned int max)
{
	struct dax_table *table = &f->mapping.table;
	unsigned int n = 0;
	dax_entry_t entry;

	lock_take(&f->mapping.i_pages);
	while (n < max &&
	       (entry = dax_table_next(table, index, UINT64_MAX))) {
		to[n++] = (struct copied) {
			.index = dax_entry_first(entry, *index),
			.entry = entry,
			.dirty = dax_table_get_mark(table, *index,
						    DAX_MARK_DIRTY),
			.towrite = dax_table_get_mark(table, *index,
						      DAX_MARK_TOWRITE),
			.writeback = dax_table_get_mark(table, *index,
							DAX_MARK_WRITEBACK),
		};
		*index = dax_entry_last(entry, *index) + 1;
	}
	lock_release(&f->mapping.i_pages);
	return n;
}

static json_t *entry_json(const struct copied *c)
{
	const char *kind = dax_is_zero_entry(c->entry) ? "zero" :
			   dax_is_empty_entry(c->entry) ? "empty" : "real";

	return json_pack("{s:I,s:i,s:s,s:b,s:b,s:b,s:b,s:I}",
			 "index", (json_int_t)c->index,
			 "order", (int)dax_entry_order(c->entry), "kind", kind,
			 "locked", dax_is_locked(c->entry),
			 "dirty", (int)c->dirty, "towrite", (int)c->towrite,
			 "writeback", (int)c->writeback,
			 "pfn", (json_int_t)dax_to_pfn(c->entry));
}

static json_t *entries_of(struct file *f, uint64_t index, unsigned int max)
{
	struct copied *all = calloc(max, sizeof(*all));
	json_t *list, *o;
	unsigned int nr;

	if (!all)
		return NULL;
	nr = copy_entries(f, &index, all, max);
	list = json_array();
	for (unsigned int i = 0; i < nr; i++)
		json_array_append_new(list, entry_json(&all[i]));
	free(all);
	o = json_pack("{s:s,s:o}", "protocol", f->mapping.proto->name,
		      "entries", list);
	/* Fewer than were asked for: there is no more. */
	if (o && nr == max)
		json_object_set_new(o, "next", json_integer((json_int_t)index));
	return o;
}

json_t *method_list_entries(struct rpc_call *call)
{
	json_int_t id, first = 0, max = ENTRIES_MAX;
	struct file *f;
	json_t *result;

	if (!rpc_params(call, "{s:I,s?:I,s?:I}", "file", &id, "first", &first,
			"max", &max))
		return NULL;
	if (first < 0 || max < 1 || max > ENTRIES_MAX)
		return rpc_refuse(call, "first: from 0 on; max: 1 to %d",
				  ENTRIES_MAX);
	f = file_find(call->d, id);
	if (!f)
		return rpc_refuse(call, "file: nobody maps one with that id");
	result = entries_of(f, first, max);
	file_put(call->d, f);
	return result;
}
