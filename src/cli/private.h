/* SPDX-License-Identifier: BSD-3-Clause */
/* A udaxd of one's own, for as long as a run lasts. One thread. */
#ifndef UDAX_CLI_PRIVATE_H
#define UDAX_CLI_PRIVATE_H

#include <signal.h>
#include <sys/types.h>

struct private_daemon {
	pid_t pid;		/* 0: not running, or reaped */
	char *dir;		/* holds the sockets; mode 0700 */
	char *socket;		/* data socket */
	int ready;		/* end of the readiness pipe; -1: closed */
};

/*
 * Makes the directory and starts the daemon with @options (NULL-terminated,
 * without --socket and the like) and the signal mask @mask. It is ready once a
 * byte can be read from @p->ready; it has failed, and said why, if that ends
 * before. 0 or -errno, with a complaint.
 */
int private_start(struct private_daemon *p, char *const *options,
		  const sigset_t *mask);
/* Removes what private_start() made. The daemon is gone, or never started. */
void private_cleanup(struct private_daemon *p);

#endif
