/* SPDX-License-Identifier: BSD-3-Clause */
#include "lib/hold.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/parse.h"

#define SIGMA_MAX 5.0

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

static int duration(const char *s, uint64_t *ns, const struct why *why)
{
	if (parse_duration(s, ns))
		return refuse(why, "'%s' is no time: a number with ns, us, ms or s",
			      s);
	if (*ns > HOLD_MAX_NS)
		return refuse(why, "'%s' is longer than a minute", s);
	return 0;
}

/* strtod() would take signs, blanks, hexadecimal and "inf". */
static int sigma(const char *s, double *value, const struct why *why)
{
	char *end;

	if (s && *s && strspn(s, "0123456789.") == strlen(s)) {
		*value = strtod(s, &end);
		if (!*end && *value <= SIGMA_MAX)
			return 0;
	}
	return refuse(why, "lognorm takes a median and a sigma of at most %g, as in lognorm:50us:0.5",
		      SIGMA_MAX);
}

static int uniform(char *low, char *high, struct hold_time *t,
		   const struct why *why)
{
	int err = duration(low, &t->ns, why);

	if (!err)
		err = duration(high, &t->max, why);
	if (err)
		return err;
	t->shape = HOLD_UNIFORM;
	if (t->max < t->ns)
		return refuse(why, "%s-%s: the first is the longer one", low, high);
	return 0;
}

static int time_of(char *s, struct hold_time *t, const struct why *why)
{
	char *arg = strchr(s, ':'), *dash;
	int err;

	if (!arg) {
		dash = strchr(s, '-');
		t->shape = HOLD_CONSTANT;
		if (!dash)
			return duration(s, &t->ns, why);
		*dash = '\0';
		return uniform(s, dash + 1, t, why);
	}
	*arg++ = '\0';
	if (!strcmp(s, "exp")) {
		t->shape = HOLD_EXP;
		return duration(arg, &t->ns, why);
	}
	if (strcmp(s, "lognorm"))
		return refuse(why, "'%s' is no distribution: exp or lognorm", s);
	t->shape = HOLD_LOGNORM;
	s = strchr(arg, ':');
	if (s)
		*s++ = '\0';
	err = duration(arg, &t->ns, why);
	return err ? err : sigma(s, &t->sigma, why);
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
	if (kind >= 0)
		return time_of(value, &h->time[kind], why);
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

/* splitmix64: a bijection that leaves no trace of the order of its inputs. */
static uint64_t mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15u;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

/* In (0, 1]: a logarithm is taken of it. */
static double unit(uint64_t random)
{
	return ((random >> 11) + 1) * 0x1p-53;
}

static double normal(uint64_t random)
{
	return sqrt(-2 * log(unit(random))) *
	       cos(2 * M_PI * unit(mix(random ^ 0x5851f42d4c957f2du)));
}

uint64_t hold_draw(const struct hold *h, enum hold_kind kind, uint64_t n)
{
	const struct hold_time *t = &h->time[kind];
	uint64_t random = mix(mix(h->seed + kind) + n);
	double ns;

	switch (t->shape) {
	case HOLD_CONSTANT:
		return t->ns;
	case HOLD_UNIFORM:
		/* At most a minute: the remainder's bias is nothing. */
		return t->ns + random % (t->max - t->ns + 1);
	case HOLD_EXP:
		ns = -log(unit(random)) * t->ns;
		break;
	default:
		ns = t->ns * exp(t->sigma * normal(random));
		break;
	}
	return ns < HOLD_MAX_NS ? (uint64_t)ns : HOLD_MAX_NS;
}
