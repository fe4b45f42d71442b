/* SPDX-License-Identifier: BSD-3-Clause */
/* Sets of outcomes: parsed, printed, compared, collected from logs. */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mm/outcomes.h"

static struct outcomes set;

static int parse(struct outcomes *s, const char *text, struct script_error *err)
{
	return outcomes_parse(s, text, strlen(text), err);
}

static char *printed(struct outcomes *s, const char *more)
{
	char *text;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	outcomes_print(s, more, out);
	fclose(out);
	return text;
}

static void expect(struct outcomes *s, const char *want)
{
	char *text = printed(s, NULL);

	assert_string_equal(text, want);
	free(text);
}

static const char two[] =
	"# race r01 fs xfs kernel 6.18.15 runs 12 distinct 2 faults-that-waited 3\n"
	"outcome x9\n"
	"  T0: p M+0P user w np\n"
	"  T0: f M+0P pg=0 try=PMD acc=w grab=PMD ins=PMD unl=PMD res=NOPAGE\n"
	"  = join 0 -> ok\n"
	"outcome x3\n"
	"  T1: p M+0P user w np\n"
	"  T1: f M+0P pg=0 try=PMD acc=w grab=PMD ins=PMD unl=PMD res=NOPAGE WAITED\n"
	"  = join 0 -> ok\n";

static void test_round_trip(void **state)
{
	struct script_error err;

	assert_int_equal(parse(&set, two, &err), 0);
	assert_int_equal(set.nr, 2);
	assert_string_equal(set.name, "r01");
	assert_string_equal(set.kernel, "6.18.15");
	assert_int_equal(outcomes_runs(&set), 12);
	assert_int_equal(outcomes_waited(&set), 3);
	expect(&set, two);
	outcomes_free(&set);
}

/* Threads by number, main and child, operations; each in its own order. */
static void test_order(void **state)
{
	static const char lines[] = "= join 1 -> ok\nT10: p A\nmain: p C\n"
		"T2: p B\n= join 0 -> ok\nT2: p A\nchild: p D\n";

	outcomes_init(&set);
	outcomes_add(&set, lines, strlen(lines), 2);
	expect(&set,
	       "# race  fs  kernel  runs 2 distinct 1 faults-that-waited 0\n"
	       "outcome x2\n"
	       "  T2: p B\n  T2: p A\n  T10: p A\n  main: p C\n  child: p D\n"
	       "  = join 1 -> ok\n  = join 0 -> ok\n");
	outcomes_free(&set);
}

static bool alike(const char *a, const char *b)
{
	struct outcomes x, y;
	bool same;

	outcomes_init(&x);
	outcomes_init(&y);
	outcomes_add(&x, a, strlen(a), 1);
	outcomes_add(&y, b, strlen(b), 1);
	same = outcomes_have(&x, &y.list[0]);
	assert_int_equal(same, outcomes_have(&y, &x.list[0]));
	outcomes_free(&x);
	outcomes_free(&y);
	return same;
}

static void test_alike(void **state)
{
#define F "T0: f M+0P pg=0 try=PMD acc=w grab=- ins=- unl=- res=FALLBACK"
#define P "T0: f M+0P pg=0 try=PTE acc=w grab=PTE ins=PTE unl=PTE res=NOPAGE"

	assert_true(alike(F "\n" P "\n", F "\n" F "\n" P "\n"));
	assert_true(alike(F "\nT0: s unlock\n" F "\n", F "\n"));
	assert_true(alike(P "\n", "T0: f M+0P pg=0 try=PTE acc=w lk=mm grab=PTE "
			  "ins=PTE.offcolour unl=PTE.offcolour res=NOPAGE "
			  "ev=install-pte(w)\n"));
	assert_true(alike("= extents A -> n=0\n", "= extents A -> n=1\n"));
	assert_true(alike("# a word\n" P "\n", P "\n"));
	/* What counts. */
	assert_false(alike(P "\n", P " WAITED\n"));
	assert_false(alike(F "\n" P "\n", P "\n" F "\n"));
	assert_false(alike("T0: p M+0P user w np\n",
			   "T0: p M+0P user w np\nT0: p M+0P user w np\n"));
	assert_false(alike("= touch 2 M 0 r -> val=00\n",
			   "= touch 2 M 0 r -> val=01\n"));
	assert_false(alike(F "\nT0: p M+0P user w np\n" F "\n",
			   F "\nT0: p M+0P user w np\n"));
	assert_false(alike("T0: p M+0P user w np\n", "T1: p M+0P user w np\n"));
}

static const char log_text[] =
	"# kernel 6.18 fs xfs scenario s\n"
	"op 1 touch 0 M 0 r\n"
	"  p T0 M+0P user r np\n"
	"ret 1 val=00\n"
	"op 2 go\n"
	"  p T1 M+0P user w np\n"
	"ret 2 ok\n"
	"op 3 join 0\n"
	"  s T1 finish_sync(pg=0,PTE)\n"
	"  f T1 M+0P pg=0 try=PTE acc=w lk=vma grab=PTE ins=PTE unl=PTE "
	"res=NOPAGE ev=wait,install-pte(w)\n"
	"  p T0 M+0P user r np\n"
	"ret 3 ok\n";

static void test_log(void **state)
{
	outcomes_init(&set);
	assert_int_equal(outcomes_add_log(&set, log_text, strlen(log_text)), 0);
	assert_int_equal(outcomes_add_log(&set, log_text, strlen(log_text)), 0);
	expect(&set,
	       "# race  fs  kernel  runs 2 distinct 1 faults-that-waited 2\n"
	       "outcome x2\n"
	       "  T0: p M+0P user r np\n"
	       "  T1: p M+0P user w np\n"
	       "  T1: f M+0P pg=0 try=PTE acc=w grab=PTE ins=PTE unl=PTE res=NOPAGE WAITED\n"
	       "  = join 0 -> ok\n");
	outcomes_free(&set);
}

static void refused(const char *text, unsigned int line, const char *words)
{
	struct script_error err;

	assert_int_equal(parse(&set, text, &err), -EINVAL);
	assert_int_equal(err.line, line);
	assert_non_null(strstr(err.msg, words));
	assert_int_equal(set.nr, 0);
}

static void test_errors(void **state)
{
	refused("T0: p\n", 1, "before the first");
	refused("outcome 3\n", 1, "xN");
	refused("outcome x\n", 1, "xN");
	refused("outcome x-3\n", 1, "xN");
	refused("outcome x3 4\n", 1, "xN");
	refused("outcome x3\n  T0: p A\n  nonsense\n", 3, "not a line");
	refused("outcome x3\n  = join 0 ok\n", 2, "not a line");
}

/* A run without a fault behind `go` is an outcome, too. */
static void test_empty(void **state)
{
	struct script_error err;

	assert_int_equal(parse(&set, "outcome x2\noutcome x3\n  T0: p A\n", &err), 0);
	assert_int_equal(set.nr, 2);
	assert_int_equal(outcomes_runs(&set), 5);
	outcomes_free(&set);
	assert_int_equal(parse(&set, "", &err), 0);
	assert_int_equal(set.nr, 0);
	outcomes_free(&set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_alike),
		cmocka_unit_test(test_log),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_empty),
	};

	return cmocka_run_group_tests_name("outcomes", tests, NULL, NULL);
}
