/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the tests of past bugs ask the checker: can somebody be lost when these
 * operations run on that table, under that protocol? mm/check.h.
 */
#ifndef UDAX_TESTS_REGRESS_REGRESS_H
#define UDAX_TESTS_REGRESS_REGRESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mm/check.h"

static inline struct check_report check(const char *protocol,
					enum check_table table,
					const char *operations)
{
	struct checker *x = checker_new(true, true, NULL);
	struct check_case c = { .protocol = protocol, .table = table };
	struct check_report r;

	assert_non_null(x);
	assert_true(check_parse_operations(&c, operations));
	assert_int_equal(checker_run(x, &c, &r), 0);
	checker_free(x);
	print_message("%-10s %s on %s: %s, %lu states\n", protocol, operations,
		      check_table_name(table), check_finding_name(r.worst),
		      r.states);
	return r;
}

/* Somebody is lost, and the daemon would say so: stranded. */
static inline void loses(const char *protocol, enum check_table table,
			 const char *operations)
{
	struct check_report r = check(protocol, table, operations);

	assert_true(r.lost > 0 && r.stranded >= r.lost);
	assert_int_equal(r.disagreed, 0);
}

static inline void loses_nobody(const char *protocol, enum check_table table,
				const char *operations)
{
	struct check_report r = check(protocol, table, operations);

	if (r.lost || r.stranded || r.worst == CHECK_BROKEN)
		fail_msg("%s: %s by %s", protocol, check_finding_name(r.worst),
			 r.steps);
}

#endif
