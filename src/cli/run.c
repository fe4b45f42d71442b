/* SPDX-License-Identifier: BSD-3-Clause */
/* udax run: a program, its daemon, and the account of its faults. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/run.h"
#include "udax/wire.h"

#define PRELOAD "libudax-preload.so"

/* The value of LD_PRELOAD for the program; the caller frees it. */
static char *preload(void)
{
	const char *old = getenv("LD_PRELOAD");
	char *path = find_ours(PRELOAD, UDAX_PKGLIBDIR), *value;
	int n;

	if (!path)
		return NULL;
	/* The loader splits the list at both, and knows no quotes. */
	if (strpbrk(path, ": ")) {
		complain("%s: LD_PRELOAD cannot hold a path with ':' or a space",
			 path);
		free(path);
		return NULL;
	}
	n = asprintf(&value, "%s%s%s", path, old && *old ? ":" : "",
		     old ? old : "");
	free(path);
	return n < 0 ? NULL : value;
}

static int set_environment(const struct run *r)
{
	char *list = preload(), token[24];

	if (!list)
		return EXIT_UDAX;
	snprintf(token, sizeof(token), "%016" PRIx64, r->token);
	if (setenv("LD_PRELOAD", list, 1) ||
	    setenv(UDAX_ENV_SOCKET, r->socket, 1) ||
	    setenv(UDAX_ENV_PMEM, r->opt.pmem, 1) ||
	    setenv(UDAX_ENV_TOKEN, token, 1) ||
	    (r->opt.mmap_lock ? setenv(UDAX_ENV_MMAP_LOCK, "kernel", 1) :
				unsetenv(UDAX_ENV_MMAP_LOCK)) ||
	    (r->opt.require && setenv(UDAX_ENV_REQUIRE, "1", 1)) ||
	    (r->opt.track && !strcmp(r->opt.track, "exact") &&
	     setenv(UDAX_ENV_EXACT, "1", 1)) ||
	    (r->opt.verbose && setenv(UDAX_ENV_VERBOSE, "1", 1))) {
		free(list);
		complain("cannot set the environment: %s", strerror(errno));
		return EXIT_UDAX;
	}
	free(list);
	return -1;
}

static void __attribute__((noreturn)) become_program(struct run *r, int report)
{
	int err;

	signal(SIGCHLD, r->chld);
	signal(SIGPIPE, r->pipe);
	sigprocmask(SIG_SETMASK, &r->mask, NULL);
	execvp(r->opt.cmd[0], r->opt.cmd);
	err = errno;
	/* The parent cannot read less: it is one write of an int to a pipe. */
	if (write(report, &err, sizeof(err)) < 0)
		_exit(EXIT_UDAX);
	_exit(EXIT_NOEXEC);
}

static int exec_failed(struct run *r, int err)
{
	int status = err == ENOENT ? EXIT_NOTFOUND : EXIT_NOEXEC;

	complain("%s: %s", r->opt.cmd[0],
		 err == ENOENT ? "not found" : strerror(err));
	while (waitpid(r->cmd, NULL, 0) < 0 && errno == EINTR)
		;
	r->cmd = 0;
	return status;
}

/* -1 once the program runs, else the exit status. */
static int spawn(struct run *r)
{
	int fds[2], err = 0;
	ssize_t n;

	if (set_environment(r) >= 0)
		return EXIT_UDAX;
	if (pipe2(fds, O_CLOEXEC)) {
		complain("pipe: %s", strerror(errno));
		return EXIT_UDAX;
	}
	fflush(NULL);
	r->cmd = fork();
	if (!r->cmd)
		become_program(r, fds[1]);
	close(fds[1]);
	if (r->cmd < 0) {
		r->cmd = 0;
		complain("fork: %s", strerror(errno));
		close(fds[0]);
		return EXIT_UDAX;
	}
	/* Ends without a byte when exec closes the other end. */
	do {
		n = read(fds[0], &err, sizeof(err));
	} while (n < 0 && errno == EINTR);
	close(fds[0]);
	return n == sizeof(err) ? exec_failed(r, err) : -1;
}

/* The answer to get_summary, or NULL; waits until the run's files are written. */
static json_t *ask_summary(struct run *r)
{
	char token[24];
	json_t *answer;

	snprintf(token, sizeof(token), "%016" PRIx64, r->token);
	if (rpc_send(&r->rpc, "get_summary",
		     json_pack("{s:s,s:b}", "token", token, "wait", 1))) {
		complain("%s", r->rpc.error);
		return NULL;
	}
	r->answer_due = true;
	while (r->answer_due && !r->interrupted)
		run_step(r, true);
	answer = r->answer;
	r->answer = NULL;
	return answer;
}

