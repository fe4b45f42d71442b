/* SPDX-License-Identifier: BSD-3-Clause */
#include "lib/dist.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/parse.h"

#define SIGMA_MAX 5.0

/* Where the reason for a refusal goes. */
struct why {
	char *text;
	size_t len;
};

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
	if (*ns > DIST_MAX_NS)
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

static int uniform(char *low, char *high, struct dist *d, const struct why *why)
{
	int err = duration(low, &d->ns, why);

	if (!err)
		err = duration(high, &d->max, why);
	if (err)
		return err;
	d->shape = DIST_UNIFORM;
	if (d->max < d->ns)
		return refuse(why, "%s-%s: the first is the longer one", low, high);
	return 0;
}

static int parse(char *s, struct dist *d, const struct why *why)
{
	char *arg = strchr(s, ':'), *dash;
	int err;

	if (!arg) {
		dash = strchr(s, '-');
		d->shape = DIST_CONSTANT;
		if (!dash)
			return duration(s, &d->ns, why);
		*dash = '\0';
		return uniform(s, dash + 1, d, why);
	}
	*arg++ = '\0';
	if (!strcmp(s, "exp")) {
		d->shape = DIST_EXP;
		return duration(arg, &d->ns, why);
	}
	if (strcmp(s, "lognorm"))
		return refuse(why, "'%s' is no distribution: exp or lognorm", s);
	d->shape = DIST_LOGNORM;
	s = strchr(arg, ':');
	if (s)
		*s++ = '\0';
	err = duration(arg, &d->ns, why);
	return err ? err : sigma(s, &d->sigma, why);
}

int dist_parse(const char *text, struct dist *d, char *why, size_t why_len)
{
	struct why w = { why, why_len };
	struct dist new = { 0 };
	char copy[80];
	int err;

	if (strlen(text) >= sizeof(copy))
		return refuse(&w, "'%s' is too long for a time", text);
	strcpy(copy, text);
	err = parse(copy, &new, &w);
	if (!err)
		*d = new;
	return err;
}

/* ------------------------------------------------------------------- draws */

/* In (0, 1]: a logarithm is taken of it. */
static double unit(uint64_t random)
{
	return ((random >> 11) + 1) * 0x1p-53;
}

static double normal(uint64_t random)
{
	return sqrt(-2 * log(unit(random))) *
	       cos(2 * M_PI * unit(dist_mix(random ^ 0x5851f42d4c957f2du)));
}

static uint64_t bounded(double ns)
{
	return ns < DIST_MAX_NS ? (uint64_t)ns : DIST_MAX_NS;
}

uint64_t dist_draw(const struct dist *d, uint64_t random)
{
	switch (d->shape) {
	case DIST_CONSTANT:
		return d->ns;
	case DIST_UNIFORM:
		return d->ns + dist_below(random, d->max - d->ns + 1);
	case DIST_EXP:
		return bounded(-log(unit(random)) * d->ns);
	case DIST_LOGNORM:
		return bounded(exp(d->sigma * normal(random)) * d->ns);
	case DIST_VALUES:
		return d->nr ? d->values[dist_below(random, d->nr)] : 0;
	}
	return 0;
}

bool dist_some(const struct dist *d)
{
	return d->shape == DIST_VALUES ? d->nr : d->ns || d->max;
}

double dist_mean(const struct dist *d)
{
	double sum = 0;

	switch (d->shape) {
	case DIST_CONSTANT:
	case DIST_EXP:
		return d->ns;
	case DIST_UNIFORM:
		return ((double)d->ns + d->max) / 2;
	case DIST_LOGNORM:
		return d->ns * exp(d->sigma * d->sigma / 2);
	case DIST_VALUES:
		for (size_t i = 0; i < d->nr; i++)
			sum += d->values[i];
		return d->nr ? sum / d->nr : 0;
	}
	return 0;
}
