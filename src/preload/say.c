/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <string.h>

#include "preload/shim.h"

struct line {
	char text[400];
	size_t len;
};

static void put(struct line *l, char c)
{
	if (l->len < sizeof(l->text) - 1)
		l->text[l->len++] = c;
}

static void put_string(struct line *l, const char *s)
{
	while (*s)
		put(l, *s++);
}

static void put_number(struct line *l, unsigned long v, unsigned int base)
{
	char digits[20];
	int n = 0;

	do {
		digits[n++] = "0123456789abcdef"[v % base];
		v /= base;
	} while (v);
	while (n)
		put(l, digits[--n]);
}

void say(const char *fmt, ...)
{
	struct line l = { .len = 0 };
	va_list ap;
	long v;

	put_string(&l, "udax: ");
	va_start(ap, fmt);
	for (; *fmt; fmt++) {
		if (*fmt != '%') {
			put(&l, *fmt);
			continue;
		}
		switch (*++fmt) {
		case 's':
			put_string(&l, va_arg(ap, const char *));
			break;
		case 'd':
			v = va_arg(ap, long);
			if (v < 0)
				put(&l, '-');
			put_number(&l, v < 0 ? -(unsigned long)v : (unsigned long)v, 10);
			break;
		case 'u':
			put_number(&l, va_arg(ap, unsigned long), 10);
			break;
		case 'x':
			put_string(&l, "0x");
			put_number(&l, va_arg(ap, unsigned long), 16);
			break;
		}
	}
	va_end(ap);
	l.text[l.len++] = '\n';	/* put() leaves this place free */
	sys3(SYS_write, 2, l.text, l.len);
}

const char *say_error(int err)
{
	/* A constant table in the C library: no locale, no allocation. */
	const char *s = strerrordesc_np(err);

	return s ? s : "unknown error";
}
