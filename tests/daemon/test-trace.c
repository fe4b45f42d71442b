/* SPDX-License-Identifier: BSD-3-Clause */
/* The rings of a trace and their reader: order, wrap, drops, damage, a live writer. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/trace_read.h"
#include "lib/trace_ring.h"

#define RINGS 3
#define RING_SIZE UDAX_TRACE_RING_MIN

struct fixture {
	char dir[32], path[64];
	struct trace_writer w;
	struct trace_reader *r;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	char why[64];

	strcpy(f->dir, "/tmp/udax-trace-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof(f->path), "%s/t", f->dir);
	assert_int_equal(trace_create(&f->w, f->path, RINGS, 1, why,
				      sizeof(why)), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	if (f->r)
		trace_reader_free(f->r);
	if (f->w.file)
		trace_close(&f->w);
	unlink(f->path);
	rmdir(f->dir);
	free(f);
	return 0;
}

static void end_writer(struct fixture *f)
{
	trace_close(&f->w);
	f->w.file = NULL;
}

static void open_flags(struct fixture *f, unsigned int flags)
{
	char why[64] = "";

	assert_int_equal(trace_open(&f->r, f->path, flags, why, sizeof(why)), 0);
}

/* False: dropped. */
static bool put(struct fixture *f, unsigned int ring, uint64_t index)
{
	struct udax_trace_entry *rec = trace_begin(&f->w.rings[ring],
						   UDAX_TRACE_LOCK, sizeof(*rec));

	if (!rec)
		return false;
	rec->index = index;
	trace_commit(&f->w.rings[ring]);
	return true;
}

static uint64_t expect_entry(struct fixture *f)
{
	const struct udax_trace_hdr *hdr;

	assert_int_equal(trace_next(f->r, &hdr), 1);
	assert_int_equal(hdr->type, UDAX_TRACE_LOCK);
	assert_int_equal(hdr->size, sizeof(struct udax_trace_entry));
	return ((const struct udax_trace_entry *)hdr)->index;
}

static int next(struct fixture *f)
{
	const struct udax_trace_hdr *hdr;

	return trace_next(f->r, &hdr);
}

/* -------------------------------------------------------------------- order */

static void merges_in_order(void **state)
{
	static const unsigned int rings[] = { 2, 0, 0, 1, 2, 1, 0 };
	const unsigned int nr = sizeof(rings) / sizeof(rings[0]);
	struct fixture *f = *state;
	const struct udax_trace_hdr *hdr;

	for (unsigned int i = 0; i < nr; i++)
		assert_true(put(f, rings[i], i));
	open_flags(f, 0);
	assert_true(trace_live(f->r));
	for (unsigned int i = 0; i < nr; i++) {
		assert_int_equal(trace_next(f->r, &hdr), 1);
		assert_int_equal(hdr->seq, i + 1);
		assert_int_equal(hdr->ring, rings[i]);
	}
	assert_int_equal(next(f), 0);
}

static void waits_for_what_is_not_published(void **state)
{
	struct fixture *f = *state;
	struct udax_trace_entry *early;

	open_flags(f, 0);
	early = trace_begin(&f->w.rings[0], UDAX_TRACE_LOCK, sizeof(*early));
	early->index = 1;
	assert_true(put(f, 1, 2));
	assert_int_equal(next(f), 0);
	trace_commit(&f->w.rings[0]);
	assert_int_equal(expect_entry(f), 1);
	assert_int_equal(expect_entry(f), 2);
	assert_int_equal(next(f), 0);
}

static void a_dead_writer_leaves_a_gap(void **state)
{
	struct fixture *f = *state;

	open_flags(f, 0);
	assert_non_null(trace_begin(&f->w.rings[0], UDAX_TRACE_LOCK,
				    sizeof(struct udax_trace_entry)));
	assert_true(put(f, 1, 2));
	assert_int_equal(next(f), 0);
	end_writer(f);
	assert_false(trace_live(f->r));
	assert_int_equal(expect_entry(f), 2);
	assert_int_equal(next(f), 0);
}

static void a_killed_writer_is_not_live(void **state)
{
	struct fixture *f = *state;
	char why[64];
	pid_t pid;
	int fds[2];
	char byte;

	end_writer(f);
	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (!pid) {
		if (trace_create(&f->w, f->path, RINGS, 1, why, sizeof(why)))
			_exit(1);
		put(f, 0, 7);
		_exit(write(fds[1], "x", 1) == 1 && pause());
	}
	assert_int_equal(read(fds[0], &byte, 1), 1);
	open_flags(f, 0);
	assert_true(trace_live(f->r));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_false(trace_live(f->r));
	assert_int_equal(expect_entry(f), 7);
	assert_int_equal(next(f), 0);
	close(fds[0]);
	close(fds[1]);
}

