/* SPDX-License-Identifier: BSD-3-Clause */
#include "daemon/sleeper.h"

#include <stdio.h>
#include <string.h>

struct session *task_session(const struct task *t)
{
	return t->kind == TASK_FAULT ? t->region->session : t->owner;
}

void sleeper_copy(struct sleeper *to, struct dax_op *op)
{
	const struct dax_waiter *w = &op->waiter;
	const struct task *t = task_of(op);
	const struct session *s = task_session(t);

	*to = (struct sleeper) {
		.pid = s ? s->pid : 0,
		.tid = t->kind == TASK_FAULT ? t->tid : 0,
		.kind = op->kind,
		.order = op->xas.order,
		.index = op->xas.index,
		.page = t->kind == TASK_FAULT ? op->pgoff : op->xas.index,
		.key = w->key.entry_start & ~DAX_KEY_PAGE_LOCK,
		.blocker = w->blocker,
		.blocker_order = w->blocker_order,
		.wakes = dax_unlock_key(op->mapping, w->blocker,
					w->blocker_order),
		.released = w->released,
		.exclusive = w->exclusive,
		.stranded = w->stranded,
		.woken = !w->queued,
		.since_ns = t->parked_ns,
	};
	if (s)
		memcpy(to->comm, s->comm, sizeof(to->comm));
}

void sleeper_name(const struct sleeper *s, char *buf, size_t len)
{
	char path[32], comm[16];
	FILE *f;

	if (!s->tid) {
		snprintf(buf, len, "%s/%d %s", s->pid ? s->comm : "udaxd",
			 (int)s->pid, dax_kind_name(s->kind));
		return;
	}
	memcpy(comm, s->comm, sizeof(comm));
	snprintf(path, sizeof(path), "/proc/%u/comm", s->tid);
	f = fopen(path, "re");
	if (f) {
		if (fgets(comm, sizeof(comm), f))
			comm[strcspn(comm, "\n")] = '\0';
		fclose(f);
	}
	snprintf(buf, len, "%s/%u", comm, s->tid);
}
