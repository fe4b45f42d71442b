/* SPDX-License-Identifier: BSD-3-Clause */
#include "cli/replay_live.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/live.h"
#include "cli/private.h"
#include "mm/outcomes.h"

struct run {
	const char *path;
	const struct script *script;
	const struct replay_options *o;
	struct private_daemon daemon;
	int trace;			/* a memfd, which leaves nothing behind */
	char trace_path[40];
};

/* The signal that ended a set of runs; a terminal's goes to the program as well. */
static volatile sig_atomic_t interrupted;

static void on_signal(int sig)
{
	interrupted = sig;
}

static int wait_for(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return -1;
		if (interrupted)
			kill(pid, SIGKILL);
	}
	return status;
}

/* -1 once it is ready, else the exit status; it has said why. */
static int daemon_start(struct run *run)
{
	static char track[] = "--track", exact[] = "exact", trace[] = "--trace",
		    fs[] = "--fs-clients", protocol[] = "--protocol",
		    kernel[] = "--kernel", on[] = "--fs";
	const struct mm_variant *v = run->o->variant;
	char *options[] = {
		track, exact, fs, trace, run->trace_path,
		protocol, (char *)v->protocol,
		kernel, (char *)v->kernel, on, (char *)v->fs, NULL,
	};
	sigset_t mask;
	char byte;
	int status;

	sigprocmask(SIG_SETMASK, NULL, &mask);
	if (private_start(&run->daemon, options, &mask))
		return EXIT_UDAX;
	if (read(run->daemon.ready, &byte, 1) == 1)
		return -1;
	if (interrupted)
		return 128 + interrupted;
	status = wait_for(run->daemon.pid);
	run->daemon.pid = 0;
	return WIFEXITED(status) && WEXITSTATUS(status) == EXIT_CANNOT ?
	       EXIT_CANNOT : EXIT_UDAX;
}

static void daemon_stop(struct run *run)
{
	if (run->daemon.pid) {
		kill(run->daemon.pid, SIGTERM);
		wait_for(run->daemon.pid);
	}
	private_cleanup(&run->daemon);
}

static void __attribute__((noreturn))
become_program(const struct run *run, FILE *out, pid_t parent)
{
	struct replay_options o = *run->o;
	char msg[160];
	int status = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(EXIT_UDAX);
	o.out = out;
	if (live_replay(run->daemon.socket, run->trace_path, run->script, &o,
			msg, sizeof(msg))) {
		complain("%s: %s", run->path, msg);
		status = EXIT_UDAX;
	}
	if (fflush(out)) {
		complain("%s: %s", run->path, strerror(errno));
		status = EXIT_UDAX;
	}
	_exit(status);
}

static int run_program(const struct run *run, FILE *out)
{
	pid_t parent = getpid(), pid;
	int status;

	fflush(NULL);
	pid = fork();
	if (!pid)
		become_program(run, out, parent);
	if (pid < 0) {
		complain("fork: %s", strerror(errno));
		return EXIT_UDAX;
	}
	status = wait_for(pid);
	if (interrupted)
		return 128 + interrupted;
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	complain("%s: the replay was ended by signal %d", run->path,
		 WTERMSIG(status));
	return EXIT_UDAX;
}

static int run_once(const char *path, const struct script *script,
		    const struct replay_options *o, FILE *out)
{
	struct run run = { .path = path, .script = script, .o = o };
	int status;

	run.trace = memfd_create("udax-trace", MFD_CLOEXEC);
	if (run.trace < 0) {
		complain("memfd_create: %s", strerror(errno));
		return EXIT_UDAX;
	}
	snprintf(run.trace_path, sizeof(run.trace_path), "/proc/%d/fd/%d",
		 (int)getpid(), run.trace);
	status = daemon_start(&run);
	if (status < 0)
		status = run_program(&run, out);
	daemon_stop(&run);
	close(run.trace);
	return status;
}

/* One run, whose outcome joins @set. */
static int collect(const char *path, const struct script *script,
		   const struct replay_options *o, struct outcomes *set)
{
	int fd = memfd_create("udax-log", MFD_CLOEXEC), status = EXIT_UDAX;
	FILE *out = fd < 0 ? NULL : fdopen(fd, "w+");
	struct stat st;
	char *log;

	if (!out) {
		complain("memfd_create: %s", strerror(errno));
		return EXIT_UDAX;
	}
	status = run_once(path, script, o, out);
	if (!status && !fstat(fd, &st)) {
		log = mmap(NULL, st.st_size, PROT_READ, MAP_SHARED, fd, 0);
		if (log == MAP_FAILED ||
		    outcomes_add_log(set, log, st.st_size)) {
			complain("%s: no memory for an outcome", path);
			status = EXIT_UDAX;
		}
		if (log != MAP_FAILED)
			munmap(log, st.st_size);
	}
	fclose(out);
	return status;
}

static void progress(const char *path, unsigned int done, unsigned int runs)
{
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r%s: %u of %u%s", path, done, runs,
			done == runs ? "\n" : "");
}

int replay_live(const char *path, const struct script *script,
		const struct replay_options *o, unsigned int runs)
{
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = SA_RESETHAND };
	struct outcomes set;
	int status = 0;

	if (runs <= 1)
		return run_once(path, script, o, o->out);
	outcomes_init(&set);
	snprintf(set.name, sizeof(set.name), "%s", o->scenario);
	snprintf(set.fs, sizeof(set.fs), "%s", o->variant->fs);
	snprintf(set.kernel, sizeof(set.kernel), "%s", o->variant->kernel);
	/* The second one ends us as it would anybody. */
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	for (unsigned int i = 0; i < runs && !status; i++) {
		status = collect(path, script, o, &set);
		if (!status && interrupted)
			status = 128 + interrupted;
		progress(path, i + 1, runs);
	}
	if (interrupted)
		complain("%s: interrupted after %lu of %u runs", path,
			 outcomes_runs(&set), runs);
	if (!status || interrupted) {
		outcomes_sort(&set);
		outcomes_print(&set, NULL, o->out);
	}
	outcomes_free(&set);
	return status;
}
