/* SPDX-License-Identifier: BSD-3-Clause */
/* The command line of udaxd. */
#include <fcntl.h>
#include <getopt.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/options.h"
#include "dax/dax.h"

static const struct dax_protocol protocols[] = { { .name = "616" } };

const struct dax_protocol *dax_protocol_find(const char *name)
{
	return strcmp(name, "616") ? NULL : protocols;
}

const struct dax_protocol *dax_protocol_nth(unsigned int i)
{
	return i ? NULL : protocols;
}

static struct udaxd_options o;

/* Words up to NULL; the result of udaxd_options_parse(), less what it prints. */
static int parse(const char *word, ...)
{
	char *argv[32] = { (char[]){ "udaxd" } };
	int argc = 1, out = dup(1), err = dup(2), null, ret;
	va_list ap;

	va_start(ap, word);
	for (; word; word = va_arg(ap, const char *))
		argv[argc++] = (char *)word;
	va_end(ap);
	null = open("/dev/null", O_WRONLY);
	fflush(stdout);
	dup2(null, 1);
	dup2(null, 2);
	optind = 0;	/* glibc: start anew */
	ret = udaxd_options_parse(&o, argc, argv);
	fflush(stdout);
	dup2(out, 1);
	dup2(err, 2);
	close(null);
	close(out);
	close(err);
	return ret;
}

static void test_defaults(void **state)
{
	assert_int_equal(parse("--socket", "/s", NULL), -1);
	assert_string_equal(o.socket, "/s");
	assert_int_equal(o.nr_pmem, 0);
	assert_int_equal(o.workers, 0);
	assert_true(o.helpers > 0);
	assert_ptr_equal(o.protocols.normal, protocols);
	assert_null(o.holds);
	assert_int_equal(o.on_lost, LOST_REPORT);
	assert_int_equal(o.track, TRACK_FAST);
	assert_int_equal(o.media, MEDIA_CHOICE_AUTO);
	assert_int_equal(o.ready_fd, -1);
	assert_int_equal(o.wait_bits, DAX_WAIT_TABLE_BITS);
	assert_false(o.exit_with_keeper);
	assert_false(o.verbose);
	udaxd_options_free(&o);
}

static void test_all(void **state)
{
	int fd = dup(0);
	char number[16];

	snprintf(number, sizeof(number), "%d", fd);
	assert_int_equal(parse("--socket", "/s", "--socket=/t", "--pmem", "/",
			       "--pmem", "/dev/../dev", "--workers", "3",
			       "--helpers=5", "--protocol", "616", "--hold",
			       "alloc=5us", "--hold=f:read=1us",
			       "--protocol=*.db:616", "--on-lost-wakeup",
			       "kill", "--track",
			       "fast", "--media", "image", "--ready-fd", number,
			       "--wait-queues", "16",
			       "--exit-with-keeper", "--verbose", NULL), -1);
	assert_string_equal(o.socket, "/t");
	assert_int_equal(o.nr_pmem, 2);
	assert_string_equal(o.pmem[0], "/");
	assert_string_equal(o.pmem[1], "/dev");
	assert_int_equal(o.workers, 3);
	assert_int_equal(o.helpers, 5);
	assert_int_equal(o.protocols.nr, 1);
	assert_int_equal(o.holds->nr, 2);
	assert_int_equal(o.on_lost, LOST_KILL);
	assert_int_equal(o.track, TRACK_FAST);
	assert_int_equal(o.media, MEDIA_CHOICE_IMAGE);
	assert_int_equal(o.ready_fd, fd);
	assert_int_equal(o.wait_bits, 4);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_true(o.exit_with_keeper);
	assert_true(o.verbose);
	udaxd_options_free(&o);
	close(fd);
}

static void test_refused(void **state)
{
	static const char *const rows[][2] = {
		{ "--pmem", "/no/such/dir" }, { "--pmem", "/etc/passwd" },
		{ "--workers", "0" }, { "--workers", "x" },
		{ "--workers", "99999" }, { "--helpers", "-1" },
		{ "--protocol", "nonsense" }, { "--protocol", "f:nonsense" },
		{ "--hold", "alloc=5" }, { "--wait-queues", "0" },
		{ "--wait-queues", "12" },
		{ "--on-lost-wakeup", "ignore" }, { "--track", "precise" },
		{ "--media", "tape" }, { "--ready-fd", "987" },
		{ "--ready-fd", "no" }, { "--socket", "" },
		{ "--frobnicate", "x" }, { "word", NULL },
	};
	char longer[200];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (parse("--socket", "/s", rows[i][0], rows[i][1], NULL) != 2)
			fail_msg("%s %s", rows[i][0], rows[i][1]);
		udaxd_options_free(&o);
	}
	assert_int_equal(parse(NULL), 2);
	udaxd_options_free(&o);
	/* One byte too many for the control socket beside it. */
	memset(longer, 'x', sizeof(longer));
	longer[104] = '\0';
	assert_int_equal(parse("--socket", longer, NULL), 2);
	udaxd_options_free(&o);
	longer[103] = '\0';
	assert_int_equal(parse("--socket", longer, NULL), -1);
	udaxd_options_free(&o);
}

static void test_asked(void **state)
{
	assert_int_equal(parse("--help", NULL), 0);
	udaxd_options_free(&o);
	assert_int_equal(parse("--version", NULL), 0);
	udaxd_options_free(&o);
	assert_int_equal(parse("--dump-config", "--workers", "2", NULL), 0);
	assert_int_equal(o.workers, 2);
	udaxd_options_free(&o);
	assert_int_equal(parse("--dump-config", "--workers", "no", NULL), 2);
	udaxd_options_free(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
