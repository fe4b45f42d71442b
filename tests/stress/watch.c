/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The watchdog: a process that touches no mapping. When an owner makes no step
 * for too long it says where every thread is, then ends them all.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "stress.h"

static void print_file(const char *what, pid_t pid, const char *tid, const char *name)
{
	char path[128], text[2048];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/task/%s/%s", pid, tid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return;
	text[n] = '\0';
	text[strcspn(text, "\n")] = name[0] == 's' && name[1] == 't' ? '\n' : '\0';
	fprintf(stderr, "    %s %s\n", what, text);
}

static void print_threads(pid_t pid)
{
	char path[64];
	struct dirent *e;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	d = opendir(path);
	while (d && (e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		fprintf(stderr, "  pid %d thread %s\n", pid, e->d_name);
		print_file("waits in", pid, e->d_name, "wchan");
		print_file("syscall", pid, e->d_name, "syscall");
		print_file("stack", pid, e->d_name, "stack");
	}
	if (d)
		closedir(d);
}

/* The parent of @pid, or 0. */
static pid_t parent_of(pid_t pid)
{
	char path[64], line[128];
	pid_t parent = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "PPid: %d", &parent) == 1)
			break;
	if (f)
		fclose(f);
	return parent;
}

/* Is @pid one of @pids, or below one of them? */
static bool ours(pid_t pid, const pid_t *pids, unsigned int n)
{
	unsigned int depth, i;

	for (depth = 0; pid > 1 && depth < 16; depth++) {
		for (i = 0; i < n; i++)
			if (pids[i] == pid)
				return true;
		pid = parent_of(pid);
	}
	return false;
}

/* Calls @fn for every process of the test. */
static void each_process(const pid_t *pids, unsigned int n, void (*fn)(pid_t))
{
	DIR *d = opendir("/proc");
	struct dirent *e;
	pid_t pid;

	while (d && (e = readdir(d))) {
		pid = atoi(e->d_name);
		if (pid > 1 && pid != getpid() && ours(pid, pids, n))
			fn(pid);
	}
	if (d)
		closedir(d);
}

static void end_process(pid_t pid)
{
	kill(pid, SIGKILL);
}

static void report_stall(unsigned int owner, unsigned int stall,
			 const pid_t *pids, unsigned int n)
{
	const struct owner *o;
	unsigned int i;

	fprintf(stderr, "stress: owner %u made no step for %u s: pid %d thread %d, "
		"%s at offset %#llx\n", owner, stall, sh->own[owner].pid,
		sh->own[owner].tid, sh->own[owner].op,
		(unsigned long long)sh->own[owner].pos);
	for (i = 0; i < sh->owners; i++) {
		o = &sh->own[i];
		fprintf(stderr, "  owner %u pid %d thread %d: %llu steps, %s, offset %#llx\n",
			i, o->pid, o->tid, (unsigned long long)o->beats, o->op,
			(unsigned long long)o->pos);
	}
	for (i = 0; i < sh->windows; i++)
		if (sh->win[i].gen & 1)
			fprintf(stderr, "  window %u is being changed\n", i);
	each_process(pids, n, print_threads);
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ull + ts.tv_nsec / 1000000;
}

/* The first owner that has made no step for @stall ms, or -1. */
static int stalled(uint64_t stall)
{
	static uint64_t beats[MAX_OWNERS], since[MAX_OWNERS];
	uint64_t now = now_ms(), b;
	unsigned int i;

	for (i = 0; i < sh->owners; i++) {
		b = __atomic_load_n(&sh->own[i].beats, __ATOMIC_RELAXED);
		if (b != beats[i] || !since[i] || b == UINT64_MAX) {
			beats[i] = b;
			since[i] = now;
		} else if (now - since[i] > stall) {
			return i;
		}
	}
	return -1;
}

static int judge_exit(pid_t pid, int status)
{
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return 0;
	if (WIFSIGNALED(status))
		fprintf(stderr, "stress: process %d ended by signal %d\n", pid,
			WTERMSIG(status));
	else
		fprintf(stderr, "stress: process %d ended with %d\n", pid,
			WEXITSTATUS(status));
	return -1;
}

int watch(const pid_t *pids, unsigned int n, unsigned int seconds,
	  unsigned int stall)
{
	struct timespec tick = { .tv_nsec = 50 * 1000 * 1000 };
	uint64_t end = now_ms() + seconds * 1000ull;
	unsigned int left = n;
	int status, owner, ret = 0;
	pid_t pid;

	while (left) {
		pid = waitpid(-1, &status, WNOHANG);
		if (pid > 0) {
			left--;
			if (judge_exit(pid, status)) {
				ret = -1;
				__atomic_store_n(&sh->stop, 1, __ATOMIC_SEQ_CST);
			}
			continue;
		}
		if (now_ms() > end)
			__atomic_store_n(&sh->stop, 1, __ATOMIC_SEQ_CST);
		owner = stalled(stall * 1000ull);
		if (owner >= 0) {
			report_stall(owner, stall, pids, n);
			each_process(pids, n, end_process);
			return -1;
		}
		nanosleep(&tick, NULL);
	}
	return ret || sh->failed ? -1 : 0;
}
