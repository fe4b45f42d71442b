/* SPDX-License-Identifier: BSD-3-Clause */
#include "mm/race_said.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mm/piece.h"

/* Threads, main, child, operations, anybody else: as outcomes are sorted. */
#define SPEAKERS	(SCRIPT_THREADS + 4)

struct pair {
	uint32_t a, b;
};

void said_init(struct said *s)
{
	memset(s, 0, sizeof(*s));
	intern_init(&s->words);
	intern_init(&s->labels);
	intern_init(&s->chains);
	intern_init(&s->ends);
	intern_init(&s->sets);
}

void said_exit(struct said *s)
{
	intern_exit(&s->words);
	intern_exit(&s->labels);
	intern_exit(&s->chains);
	intern_exit(&s->ends);
	intern_exit(&s->sets);
	free(s->ends_of);
}

static uint32_t pair_add(struct said *s, struct intern *in, uint32_t a, uint32_t b)
{
	struct pair p = { a, b };
	uint32_t nr = intern_add(in, &p, sizeof(p));

	s->nomem |= in->nomem;
	return nr;
}

static struct pair pair_of(const struct intern *in, uint32_t nr)
{
	struct pair p;

	memcpy(&p, intern_data(in, nr), sizeof(p));
	return p;
}

/* ----------------------------------------------------------------- words */

uint32_t said_line(struct said *s, uint32_t label, bool script, const char *line,
		   size_t len)
{
	uint32_t text = intern_add(&s->words, line, len);

	s->nomem |= s->words.nomem;
	return pair_add(s, &s->labels, label, text << 1 | script);
}

/* The mark is a line of a single word. */
uint32_t said_slept(struct said *s, uint32_t label, bool script, const char *who)
{
	return said_line(s, label, script, who, strlen(who));
}

static struct piece text_of(const struct said *s, uint32_t word)
{
	return (struct piece){ intern_data(&s->words, word >> 1),
			       intern_len(&s->words, word >> 1) };
}

static bool is_mark(struct piece text)
{
	return !memchr(text.at, ' ', text.len);
}

static unsigned int speaker_of(struct piece text)
{
	struct piece who = next_word(&text);

	return outcomes_rank(who.at, who.len);
}

/* ------------------------------------------------------------------ ends */

static void get_end(const struct said *s, uint32_t end, uint32_t chain[SPEAKERS])
{
	if (end)
		memcpy(chain, intern_data(&s->ends, end),
		       SPEAKERS * sizeof(*chain));
	else
		memset(chain, 0, SPEAKERS * sizeof(*chain));
}

/*
 * Is the mark @word idle before @chain? How often an attempt has slept does not
 * matter, nor that it has if it never ends: there is no line to tell it.
 */
static bool idle_mark(const struct said *s, uint32_t word, uint32_t chain)
{
	while (chain) {
		struct pair p = pair_of(&s->chains, chain);

		if (p.a == word)
			return true;
		if (!is_mark(text_of(s, p.a)))
			return false;
		chain = p.b;
	}
	return true;
}

/* The end that is @word and then @end. */
static uint32_t word_before(struct said *s, uint32_t word, uint32_t end)
{
	uint32_t chain[SPEAKERS], nr;
	struct piece text = text_of(s, word);
	unsigned int speaker = speaker_of(text);

	get_end(s, end, chain);
	if (is_mark(text) && idle_mark(s, word, chain[speaker]))
		return end;
	chain[speaker] = pair_add(s, &s->chains, word, chain[speaker]);
	nr = intern_add(&s->ends, chain, sizeof(chain));
	s->nomem |= s->ends.nomem;
	return nr;
}

static uint32_t label_before(struct said *s, uint32_t label, uint32_t end)
{
	while (label && !s->nomem) {
		struct pair p = pair_of(&s->labels, label);

		end = word_before(s, p.b, end);
		label = p.a;
	}
	return end;
}

/* ------------------------------------------------------------------ sets */

static bool collect_room(struct said *s, size_t more)
{
	size_t room = 2 * (s->nr + more);
	uint32_t *list;

	if (s->nr + more <= s->room)
		return true;
	list = reallocarray(s->ends_of, room, sizeof(*list));
	if (!list) {
		s->nomem = true;
		return false;
	}
	s->ends_of = list;
	s->room = room;
	return true;
}

void said_collect(struct said *s, uint32_t label, uint32_t set)
{
	size_t n = intern_len(&s->sets, set) / sizeof(uint32_t), i;
	const uint32_t *end = intern_data(&s->sets, set);

	if (!collect_room(s, n))
		return;
	for (i = 0; i < n; i++)
		s->ends_of[s->nr++] = label_before(s, label, end[i]);
}

static int by_number(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

uint32_t said_collected(struct said *s)
{
	size_t i, n = 0;
	uint32_t set;

	if (s->nr)
		qsort(s->ends_of, s->nr, sizeof(*s->ends_of), by_number);
	for (i = 0; i < s->nr; i++)
		if (!n || s->ends_of[n - 1] != s->ends_of[i])
			s->ends_of[n++] = s->ends_of[i];
	set = intern_add(&s->sets, s->ends_of ? (void *)s->ends_of : "",
			 n * sizeof(*s->ends_of));
	s->nomem |= s->sets.nomem;
	s->nr = 0;
	return set;
}

uint32_t said_nothing(struct said *s)
{
	if (collect_room(s, 1))
		s->ends_of[s->nr++] = 0;
	return said_collected(s);
}

/* -------------------------------------------------------------- outcomes */

static void put_chain(const struct said *s, uint32_t chain, FILE *out)
{
	bool slept[2] = { false, false };

	while (chain) {
		struct pair p = pair_of(&s->chains, chain);
		struct piece text = text_of(s, p.a);

		chain = p.b;
		if (is_mark(text)) {
			slept[p.a & 1] = true;
			continue;
		}
		put(out, text);
		if (slept[p.a & 1] && memmem(text.at, text.len, ": f ", 4)) {
			fputs(" WAITED", out);
			slept[p.a & 1] = false;
		}
		fputc('\n', out);
	}
}

static int end_outcome(const struct said *s, uint32_t end, struct outcomes *set)
{
	uint32_t chain[SPEAKERS], i;
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	int rc;

	if (!out)
		return -ENOMEM;
	get_end(s, end, chain);
	for (i = 0; i < SPEAKERS; i++)
		put_chain(s, chain[i], out);
	rc = fclose(out) ? -ENOMEM : outcomes_add(set, text, len, 1);
	free(text);
	return rc;
}

int said_outcomes(struct said *s, uint32_t set, struct outcomes *out)
{
	size_t n = intern_len(&s->sets, set) / sizeof(uint32_t), i;
	const uint32_t *end = intern_data(&s->sets, set);
	int rc = s->nomem ? -ENOMEM : 0;

	for (i = 0; i < n && !rc; i++)
		rc = end_outcome(s, end[i], out);
	/* Who said it, the script or the thread, does not show. */
	for (i = 0; i < out->nr; i++)
		out->list[i].count = 1;
	return rc;
}