/* ------------------------------------------------------------- wrap, drops */

static void drops_when_full(void **state)
{
	struct fixture *f = *state;
	uint64_t kept = 0;

	while (put(f, 0, kept))
		kept++;
	assert_int_equal(kept, RING_SIZE / sizeof(struct udax_trace_entry));
	assert_false(put(f, 0, 0));
	assert_int_equal(trace_dropped(&f->w), 2);
	assert_true(put(f, 1, kept));	/* another ring has room */
	end_writer(f);
	open_flags(f, 0);
	assert_int_equal(trace_lost(f->r), 2);
	for (uint64_t i = 0; i <= kept; i++)
		assert_int_equal(expect_entry(f), i);
	assert_int_equal(next(f), 0);
}

static bool put_size(struct fixture *f, unsigned int size, uint64_t n)
{
	struct udax_trace_hdr *hdr = trace_begin(&f->w.rings[0], UDAX_TRACE_WAKE,
						 size);

	if (!hdr)
		return false;
	((uint64_t *)hdr)[size / 8 - 1] = n;
	trace_commit(&f->w.rings[0]);
	return true;
}

/* Sizes such that a record's end falls on every distance from the ring's. */
static void wraps_when_consumed(void **state)
{
	const unsigned int least = sizeof(struct udax_trace_wake);
	struct fixture *f = *state;
	const struct udax_trace_hdr *hdr;
	unsigned int size = least;

	open_flags(f, TRACE_OPEN_CONSUME);
	for (uint64_t i = 0; i < 40 * RING_SIZE / least; i++) {
		assert_true(put_size(f, size, i));
		assert_int_equal(trace_next(f->r, &hdr), 1);
		assert_int_equal(hdr->size, size);
		assert_int_equal(((const uint64_t *)hdr)[size / 8 - 1], i);
		size = size == UDAX_TRACE_RECORD_MAX ? least : size + 8;
	}
	assert_int_equal(next(f), 0);
	assert_int_equal(trace_dropped(&f->w), 0);
}

static void another_consumer_goes_on(void **state)
{
	struct fixture *f = *state;

	open_flags(f, TRACE_OPEN_CONSUME);
	for (unsigned int i = 0; i < 4; i++)
		assert_true(put(f, i % RINGS, i));
	assert_int_equal(expect_entry(f), 0);
	assert_int_equal(expect_entry(f), 1);
	/* The one handed out last is given back by the next call. */
	trace_reader_free(f->r);
	open_flags(f, 0);
	assert_int_equal(expect_entry(f), 1);
	assert_int_equal(expect_entry(f), 2);
	assert_int_equal(expect_entry(f), 3);
	assert_int_equal(next(f), 0);
}

static void snapshot_ends(void **state)
{
	struct fixture *f = *state;

	assert_true(put(f, 0, 1));
	open_flags(f, TRACE_OPEN_SNAPSHOT);
	assert_true(put(f, 0, 2));
	assert_int_equal(expect_entry(f), 1);
	assert_int_equal(next(f), 0);
}

/* ----------------------------------------------------------------- damage */

static int open_error(const char *path, char *why, size_t len)
{
	struct trace_reader *r;

	return trace_open(&r, path, 0, why, len);
}

static void refuses_what_is_no_trace(void **state)
{
	static const char *const paths[] = { "/dev/null", "/proc/self/exe", "/" };
	struct fixture *f = *state;
	char why[64];

	for (unsigned int i = 0; i < 3; i++) {
		assert_true(open_error(paths[i], why, sizeof(why)) < 0);
		assert_string_equal(why, "not a trace");
	}
	assert_int_equal(open_error("/nowhere/t", why, sizeof(why)), -ENOENT);
	f->w.file->version = 99;
	assert_true(open_error(f->path, why, sizeof(why)) < 0);
	f->w.file->version = UDAX_TRACE_VERSION;
	f->w.file->nr_rings = 1 << 20;
	assert_true(open_error(f->path, why, sizeof(why)) < 0);
	f->w.file->nr_rings = RINGS;
	f->w.file->ring_size = 3 * RING_SIZE;
	assert_true(open_error(f->path, why, sizeof(why)) < 0);
}

