/* SPDX-License-Identifier: BSD-3-Clause */
/* Child processes of an experiment, descriptor passing, a private udaxd. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "udax/wire.h"
#include "bench.h"
#include "proc.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

extern char **environ;

union fd_control {
	struct cmsghdr align;
	char buf[CMSG_SPACE(sizeof(int))];
};

int send_fd(int sock, const void *data, size_t size, int fd)
{
	union fd_control control = { 0 };
	struct iovec iov = { (void *)(uintptr_t)data, size };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control.buf, .msg_controllen = sizeof(control.buf),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	return sendmsg(sock, &msg, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int recv_fd(int sock, void *data, size_t size, int *fd)
{
	union fd_control control = { 0 };
	struct iovec iov = { data, size };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control.buf, .msg_controllen = sizeof(control.buf),
	};
	struct cmsghdr *c;
	ssize_t n;

	n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	if (n < 0)
		return -errno;
	c = CMSG_FIRSTHDR(&msg);
	if ((size_t)n != size || !c || c->cmsg_type != SCM_RIGHTS ||
	    c->cmsg_len != CMSG_LEN(sizeof(*fd)))
		return -EPROTO;
	memcpy(fd, CMSG_DATA(c), sizeof(*fd));
	return 0;
}

void *map_aligned(int fd, uint64_t size)
{
	uintptr_t room;
	void *p;

	p = mmap(NULL, size + HUGE_UNIT, PROT_NONE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return p;
	room = ((uintptr_t)p + HUGE_UNIT - 1) & ~(HUGE_UNIT - 1);
	return mmap((void *)room, size, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_FIXED, fd, 0);
}

int collapse_range(void *p, uint64_t size)
{
	const struct timespec pause = { .tv_nsec = 20000000 };

	/* Whoever looks at a page, or drains the lists that it is on, holds it. */
	for (int i = 0; madvise(p, size, MADV_COLLAPSE); i++) {
		if (errno != EAGAIN || i == 50)
			return -errno;
		nanosleep(&pause, NULL);
	}
	return 0;
}

