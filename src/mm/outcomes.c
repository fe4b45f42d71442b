/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mm/outcomes.h"

/* A piece of a text. */
struct piece {
	const char *at;
	size_t len;
};

static bool begins(struct piece p, const char *with)
{
	size_t n = strlen(with);

	return p.len >= n && !memcmp(p.at, with, n);
}

static void skip(struct piece *p, size_t n)
{
	p->at += n;
	p->len -= n;
}

/* The next line of @text, without its newline; false at the end. */
static bool next_line(struct piece *text, struct piece *line)
{
	const char *nl;

	if (!text->len)
		return false;
	nl = memchr(text->at, '\n', text->len);
	line->at = text->at;
	line->len = nl ? (size_t)(nl - text->at) : text->len;
	skip(text, nl ? line->len + 1 : line->len);
	return true;
}

/* The next word of @line, which loses it; empty at the end. */
static struct piece next_word(struct piece *line)
{
	struct piece word;

	while (line->len && line->at[0] == ' ')
		skip(line, 1);
	word.at = line->at;
	for (word.len = 0; word.len < line->len && line->at[word.len] != ' ';)
		word.len++;
	skip(line, word.len);
	return word;
}

static void put(FILE *out, struct piece p)
{
	fwrite(p.at, 1, p.len, out);
}

/* ------------------------------------------------------------------ order */

struct line {
	struct piece who, text;	/* @text: all of it */
	unsigned int rank, nr;
};

static unsigned int rank_of(struct piece who)
{
	unsigned int i, n = 0;

	if (begins(who, "="))
		return SCRIPT_THREADS + 3;
	if (begins(who, "main"))
		return SCRIPT_THREADS;
	if (begins(who, "child"))
		return SCRIPT_THREADS + 1;
	for (i = 1; i < who.len && who.at[i] >= '0' && who.at[i] <= '9'; i++)
		n = n * 10 + who.at[i] - '0';
	if (who.at[0] == 'T' && i > 1 && n < SCRIPT_THREADS)
		return n;
	return SCRIPT_THREADS + 2;
}

static int by_rank(const void *a, const void *b)
{
	const struct line *x = a, *y = b;

	if (x->rank != y->rank)
		return x->rank < y->rank ? -1 : 1;
	return x->nr < y->nr ? -1 : x->nr > y->nr;
}

/* The lines of an outcome, in the order of the grammar; NULL: no memory. */
static struct line *sorted_lines(struct piece text, unsigned int *nr)
{
	struct piece rest = text, line;
	struct line *l;
	unsigned int n = 0;

	while (next_line(&rest, &line))
		n++;
	l = calloc(n + 1, sizeof(*l));
	if (!l)
		return NULL;
	for (n = 0; next_line(&text, &line);) {
		struct piece words = line;

		l[n].who = next_word(&words);
		if (!l[n].who.len)
			continue;
		l[n].rank = rank_of(l[n].who);
		l[n].text.at = l[n].who.at;
		l[n].text.len = line.at + line.len - l[n].who.at;
		l[n].nr = n;
		n++;
	}
	qsort(l, n, sizeof(*l), by_rank);
	*nr = n;
	return l;
}

/* ------------------------------------------------------------------- core */

static void put_without(FILE *out, struct piece p, const char *what)
{
	size_t n = strlen(what);

	while (p.len) {
		size_t step = begins(p, what) ? n : 1;

		if (step == 1)
			fputc(p.at[0], out);
		skip(&p, step);
	}
}

/* One line less what makes no difference. */
static void put_core_line(FILE *out, struct piece line)
{
	struct piece word;
	const char *sep = "";

	while ((word = next_word(&line)).len) {
		if (begins(word, "lk=") || begins(word, "ev="))
			continue;
		fputs(sep, out);
		put_without(out, word, ".offcolour");
		sep = " ";
	}
	fputc('\n', out);
}

/* Does nobody look at it? Events, comments and what `extents` answered. */
static bool idle_line(const struct line *l)
{
	struct piece words = l->text;

	next_word(&words);
	words = next_word(&words);
	return begins(l->who, "#") || (words.len == 1 && words.at[0] == 's') ||
	       (begins(l->who, "=") && begins(words, "extents"));
}

static bool is_fault(const char *core)
{
	const char *colon = strchr(core, ':');

	return colon && !strncmp(colon, ": f ", 4);
}

static char *core_of_line(const struct line *l)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return NULL;
	put_core_line(out, l->text);
	if (!fclose(out))
		return text;
	free(text);
	return NULL;
}

static int put_core(FILE *out, const struct line *l, unsigned int nr)
{
	char *last = NULL, *core;
	unsigned int i;

	for (i = 0; i < nr; i++) {
		if (idle_line(&l[i]))
			continue;
		core = core_of_line(&l[i]);
		if (!core)
			break;
		if (!last || !is_fault(core) || strcmp(core, last))
			fputs(core, out);
		free(last);
		last = core;
	}
	free(last);
	return i < nr ? -ENOMEM : 0;
}

/* -------------------------------------------------------------------- set */

