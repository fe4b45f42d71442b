/* SPDX-License-Identifier: BSD-3-Clause */
/* The scenario language: numbers, arguments, names, errors with their line. */
#include "unit.h"

#include <errno.h>
#include <stdio.h>

#include "mm/script.h"

static int parse(struct script *s, const char *text, struct script_error *err)
{
	return script_parse(s, text, strlen(text), err);
}

static void refuse(const char *text, unsigned int line, const char *words)
{
	struct script_error err;
	struct script s;

	assert_int_equal(parse(&s, text, &err), -EINVAL);
	assert_int_equal(err.line, line);
	if (!strstr(err.msg, words))
		fail_msg("'%s': '%s' has no '%s'", text, err.msg, words);
	assert_null(s.ops);
}

static void test_numbers(void **state)
{
	static const struct {
		const char *s;
		uint64_t value;
	} good[] = {
		{ "0", 0 }, { "4096", 4096 }, { "0x10", 16 }, { "0xfP", 61440 },
		{ "1K", 1024 }, { "2M", 2 << 20 }, { "1G", 1 << 30 },
		{ "3P", 12288 }, { "1KK", 1 << 20 }, { "010", 10 },
		{ "2M-4K", (2 << 20) - 4096 }, { "4K+2000", 6096 },
		{ "1M-4K+1-1", (1 << 20) - 4096 },
		{ "18446744073709551615", UINT64_MAX },
	};
	static const struct {
		const char *s;
		int rc;
	} bad[] = {
		{ "", -EINVAL }, { "K", -EINVAL }, { "4k", -EINVAL },
		{ "-1", -EINVAL }, { "+1", -EINVAL }, { "4K-", -EINVAL },
		{ "4K--1", -EINVAL }, { "0x", -EINVAL }, { "1 2", -EINVAL },
		{ "4T", -EINVAL }, { "4K-8K", -ERANGE },
		{ "18446744073709551616", -ERANGE }, { "17179869184G", -ERANGE },
		{ "18446744073709551615+1", -ERANGE },
	};
	uint64_t value;
	unsigned int i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(script_number(good[i].s, &value), 0);
		assert_int_equal(value, good[i].value);
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		value = 77;
		assert_int_equal(script_number(bad[i].s, &value), bad[i].rc);
		assert_int_equal(value, 77);
	}
}

/* An operation of each kind, with all its arguments. */
static const char all[] =
	"create A 8M\n"
	"prealloc A 0 1M\n"
	"punch A 1P 2P\n"
	"zero A 1P 2P\n"
	"collapse A 1P 2P\n"
	"truncate A 5000\n"
	"pwrite A 1 2 0x7f\n"
	"pread A 1 2\n"
	"fsync A\n"
	"close A\n"
	"open A\n"
	"stat A\n"
	"extents A\n"
	"map M A sync r 1M 4M 3\n"
	"munmap M 4K 8K\n"
	"msync M 4K 8K\n"
	"mprotect M 4K 8K -\n"
	"madvise M 4K 8K populate_write\n"
	"mremap M 4K 8K N 9\n"
	"touch 15 M 4K w 0xff\n"
	"atouch 3 M 4K r\n"
	"arm 2 M 4K w\n"
	"go\n"
	"join 2\n"
	"child M 4K w 1\n"
	"readinto M 4K A 8K 12K\n"
	"writefrom M 4K A 8K 12K\n"
	"dropcaches\n";

static void test_operations(void **state)
{
	struct script_error err;
	struct script s;
	unsigned int i;

	assert_int_equal(parse(&s, all, &err), 0);
	assert_int_equal(s.nr, SCRIPT_NR);
	for (i = 0; i < s.nr; i++) {
		assert_int_equal(s.ops[i].kind, i);
		assert_int_equal(s.ops[i].nr, i + 1);
		assert_int_equal(s.ops[i].line, i + 1);
	}
	assert_int_equal(s.ops[SCRIPT_CREATE].len, 8 << 20);
	assert_int_equal(s.ops[SCRIPT_PWRITE].byte, 0x7f);
	assert_int_equal(s.ops[SCRIPT_MAP].map_kind, SCRIPT_SYNC);
	assert_int_equal(s.ops[SCRIPT_MAP].prot, SCRIPT_PROT_R);
	assert_int_equal(s.ops[SCRIPT_MAP].map, 'M' - 'A');
	assert_int_equal(s.ops[SCRIPT_MAP].colour, 3);
	assert_int_equal(s.ops[SCRIPT_MPROTECT].prot, SCRIPT_PROT_NONE);
	assert_int_equal(s.ops[SCRIPT_MADVISE].advice, SCRIPT_POPULATE_WRITE);
	assert_int_equal(s.ops[SCRIPT_MREMAP].map, 'M' - 'A');
	assert_int_equal(s.ops[SCRIPT_MREMAP].to, 'N' - 'A');
	assert_int_equal(s.ops[SCRIPT_MREMAP].colour, 9);
	assert_int_equal(s.ops[SCRIPT_TOUCH].thread, 15);
	assert_true(s.ops[SCRIPT_TOUCH].write);
	assert_int_equal(s.ops[SCRIPT_TOUCH].byte, 0xff);
	assert_false(s.ops[SCRIPT_ATOUCH].write);
	assert_int_equal(s.ops[SCRIPT_ARM].byte, SCRIPT_BYTE);
	assert_int_equal(s.ops[SCRIPT_READINTO].off, 4096);
	assert_int_equal(s.ops[SCRIPT_READINTO].foff, 8192);
	assert_int_equal(s.ops[SCRIPT_READINTO].len, 12288);
	script_free(&s);
}

