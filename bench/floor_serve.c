/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The raw loop: read a fault, resolve it, nothing else. No table, no protocol,
 * no bookkeeping; what remains is what userfaultfd itself costs when another
 * process serves the faults.
 *
 *	4K	UFFDIO_CONTINUE, which wakes
 *	2M	process_madvise(MADV_COLLAPSE) on a folio that is huge, then WAKE
 *
 * Two forms: a blocking read, and an io_uring with a multishot poll and a read.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/userfaultfd.h>
#include <liburing.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "floor.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

#define MAX_HANDLERS 64
#define BATCH 16

struct server {
	enum serve_form form;
	uint64_t unit;
	int sock;
	int cpus[MAX_HANDLERS];	/* -1: not pinned */
	unsigned int handlers;

	int uffd, pidfd;
};

struct handler {
	struct server *s;
	pthread_t id;
	int cpu;
};

static void __attribute__((noreturn)) die(const char *what)
{
	fprintf(stderr, "udax-bench: serve: %s: %s\n", what, strerror(errno));
	exit(BENCH_FAIL);
}

static void wake(const struct server *s, uint64_t start, uint64_t len)
{
	struct uffdio_range range = { .start = start, .len = len };

	if (ioctl(s->uffd, UFFDIO_WAKE, &range))
		die("UFFDIO_WAKE");
}

static void resolve(const struct server *s, uint64_t address)
{
	uint64_t start = address & ~(s->unit - 1);

	if (s->unit == HUGE_UNIT) {
		struct iovec iov = { (void *)start, HUGE_UNIT };

		/* A failure shows in the report: nothing is mapped huge. */
		syscall(SYS_process_madvise, s->pidfd, &iov, 1, MADV_COLLAPSE, 0);
		wake(s, start, HUGE_UNIT);
	} else {
		struct uffdio_continue c = { .range = { start, SMALL_UNIT } };

		if (!ioctl(s->uffd, UFFDIO_CONTINUE, &c))
			return;
		if (errno != EEXIST && errno != EAGAIN && errno != ESRCH)
			die("UFFDIO_CONTINUE");
		wake(s, start, SMALL_UNIT);
	}
}

/* Reads and resolves what there is, at most BATCH; the number of messages. */
static int serve_batch(const struct server *s)
{
	struct uffd_msg msgs[BATCH];
	ssize_t n;
	int i;

	n = read(s->uffd, msgs, sizeof(msgs));
	if (n < 0) {
		if (errno == EAGAIN || errno == EINTR)
			return 0;
		die("read");
	}
	n /= sizeof(msgs[0]);
	for (i = 0; i < n; i++)
		if (msgs[i].event == UFFD_EVENT_PAGEFAULT)
			resolve(s, msgs[i].arg.pagefault.address);
	return n;
}

static void arm_poll(struct io_uring *ring, int fd)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

	io_uring_prep_poll_multishot(sqe, fd, POLLIN);
}

static void serve_uring(const struct server *s)
{
	struct io_uring_params p = {
		.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
	};
	struct io_uring_cqe *cqe;
	struct io_uring ring;
	bool more;

	if (io_uring_queue_init_params(8, &ring, &p) < 0)
		die("io_uring_setup");
	arm_poll(&ring, s->uffd);
	for (;;) {
		if (io_uring_submit_and_wait(&ring, 1) < 0 ||
		    io_uring_peek_cqe(&ring, &cqe))
			continue;
		if (cqe->res < 0)
			die("poll");
		more = cqe->flags & IORING_CQE_F_MORE;
		io_uring_cqe_seen(&ring, cqe);
		if (!more)
			arm_poll(&ring, s->uffd);
		while (serve_batch(s) == BATCH)
			;
	}
}

static void *handle(void *arg)
{
	struct handler *h = arg;

	if (pin_to(h->cpu))
		die("sched_setaffinity");
	if (h->s->form == SERVE_URING)
		serve_uring(h->s);
	for (;;)
		serve_batch(h->s);
	return NULL;
}

static int parse_serve(struct server *s, int argc, char **argv)
{
	static const struct option longopts[] = {
		{ "cpus", required_argument, NULL, 'c' },
		{ "form", required_argument, NULL, 'f' },
		{ "sock", required_argument, NULL, 's' },
		{ "unit", required_argument, NULL, 'u' },
		{ NULL, 0, NULL, 0 },
	};
	uint64_t n;
	int c;

	while ((c = getopt_long(argc, argv, "", longopts, NULL)) != -1) {
		switch (c) {
		case 'c':
			if (parse_cpus(optarg, s->cpus, MAX_HANDLERS, &s->handlers))
				return -EINVAL;
			break;
		case 'f':
			s->form = strcmp(optarg, "uring") ? SERVE_BLOCK : SERVE_URING;
			break;
		case 's':
			if (parse_size(optarg, &n))
				return -EINVAL;
			s->sock = n;
			break;
		case 'u':
			if (parse_size(optarg, &s->unit))
				return -EINVAL;
			break;
		default:
			return -EINVAL;
		}
	}
	return s->sock < 0 || !s->handlers ||
		(s->unit != SMALL_UNIT && s->unit != HUGE_UNIT) ? -EINVAL : 0;
}

int serve_main(int argc, char **argv)
{
	struct handler h[MAX_HANDLERS];
	struct server s = { .sock = -1 };
	struct serve_hello hello;
	unsigned int i;
	int ret;

	if (parse_serve(&s, argc, argv)) {
		fputs("udax-bench: serve is for udax-bench itself\n", stderr);
		return BENCH_USAGE;
	}
	ret = recv_fd(s.sock, &hello, sizeof(hello), &s.uffd);
	if (ret) {
		errno = -ret;
		die("no userfaultfd came");
	}
	s.pidfd = syscall(SYS_pidfd_open, hello.pid, 0);
	if (s.pidfd < 0)
		die("pidfd_open");
	if (fcntl(s.uffd, F_SETFL, s.form == SERVE_URING ? O_NONBLOCK : 0))
		die("fcntl");
	for (i = 0; i < s.handlers; i++) {
		h[i] = (struct handler){ .s = &s, .cpu = s.cpus[i] };
		if (i && pthread_create(&h[i].id, NULL, handle, &h[i]))
			die("pthread_create");
	}
	handle(&h[0]);
	return BENCH_OK;
}
