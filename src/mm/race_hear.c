/* SPDX-License-Identifier: BSD-3-Clause */
/* What the tasks of a race say, from the log, on the way from a state to the next. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mm/race_int.h"

/* A run that is repeated says what is known, up to its last choice. */
static bool known(const struct race *x)
{
	return x->depth < x->nr_choices;
}

/* Of an attempt's line what is before its events: that it slept was told. */
static size_t without_events(const char *line, size_t len)
{
	const char *ev = memmem(line, len, " ev=", 4);

	return ev ? (size_t)(ev - line) : len;
}

static void hear_line(struct race *x, const char *line, size_t len)
{
	char *text = NULL;
	size_t size;
	FILE *out;

	/* The script may be further than the line: each has one of its own. */
	if (len > 3 && !memcmp(line, "op ", 3)) {
		x->log_op = x->log_op ? x->log_op + 1 : x->script->ops;
		return;
	}
	if (known(x) || !x->log_op)
		return;
	out = open_memstream(&text, &size);
	if (!out) {
		x->error = -ENOMEM;
		return;
	}
	outcomes_put_log_line(out, line, without_events(line, len),
			      x->log_op->text, !x->go || x->log_op > x->go);
	if (fclose(out))
		x->error = -ENOMEM;
	else if (size)
		x->label = said_line(&x->graph.said, x->label, !x->current,
				     text, size - 1);
	free(text);
}

void race_hear(struct race *x)
{
	const char *at, *end, *nl;

	fflush(x->r.log.out);
	if (x->len == x->heard)
		return;
	at = x->text + x->heard;
	end = x->text + x->len;
	if (!x->race->por)
		race_mix_log(x->task[x->current].said, at, end - at);
	x->heard = x->len;
	for (; (nl = memchr(at, '\n', end - at)); at = nl + 1)
		hear_line(x, at, nl - at);
}

void race_hear_sleep(struct race *x)
{
	if (!known(x) && x->r.log.collecting)
		x->label = said_slept(&x->graph.said, x->label, !x->current,
				      x->r.log.who);
}
