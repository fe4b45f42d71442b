/* SPDX-License-Identifier: BSD-3-Clause */
#include "cli/tree.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct process {
	pid_t pid, parent;
	bool ours;
};

/* Parent of @pid, or -1 if there is no such process. */
static pid_t parent_of(pid_t pid)
{
	char path[32], text[512], *p;
	pid_t parent = -1;
	size_t n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "re");
	if (!f)
		return -1;
	n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[n] = '\0';
	/* "PID (NAME) STATE PARENT": the name may hold spaces and brackets. */
	p = strrchr(text, ')');
	if (p && strlen(p) > 4)
		parent = atoi(p + 4);
	return parent;
}

/* Every process of the machine. Number of them; the caller frees *@list. */
static size_t processes(struct process **list)
{
	struct process *all = NULL, *more;
	size_t nr = 0, max = 0;
	struct dirent *e;
	DIR *dir = opendir("/proc");

	while (dir && (e = readdir(dir))) {
		if (!isdigit((unsigned char)e->d_name[0]))
			continue;
		if (nr == max) {
			max = max ? max * 2 : 256;
			more = reallocarray(all, max, sizeof(*all));
			if (!more)
				break;
			all = more;
		}
		all[nr].pid = atoi(e->d_name);
		all[nr].parent = parent_of(all[nr].pid);
		all[nr].ours = false;
		nr++;
	}
	if (dir)
		closedir(dir);
	*list = all;
	return nr;
}

static bool is_ours(const struct process *list, size_t nr, pid_t pid)
{
	if (pid == getpid())
		return true;
	for (size_t i = 0; i < nr; i++)
		if (list[i].pid == pid)
			return list[i].ours;
	return false;
}

/* By a pidfd, and only while it is the child it was: ids are used again. */
static void kill_one(const struct process *p)
{
	int fd = syscall(SYS_pidfd_open, p->pid, 0);

	if (fd < 0)
		return;
	if (parent_of(p->pid) == p->parent)
		syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0);
	close(fd);
}

static void kill_descendants(void)
{
	struct process *list;
	size_t nr = processes(&list);
	bool found;

	do {
		found = false;
		for (size_t i = 0; i < nr; i++) {
			if (list[i].ours || !is_ours(list, nr, list[i].parent))
				continue;
			list[i].ours = found = true;
			kill_one(&list[i]);
		}
	} while (found);
	free(list);
}

/*
 * A process that forks while it is looked for leaves a child, which becomes
 * ours when its parent dies: each death is a reason to look again, and the last
 * one leaves nobody.
 */
void tree_kill(void (*reaped)(void *arg, pid_t pid, int status), void *arg)
{
	pid_t pid;
	int status;

	for (;;) {
		kill_descendants();
		pid = waitpid(-1, &status, 0);
		if (pid > 0)
			reaped(arg, pid, status);
		else if (errno != EINTR)
			return;
	}
}
