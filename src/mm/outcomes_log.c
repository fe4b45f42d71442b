/* SPDX-License-Identifier: BSD-3-Clause */
/* The outcome of one run, from its log. */
#include <errno.h>
#include <stdlib.h>

#include "mm/outcomes.h"
#include "mm/piece.h"

/* An ev= list, which goes on to the end of the line: is "wait" in it? */
static bool waited(struct piece line)
{
	const char *ev = memmem(line.at, line.len, " ev=", 4), *comma;
	struct piece list;

	if (!ev)
		return false;
	list.at = ev + 4;
	list.len = line.at + line.len - list.at;
	while (list.len) {
		comma = memchr(list.at, ',', list.len);
		if (begins(list, "wait") && (list.len == 4 || list.at[4] == ','))
			return true;
		skip(&list, comma ? (size_t)(comma - list.at) + 1 : list.len);
	}
	return false;
}

/* "  f WHO PLACE ..." or "  p WHO PLACE ..." */
static void put_event(FILE *out, struct piece line)
{
	bool slept = waited(line);
	struct piece kind = next_word(&line), who = next_word(&line), word;

	put(out, who);
	fputs(": ", out);
	put(out, kind);
	while ((word = next_word(&line)).len && !begins(word, "ev=")) {
		if (begins(word, "lk="))
			continue;
		fputc(' ', out);
		put_without(out, word, ".offcolour");
	}
	fputs(slept ? " WAITED\n" : "\n", out);
}

/* What follows "op N " or "ret N ". */
static struct piece behind_number(struct piece line)
{
	next_word(&line);
	next_word(&line);
	if (line.len)
		skip(&line, 1);
	return line;
}

static void put_log_line(FILE *out, struct piece line, struct piece op, bool on)
{
	if (begins(line, "ret ")) {
		if (!on || is(op, "go"))
			return;
		fputs("= ", out);
		put(out, op);
		fputs(" -> ", out);
		put(out, behind_number(line));
		fputc('\n', out);
	} else if (begins(line, "  p ") || begins(line, "  f ")) {
		/* Released threads may be ahead of go's own result. */
		if (on || is(op, "go"))
			put_event(out, line);
	}
}

void outcomes_put_log_line(FILE *out, const char *line, size_t len,
			   const char *op, bool on)
{
	put_log_line(out, (struct piece){ line, len },
		     (struct piece){ op, strlen(op) }, on);
}

static void put_log(FILE *out, struct piece log, bool all)
{
	struct piece line, op = { "", 0 };
	bool on = all;

	while (next_line(&log, &line)) {
		if (begins(line, "op "))
			op = behind_number(line);
		put_log_line(out, line, op, on);
		on |= begins(line, "ret ") && is(op, "go");
	}
}

static bool has_go(struct piece log)
{
	struct piece line;

	while (next_line(&log, &line))
		if (begins(line, "op ") && is(behind_number(line), "go"))
			return true;
	return false;
}

int outcomes_add_log(struct outcomes *set, const char *log, size_t len)
{
	struct piece text = { log, len };
	char *lines = NULL;
	size_t size;
	FILE *out = open_memstream(&lines, &size);
	int rc;

	if (!out)
		return -ENOMEM;
	put_log(out, text, !has_go(text));
	rc = fclose(out) ? -ENOMEM : outcomes_add(set, lines, size, 1);
	free(lines);
	return rc;
}