static void truncated_file_has_its_beginning(void **state)
{
	struct fixture *f = *state;
	uint64_t data = f->w.file->data, n = 0;
	const struct udax_trace_hdr *hdr;
	char why[64];
	int err;

	for (unsigned int i = 0; i < 100; i++)
		assert_true(put(f, 0, i));
	end_writer(f);
	assert_int_equal(truncate(f->path, data + 10 * 56 + 20), 0);
	open_flags(f, 0);
	while ((err = trace_next(f->r, &hdr)) > 0)
		n++;
	assert_int_equal(n, 10);
	assert_int_equal(err, -ENODATA);
	assert_int_equal(next(f), 0);	/* said once */
	assert_int_equal(truncate(f->path, 100), 0);
	assert_true(open_error(f->path, why, sizeof(why)) < 0);
	assert_string_equal(why, "cut short in its header");
	assert_int_equal(truncate(f->path, 0), 0);
	assert_true(open_error(f->path, why, sizeof(why)) < 0);
	assert_string_equal(why, "not a trace");
}

/* Whatever stands in the rings: an end, and no crash. */
static void survives_any_bytes(void **state)
{
	struct fixture *f = *state;
	const struct udax_trace_hdr *hdr;
	char why[64];

	srand(1);
	for (unsigned int round = 0; round < 2000; round++) {
		struct udax_trace_ring *ring = f->w.rings[0].shared;
		uint16_t *words = (uint16_t *)f->w.rings[0].data;
		struct trace_reader *r;

		for (unsigned int i = 0; i < 64; i++)
			words[i] = rand() % 3 ? rand() % 96 : rand();
		ring->head = rand() % 8 ? rand() % 512u : (uint64_t)rand() << 40;
		ring->tail = rand() % 8 ? 0u : (uint64_t)rand();
		if (trace_open(&r, f->path, TRACE_OPEN_SNAPSHOT, why, sizeof(why)))
			continue;
		while (trace_next(r, &hdr) > 0)
			assert_true(hdr->size <= UDAX_TRACE_RECORD_MAX);
		trace_reader_free(r);
	}
}

static void one_writer_a_file(void **state)
{
	struct fixture *f = *state;
	struct trace_writer other;
	char why[64];

	assert_int_equal(trace_create(&other, f->path, 1, 1, why, sizeof(why)),
			 -EBUSY);
	assert_true(put(f, 0, 1));	/* and left alone */
	end_writer(f);
	assert_int_equal(trace_create(&other, f->path, 1, 1, why, sizeof(why)), 0);
	trace_close(&other);
	assert_int_equal(trace_create(&other, "/dev/null", 1, 1, why,
				      sizeof(why)), -EINVAL);
	assert_string_equal(why, "not a regular file");
	assert_int_equal(trace_create(&other, "/nowhere/t", 1, 1, why,
				      sizeof(why)), -ENOENT);
}

/* ------------------------------------------------------------- concurrency */

#define EACH 200000

struct writer {
	struct fixture *f;
	unsigned int ring;
	pthread_t thread;
};

static void *write_records(void *arg)
{
	struct writer *w = arg;

	for (uint64_t i = 0; i < EACH; i++)
		while (!put(w->f, w->ring, i))
			sched_yield();	/* the reader makes room */
	return NULL;
}

/* In memory of one mapping, so that TSan sees both ends. */
static void reads_while_others_write(void **state)
{
	struct fixture *f = *state;
	struct writer w[RINGS];
	uint64_t seen[RINGS] = { 0 }, seq = 0;
	const struct udax_trace_hdr *hdr;
	char why[64];

	assert_int_equal(trace_open_memory(&f->r, f->w.file, f->w.len,
					   TRACE_OPEN_CONSUME, why,
					   sizeof(why)), 0);
	for (unsigned int i = 0; i < RINGS; i++) {
		w[i].f = f;
		w[i].ring = i;
		assert_int_equal(pthread_create(&w[i].thread, NULL,
						write_records, &w[i]), 0);
	}
	while (seq < RINGS * EACH) {
		const struct udax_trace_entry *rec;

		if (!trace_next(f->r, &hdr)) {
			sched_yield();
			continue;
		}
		rec = (const void *)hdr;
		assert_int_equal(hdr->seq, ++seq);
		assert_int_equal(rec->index, seen[hdr->ring]++);
	}
	for (unsigned int i = 0; i < RINGS; i++)
		pthread_join(w[i].thread, NULL);
	assert_int_equal(next(f), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(merges_in_order),
		TEST(waits_for_what_is_not_published),
		TEST(a_dead_writer_leaves_a_gap),
		TEST(a_killed_writer_is_not_live),
		TEST(drops_when_full),
		TEST(wraps_when_consumed),
		TEST(another_consumer_goes_on),
		TEST(snapshot_ends),
		TEST(refuses_what_is_no_trace),
		TEST(truncated_file_has_its_beginning),
		TEST(survives_any_bytes),
		TEST(one_writer_a_file),
		TEST(reads_while_others_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
