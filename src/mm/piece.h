/* SPDX-License-Identifier: BSD-3-Clause */
/* Reading a text that is not copied, line by line and word by word. */
#ifndef UDAX_MM_PIECE_H
#define UDAX_MM_PIECE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* A piece of a text, somebody else's. No NUL at its end. */
struct piece {
	const char *at;
	size_t len;
};

static inline bool begins(struct piece p, const char *with)
{
	size_t n = strlen(with);

	return p.len >= n && !memcmp(p.at, with, n);
}

static inline bool is(struct piece p, const char *s)
{
	return p.len == strlen(s) && begins(p, s);
}

static inline void skip(struct piece *p, size_t n)
{
	p->at += n;
	p->len -= n;
}

/* The next line of @text, without its newline; false at the end. */
static inline bool next_line(struct piece *text, struct piece *line)
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
static inline struct piece next_word(struct piece *line)
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

static inline void put(FILE *out, struct piece p)
{
	fwrite(p.at, 1, p.len, out);
}

/* @p less every @what in it. */
static inline void put_without(FILE *out, struct piece p, const char *what)
{
	size_t n = strlen(what);

	while (p.len) {
		size_t step = begins(p, what) ? n : 1;

		if (step == 1)
			fputc(p.at[0], out);
		skip(&p, step);
	}
}

#endif
