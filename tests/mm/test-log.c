/* SPDX-License-Identifier: BSD-3-Clause */
/* What the log's lines look like, and the placements read from a log. */
#include "unit.h"

#include <errno.h>
#include <stdio.h>

#include "mm/extlog.h"
#include "mm/log.h"

static struct log log_;
static char *text;
static size_t text_len;

static int begin(void **state)
{
	log_init(&log_, open_memstream(&text, &text_len));
	return 0;
}

static int end(void **state)
{
	fclose(log_.out);
	free(text);
	return 0;
}

static void expect(const char *want)
{
	fflush(log_.out);
	assert_string_equal(text, want);
}

static void test_lines(void **state)
{
	struct log_place m3 = { 'M' - 'A', 3 };

	log_header(&log_, "6.18", "xfs", "name");
	log_op(&log_, 1, "touch 0 M 12K r");
	strcpy(log_.who, "T0");
	log_page_fault(&log_, m3, true, false, false);
	log_page_fault(&log_, m3, false, true, true);
	log_event(&log_, "wb-one(%d,%d)", 0, 512);
	log_ret(&log_, 1, "val=%02x", 7);
	expect("# kernel 6.18 fs xfs scenario name\n"
	       "op 1 touch 0 M 12K r\n"
	       "  p T0 M+3P user r np\n"
	       "  p T0 M+3P kernel w prot\n"
	       "  s T0 wb-one(0,512)\n"
	       "ret 1 val=07\n");
}

static void test_attempts(void **state)
{
	struct log_attempt a = {
		.place = { 'M' - 'A', 3 },
		.pgoff = 3,
		.order = PMD_ORDER,
		.flags = DAX_FAULT_FLAG_WRITE,
		.vma_lock = true,
		.grabbed = dax_make_entry(0, DAX_PMD | DAX_ZERO_PAGE),
		.inserted = dax_make_entry(1024, DAX_PMD),
		.unlocked = dax_make_entry(1024, DAX_PMD),
		.result = DAX_FAULT_NOPAGE,
	};

	log_attempt_begin(&log_);
	log_event(&log_, "unmap(0,512,cows=0)");
	log_event(&log_, "install-pmd(w)");
	log_attempt_end(&log_, &a);
	expect("  f main M+3P pg=3 try=PMD acc=w lk=vma grab=PMD.ZERO ins=PMD "
	       "unl=PMD res=NOPAGE ev=unmap(0,512,cows=0),install-pmd(w)\n");
	a.order = 0;
	a.flags |= DAX_FAULT_FLAG_MKWRITE;
	a.vma_lock = false;
	a.grabbed = dax_make_fault(DAX_FAULT_FALLBACK);
	a.inserted = a.unlocked = 0;
	a.result = 0;
	log_attempt_begin(&log_);
	log_attempt_end(&log_, &a);
	fflush(log_.out);
	assert_string_equal(strchr(text, '\n') + 1,
			    "  f main M+3P pg=3 try=PTE acc=w+mk lk=mm "
			    "grab=FAULT:FALLBACK ins=- unl=- res=0\n");
}

static void test_words(void **state)
{
	char buf[100];

	assert_string_equal(log_result(buf, DAX_FAULT_NOPAGE | DAX_FAULT_MAJOR),
			    "MAJOR|NOPAGE");
	assert_string_equal(log_result(buf, DAX_FAULT_MAJOR |
					    DAX_FAULT_NEEDDSYNC),
			    "MAJOR|NEEDDSYNC");
	assert_string_equal(log_entry(buf, dax_make_entry(0, DAX_EMPTY |
							     DAX_LOCKED), 5),
			    "PTE.EMPTY.LOCKED");
	assert_string_equal(log_entry(buf, dax_make_entry(517, 0), 5), "PTE");
	assert_string_equal(log_entry(buf, dax_make_entry(518, 0), 5),
			    "PTE.offcolour");
	/* A page inside a window: the entry's pfn is the head's. */
	assert_string_equal(log_entry(buf, dax_make_entry(512, DAX_PMD), 5),
			    "PMD");
	assert_string_equal(log_errno(ENOMEM), "ENOMEM");
	assert_string_equal(log_errno(4000), "E4000");
}

