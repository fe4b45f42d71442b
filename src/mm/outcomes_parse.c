/* SPDX-License-Identifier: BSD-3-Clause */
/* A set of outcomes, from the text that outcomes_print() writes. */
#include <errno.h>
#include <stdlib.h>

#include "mm/outcomes.h"
#include "mm/piece.h"

static int fail(struct script_error *err, unsigned int line, const char *msg)
{
	err->line = line;
	snprintf(err->msg, sizeof(err->msg), "%s", msg);
	return -EINVAL;
}

static void keep(char *to, size_t room, struct piece p)
{
	snprintf(to, room, "%.*s", (int)p.len, p.at);
}

/* "# race NAME fs FS kernel K ...": pairs of a word and its value. */
static void parse_header(struct outcomes *set, struct piece line)
{
	struct piece word, value;

	next_word(&line);
	while ((word = next_word(&line)).len && (value = next_word(&line)).len) {
		if (is(word, "race"))
			keep(set->name, sizeof(set->name), value);
		else if (is(word, "fs"))
			keep(set->fs, sizeof(set->fs), value);
		else if (is(word, "kernel"))
			keep(set->kernel, sizeof(set->kernel), value);
	}
}

/* "outcome xN" */
static bool parse_count(struct piece line, unsigned long *count)
{
	struct piece word;
	char digits[20], *end;

	next_word(&line);
	word = next_word(&line);
	if (!begins(word, "x") || word.len < 2 || word.len >= sizeof(digits) ||
	    next_word(&line).len)
		return false;
	skip(&word, 1);
	keep(digits, sizeof(digits), word);
	*count = strtoul(digits, &end, 10);
	return digits[0] >= '0' && digits[0] <= '9' && !*end;
}

/* "WHO: p|f|s ..." or "= OPERATION -> RESULT" */
static bool good_line(struct piece line)
{
	struct piece who = next_word(&line), kind = next_word(&line);

	if (is(who, "="))
		return memmem(line.at, line.len, " -> ", 4);
	return who.len > 1 && who.at[who.len - 1] == ':' && kind.len;
}

static int parse(struct outcomes *set, struct piece text,
		 struct script_error *err)
{
	struct piece line, body = { NULL, 0 };
	unsigned long count = 0;
	unsigned int nr = 0;
	int rc = 0;

	while (!rc && next_line(&text, &line)) {
		nr++;
		if (memchr(line.at, '\0', line.len))
			return fail(err, nr, "not a text");
		if (begins(line, "# race "))
			parse_header(set, line);
		if (begins(line, "#") || !line.len)
			continue;
		if (begins(line, "outcome ")) {
			if (body.at)
				rc = outcomes_add(set, body.at, body.len,
						  count);
			if (!parse_count(line, &count))
				return fail(err, nr, "not 'outcome xN'");
			body = (struct piece){ text.at, 0 };
		} else if (!body.at) {
			return fail(err, nr, "before the first outcome");
		} else if (!good_line(line)) {
			return fail(err, nr, "not a line of an outcome");
		} else {
			body.len = line.at + line.len - body.at;
		}
	}
	if (!rc && body.at)
		rc = outcomes_add(set, body.at, body.len, count);
	return rc;
}

int outcomes_parse(struct outcomes *set, const char *text, size_t len,
		   struct script_error *err)
{
	int rc;

	outcomes_init(set);
	rc = parse(set, (struct piece){ text, len }, err);
	if (rc)
		outcomes_free(set);
	return rc;
}
