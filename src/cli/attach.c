/* SPDX-License-Identifier: BSD-3-Clause */
/* How udax run gets at its daemon, and lets it go. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/run.h"
#include "lib/path.h"
#include "lib/sock.h"

/* "--pmem DIR"... and the choices that were made; the caller frees it. */
static char **daemon_options(const struct run_options *o)
{
	static const char pmem[] = "--pmem", lost[] = "--on-lost-wakeup",
			  kick[] = "kick", track[] = "--track",
			  media[] = "--media", trace[] = "--trace",
			  around[] = "--fault-around",
			  trace_size[] = "--trace-size", verbose[] = "--verbose";
	const struct { const char *option, *value; } choices[] = {
		/* A run is to end, whatever its protocol. */
		{ lost, o->on_lost ? o->on_lost : kick },
		{ track, o->track },
		{ media, o->media },
		{ around, o->around },
		{ trace, o->trace },
		{ trace_size, o->trace_size },
	};
	const size_t nr_choices = sizeof(choices) / sizeof(choices[0]);
	const char **argv = calloc(2 * (o->nr_dirs + nr_choices) +
				   o->nr_rules + 2,
				   sizeof(*argv));
	size_t n = 0;

	if (!argv)
		return NULL;
	for (size_t i = 0; i < o->nr_dirs; i++) {
		argv[n++] = pmem;
		argv[n++] = o->dirs[i];
	}
	for (size_t i = 0; i < o->nr_rules; i++)
		argv[n++] = o->rules[i];
	for (size_t i = 0; i < nr_choices; i++) {
		if (!choices[i].value)
			continue;
		argv[n++] = choices[i].option;
		argv[n++] = choices[i].value;
	}
	if (o->verbose)
		argv[n++] = verbose;
	/* execv() writes to none of them. */
	return (char **)argv;
}

/* It did not become ready. It has said why; what is our exit status? */
static int start_failed(struct run *r)
{
	int status;

	while (waitpid(r->own.pid, &status, 0) < 0)
		if (errno != EINTR)
			return EXIT_UDAX;
	r->own.pid = 0;
	if (WIFSIGNALED(status)) {
		complain("udaxd died while it started (signal %d)",
			 WTERMSIG(status));
		return EXIT_UDAX;
	}
	status = WEXITSTATUS(status);
	return status == EXIT_USAGE || status == EXIT_CANNOT ? status : EXIT_UDAX;
}

/* -1 once the daemon is ready, else the exit status. */
static int wait_ready(struct run *r)
{
	struct pollfd p[] = {
		{ .fd = r->own.ready, .events = POLLIN },
		{ .fd = r->sigfd, .events = POLLIN },
	};
	char byte;

	for (;;) {
		if (poll(p, 2, -1) < 0)
			continue;
		if (p[0].revents)
			break;
		run_step(r, true);
		if (r->interrupted)
			return 128 + r->interrupted;
		/* Dead: the pipe's end says it again, unless it was inherited. */
		if (r->daemon_gone)
			return EXIT_UDAX;
	}
	if (read(r->own.ready, &byte, 1) != 1)
		return start_failed(r);
	close(r->own.ready);
	r->own.ready = -1;
	return -1;
}

static int attach_private(struct run *r)
{
	char **options = daemon_options(&r->opt);
	int err = options ? private_start(&r->own, options, &r->mask) : -ENOMEM;

	free(options);
	if (err)
		return EXIT_UDAX;
	r->socket = r->own.socket;
	return wait_ready(r);
}

/* The programs may change their directory: the path has to be absolute. */
static int attach_public(struct run *r)
{
	r->public_socket = realpath(r->opt.daemon, NULL);
	if (!r->public_socket) {
		complain("--daemon %s: %s", r->opt.daemon, strerror(errno));
		return EXIT_UDAX;
	}
	r->socket = r->public_socket;
	return -1;
}

static bool serves(const json_t *pmem, const char *dir)
{
	const char *served;
	json_t *value;
	size_t i;

	json_array_foreach(pmem, i, value) {
		served = json_string_value(value);
		if (served && path_below(served, dir))
			return true;
	}
	return !json_array_size(pmem);
}

/* A running daemon may be there for other directories. */
static int check_served(struct run *r)
{
	int status = -1;
	json_t *d = daemon_call(&r->rpc, "get_status", NULL, &status);

	for (size_t i = 0; d && status < 0 && i < r->opt.nr_dirs; i++) {
		if (serves(json_object_get(d, "pmem"), r->opt.dirs[i]))
			continue;
		complain("--pmem %s: not served by the udaxd at %s",
			 r->opt.dirs[i], r->opt.daemon);
		status = EXIT_CANNOT;
	}
	json_decref(d);
	return status;
}

int run_attach(struct run *r)
{
	char why[256];
	int status;

	/* There is something to clean up from here on. */
	if (!r->opt.daemon && run_signals(r))
		return EXIT_UDAX;
	status = r->opt.daemon ? attach_public(r) : attach_private(r);
	if (status >= 0)
		return status;
	if (rpc_open(&r->rpc, r->socket)) {
		complain("%s", r->rpc.error);
		return EXIT_UDAX;
	}
	if (keeper_open(&r->keeper, r->socket, r->token, why, sizeof(why))) {
		complain("%s", why);
		return EXIT_UDAX;
	}
	if (!r->opt.daemon)
		return -1;
	r->daemon_pidfd = sock_peer_pidfd(r->keeper.fd);
	status = check_served(r);
	/* Until now a signal ended us: a daemon that hangs can be given up. */
	if (status < 0 && run_signals(r))
		return EXIT_UDAX;
	return status;
}

void run_detach(struct run *r)
{
	r->leaving = true;
	if (r->own.pid) {
		/* One that cannot be asked is told. */
		if (r->rpc.fd < 0 || rpc_send(&r->rpc, "shutdown", NULL))
			kill(r->own.pid, SIGTERM);
		while (r->own.pid)
			run_step(r, true);
	}
	private_cleanup(&r->own);
	rpc_close(&r->rpc);
	keeper_close(&r->keeper);
	if (r->daemon_pidfd >= 0)
		close(r->daemon_pidfd);
	free(r->public_socket);
}
