/* SPDX-License-Identifier: BSD-3-Clause */
/* udaxd: starts everything, waits for the end, stops everything. */
#include "daemon/session.h"
#include "daemon/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/control.h"
#include "daemon/detect.h"
#include "daemon/hold.h"
#include "io/uffd_own.h"
#include "lib/sock.h"
#include "lib/stdio_fds.h"

#define EXIT_CANNOT 77	/* this machine cannot serve faults */

void logmsg(const char *fmt, ...)
{
	char line[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	dprintf(STDERR_FILENO, "udaxd: %s\n", line);
}

void logv(const struct udaxd *d, const char *fmt, ...)
{
	char line[512];
	va_list ap;

	if (!d->opt.verbose)
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	dprintf(STDERR_FILENO, "udaxd: %s\n", line);
}

void udaxd_stop(struct udaxd *d)
{
	uint64_t one = 1;
	int err = errno;

	if (write(d->stop_fd, &one, sizeof(one)) < 0)
		errno = err;
}

/* Each client costs a few descriptors. */
static void raise_nofile(void)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_NOFILE, &lim))
		return;
	lim.rlim_cur = lim.rlim_max;
	setrlimit(RLIMIT_NOFILE, &lim);
}

static int make_waits(struct udaxd *d)
{
	void *mem = aligned_alloc(64, dax_wait_table_size(d->opt.wait_bits));

	if (!mem)
		return -ENOMEM;
	dax_wait_table_init(&d->waits, d->opt.wait_bits, mem);
	return 0;
}

/* Executors and workers on the CPUs of our affinity mask. */
static int make_workers(struct udaxd *d)
{
	unsigned int nr = d->opt.workers, cpu = 0;
	cpu_set_t set;
	int err = 0;

	if (sched_getaffinity(0, sizeof(set), &set))
		return -errno;
	if (!nr || nr > (unsigned int)CPU_COUNT(&set))
		nr = CPU_COUNT(&set);
	d->nr_workers = nr;
	d->nr_execs = nr + d->opt.helpers;
	d->workers = calloc(nr, sizeof(*d->workers));
	d->execs = calloc(d->nr_execs, sizeof(*d->execs));
	if (!d->workers || !d->execs)
		return -ENOMEM;
	for (unsigned int i = 0; i < d->nr_execs; i++) {
		d->execs[i] = exec_new(d, i, i >= nr);
		if (!d->execs[i])
			return -ENOMEM;
	}
	for (unsigned int i = 0; i < nr && !err; i++, cpu++) {
		while (!CPU_ISSET(cpu, &set))
			cpu++;
		err = worker_new(d, i, cpu);
	}
	return err;
}

/*
 * UFFDIO_CONTINUE with write protection has no feature of its own (6.4); poison
 * came after it (6.6), as did what the media need.
 */
static bool can_track(const struct udaxd *d)
{
	uint64_t need = UFFD_FEATURE_WP_HUGETLBFS_SHMEM | UFFD_FEATURE_POISON;

	if (d->opt.track != TRACK_EXACT || !(need & ~d->uffd_features))
		return true;
	logmsg("--track exact needs Linux 6.6");
	return false;
}

/* 0, or main()'s exit status; what there was to say has been said. */
static int start(struct udaxd *d)
{
	char path[256];
	int err;

	d->dev = open("/dev/userfaultfd", O_RDWR | O_CLOEXEC);
	err = uffd_probe(&d->uffd_features);
	if (err) {
		logmsg("userfaultfd cannot be used: %s (see udax doctor)",
		       strerror(-err));
		return EXIT_CANNOT;
	}
	if (!can_track(d))
		return EXIT_CANNOT;
	uffd_own();	/* now, so that it is no descriptor of the first file */
	err = make_waits(d);
	if (!err)
		err = make_workers(d);
	if (!err)
		err = pool_start(&d->pool, d, d->opt.helpers,
				 d->execs + d->nr_workers);
	if (err) {
		logmsg("cannot start: %s", strerror(-err));
		return EXIT_FAILURE;
	}
	if (trace_start(d))
		return EXIT_FAILURE;
	d->listen = sock_listen(d->opt.socket, SOCK_SEQPACKET | SOCK_NONBLOCK,
				0660, path, sizeof(path));
	if (d->listen < 0) {
		logmsg("%s", path);
		return EXIT_FAILURE;
	}
	for (unsigned int i = 0; i < d->nr_workers && !err; i++)
		err = worker_start(d->workers[i], i ? -1 : d->listen);
	if (!err) {
		snprintf(path, sizeof(path), "%s" UDAX_CONTROL_SUFFIX,
			 d->opt.socket);
		err = control_start(&d->control, d, path);
	}
	return err ? EXIT_FAILURE : 0;
}

