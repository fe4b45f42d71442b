/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The raw loop: read a fault, resolve it, nothing else. No table, no protocol,
 * no bookkeeping; what remains is what userfaultfd itself costs when another
 * process serves the faults.
 *
 *	4K	UFFDIO_CONTINUE, or UFFDIO_COPY to anonymous memory, which wake
 *	2M	process_madvise(MADV_COLLAPSE) on a folio that is huge, then WAKE
 *
 * Two forms: a blocking read, and an io_uring with a multishot poll and a read. Each
 * read takes up to BATCH messages. (An io_uring that reads the userfaultfd itself,
 * multishot, was tried and is no faster.)
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

/* The command line of the process. */
struct serve_args {
	struct server like;
	int sock;
	int cpus[MAX_HANDLERS];	/* -1: not pinned */
	unsigned int handlers;
};

struct handler {
	const struct server *s;
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

static void collapse(const struct server *s, uint64_t start)
{
	struct iovec iov = { (void *)start, HUGE_UNIT };

	/* A failure shows in the report: nothing is mapped huge. */
	if (s->pidfd < 0)
		madvise((void *)start, HUGE_UNIT, MADV_COLLAPSE);
	else
		syscall(SYS_process_madvise, s->pidfd, &iov, 1, MADV_COLLAPSE, 0);
	wake(s, start, HUGE_UNIT);
}

/* True: @len bytes are mapped, and who waits for them is awake. */
static bool map_pages(const struct server *s, uint64_t start, uint64_t len)
{
	static const char zeros[SMALL_UNIT] __attribute__((aligned(4096)));
	struct uffdio_continue cont = { .range = { start, len } };
	struct uffdio_copy copy = {
		.dst = start, .src = (uintptr_t)zeros, .len = len,
	};

	if (!(s->anon ? ioctl(s->uffd, UFFDIO_COPY, &copy) :
	      ioctl(s->uffd, UFFDIO_CONTINUE, &cont)))
		return true;
	if (errno != EEXIST && errno != EAGAIN && errno != ESRCH)
		die(s->anon ? "UFFDIO_COPY" : "UFFDIO_CONTINUE");
	return false;
}

void serve_resolve(const struct server *s, uint64_t address)
{
	uint64_t start = address & ~(s->unit - 1), len = s->unit * s->around;

	if (s->unit == HUGE_UNIT) {
		collapse(s, start);
		return;
	}
	if (s->around > 1 && map_pages(s, start & ~(len - 1), len))
		return;
	if (!map_pages(s, start, s->unit))
		wake(s, start, s->unit);
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
			serve_resolve(s, msgs[i].arg.pagefault.address);
	return n;
}

static void arm_poll(struct io_uring *ring, int fd)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

	io_uring_prep_poll_multishot(sqe, fd, POLLIN);
}

static void __attribute__((noreturn)) serve_uring(const struct server *s)
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

void serve_loop(const struct server *s)
{
	if (s->form == SERVE_URING)
		serve_uring(s);
	for (;;)
		serve_batch(s);
}

static void *handle(void *arg)
{
	struct handler *h = arg;

	if (pin_to(h->cpu))
		die("sched_setaffinity");
	serve_loop(h->s);
}

static int parse_serve(struct serve_args *a, int argc, char **argv)
{
	static const struct option longopts[] = {
		{ "anon", no_argument, NULL, 'a' },
		{ "around", required_argument, NULL, 'n' },
		{ "cpus", required_argument, NULL, 'c' },
		{ "form", required_argument, NULL, 'f' },
		{ "sock", required_argument, NULL, 's' },
		{ "unit", required_argument, NULL, 'u' },
		{ NULL, 0, NULL, 0 },
	};
	struct server *s = &a->like;
	uint64_t n = 0;
	int c;

	while ((c = getopt_long(argc, argv, "", longopts, NULL)) != -1) {
		if (strchr("nsu", c) && parse_size(optarg, &n))
			return -EINVAL;
		switch (c) {
		case 'a': s->anon = true; break;
		case 'n': s->around = n; break;
		case 'c':
			if (parse_cpus(optarg, a->cpus, MAX_HANDLERS, &a->handlers))
				return -EINVAL;
			break;
		case 'f':
			s->form = strcmp(optarg, "uring") ? SERVE_BLOCK : SERVE_URING;
			break;
		case 's': a->sock = n; break;
		case 'u': s->unit = n; break;
		default: return -EINVAL;
		}
	}
	return a->sock < 0 || !a->handlers || !s->around ||
		(s->unit != SMALL_UNIT && s->unit != HUGE_UNIT) ? -EINVAL : 0;
}

int serve_main(int argc, char **argv)
{
	struct serve_args a = { .sock = -1, .like.around = 1 };
	struct server *s = &a.like;
	struct handler h[MAX_HANDLERS];
	struct serve_hello hello;
	unsigned int i;
	int ret;

	if (parse_serve(&a, argc, argv)) {
		fputs("udax-bench: serve is for udax-bench itself\n", stderr);
		return BENCH_USAGE;
	}
	ret = recv_fd(a.sock, &hello, sizeof(hello), &s->uffd);
	if (ret) {
		errno = -ret;
		die("no userfaultfd came");
	}
	s->pidfd = syscall(SYS_pidfd_open, hello.pid, 0);
	if (s->pidfd < 0)
		die("pidfd_open");
	if (fcntl(s->uffd, F_SETFL, s->form == SERVE_URING ? O_NONBLOCK : 0))
		die("fcntl");
	for (i = 0; i < a.handlers; i++) {
		h[i] = (struct handler){ .s = s, .cpu = a.cpus[i] };
		if (i && pthread_create(&h[i].id, NULL, handle, &h[i]))
			die("pthread_create");
	}
	handle(&h[0]);
	return BENCH_OK;
}
