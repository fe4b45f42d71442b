/* SPDX-License-Identifier: BSD-3-Clause */
#include "lib/hold.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/parse.h"

static const char *const kind_names[HOLD_NR] = {
	[HOLD_ALLOC] = "alloc",
	[HOLD_READ] = "read",
	[HOLD_FLUSH] = "flush",
};

/* Where the reason for a refusal goes. */
struct why {
	char *text;
	size_t len;
};

const char *hold_kind_name(enum hold_kind kind)
{
	return kind_names[kind];
}

static int __attribute__((format(printf, 2, 3)))
refuse(const struct why *why, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why->text, why->len, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static int find_kind(const char *name)
{
	for (int i = 0; i < HOLD_NR; i++)
		if (!strcmp(name, kind_names[i]))
			return i;
	return -1;
}

/* One KIND=TIME or seed=N; @seen: those that were there already. */
static int assignment(char *s, struct hold *h, unsigned int *seen,
		      const struct why *why)
{
	char *value = strchr(s, '=');
	unsigned int bit;
	int kind;

	if (!value)
		return refuse(why, "'%s' is not KIND=TIME", s);
	*value++ = '\0';
	kind = find_kind(s);
	if (kind < 0 && strcmp(s, "seed"))
		return refuse(why, "'%s' is neither alloc, read, flush nor seed",
			      s);
	bit = 1u << (kind < 0 ? HOLD_NR : kind);
	if (*seen & bit)
		return refuse(why, "%s is there twice", s);
	*seen |= bit;
	if (kind >= 0 && !strcmp(value, "gate")) {
		h->gates |= bit;
		return 0;
	}
	if (kind >= 0)
		return dist_parse(value, &h->time[kind], why->text, why->len);
	if (parse_uint(value, UINT64_MAX, &h->seed))
		return refuse(why, "seed=%s: not a number", value);
	return 0;
}

/* A file's name may have any byte in it: what counts is what follows the ':'. */
static char *skip_glob(char *s)
{
	char *rest = s;

	for (char *p = s; (p = strchr(p, ':')); p++) {
		size_t len = strcspn(p + 1, "=");
		char name[8] = "";

		if (p[1 + len] != '=' || len >= sizeof(name))
			continue;
		memcpy(name, p + 1, len);
		if (find_kind(name) >= 0 || !strcmp(name, "seed"))
			rest = p + 1;
	}
	return rest;
}

static int parse(char *text, struct hold *h, const struct why *why)
{
	char *s = skip_glob(text), *next;
	unsigned int seen = 0;
	int err = 0;

	if (s != text) {
		s[-1] = '\0';
		if (!*text)
			return refuse(why, "no file name before the ':'");
		h->glob = strdup(text);
		if (!h->glob) {
			refuse(why, "no memory");
			return -ENOMEM;
		}
	}
	while (!err && (next = strsep(&s, ",")))
		err = assignment(next, h, &seen, why);
	return err;
}

int hold_parse(const char *text, struct hold *h, char *why, size_t why_len)
{
	struct why w = { why, why_len };
	char *copy = strdup(text);
	int err;

	*h = (struct hold) { .text = strdup(text), .seed = 1 };
	if (copy && h->text) {
		err = parse(copy, h, &w);
	} else {
		refuse(&w, "no memory");
		err = -ENOMEM;
	}
	free(copy);
	if (err)
		hold_free(h);
	return err;
}

void hold_free(struct hold *h)
{
	free(h->glob);
	free(h->text);
	h->glob = h->text = NULL;
}

uint64_t hold_draw(const struct hold *h, enum hold_kind kind, uint64_t n)
{
	return dist_draw(&h->time[kind], dist_bits(h->seed + kind, n));
}
