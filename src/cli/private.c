/* SPDX-License-Identifier: BSD-3-Clause */
#include "cli/private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/cli.h"
#include "udax/wire.h"

#define SOCKET_NAME "/sock"

/* A socket's path is at most 107 bytes: a long directory cannot be used. */
static bool path_fits(const char *dir)
{
	return strlen(dir) + sizeof(SOCKET_NAME UDAX_CONTROL_SUFFIX) <=
	       sizeof(((struct sockaddr_un *)0)->sun_path);
}

static char *make_dir_in(const char *base)
{
	char *dir;

	if (!base || *base != '/' || asprintf(&dir, "%s/udax-XXXXXX", base) < 0)
		return NULL;
	if (path_fits(dir) && mkdtemp(dir))
		return dir;
	free(dir);
	return NULL;
}

static int make_dir(struct private_daemon *p)
{
	p->dir = make_dir_in(getenv("XDG_RUNTIME_DIR"));
	if (!p->dir)
		p->dir = make_dir_in("/tmp");
	if (!p->dir) {
		complain("cannot make a directory in /tmp: %s", strerror(errno));
		return -EIO;
	}
	if (asprintf(&p->socket, "%s" SOCKET_NAME, p->dir) >= 0)
		return 0;
	p->socket = NULL;
	return -ENOMEM;
}

static char **make_argv(const struct private_daemon *p, char *const *options,
			char *program, char *ready)
{
	static char opt_socket[] = "--socket", opt_ready[] = "--ready-fd",
		    opt_exit[] = "--exit-with-keeper";
	char *fixed[] = { program, opt_socket, p->socket, opt_ready, ready,
			  opt_exit };
	size_t nr = sizeof(fixed) / sizeof(fixed[0]), extra = 0;
	char **argv;

	while (options[extra])
		extra++;
	argv = calloc(nr + extra + 1, sizeof(*argv));
	if (!argv)
		return NULL;
	memcpy(argv, fixed, sizeof(fixed));
	memcpy(argv + nr, options, extra * sizeof(*argv));
	return argv;
}

/*
 * In the child. A session of its own keeps the terminal's signals away: the
 * daemon outlives an interrupted program. It must not be emulated itself.
 */
static void __attribute__((noreturn))
become_daemon(const char *program, char **argv, const sigset_t *mask,
	      pid_t parent)
{
	int null = open("/dev/null", O_RDONLY);

	setsid();
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)	/* it died before the prctl() */
		_exit(EXIT_UDAX);
	if (null >= 0)
		dup2(null, STDIN_FILENO);
	/* Nobody who reads the program's output waits for the daemon's. */
	dup2(STDERR_FILENO, STDOUT_FILENO);
	unsetenv(UDAX_ENV_SOCKET);
	unsetenv(UDAX_ENV_PMEM);
	unsetenv(UDAX_ENV_TOKEN);
	unsetenv(UDAX_ENV_REQUIRE);
	unsetenv(UDAX_ENV_MMAP_LOCK);
	unsetenv(UDAX_ENV_EXACT);
	signal(SIGCHLD, SIG_DFL);
	sigprocmask(SIG_SETMASK, mask, NULL);
	execv(program, argv);
	complain("%s: %s", program, strerror(errno));
	_exit(EXIT_UDAX);
}

int private_start(struct private_daemon *p, char *const *options,
		  const sigset_t *mask)
{
	char *program, ready[16], **argv = NULL;
	pid_t parent = getpid();
	int fds[2], err;

	*p = (struct private_daemon) { .ready = -1 };
	program = find_ours("udaxd", UDAX_SBINDIR);
	if (!program)
		return -ENOENT;
	err = make_dir(p);
	if (err)
		goto out;
	err = pipe2(fds, O_CLOEXEC) ? -errno : 0;
	if (err)
		goto out;
	snprintf(ready, sizeof(ready), "%d", fds[1]);
	argv = make_argv(p, options, program, ready);
	p->pid = argv ? fork() : -1;
	if (!p->pid) {
		fcntl(fds[1], F_SETFD, 0);
		become_daemon(program, argv, mask, parent);
	}
	if (p->pid < 0) {
		err = -errno;
		p->pid = 0;
		complain("cannot start udaxd: %s", strerror(-err));
	}
	close(fds[1]);
	p->ready = fds[0];
out:
	free(argv);
	free(program);
	if (err)
		private_cleanup(p);
	return err;
}

void private_cleanup(struct private_daemon *p)
{
	char *control;

	if (p->ready >= 0)
		close(p->ready);
	p->ready = -1;
	if (p->socket && asprintf(&control, "%s" UDAX_CONTROL_SUFFIX,
				  p->socket) >= 0) {
		/* udaxd removes them, unless it was killed. */
		unlink(p->socket);
		unlink(control);
		free(control);
	}
	if (p->dir)
		rmdir(p->dir);
	free(p->socket);
	free(p->dir);
	p->socket = p->dir = NULL;
}