/* A descriptor of a process of the run that is still there, or -1. */
static int find_straggler(const json_t *answer)
{
	json_t *pids = json_object_get(answer, "pids"), *pid;
	size_t i;
	int fd;

	json_array_foreach(pids, i, pid) {
		fd = syscall(SYS_pidfd_open, (pid_t)json_integer_value(pid), 0);
		if (fd >= 0)
			return fd;
	}
	return -1;
}

/*
 * A private daemon cannot leave before the last process that it serves, nor the
 * keeper before the last on an image: the program may have left some in the
 * background.
 */
static json_t *final_summary(struct run *r)
{
	bool told = false;
	json_t *answer;

	while ((answer = ask_summary(r)) && (!r->opt.daemon || r->keeper.nr)) {
		r->straggler = find_straggler(answer);
		if (r->straggler < 0)
			break;
		if (!told)
			complain("%s has left processes behind that map its files: waiting for them",
				 r->name);
		told = true;
		json_decref(answer);
		answer = NULL;
		while (r->straggler >= 0 && !r->interrupted && !r->lost)
			run_step(r, true);
		if (r->interrupted || r->lost)
			break;
	}
	return answer;
}

static int report(struct run *r, const json_t *answer)
{
	json_t *summary = json_object_get(answer, "summary");
	int status = -1;

	if (!summary) {
		/* A daemon that is gone has been spoken of. */
		if (!r->lost)
			complain("there is no summary");
		/* Nothing is known: every name is absent. */
		if (r->json)
			fputs("{}\n", r->json);
		return r->opt.require ? EXIT_UDAX : -1;
	}
	if (!json_number(summary, "mappings")) {
		complain("no mapping of a file in %s was seen: static program, or raw system calls?",
			 r->opt.pmem);
		if (r->opt.require)
			status = EXIT_UDAX;
	} else if (!r->opt.quiet) {
		print_summary(summary, stderr);
	}
	if (!r->opt.quiet && json_is_true(json_object_get(summary, "escaped")))
		complain("some mappings could not be served; -v tells which");
	if (r->json && print_json(summary, r->json))
		status = EXIT_UDAX;
	return status;
}

static int program_status(const struct run *r)
{
	if (WIFSIGNALED(r->cmd_status))
		return 128 + WTERMSIG(r->cmd_status);
	return WEXITSTATUS(r->cmd_status);
}

static int run_program(struct run *r)
{
	int status = spawn(r), own;
	json_t *answer;

	if (status >= 0)
		return status;
	while (r->cmd)
		run_step(r, true);
	status = program_status(r);
	answer = r->lost ? NULL : final_summary(r);
	own = report(r, answer);
	/* An image whose daemon is gone may not have been written back. */
	if (r->killed || (r->lost && (r->keeper.ever || r->opt.require)))
		own = EXIT_UDAX;
	json_decref(answer);
	return own >= 0 ? own : status;
}

static int open_json(struct run *r)
{
	if (!r->opt.json)
		return -1;
	r->json = strcmp(r->opt.json, "-") ? fopen(r->opt.json, "we") : stdout;
	if (r->json)
		return -1;
	complain("--json %s: %s", r->opt.json, strerror(errno));
	return EXIT_UDAX;
}

static int run(struct run *r)
{
	int status = open_json(r);

	for (size_t i = 0; status < 0 && i < r->opt.nr_dirs; i++)
		status = pmem_check(r->opt.dirs[i], r->opt.media);
	if (status >= 0)
		return status;
	if (getrandom(&r->token, sizeof(r->token), 0) != sizeof(r->token) ||
	    prctl(PR_SET_CHILD_SUBREAPER, 1)) {
		complain("cannot set up: %s", strerror(errno));
		return EXIT_UDAX;
	}
	status = run_attach(r);
	/* A signal so far was meant for udax, not for a program to come. */
	run_step(r, false);
	if (status < 0 && r->interrupted)
		status = 128 + r->interrupted;
	if (status < 0)
		status = run_program(r);
	run_detach(r);
	return status;
}

int cmd_run(int argc, char **argv)
{
	struct run r = {
		.sigfd = -1, .daemon_pidfd = -1, .straggler = -1,
		.own.ready = -1, .keeper.fd = -1, .rpc.fd = -1,
	};
	int status = run_options_parse(&r.opt, argc, argv);

	if (status < 0) {
		char *copy = strdup(r.opt.cmd[0]);

		r.name = copy ? basename(copy) : "the program";
		status = run(&r);
		free(copy);
	}
	if (r.json && r.json != stdout && fclose(r.json) && !status) {
		complain("--json %s: %s", r.opt.json, strerror(errno));
		status = EXIT_UDAX;
	}
	run_options_free(&r.opt);
	return status;
}
