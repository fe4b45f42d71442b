/* SPDX-License-Identifier: BSD-3-Clause */
/* Numbers, sizes, durations and directories from a command line. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/parse.h"
#include "lib/path.h"

#define UNTOUCHED 12345

static void test_uint(void **state)
{
	static const struct {
		const char *text;
		uint64_t max, value;
		int err;
	} rows[] = {
		{ "0", 0, 0, 0 },
		{ "1", 0, 0, -ERANGE },
		{ "42", 100, 42, 0 },
		{ "0x2A", 100, 42, 0 },
		{ "18446744073709551615", UINT64_MAX, UINT64_MAX, 0 },
		{ "18446744073709551616", UINT64_MAX, 0, -ERANGE },
		{ "", 9, 0, -EINVAL },
		{ " 1", 9, 0, -EINVAL },
		{ "-1", UINT64_MAX, 0, -EINVAL },
		{ "+1", 9, 0, -EINVAL },
		{ "1 ", 9, 0, -EINVAL },
		{ "0x", 9, 0, -EINVAL },
		{ "010", 100, 10, 0 },	/* no octal */
		{ "1k", 9999, 0, -EINVAL },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t v = UNTOUCHED;

		if (parse_uint(rows[i].text, rows[i].max, &v) != rows[i].err)
			fail_msg("'%s'", rows[i].text);
		assert_true(v == (rows[i].err ? UNTOUCHED : rows[i].value));
	}
}

struct row {
	const char *text;
	uint64_t value;
	int err;
};

static void check(const struct row *rows, size_t nr,
		  int (*parse)(const char *s, uint64_t *value))
{
	for (size_t i = 0; i < nr; i++) {
		uint64_t v = UNTOUCHED;

		if (parse(rows[i].text, &v) != rows[i].err)
			fail_msg("'%s'", rows[i].text);
		assert_true(v == (rows[i].err ? UNTOUCHED : rows[i].value));
	}
}

static void test_size(void **state)
{
	static const struct row rows[] = {
		{ "0", 0, 0 }, { "4096", 4096, 0 }, { "4k", 4096, 0 },
		{ "4K", 4096, 0 }, { "2M", 2 << 20, 0 }, { "1g", 1 << 30, 0 },
		{ "16T", 16ull << 40, 0 }, { "16777216T", 0, -ERANGE },
		{ "k", 0, -EINVAL }, { "4kb", 0, -EINVAL }, { "4 k", 0, -EINVAL },
		{ "1.5M", 0, -EINVAL }, { "-4k", 0, -EINVAL }, { "", 0, -EINVAL },
	};

	check(rows, sizeof(rows) / sizeof(rows[0]), parse_size);
}

static void test_duration(void **state)
{
	static const struct row rows[] = {
		{ "0", 0, 0 }, { "0s", 0, 0 }, { "7ns", 7, 0 },
		{ "5us", 5000, 0 }, { "12ms", 12000000, 0 },
		{ "3s", 3000000000, 0 }, { "18446744074s", 0, -ERANGE },
		{ "5", 0, -EINVAL }, { "5m", 0, -EINVAL }, { "us", 0, -EINVAL },
		{ "5 us", 0, -EINVAL }, { "", 0, -EINVAL },
	};

	check(rows, sizeof(rows) / sizeof(rows[0]), parse_duration);
}

static void test_format_size(void **state)
{
	static const struct {
		uint64_t value;
		const char *text;
	} rows[] = {
		{ 0, "0" }, { 1023, "1023" }, { 1024, "1.00K" },
		{ 4096, "4.00K" }, { 10239, "10.0K" }, { 1048575, "1.00M" },
		{ 2 << 20, "2.00M" }, { 1000 << 20, "1000M" },
		{ 1ull << 40, "1.00T" }, { UINT64_MAX, "16.0E" },
	};
	char buf[16];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(format_size(buf, sizeof(buf), rows[i].value),
				    rows[i].text);
}

static void test_format_duration(void **state)
{
	static const struct {
		uint64_t value;
		const char *text;
	} rows[] = {
		{ 0, "0ns" }, { 999, "999ns" }, { 1000, "1.00us" },
		{ 5200, "5.20us" }, { 13100000, "13.1ms" },
		{ 999999, "1.00ms" }, { 2400000000, "2.40s" },
		{ 7200ull * 1000000000, "7200s" },
	};
	char buf[16];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(format_duration(buf, sizeof(buf),
						    rows[i].value),
				    rows[i].text);
}

static void test_canonical_dir(void **state)
{
	char base[] = "/tmp/udax-test-XXXXXX", *dir = NULL, path[96], link[96];

	assert_non_null(mkdtemp(base));
	snprintf(path, sizeof(path), "%s/file", base);
	fclose(fopen(path, "w"));
	assert_int_equal(path_canonical_dir(path, &dir), -ENOTDIR);
	unlink(path);
	assert_int_equal(path_canonical_dir(path, &dir), -ENOENT);
	snprintf(link, sizeof(link), "%s/link", base);
	assert_int_equal(symlink(".", link), 0);
	snprintf(path, sizeof(path), "%s//link/./link/..", base);
	assert_int_equal(path_canonical_dir(path, &dir), 0);
	/* "link/.." is the parent of what it points to. */
	assert_string_equal(dir, "/tmp");
	free(dir);
	assert_int_equal(path_canonical_dir(link, &dir), 0);
	assert_string_equal(dir, base);
	free(dir);
	unlink(link);
	rmdir(base);
}

static void test_below(void **state)
{
	assert_true(path_below("/a/b", "/a/b"));
	assert_true(path_below("/a/b", "/a/b/c"));
	assert_true(path_below("/", "/a"));
	assert_true(path_below("/", "/"));
	assert_false(path_below("/a/b", "/a/bc"));
	assert_false(path_below("/a/b", "/a"));
	assert_false(path_below("/a/b", "/"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_uint),
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_duration),
		cmocka_unit_test(test_format_size),
		cmocka_unit_test(test_format_duration),
		cmocka_unit_test(test_canonical_dir),
		cmocka_unit_test(test_below),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
