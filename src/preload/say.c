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

static struct stat first;	/* what descriptor 2 was at the start */

void say_start(void)
{
	sys_fstat(2, &first);
}

/*
 * A program that closed its stderr may have got the number again for a file of
 * its own, in which a line of ours would be damage.
 */
static bool is_stderr(void)
{
	struct stat st;

	return !sys_fstat(2, &st) && (!S_ISREG(st.st_mode) ||
	       (st.st_dev == first.st_dev && st.st_ino == first.st_ino));
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
	if (is_stderr())
		sys3(SYS_write, 2, l.text, l.len);
}

const char *say_error(int err)
{
	/* A constant table in the C library: no locale, no allocation. */
	const char *s = strerrordesc_np(err);

	return s ? s : "unknown error";
}
