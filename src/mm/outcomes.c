/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mm/outcomes.h"
#include "mm/piece.h"

/* ------------------------------------------------------------------ order */

struct line {
	struct piece who, text;	/* @text: all of it */
	unsigned int rank, nr;
};

unsigned int outcomes_rank(const char *text, size_t len)
{
	struct piece who = { text, len };
	unsigned int i, n = 0;

	if (begins(who, "="))
		return SCRIPT_THREADS + 3;
	if (begins(who, "main"))
		return SCRIPT_THREADS;
	if (begins(who, "child"))
		return SCRIPT_THREADS + 1;
	for (i = 1; i < who.len && who.at[i] >= '0' && who.at[i] <= '9'; i++)
		n = n * 10 + who.at[i] - '0';
	if (who.len && who.at[0] == 'T' && i > 1 && n < SCRIPT_THREADS)
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
		l[n].rank = outcomes_rank(l[n].who.at, l[n].who.len);
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

/* Sets may have many thousand: most are told apart by it. */
static unsigned int hash_of(const char *text)
{
	unsigned int hash = 2166136261U;

	for (; *text; text++)
		hash = (hash ^ (uint8_t)*text) * 16777619U;
	return hash;
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
	if (!rc)
		o->hash = hash_of(o->text);
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
		if (set->list[i].hash != o.hash ||
		    strcmp(set->list[i].text, o.text))
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
