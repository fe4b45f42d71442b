/* SPDX-License-Identifier: BSD-3-Clause */
#include "lib/parse.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit sizes[] = {
	{ "", 1 },
	{ "k", 1ull << 10 },
	{ "m", 1ull << 20 },
	{ "g", 1ull << 30 },
	{ "t", 1ull << 40 },
	{ NULL, 0 }
};

static const struct unit durations[] = {
	{ "ns", 1 },
	{ "us", 1000 },
	{ "ms", 1000000 },
	{ "s", 1000000000 },
	{ NULL, 0 }
};

/* strtoull() would take a sign and leading space: the first byte decides. */
static int number(const char *s, int base, uint64_t *value, const char **end)
{
	char *e;

	if (!isdigit((unsigned char)*s))
		return -EINVAL;
	errno = 0;
	*value = strtoull(s, &e, base);
	*end = e;
	return -errno;
}

int parse_uint(const char *s, uint64_t max, uint64_t *value)
{
	int base = s[0] == '0' && (s[1] == 'x' || s[1] == 'X') ? 16 : 10;
	const char *end;
	uint64_t v;
	int err = number(s, base, &v, &end);

	if (err)
		return err;
	/* "0x" alone is the number 0 followed by an x. */
	if (*end)
		return -EINVAL;
	if (v > max)
		return -ERANGE;
	*value = v;
	return 0;
}

static int with_unit(const char *s, const struct unit *units, uint64_t *value)
{
	const char *end;
	uint64_t v;
	int err = number(s, 10, &v, &end);

	if (err)
		return err;
	for (; units->name; units++) {
		if (strcasecmp(end, units->name))
			continue;
		if (__builtin_mul_overflow(v, units->factor, &v))
			return -ERANGE;
		*value = v;
		return 0;
	}
	return -EINVAL;
}

int parse_size(const char *s, uint64_t *bytes)
{
	return with_unit(s, sizes, bytes);
}

int parse_duration(const char *s, uint64_t *ns)
{
	if (!strcmp(s, "0")) {
		*ns = 0;
		return 0;
	}
	return with_unit(s, durations, ns);
}

/* Two or three significant digits, so that columns stay narrow. */
static void scaled(char *buf, size_t len, double v, const char *unit)
{
	snprintf(buf, len, v < 9.995 ? "%.2f%s" : v < 99.95 ? "%.1f%s" : "%.0f%s",
		 v, unit);
}

char *format_size(char *buf, size_t len, uint64_t bytes)
{
	static const char *const names[] = { "K", "M", "G", "T", "P", "E" };
	double v = bytes;
	int i = -1;

	if (bytes < 1024) {
		snprintf(buf, len, "%u", (unsigned int)bytes);
		return buf;
	}
	/* 1023.5 would be printed as 1024. */
	for (; v >= 1023.5; i++)
		v /= 1024;
	scaled(buf, len, v, names[i < 0 ? 0 : i]);
	return buf;
}

char *format_duration(char *buf, size_t len, uint64_t ns)
{
	static const char *const names[] = { "us", "ms", "s" };
	double v = ns;
	int i = -1;

	if (ns < 1000) {
		snprintf(buf, len, "%uns", (unsigned int)ns);
		return buf;
	}
	for (; i < 0 || (v >= 999.5 && i < 2); i++)
		v /= 1000;
	scaled(buf, len, v, names[i]);
	return buf;
}