static void test_lines(void **state)
{
	static const char text[] =
		"# a comment\n"
		"\n"
		"  create  A\t8M   # the file\r\n"
		"\t# nothing\n"
		"stat A";
	struct script_error err;
	struct script s;

	assert_int_equal(parse(&s, text, &err), 0);
	assert_int_equal(s.nr, 2);
	assert_string_equal(s.ops[0].text, "create  A\t8M");
	assert_int_equal(s.ops[0].line, 3);
	assert_string_equal(s.ops[1].text, "stat A");
	assert_int_equal(s.ops[1].nr, 2);
	assert_int_equal(s.ops[1].line, 5);
	script_free(&s);
	assert_int_equal(parse(&s, "", &err), 0);
	assert_int_equal(s.nr, 0);
	script_free(&s);
}

/* A mapping's colour follows the file offset unless it is given. */
static void test_colour(void **state)
{
	static const char text[] =
		"create A 8M\n"
		"map M A shared rw 1M 4M\n"
		"map N A shared rw 0 4M 1\n"
		"map O A shared rw 3M 1M\n"
		"mremap M 1M 1M P\n"
		"mremap N 4K 1M Q\n";
	struct script_error err;
	struct script s;

	assert_int_equal(parse(&s, text, &err), 0);
	assert_int_equal(s.ops[1].colour, 256);
	assert_int_equal(s.ops[2].colour, 1);
	assert_int_equal(s.ops[3].colour, 256);
	assert_int_equal(s.ops[4].colour, 0);
	assert_int_equal(s.ops[5].colour, 2);
	script_free(&s);
}

static void test_errors(void **state)
{
	refuse("frob A\n", 1, "unknown operation 'frob'");
	refuse("create A 1M\nstat B\n", 2, "file B is not defined");
	refuse("\n\ntouch 0 M 0 r\n", 3, "mapping M is not defined");
	refuse("create A1 1M\n", 1, "'A1' is no name of a file");
	refuse("create A 1M\nmap MM A shared r 0 4K\n", 2, "name of a mapping");
	refuse("create A 1M\nmap M A public r 0 4K\n", 2, "'public'");
	refuse("create A 1M\nmap M A shared x 0 4K\n", 2, "protection 'x'");
	refuse("create A 1M\nmap M A shared none 0 4K\n", 2, "'none'");
	refuse("create A 1M\nmap M A shared r 0 4K\nmadvise M 0 4K x\n", 3,
	       "unknown advice 'x'");
	refuse("create A 1M\nmap M A shared r 0 4K\ntouch 0 M 0 x\n", 3,
	       "unknown access 'x'");
	refuse("create A 1M\nmap M A shared r 0 4K\ntouch 16 M 0 r\n", 3,
	       "thread '16' is above 15");
	refuse("create A 1M\npwrite A 0 1 256\n", 2, "byte '256'");
	refuse("create A\n", 1, "too few arguments");
	refuse("create A 1M 2M\n", 1, "unexpected '2M'");
	refuse("go 1\n", 1, "unexpected '1'");
	refuse("go 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15\n", 1, "unexpected");
}

static void test_slots(void **state)
{
	static const char head[] = "create A 1M\nmap M A shared rw 0 4K 1\n";
	static const char *const good[] = {
		"touch 0 M 1024G-4K-1 r\n",
		"msync M 0 1024G-4K\n",
		"munmap M 1024G-4K 0\n",
		"map N A shared r 0 1024G\n",
	};
	static const char *const bad[] = {
		"touch 0 M 1024G-4K r\n",
		"msync M 4K 1024G-4K\n",
		"mprotect M 1024G 0 r\n",
		"readinto M 1024G-8K A 0 8K\n",
		"mremap M 0 8K N 1024GP\n",
		"map N A shared r 0 4K 268435456\n",
		"map N A shared r 0 1024G 1\n",
		"child M 18446744073709551615 r\n",
	};
	struct script_error err;
	struct script s;
	char text[200];
	unsigned int i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		snprintf(text, sizeof(text), "%s%s", head, good[i]);
		assert_int_equal(parse(&s, text, &err), 0);
		script_free(&s);
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(text, sizeof(text), "%s%s", head, bad[i]);
		refuse(text, 3, "past the 1T slot");
	}
}

static void test_not_text(void **state)
{
	static const char text[] = "create A 1M\n\0stat A\n";
	struct script_error err;
	struct script s;

	assert_int_equal(script_parse(&s, text, sizeof(text) - 1, &err),
			 -EINVAL);
	assert_int_equal(err.line, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_operations),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_colour),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_slots),
		cmocka_unit_test(test_not_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
