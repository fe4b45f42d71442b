/* SPDX-License-Identifier: BSD-3-Clause */
/* Hold times out of a trace, and out of a text file. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "unit.h"
#include "cli/sim.h"
#include "lib/trace_ring.h"

static char path[64];
static struct sim_samples holds[HOLD_NR];
static struct hold hold;
static char msg[200];

static int set_up(void **state)
{
	strcpy(path, "/tmp/test-hold.XXXXXX");
	close(mkstemp(path));
	memset(holds, 0, sizeof(holds));
	memset(&hold, 0, sizeof(hold));
	msg[0] = '\0';
	return 0;
}

static int tear_down(void **state)
{
	for (int i = 0; i < HOLD_NR; i++)
		sim_samples_free(&holds[i]);
	return unlink(path);
}

static int read_back(const char *kind)
{
	char arg[80];

	snprintf(arg, sizeof(arg), "%s:%s", kind, path);
	return sim_hold_recorded(arg, &hold, holds, msg, sizeof(msg));
}

/* ------------------------------------------------------------------- trace */

static uint64_t begin_fault(struct trace_ring *ring, bool write)
{
	struct udax_trace_page_fault *f = trace_begin(ring, UDAX_TRACE_PAGE_FAULT,
						      sizeof(*f));
	uint64_t seq;

	f->write = write;
	seq = f->hdr.seq;
	f->hdr.cause = seq;
	trace_commit(ring);
	return seq;
}

static void entry(struct trace_ring *ring, enum udax_trace_type type,
		  uint64_t cause, uint64_t time, uint64_t index)
{
	struct udax_trace_entry *e = trace_begin(ring, type, sizeof(*e));

	e->hdr.cause = cause;
	e->hdr.time = time;
	e->file = 1;
	e->index = index;
	trace_commit(ring);
}

/* Three at a time; one is not unlocked, one belongs to nothing that is known. */
static void test_trace(void **state)
{
	struct trace_writer w;
	struct udax_trace_range *range;
	uint64_t read, write, sync;

	assert_int_equal(trace_create(&w, path, 2, 1, msg, sizeof(msg)), 0);
	read = begin_fault(&w.rings[0], false);
	write = begin_fault(&w.rings[1], true);
	range = trace_begin(&w.rings[0], UDAX_TRACE_RANGE, sizeof(*range));
	sync = range->hdr.cause = range->hdr.seq;
	trace_commit(&w.rings[0]);
	entry(&w.rings[0], UDAX_TRACE_LOCK, read, 1000, 5);
	entry(&w.rings[1], UDAX_TRACE_LOCK, write, 1100, 6);
	entry(&w.rings[0], UDAX_TRACE_LOCK, sync, 1200, 512);
	entry(&w.rings[0], UDAX_TRACE_UNLOCK, write, 1600, 6);
	entry(&w.rings[1], UDAX_TRACE_UNLOCK, read, 1700, 5);
	entry(&w.rings[1], UDAX_TRACE_UNLOCK, sync, 1900, 512);
	entry(&w.rings[1], UDAX_TRACE_LOCK, 0, 2000, 7);
	entry(&w.rings[1], UDAX_TRACE_UNLOCK, 0, 2100, 7);
	entry(&w.rings[1], UDAX_TRACE_LOCK, write, 2200, 8);
	trace_close(&w);

	assert_int_equal(read_back("trace"), 0);
	assert_int_equal(hold.time[HOLD_READ].nr, 1);
	assert_int_equal(hold.time[HOLD_READ].values[0], 700);
	assert_int_equal(hold.time[HOLD_ALLOC].nr, 1);
	assert_int_equal(hold.time[HOLD_ALLOC].values[0], 500);
	assert_int_equal(hold.time[HOLD_FLUSH].nr, 1);
	assert_int_equal(hold.time[HOLD_FLUSH].values[0], 700);
}

static void test_no_trace(void **state)
{
	struct trace_writer w;

	assert_int_not_equal(read_back("trace"), 0);
	assert_non_null(strstr(msg, path));
	assert_int_equal(trace_create(&w, path, 1, 1, msg, sizeof(msg)), 0);
	trace_close(&w);
	assert_int_equal(read_back("trace"), -EINVAL);
	assert_non_null(strstr(msg, "no entry was locked"));
}

/* -------------------------------------------------------------------- text */

static void write_text(const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void test_text(void **state)
{
	write_text("# of a disk\n50us\nread 10us # cached\n\n  flush\t2ms\n60us\n");
	assert_int_equal(read_back("file"), 0);
	assert_int_equal(hold.time[HOLD_ALLOC].nr, 2);
	assert_int_equal(hold.time[HOLD_ALLOC].values[1], 60000);
	assert_int_equal(hold.time[HOLD_READ].nr, 1);
	assert_int_equal(hold.time[HOLD_READ].values[0], 10000);
	assert_int_equal(hold.time[HOLD_FLUSH].values[0], 2000000);
}

/* Reads take what allocations do when nothing else is known of them. */
static void test_shared(void **state)
{
	write_text("50us\n");
	assert_int_equal(read_back("file"), 0);
	assert_int_equal(hold.time[HOLD_READ].nr, 1);
	assert_ptr_equal(hold.time[HOLD_READ].values, hold.time[HOLD_ALLOC].values);
	assert_int_equal(hold.time[HOLD_FLUSH].nr, 0);
}

static void test_bad_text(void **state)
{
	static const char *const bad[] = {
		"50us\nfast\n", "50us\nsleep 1us\n", "50us\nread 1us 2us\n", "50us\n5\n",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		write_text(bad[i]);
		assert_int_equal(read_back("file"), -EINVAL);
		/* The second line, by its number. */
		assert_non_null(strstr(msg, ":2: "));
	}
	assert_int_equal(sim_hold_recorded("file:/nowhere/f", &hold, holds, msg,
					   sizeof(msg)), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_trace, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_no_trace, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_text, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_shared, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_bad_text, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
