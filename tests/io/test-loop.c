/* SPDX-License-Identifier: BSD-3-Clause */
/* The event loop: polls, timers, cancel, messages from other threads, stop. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/loop.h"

#define ENTRIES 16

/* An operation that records its calls, and what to do in them. */
struct probe {
	struct loop_op op;
	int fd, peer;
	unsigned int calls, stop_at;
	uint64_t bytes;
	int res;
	bool last, cancel;
};

static int owner;

static struct loop *new_loop(void)
{
	struct loop *loop;

	assert_int_equal(loop_new(&loop, ENTRIES, &owner), 0);
	return loop;
}

static void probe_fn(struct loop *loop, struct loop_op *op, int res, bool last)
{
	struct probe *p = container_of(op, struct probe, op);
	char buf[16];
	ssize_t n;

	p->calls++;
	p->res = res;
	p->last = last;
	while (res > 0 && p->fd >= 0 && (n = read(p->fd, buf, sizeof(buf))) > 0)
		p->bytes += (uint64_t)n;
	if (p->peer >= 0 && p->calls < p->stop_at && res > 0)
		assert_int_equal(write(p->peer, "x", 1), 1);
	if (p->cancel && !last)
		assert_int_equal(loop_cancel(loop, op), 0);
	else if (p->calls == p->stop_at || last)
		loop_stop(loop);
}

static void probe_init(struct probe *p, unsigned int stop_at)
{
	memset(p, 0, sizeof(*p));
	loop_op_init(&p->op, probe_fn);
	p->fd = p->peer = -1;
	p->stop_at = stop_at;
}

static void probe_pipe(struct probe *p)
{
	int fds[2];

	assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	p->fd = fds[0];
	p->peer = fds[1];
}

static void probe_close(struct probe *p)
{
	close(p->fd);
	close(p->peer);
}

/* One poll goes on for ever: more events than the completion queue has room. */
static void poll_goes_on(void **state)
{
	struct loop *loop = new_loop();
	struct probe p;

	probe_init(&p, 1000);
	probe_pipe(&p);
	assert_int_equal(loop_poll(loop, &p.op, p.fd, POLLIN), 0);
	assert_int_equal(loop_poll(loop, &p.op, p.fd, POLLIN), -EBUSY);
	assert_int_equal(write(p.peer, "x", 1), 1);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(p.calls, 1000);
	assert_int_equal(p.bytes, 1000);
	assert_int_equal(p.res, POLLIN);
	assert_false(p.last);
	assert_ptr_equal(loop_owner(loop), &owner);
	loop_free(loop);
	probe_close(&p);
}

/* Ready before the poll is added is ready. */
static void poll_of_ready(void **state)
{
	struct loop *loop = new_loop();
	struct probe p;

	probe_init(&p, 1);
	probe_pipe(&p);
	assert_int_equal(write(p.peer, "abc", 3), 3);
	assert_int_equal(loop_poll(loop, &p.op, p.fd, POLLIN), 0);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(p.bytes, 3);
	loop_free(loop);
	probe_close(&p);
}

/* A poll of a descriptor that is not one ends with its error. */
static void poll_error(void **state)
{
	struct loop *loop = new_loop();
	struct probe p;

	probe_init(&p, 0);
	assert_int_equal(loop_poll(loop, &p.op, 1000000, POLLIN), 0);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(p.calls, 1);
	assert_int_equal(p.res, -EBADF);
	assert_true(p.last);
	assert_false(p.op.armed);
	loop_free(loop);
}

