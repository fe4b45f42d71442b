/* SPDX-License-Identifier: BSD-3-Clause */
/* Methods that change how a running daemon behaves, and one for tests. */
#include <stdlib.h>
#include <string.h>

#include "daemon/detect.h"
#include "daemon/hold.h"
#include "daemon/methods.h"
#include "daemon/session.h"

/* The rules of the array @list, or NULL with the call's error set. */
static struct hold_rules *rules_of(struct rpc_call *call, const json_t *list)
{
	struct hold_rules *rules = calloc(1, sizeof(*rules));
	const json_t *item;
	char why[128];
	size_t i;

	if (!rules)
		return NULL;
	json_array_foreach(list, i, item) {
		const char *text = json_string_value(item);

		if (!text)
			snprintf(why, sizeof(why), "not a string");
		else if (!hold_rules_add(&rules, text, why, sizeof(why)))
			continue;
		rpc_refuse(call, "hold: %.60s%s%s", text ? text : "",
			   text ? ": " : "", why);
		hold_rules_free(rules);
		return NULL;
	}
	return rules;
}

json_t *method_set(struct rpc_call *call)
{
	struct hold_rules *rules = NULL;
	struct udaxd *d = call->d;
	const char *action = NULL;
	json_t *holds = NULL;
	int lost = -1;

	if (!rpc_params(call, "{s?:o,s?:s}", "hold", &holds, "on_lost_wakeup",
			&action))
		return NULL;
	if (holds && !json_is_array(holds))
		return rpc_refuse(call, "hold: an array of rules");
	if (action) {
		lost = udaxd_lost_find(action);
		if (lost < 0)
			return rpc_refuse(call, "on_lost_wakeup: none of report, kick, kill");
	}
	if (holds) {
		rules = rules_of(call, holds);
		if (!rules)
			return NULL;
	}
	/* All of it is right: now all of it is done. */
	if (rules)
		hold_set_rules(d, rules);
	if (action) {
		atomic_store(&d->on_lost, lost);
		detect_release(d);
	}
	return json_true();
}

/* ------------------------------------------------------------- for tests */

static const enum dax_op_kind kinds[] = {
	DAX_OP_WRITEBACK, DAX_OP_INVALIDATE, DAX_OP_DELETE_RANGE,
	DAX_OP_LOCK_ENTRY,
};

static int find_kind(const char *name)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strcmp(name, dax_kind_name(kinds[i])))
			return kinds[i];
	return -1;
}

/* In the name of a program that maps the file, so that it ends with it. */
static struct session *some_session(struct file *f)
{
	struct session *s = NULL;

	lock_take(&f->lock);
	if (!list_empty(&f->regions)) {
		s = list_first(&f->regions, struct region, file_link)->session;
		session_get(s);
	}
	lock_release(&f->lock);
	return s;
}

static void operation_done(struct exec *x, struct task *t)
{
	struct session *s = t->owner;
	struct file *f = t->file;

	task_free(x, t);
	file_put(x->d, f);
	if (s)
		session_put(s);
}

json_t *method_run_operation(struct rpc_call *call)
{
	json_int_t id, first, last;
	const char *name;
	struct file *f;
	struct task *t;
	int kind;

	if (!rpc_params(call, "{s:I,s:s,s:I,s:I}", "file", &id, "operation",
			&name, "first", &first, "last", &last))
		return NULL;
	kind = find_kind(name);
	if (kind < 0)
		return rpc_refuse(call, "operation: none of writeback, invalidate, delete-range, lock-entry");
	if (first < 0 || last < first)
		return rpc_refuse(call, "first, last: not a range of pages");
	f = file_find(call->d, id);
	if (!f)
		return rpc_refuse(call, "file: nobody maps one with that id");
	t = range_task(call->d, f, kind, first, last);
	if (!t)
		return NULL;
	/* As the kernel's callers: what is mapped has to fault again. */
	if (kind == DAX_OP_INVALIDATE || kind == DAX_OP_DELETE_RANGE)
		file_unmap(f, first, last - first + 1, false);
	t->done = operation_done;
	t->owner = some_session(f);
	pool_submit(call->d->pool, t);
	return json_true();
}