/* The programs go on without us, with the right data; but not with an image. */
static void end_sessions(struct udaxd *d, bool first)
{
	struct session *s;

	lock_take(&d->lock);
	list_for_each(s, &d->sessions, link) {
		if (first && s->image && s->pidfd >= 0 &&
		    !session_process_gone(s)) {
			logmsg("stopping: ending pid %d (%s), which maps an image file",
			       (int)s->pid, s->comm);
			syscall(SYS_pidfd_send_signal, (int)s->pidfd, SIGKILL,
				NULL, 0);
		}
		session_end(s);
	}
	lock_release(&d->lock);
}

static bool all_gone(struct udaxd *d)
{
	bool gone;

	lock_take(&d->lock);
	gone = !d->nr_sessions && !d->nr_files && !d->nr_lingering &&
	       !d->nr_closing;
	lock_release(&d->lock);
	return gone;
}

/* Waits for SIGINT, SIGTERM, or udaxd_stop(). */
static void wait_for_stop(struct udaxd *d, int sigfd)
{
	struct pollfd p[2] = {
		{ .fd = sigfd, .events = POLLIN },
		{ .fd = d->stop_fd, .events = POLLIN },
	};

	while (poll(p, 2, -1) < 0 && errno == EINTR)
		;
}

static void stop(struct udaxd *d)
{
	struct pollfd p = { .fd = d->stop_fd, .events = POLLIN };
	uint64_t count;

	atomic_store(&d->stopping, true);
	end_sessions(d, true);
	linger_end(d, 0);
	detect_release(d);
	hold_open_gates(d, NULL);
	/* Written to by each session and file that goes. */
	while (!all_gone(d)) {
		if (poll(&p, 1, -1) == 1 &&
		    read(d->stop_fd, &count, sizeof(count)) < 0)
			break;
		end_sessions(d, false);
		linger_end(d, 0);
	}
	for (unsigned int i = 0; i < d->nr_workers; i++)
		worker_stop(d->workers[i]);
	pool_stop(d->pool);
	control_stop(d->control);
	trace_end(d);
	for (unsigned int i = 0; i < d->nr_workers; i++)
		worker_free(d->workers[i]);
	for (unsigned int i = 0; i < d->nr_execs; i++)
		exec_free(d->execs[i]);
	close(d->listen);
	unlink(d->opt.socket);
	/* udax run makes a directory for the sockets, and may have been killed. */
	if (d->opt.exit_with_keeper)
		rmdir(dirname(d->opt.socket));
}

/* Before any thread, so that all of them inherit the mask. */
static int block_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

static void say_ready(struct udaxd *d)
{
	if (d->opt.ready_fd < 0)
		return;
	if (write(d->opt.ready_fd, "R", 1) != 1)
		logmsg("--ready-fd: %s", strerror(errno));
	close(d->opt.ready_fd);
}

int main(int argc, char **argv)
{
	static struct udaxd daemon;
	struct udaxd *d = &daemon;
	int code, sigfd;

	stdio_fds_open();
	code = udaxd_options_parse(&d->opt, argc, argv);
	if (code >= 0 && !stdout_is_written()) {
		logmsg("cannot write to standard output");
		return 1;
	}
	if (code >= 0)
		return code;
	d->holds = d->opt.holds;
	d->opt.holds = NULL;
	d->started_ns = now_ns();
	lock_init(&d->lock, LOCK_RANK_DAEMON, "daemon");
	lock_init(&d->lost_lock, LOCK_RANK_LEAF, "lost wakeups");
	atomic_init(&d->on_lost, d->opt.on_lost);
	list_init(&d->sessions);
	list_init(&d->files);
	list_init(&d->lingering);
	list_init(&d->groups);
	list_init(&d->idle_waits);
	list_init(&d->quiet_waits);
	d->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	sigfd = block_signals();
	raise_nofile();
	code = start(d);
	if (code)
		return code;
	say_ready(d);
	wait_for_stop(d, sigfd);
	stop(d);
	hold_rules_free(d->holds);
	udaxd_options_free(&d->opt);
	return 0;
}