static void poll_cancel(void **state)
{
	struct loop *loop = new_loop();
	struct probe p;

	probe_init(&p, 0);
	probe_pipe(&p);
	p.cancel = true;
	assert_int_equal(loop_cancel(loop, &p.op), -ENOENT);
	assert_int_equal(write(p.peer, "x", 1), 1);
	assert_int_equal(loop_poll(loop, &p.op, p.fd, POLLIN), 0);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(p.calls, 2);
	assert_int_equal(p.res, -ECANCELED);
	assert_true(p.last);

	/* And once more with the same operation. */
	probe_init(&p, 1);
	probe_pipe(&p);
	assert_int_equal(write(p.peer, "x", 1), 1);
	assert_int_equal(loop_poll(loop, &p.op, p.fd, POLLIN), 0);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(p.bytes, 1);
	loop_free(loop);
	probe_close(&p);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void timer(void **state)
{
	struct loop *loop = new_loop();
	struct probe p;
	uint64_t start = now_ns();

	probe_init(&p, 0);
	assert_int_equal(loop_timeout(loop, &p.op, 2000000), 0);
	assert_int_equal(loop_run(loop), 0);
	assert_true(now_ns() - start >= 2000000);
	assert_int_equal(p.calls, 1);
	assert_int_equal(p.res, -ETIME);
	assert_true(p.last);
	loop_free(loop);
}

/* Many timers, more than the submission queue holds, all expire. */
#define MANY 200

static unsigned int expired;

static void count_fn(struct loop *loop, struct loop_op *op, int res, bool last)
{
	assert_int_equal(res, -ETIME);
	assert_true(last);
	if (++expired == MANY)
		loop_stop(loop);
}

static struct loop_op many[MANY];

static void add_many(struct loop *loop, struct loop_op *op, int res, bool last)
{
	unsigned int i;

	for (i = 0; i < MANY; i++) {
		loop_op_init(&many[i], count_fn);
		assert_int_equal(loop_timeout(loop, &many[i], 1000 * (MANY - i)), 0);
	}
}

static void timers_many(void **state)
{
	struct loop *loop = new_loop();
	struct loop_op first;

	expired = 0;
	loop_op_init(&first, add_many);
	assert_int_equal(loop_timeout(loop, &first, 1), 0);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(expired, MANY);
	loop_free(loop);
}

/* Before the loop runs the queue is finite, and says so. */
static void full_before_run(void **state)
{
	struct loop *loop = new_loop();
	unsigned int i;

	for (i = 0; i < ENTRIES - 1; i++) {
		loop_op_init(&many[i], count_fn);
		assert_int_equal(loop_timeout(loop, &many[i], 1), 0);
	}
	loop_op_init(&many[i], count_fn);
	assert_int_equal(loop_timeout(loop, &many[i], 1), -EBUSY);
	assert_false(many[i].armed);
	loop_free(loop);
}

static void timer_cancel_fn(struct loop *loop, struct loop_op *op, int res, bool last)
{
	struct probe *p = container_of(op, struct probe, op);

	/* The other timer's answer may not come before ours: cancel is later. */
	assert_int_equal(loop_cancel(loop, &p[1].op), 0);
	assert_int_equal(p[1].calls, 0);
	assert_int_equal(loop_cancel(loop, &p[1].op), 0);
}

static void timer_cancel(void **state)
{
	struct loop *loop = new_loop();
	struct probe p[2];

	probe_init(&p[0], 0);
	probe_init(&p[1], 0);
	p[0].op.fn = timer_cancel_fn;
	assert_int_equal(loop_timeout(loop, &p[1].op, 3600ull * 1000000000u), 0);
	assert_int_equal(loop_timeout(loop, &p[0].op, 1), 0);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(p[1].calls, 1);
	assert_int_equal(p[1].res, -ECANCELED);
	assert_true(p[1].last);
	loop_free(loop);
}

/* Messages: from several threads, each thread's in its order, none lost. */
#define POSTERS 3
#define MESSAGES 20000

struct note {
	struct loop_msg msg;
	unsigned int from, nr;
};

struct poster {
	pthread_t thread;
	struct loop *loop;
	struct note *notes;
	unsigned int seen;
};

static struct poster poster[POSTERS];
static unsigned int total;

static void note_fn(struct loop *loop, struct loop_msg *msg)
{
	struct note *n = container_of(msg, struct note, msg);

	assert_int_equal(n->nr, poster[n->from].seen);
	poster[n->from].seen++;
	if (++total == POSTERS * MESSAGES)
		loop_stop(loop);
}

static void *post_all(void *arg)
{
	struct poster *p = arg;
	unsigned int i;

	for (i = 0; i < MESSAGES; i++) {
		p->notes[i].msg.fn = note_fn;
		p->notes[i].from = (unsigned int)(p - poster);
		p->notes[i].nr = i;
		loop_post(p->loop, &p->notes[i].msg);
		if (!(i % 64))
			sched_yield();
	}
	return NULL;
}

static void post(void **state)
{
	struct loop *loop = new_loop();
	unsigned int i;

	total = 0;
	for (i = 0; i < POSTERS; i++) {
		poster[i].loop = loop;
		poster[i].seen = 0;
		poster[i].notes = calloc(MESSAGES, sizeof(struct note));
		assert_non_null(poster[i].notes);
		assert_int_equal(pthread_create(&poster[i].thread, NULL, post_all, &poster[i]), 0);
	}
	assert_int_equal(loop_run(loop), 0);
	for (i = 0; i < POSTERS; i++) {
		pthread_join(poster[i].thread, NULL);
		assert_int_equal(poster[i].seen, MESSAGES);
		free(poster[i].notes);
	}
	loop_free(loop);
}

/* Two loops that answer each other: a wake lost on the way would hang here. */
#define ROUNDS 20000

struct ball {
	struct loop_msg msg;
	struct loop *a, *b;
	unsigned int hits;
};

static void hit_fn(struct loop *loop, struct loop_msg *msg)
{
	struct ball *ball = container_of(msg, struct ball, msg);

	if (++ball->hits >= ROUNDS) {
		loop_stop(ball->a);
		loop_stop(ball->b);
		return;
	}
	loop_post(loop == ball->a ? ball->b : ball->a, msg);
}

static void *run_loop(void *arg)
{
	assert_int_equal(loop_run(arg), 0);
	return NULL;
}

static void post_back_and_forth(void **state)
{
	struct ball ball = { .msg.fn = hit_fn, .a = new_loop(), .b = new_loop() };
	pthread_t thread;

	loop_post(ball.a, &ball.msg);
	assert_int_equal(pthread_create(&thread, NULL, run_loop, ball.b), 0);
	assert_int_equal(loop_run(ball.a), 0);
	pthread_join(thread, NULL);
	assert_int_equal(ball.hits, ROUNDS);
	loop_free(ball.a);
	loop_free(ball.b);
}

/* Stopped before it runs: it returns at once, and can run again. */
static void stop_first(void **state)
{
	struct loop *loop = new_loop();
	struct probe p;

	loop_stop(loop);
	assert_int_equal(loop_run(loop), 0);
	probe_init(&p, 0);
	assert_int_equal(loop_timeout(loop, &p.op, 1), 0);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(p.calls, 1);
	loop_free(loop);
}

/* Made and filled by one thread, run by another. */
static void run_elsewhere(void **state)
{
	struct loop *loop = new_loop();
	struct probe p;
	pthread_t thread;

	probe_init(&p, 1);
	probe_pipe(&p);
	assert_int_equal(loop_poll(loop, &p.op, p.fd, POLLIN), 0);
	assert_int_equal(pthread_create(&thread, NULL, run_loop, loop), 0);
	assert_int_equal(write(p.peer, "x", 1), 1);
	pthread_join(thread, NULL);
	assert_int_equal(p.bytes, 1);
	loop_free(loop);
	probe_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(poll_goes_on),
		cmocka_unit_test(poll_of_ready),
		cmocka_unit_test(poll_error),
		cmocka_unit_test(poll_cancel),
		cmocka_unit_test(timer),
		cmocka_unit_test(timers_many),
		cmocka_unit_test(full_before_run),
		cmocka_unit_test(timer_cancel),
		cmocka_unit_test(post),
		cmocka_unit_test(post_back_and_forth),
		cmocka_unit_test(stop_first),
		cmocka_unit_test(run_elsewhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
