/* SPDX-License-Identifier: BSD-3-Clause */
/* The events of udax run. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/run.h"
#include "cli/tree.h"

int run_signals(struct run *r)
{
	static const int handled[] = {
		SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGCHLD
	};
	sigset_t set;

	/* An ignored SIGCHLD would take the exit statuses away. */
	r->chld = signal(SIGCHLD, SIG_DFL);
	r->pipe = signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(handled) / sizeof(handled[0]); i++)
		sigaddset(&set, handled[i]);
	sigprocmask(SIG_BLOCK, &set, &r->mask);
	r->sigfd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (r->sigfd >= 0)
		return 0;
	complain("signalfd: %s", strerror(errno));
	return -errno;
}

static void reaped(void *arg, pid_t pid, int status)
{
	struct run *r = arg;

	if (pid == r->cmd) {
		r->cmd = 0;
		r->cmd_status = status;
	} else if (pid == r->own.pid) {
		r->own.pid = 0;
		r->daemon_status = status;
		r->daemon_gone = true;
	}
	/* Anything else is an orphan of the program's. */
}

/*
 * A program gets the terminal's signals itself; those that a process sent to
 * udax alone are passed on. Without a program they end whatever is waited for,
 * the daemon at last.
 */
static void take_signal(struct run *r, const struct signalfd_siginfo *info)
{
	int sig = info->ssi_signo;

	if (r->cmd) {
		if (info->ssi_code <= 0)
			kill(r->cmd, sig);
		return;
	}
	if (r->interrupted && r->own.pid)
		kill(r->own.pid, SIGKILL);
	r->interrupted = sig;
}

static void take_signals(struct run *r)
{
	struct signalfd_siginfo info;
	pid_t pid;
	int status;

	while (read(r->sigfd, &info, sizeof(info)) == sizeof(info))
		if (info.ssi_signo != SIGCHLD)
			take_signal(r, &info);
	/* One SIGCHLD may stand for many. */
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		reaped(r, pid, status);
}

/* "udaxd died (signal 9)", as far as it is known. */
static void daemon_fate(const struct run *r, char *buf, size_t len)
{
	if (r->opt.daemon)
		snprintf(buf, len, "udaxd is gone");
	else if (WIFSIGNALED(r->daemon_status))
		snprintf(buf, len, "udaxd died (signal %d)",
			 WTERMSIG(r->daemon_status));
	else
		snprintf(buf, len, "udaxd ended (exit status %d)",
			 WEXITSTATUS(r->daemon_status));
}

/*
 * Direct sessions go on: their userfaultfd died with the daemon, and the pages
 * are the file's own. In an image a page that was not loaded would read as
 * zeros; its threads sleep as long as the keeper holds their userfaultfd, so
 * they are ended before it lets go.
 */
static void daemon_lost(struct run *r)
{
	char fate[64];

	if (r->daemon_pidfd >= 0)
		close(r->daemon_pidfd);
	r->daemon_pidfd = -1;
	r->lost = true;
	r->answer_due = false;
	rpc_close(&r->rpc);
	/* What it asked for before it died still is in the socket. */
	while (r->keeper.fd >= 0 && !keeper_receive(&r->keeper))
		;
	daemon_fate(r, fate, sizeof(fate));
	if (r->keeper.nr) {
		complain("%s with pages of %s not loaded, which must not read as zeros: killing it and its children",
			 fate, r->name);
		r->killed = true;
		tree_kill(reaped, r);
	} else if (r->cmd) {
		complain("%s: %s goes on without emulation", fate, r->name);
	}
}

static void take_answer(struct run *r)
{
	int got = rpc_receive(&r->rpc, &r->answer);

	if (!got)
		return;
	r->answer_due = false;
	if (got < 0) {
		r->answer = NULL;
		complain("%s", r->rpc.error);
	}
}

static void take_keeper(struct run *r)
{
	if (!keeper_receive(&r->keeper))
		return;
	/* What is held stays; that the daemon died is seen by its pidfd. */
	close(r->keeper.fd);
	r->keeper.fd = -1;
}

static void take_straggler(struct run *r)
{
	close(r->straggler);
	r->straggler = -1;
}

void run_step(struct run *r, bool wait)
{
	enum { SIGNALS, KEEPER, DAEMON, ANSWER, STRAGGLER, NR };
	/* poll() passes over negative descriptors. */
	struct pollfd p[NR] = {
		[SIGNALS] = { r->sigfd, POLLIN, 0 },
		[KEEPER] = { r->keeper.fd, POLLIN, 0 },
		[DAEMON] = { r->daemon_pidfd, POLLIN, 0 },
		[ANSWER] = { r->answer_due ? r->rpc.fd : -1, POLLIN, 0 },
		[STRAGGLER] = { r->straggler, POLLIN, 0 },
	};

	if (poll(p, NR, wait ? -1 : 0) <= 0)
		return;
	if (p[KEEPER].revents)
		take_keeper(r);
	if (p[ANSWER].revents)
		take_answer(r);
	if (p[STRAGGLER].revents)
		take_straggler(r);
	if (p[DAEMON].revents)
		r->daemon_gone = true;
	if (p[SIGNALS].revents)
		take_signals(r);
	if (r->daemon_gone && !r->lost && !r->leaving)
		daemon_lost(r);
}