void outcomes_init(struct outcomes *set)
{
	memset(set, 0, sizeof(*set));
}

static void outcome_free(struct outcome *o)
{
	free(o->text);
	free(o->core);
}

void outcomes_free(struct outcomes *set)
{
	unsigned int i;

	for (i = 0; i < set->nr; i++)
		outcome_free(&set->list[i]);
	free(set->list);
	outcomes_init(set);
}

static int make(struct outcome *o, struct piece text)
{
	struct line *l;
	unsigned int nr, i;
	size_t len;
	FILE *out;
	int rc;

	memset(o, 0, sizeof(*o));
	l = sorted_lines(text, &nr);
	if (!l)
		return -ENOMEM;
	rc = -ENOMEM;
	out = open_memstream(&o->text, &len);
	if (out) {
		for (i = 0; i < nr; i++) {
			fputs("  ", out);
			put(out, l[i].text);
			fputc('\n', out);
		}
		rc = fclose(out) ? -ENOMEM : 0;
	}
	out = rc ? NULL : open_memstream(&o->core, &len);
	if (out) {
		rc = put_core(out, l, nr);
		if (fclose(out))
			rc = -ENOMEM;
	} else {
		rc = -ENOMEM;
	}
	free(l);
	if (rc)
		outcome_free(o);
	return rc;
}

static int append(struct outcomes *set, const struct outcome *o)
{
	if (set->nr == set->room) {
		unsigned int room = set->room ? 2 * set->room : 16;
		struct outcome *list = reallocarray(set->list, room,
						    sizeof(*list));

		if (!list)
			return -ENOMEM;
		set->list = list;
		set->room = room;
	}
	set->list[set->nr++] = *o;
	return 0;
}

int outcomes_add(struct outcomes *set, const char *text, size_t len,
		 unsigned long count)
{
	struct outcome o;
	unsigned int i;
	int rc;

	rc = make(&o, (struct piece){ text, len });
	if (rc)
		return rc;
	for (i = 0; i < set->nr; i++) {
		if (strcmp(set->list[i].text, o.text))
			continue;
		set->list[i].count += count;
		outcome_free(&o);
		return 0;
	}
	o.count = count;
	rc = append(set, &o);
	if (rc)
		outcome_free(&o);
	return rc;
}

bool outcomes_have(const struct outcomes *set, const struct outcome *o)
{
	unsigned int i;

	for (i = 0; i < set->nr; i++)
		if (!strcmp(set->list[i].core, o->core))
			return true;
	return false;
}

/* -------------------------------------------------------------- from a log */

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

static bool is(struct piece p, const char *s)
{
	return p.len == strlen(s) && begins(p, s);
}

static void put_log(FILE *out, struct piece log, bool all)
{
	struct piece line, op = { "", 0 };
	bool on = all;

	while (next_line(&log, &line)) {
		if (begins(line, "op ")) {
			op = behind_number(line);
		} else if (begins(line, "ret ")) {
			if (is(op, "go"))
				on = true;
			else if (on) {
				fputs("= ", out);
				put(out, op);
				fputs(" -> ", out);
				put(out, behind_number(line));
				fputc('\n', out);
			}
		} else if (begins(line, "  p ") || begins(line, "  f ")) {
			/* Released threads may be ahead of go's own result. */
			if (on || is(op, "go"))
				put_event(out, line);
		}
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

/* ------------------------------------------------------------------ parse */

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

/* ------------------------------------------------------------------ print */

static int by_count(const void *a, const void *b)
{
	const struct outcome *x = a, *y = b;

	if (x->count != y->count)
		return x->count > y->count ? -1 : 1;
	return strcmp(x->text, y->text);
}

void outcomes_sort(struct outcomes *set)
{
	if (set->nr)
		qsort(set->list, set->nr, sizeof(*set->list), by_count);
}

unsigned long outcomes_runs(const struct outcomes *set)
{
	unsigned long n = 0;
	unsigned int i;

	for (i = 0; i < set->nr; i++)
		n += set->list[i].count;
	return n;
}

unsigned long outcomes_waited(const struct outcomes *set)
{
	unsigned long n = 0;
	unsigned int i;
	const char *at;

	for (i = 0; i < set->nr; i++)
		for (at = set->list[i].text; (at = strstr(at, " WAITED\n"));
		     at++)
			n += set->list[i].count;
	return n;
}

void outcomes_print_one(const struct outcome *o, FILE *out)
{
	fprintf(out, "outcome x%lu\n%s", o->count, o->text);
}

void outcomes_print(struct outcomes *set, const char *more, FILE *out)
{
	unsigned int i;

	outcomes_sort(set);
	fprintf(out,
		"# race %s fs %s kernel %s runs %lu distinct %u faults-that-waited %lu%s%s\n",
		set->name, set->fs, set->kernel, outcomes_runs(set), set->nr,
		outcomes_waited(set), more && *more ? " " : "",
		more ? more : "");
	for (i = 0; i < set->nr; i++)
		outcomes_print_one(&set->list[i], out);
}
