/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Numbers, sizes and durations as people write them on a command line, and back.
 * The whole string must be used up; no sign, no leading space. Results: 0,
 * -EINVAL (not a number of that form) or -ERANGE (does not fit). On error
 * *@value is left alone.
 */
#ifndef UDAX_LIB_PARSE_H
#define UDAX_LIB_PARSE_H

#include <stddef.h>
#include <stdint.h>

/* Decimal, or hexadecimal with 0x. */
int parse_uint(const char *s, uint64_t max, uint64_t *value);
/* Bytes: a decimal number, then k, M, G or T (powers of two, either case). */
int parse_size(const char *s, uint64_t *bytes);
/* Nanoseconds: a decimal number with ns, us, ms or s; a bare 0 is allowed. */
int parse_duration(const char *s, uint64_t *ns);

/* "512", "4.00K", "2.50G": for people. @buf of at least 16 bytes; returns it. */
char *format_size(char *buf, size_t len, uint64_t bytes);
/* "740ns", "5.20us", "13.1ms", "2.40s": for people. As format_size(). */
char *format_duration(char *buf, size_t len, uint64_t ns);

#endif