static const char recorded[] =
	"# kernel\n"
	"op 1 create A 4M\n"
	"ret 1 ok\n"
	"op 2 extents A\n"
	"ret 2 n=0\n"
	"op 3 pread A 0 1\n"
	"ret 3 1 first=00 same=1\n"
	"op 4 extents A\n"
	"ret 4 n=2 [0P+5P written colour-ok] [7P+1P unwritten colour-bad]\n"
	"op 6 extents A\n"
	"ret 6 EBADF\n";

static void test_extlog(void **state)
{
	const struct extlog_result *res;
	struct script_error err;
	struct extlog e;

	assert_int_equal(extlog_parse(&e, recorded, strlen(recorded), &err), 0);
	assert_null(extlog_at(&e, 1));
	assert_int_equal(extlog_at(&e, 2)->nr, 0);
	res = extlog_at(&e, 4);
	assert_int_equal(res->nr, 2);
	assert_int_equal(res->ext[0].nr, 5);
	assert_int_equal(res->ext[0].state, SIMFS_WRITTEN);
	assert_int_equal(res->ext[0].pfn, 0);
	assert_int_equal(res->ext[1].page, 7);
	assert_int_equal(res->ext[1].state, SIMFS_UNWRITTEN);
	assert_int_equal(res->ext[1].pfn, 8);
	assert_null(extlog_at(&e, 6));
	extlog_free(&e);
}

static void test_extlog_errors(void **state)
{
	static const struct {
		const char *text;
		unsigned int line;
	} bad[] = {
		{ "op 1 extents A\nret 1 n=1\n", 2 },
		{ "op 1 extents A\nret 1 n=1 [0P+0P written colour-ok]\n", 2 },
		{ "op 1 extents A\nret 1 n=1 [0P+1P wet colour-ok]\n", 2 },
		{ "op 1 extents A\nret 1 n=1 [0P+1P written blue]\n", 2 },
		{ "op 1 extents A\nret 1 n=2 [0P+2P written colour-ok] "
		  "[1P+2P written colour-ok]\n", 2 },
		{ "op 1 extents A\nret 1 n=99999999\n", 2 },
		{ "op 2 stat A\n\nop 1 stat A\n", 3 },
	};
	struct script_error err;
	struct extlog e;
	unsigned int i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(extlog_parse(&e, bad[i].text,
					      strlen(bad[i].text), &err),
				 -EINVAL);
		assert_int_equal(err.line, bad[i].line);
	}
}

/* The next `extents` of the file, if nothing that frees blocks lies between. */
static void test_extlog_next(void **state)
{
	static const char script_text[] =
		"create A 4M\n"			/* 1 */
		"create B 4M\n"			/* 2 */
		"pwrite A 0 4K 1\n"		/* 3 */
		"extents B\n"			/* 4 */
		"punch B 0 4K\n"		/* 5 */
		"extents A\n"			/* 6 */
		"punch A 0 4K\n"		/* 7 */
		"extents A\n";			/* 8 */
	static const char log_text[] =
		"op 4 extents B\nret 4 n=0\n"
		"op 6 extents A\nret 6 n=0\n"
		"op 8 extents A\nret 8 n=0\n";
	struct script_error err;
	struct script s;
	struct extlog e;

	assert_int_equal(script_parse(&s, script_text, strlen(script_text),
				      &err), 0);
	assert_int_equal(extlog_parse(&e, log_text, strlen(log_text), &err), 0);
	assert_int_equal(extlog_next(&e, &s, 2, 0)->op, 6);
	assert_int_equal(extlog_next(&e, &s, 2, 1)->op, 4);
	assert_null(extlog_next(&e, &s, 3, 1));
	assert_null(extlog_next(&e, &s, 5, 0));
	assert_int_equal(extlog_next(&e, &s, 6, 0)->op, 8);
	assert_null(extlog_next(&e, &s, 7, 0));
	script_free(&s);
	extlog_free(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_lines, begin, end),
		cmocka_unit_test_setup_teardown(test_attempts, begin, end),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_extlog),
		cmocka_unit_test(test_extlog_errors),
		cmocka_unit_test(test_extlog_next),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