static void __attribute__((noreturn)) exec_child(const struct spawn *how, int status)
{
	cpu_set_t set;
	unsigned int i;
	int err;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (how->cpus) {
		CPU_ZERO(&set);
		for (i = 0; i < how->nr_cpus; i++)
			CPU_SET(how->cpus[i], &set);
		if (sched_setaffinity(0, sizeof(set), &set))
			goto fail;
	}
	for (i = 0; i < 2; i++)
		if (how->keep[i] >= 0 && fcntl(how->keep[i], F_SETFD, 0))
			goto fail;
	if (how->log) {
		err = open(how->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
		if (err < 0 || dup2(err, STDERR_FILENO) < 0)
			goto fail;
	}
	execve(how->argv[0], how->argv, how->envp ? how->envp : environ);
fail:
	err = errno;
	if (write(status, &err, sizeof(err)) < 0)
		_exit(126);
	_exit(127);
}

int child_spawn(struct child *c, const struct spawn *how)
{
	int status[2], err = 0;

	if (pipe2(status, O_CLOEXEC))
		return -errno;
	c->pid = fork();
	if (c->pid < 0) {
		err = errno;
		close(status[0]);
		close(status[1]);
		return -err;
	}
	if (!c->pid)
		exec_child(how, status[1]);
	close(status[1]);
	/* Nothing comes, and the end is closed, once the program runs. */
	if (read(status[0], &err, sizeof(err)) != sizeof(err))
		err = 0;
	close(status[0]);
	if (err) {
		waitpid(c->pid, NULL, 0);
		c->pid = 0;
	}
	return -err;
}

void child_end(struct child *c)
{
	if (c->ctl >= 0)
		close(c->ctl);
	c->ctl = -1;
	if (c->pid > 0) {
		kill(c->pid, SIGKILL);
		waitpid(c->pid, NULL, 0);
	}
	c->pid = 0;
}

static int find_beside(char *buf, size_t size, const char *dir, const char *name,
		       const char *installed)
{
	snprintf(buf, size, "%s/%s", dir, name);
	if (!access(buf, R_OK))
		return 0;
	snprintf(buf, size, "%s/%s", installed, name);
	return access(buf, R_OK) ? -ENOENT : 0;
}

int udax_find(struct udax_tree *t)
{
	char dir[2048];
	ssize_t n;
	char *slash;

	n = readlink("/proc/self/exe", dir, sizeof(dir) - 1);
	if (n < 0)
		return -errno;
	dir[n] = '\0';
	slash = strrchr(dir, '/');
	if (slash)
		*slash = '\0';
	if (find_beside(t->daemon, sizeof(t->daemon), dir, "udaxd", SBINDIR) ||
	    find_beside(t->cli, sizeof(t->cli), dir, "udax", BINDIR) ||
	    find_beside(t->preload, sizeof(t->preload), dir,
			"libudax-preload.so", PKGLIBDIR)) {
		fprintf(stderr, "udax-bench: no udaxd, udax and libudax-preload.so in %s"
			" nor installed\n", dir);
		return -ENOENT;
	}
	return 0;
}

json_t *udax_config(const struct udax_tree *t)
{
	json_t *o = json_object();
	char cmd[4200], line[256], *value;
	FILE *p;

	snprintf(cmd, sizeof(cmd), "'%s' --dump-config --socket /", t->daemon);
	p = popen(cmd, "r");
	while (p && fgets(line, sizeof(line), p)) {
		line[strcspn(line, "\n")] = '\0';
		value = strchr(line, '=');
		if (!value)
			continue;
		*value++ = '\0';
		json_object_set_new(o, line, json_string(value));
	}
	if (p)
		pclose(p);
	value = (char *)(uintptr_t)json_string_value(json_object_get(o, "debug"));
	if (value && !strcmp(value, "yes"))
		puts("This udaxd checks itself at every step (--enable-debug): "
		     "its figures stand for nothing.");
	return o;
}

bool udax_has(const struct udax_tree *t, const char *name)
{
	char cmd[4200], line[256], option[64];
	bool has = false;
	FILE *p;

	snprintf(option, sizeof(option), " --%s ", name);
	snprintf(cmd, sizeof(cmd), "'%s' --help", t->daemon);
	p = popen(cmd, "r");
	while (p && fgets(line, sizeof(line), p))
		has |= strstr(line, option) != NULL;
	if (p)
		pclose(p);
	return has;
}

/* Until it says that its sockets listen, is gone, or ten seconds are over. */
static int wait_ready(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char byte;
	int ret = poll(&p, 1, 10000);

	if (ret <= 0)
		return ret ? -errno : -ETIMEDOUT;
	return read(fd, &byte, 1) == 1 ? 0 : -ECONNREFUSED;
}

static void add_env(struct udax_daemon *d, unsigned int *n, const char *name,
		    const char *value)
{
	if (asprintf(&d->env[*n], "%s=%s", name, value) < 0)
		abort();
	(*n)++;
}

int udax_start_with(struct udax_daemon *d, const struct udax_tree *t,
		    const char *pmem, const int *cpus, unsigned int nr_cpus,
		    const char *const *more)
{
	char a_ready[16], *argv[8 + UDAX_MORE] = { (char *)(uintptr_t)t->daemon,
		(char *)"--socket", d->sock, (char *)"--pmem", d->pmem,
		(char *)"--ready-fd", a_ready };
	struct spawn how = { .argv = argv, .cpus = cpus, .nr_cpus = nr_cpus,
			     .keep = { -1, -1 } };
	unsigned int n = 0, i;
	int ready[2], ret;

	for (i = 0; more && more[i] && i < UDAX_MORE; i++)
		argv[7 + i] = (char *)(uintptr_t)more[i];
	how.log = d->log;
	memset(d, 0, sizeof(*d));
	d->child.ctl = -1;
	strcpy(d->dir, "/tmp/udax-bench.XXXXXX");
	if (!mkdtemp(d->dir))
		return -errno;
	snprintf(d->sock, sizeof(d->sock), "%s/sock", d->dir);
	if (!realpath(pmem, d->pmem))
		return -errno;
	if (pipe2(ready, O_CLOEXEC))
		return -errno;
	snprintf(a_ready, sizeof(a_ready), "%d", ready[1]);
	how.keep[0] = ready[1];
	ret = child_spawn(&d->child, &how);
	close(ready[1]);
	if (!ret)
		ret = wait_ready(ready[0]);
	close(ready[0]);
	if (ret) {
		udax_stop(d);
		return ret;
	}
	add_env(d, &n, "LD_PRELOAD", t->preload);
	add_env(d, &n, UDAX_ENV_SOCKET, d->sock);
	add_env(d, &n, UDAX_ENV_PMEM, d->pmem);
	add_env(d, &n, UDAX_ENV_REQUIRE, "1");
	add_env(d, &n, "PATH", getenv("PATH") ? getenv("PATH") : "/bin:/usr/bin");
	return 0;
}

int udax_env(struct udax_daemon *d, const char *setting)
{
	unsigned int n = 0, nr = sizeof(d->env) / sizeof(d->env[0]);

	while (d->env[n])
		n++;
	if (n + 1 == nr)
		return -E2BIG;
	d->env[n] = strdup(setting);
	return d->env[n] ? 0 : -ENOMEM;
}

int udax_start(struct udax_daemon *d, const struct udax_tree *t,
	       const char *pmem, const int *cpus, unsigned int nr_cpus)
{
	return udax_start_with(d, t, pmem, cpus, nr_cpus, NULL);
}

void udax_stop(struct udax_daemon *d)
{
	char ctl[128];
	size_t i;

	/* It removes its sockets when it is asked to end, not when it is killed. */
	if (d->child.pid > 0) {
		kill(d->child.pid, SIGTERM);
		waitpid(d->child.pid, NULL, 0);
		d->child.pid = 0;
	}
	snprintf(ctl, sizeof(ctl), "%s%s", d->sock, UDAX_CONTROL_SUFFIX);
	unlink(d->sock);
	unlink(ctl);
	if (d->dir[0])
		rmdir(d->dir);
	for (i = 0; i < sizeof(d->env) / sizeof(d->env[0]); i++)
		free(d->env[i]);
	memset(d, 0, sizeof(*d));
	d->child.ctl = -1;
}
