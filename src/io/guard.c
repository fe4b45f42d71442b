/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

#include "io/guard.h"

static _Thread_local sigjmp_buf *volatile landing;
static struct sigaction before;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/*
 * A SIGBUS of nobody's guard: the former action is put back and the instruction
 * runs into it again; a signal that somebody sent is raised anew.
 */
static void on_sigbus(int sig, siginfo_t *info, void *context)
{
	sigjmp_buf *to = landing;

	if (to && info->si_code > 0) {
		landing = NULL;
		siglongjmp(*to, info->si_code == BUS_ADRERR ? EFAULT : EIO);
	}
	sigaction(SIGBUS, &before, NULL);
	if (info->si_code <= 0)
		raise(SIGBUS);
}

static void unblock(sigset_t *old)
{
	sigset_t bus;

	sigemptyset(&bus);
	sigaddset(&bus, SIGBUS);
	pthread_sigmask(SIG_UNBLOCK, &bus, old);
}

static void install(void)
{
	struct sigaction act = {
		.sa_sigaction = on_sigbus,
		.sa_flags = SA_SIGINFO | SA_ONSTACK,
	};

	sigemptyset(&act.sa_mask);
	sigaction(SIGBUS, &act, &before);
}

int guard_run(void (*fn)(void *arg), void *arg)
{
	sigjmp_buf here;
	sigset_t old;
	int err;

	pthread_once(&once, install);
	/* A blocked SIGBUS that an instruction raises kills the process. */
	unblock(&old);
	err = sigsetjmp(here, 0);
	if (!err) {
		landing = &here;
		fn(arg);
		landing = NULL;
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -err;
}

bool guard_peek(const char *byte)
{
	static _Thread_local bool unblocked;
	sigjmp_buf here;

	if (!unblocked) {
		pthread_once(&once, install);
		unblock(NULL);
		unblocked = true;
	}
	if (sigsetjmp(here, 0)) {
		/* The handler was left: its signal is blocked still. */
		unblock(NULL);
		return false;
	}
	landing = &here;
	(void)*(const volatile char *)byte;
	landing = NULL;
	return true;
}
