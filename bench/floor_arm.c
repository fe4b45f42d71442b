/* SPDX-License-Identifier: BSD-3-Clause */
/* floor: who resolves the toucher's faults, if it is not udaxd. */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "floor.h"

/* Of the process: the signal handler's, or the thread's. */
static struct server own;
static int own_cpu;

/* On the thread that faulted; no other touch of unmapped memory raises it. */
static void on_sigbus(int sig, siginfo_t *info, void *context)
{
	int saved = errno;

	serve_resolve(&own, (uintptr_t)info->si_addr);
	errno = saved;
}

static void *thread_main(void *arg)
{
	if (pin_to(own_cpu))
		abort();
	serve_loop(&own);
}

static int serve_here(enum kind how)
{
	struct sigaction sa = {
		.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO | SA_NODEFER,
	};
	pthread_t id;

	if (how == SIGBUS_SELF)
		return sigaction(SIGBUS, &sa, NULL) ? -errno : 0;
	return -pthread_create(&id, NULL, thread_main, NULL);
}

int floor_arm(const struct server *like, enum kind how, void *map, uint64_t size,
	      int sock, int cpu)
{
	struct uffdio_api api = {
		.api = UFFD_API,
		.features = (like->anon ? 0 : UFFD_FEATURE_MISSING_SHMEM |
			     UFFD_FEATURE_MINOR_SHMEM) |
			    (how == SIGBUS_SELF ? UFFD_FEATURE_SIGBUS : 0),
	};
	struct uffdio_register reg = {
		.range = { .start = (uintptr_t)map, .len = size },
		.mode = UFFDIO_REGISTER_MODE_MISSING |
			(like->anon ? 0 : UFFDIO_REGISTER_MODE_MINOR),
	};
	struct serve_hello hello = { .pid = getpid() };

	own = *like;
	own.pidfd = -1;
	own_cpu = cpu;
	own.uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (own.uffd < 0)
		return -errno;
	if (ioctl(own.uffd, UFFDIO_API, &api) ||
	    ioctl(own.uffd, UFFDIO_REGISTER, &reg))
		return -errno;
	if (how == RAW)
		return send_fd(sock, &hello, sizeof(hello), own.uffd);
	return serve_here(how);
}
