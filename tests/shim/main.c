/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * shim-test [--real] [CASE...]: runs each case as a program under the shim,
 * against a fake udaxd, and compares what that saw; with --real as a program of
 * `udax run`, and then what it does itself counts. Shim and udax are those in
 * $top_builddir.
 */
#include <errno.h>
#include <linux/magic.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cases.h"

struct dirs dirs;

/* ---------------------------------------------------------- in the program */

void fail_at(const char *file, int line, const char *what)
{
	dprintf(2, "%s:%d: errno %d (%s): %s\n", file, line, errno, strerror(errno), what);
	_exit(1);
}

const char *path_of(const char *dir, const char *name)
{
	static char path[4096];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

char pattern(size_t page)
{
	return (char)(1 + page % 251);
}

/* Written by a descriptor that is closed before @flags' one is opened. */
int make_file(const char *dir, const char *name, size_t size, int flags)
{
	const char *path = path_of(dir, name);
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
	char page[PAGE];
	size_t i;

	CHECK(fd >= 0);
	for (i = 0; i < size / PAGE; i++) {
		memset(page, pattern(i), PAGE);
		CHECK(write(fd, page, PAGE) == (ssize_t)PAGE);
	}
	CHECK(!close(fd));
	fd = open(path, flags);
	CHECK(fd >= 0);
	return fd;
}

char *map_file(int fd, size_t len, int prot, int flags, off_t off)
{
	char *p = mmap(NULL, len, prot, flags, fd, off);

	CHECK(p != MAP_FAILED);
	return p;
}

void check_pages(const char *p, size_t page, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (p[i * PAGE] != pattern(page + i) ||
		    p[i * PAGE + PAGE - 1] != pattern(page + i)) {
			dprintf(2, "page %zu of the file reads %d\n", page + i, p[i * PAGE]);
			abort();
		}
}

/* ------------------------------------------------------------ in the driver */

static char root[3][64];	/* pmem, disk, other */

static void clear(const char *dir)
{
	static const char *const names[] = { "f", "g", "" };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names) && names[i][0]; i++)
		unlink(path_of(dir, names[i]));
}

static void clear_all(void)
{
	clear(dirs.pmem);
	clear(dirs.other);
	if (dirs.disk)
		clear(dirs.disk);
}

static pid_t start(const struct test_case *t, const char *self, const char *sock, int err)
{
	char so[4096], pmem[256];
	pid_t pid = fork();

	if (pid)
		return pid;
	snprintf(so, sizeof(so), "%s/libudax-preload.so", getenv("top_builddir"));
	snprintf(pmem, sizeof(pmem), "/nowhere/at/all:%s%s%s/", dirs.pmem,
		 dirs.disk ? ":" : "", dirs.disk ? dirs.disk : "");
	setenv("LD_PRELOAD", so, 1);
	setenv(UDAX_ENV_PMEM, pmem, 1);
	setenv(UDAX_ENV_SOCKET, sock, 1);
	setenv(UDAX_ENV_TOKEN, "0", 1);
	if (t->setting)
		putenv((char *)(uintptr_t)t->setting);
	dup2(err, 2);
	execl(self, "shim-test", "--case", t->name, dirs.pmem, dirs.disk ? dirs.disk : "",
	      dirs.other, NULL);
	_exit(127);
}

/* True when what was said on stderr is what the case expects: one line at most. */
static bool said(const char *text, const char *want)
{
	const char *nl = strchr(text, '\n');

	if (!want)
		return true;
	if (!want[0])
		return !text[0];
	return strstr(text, want) && (strstr(want, "region") || (nl && !nl[1]));
}

/* @log: NULL when udax ran it, which has a word to say of cases without a mapping. */
static bool report(const struct test_case *t, bool ok, int status, const char *log,
		   int err)
{
	char text[4096] = "", *own;

	(void)!pread(err, text, sizeof(text) - 1, 0);
	close(err);
	own = strstr(text, "udax: no mapping of a file in ");
	if (!log && own)
		*own = 0;
	ok = ok && WIFEXITED(status) && WEXITSTATUS(status) == t->status &&
	     said(text, t->err);
	printf("%s %s\n", ok ? "ok" : "FAILED", t->name);
	if (!ok)
		printf("  status %#x\n  log    %s\n  wanted %s\n  stderr %s\n", status,
		       log ? log : "(real)", t->log ? t->log : "(anything)", text);
	fflush(stdout);
	clear_all();
	return ok;
}

/* A case that hangs holds all signals back but one; nothing of it may stay. */
static void end_hung(pid_t pid)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd p = { .fd = pidfd, .events = POLLIN };

	if (pidfd >= 0 && !poll(&p, 1, 30000))
		kill(-pid, SIGKILL);
	close(pidfd);
}

static bool run_real(const struct test_case *t)
{
	char self[4096], udax[4096];
	int err = memfd_create("stderr", MFD_CLOEXEC), status;
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	pid_t pid;

	self[n > 0 ? n : 0] = 0;
	snprintf(udax, sizeof(udax), "%s/udax", getenv("top_builddir"));
	clear_all();
	pid = fork();
	if (!pid) {
		setpgid(0, 0);
		dup2(err, 2);
		execl(udax, "udax", "run", "-q", "--pmem", dirs.pmem, "--pmem",
		      dirs.disk ? dirs.disk : dirs.pmem, "--", self, "--case", t->name,
		      dirs.pmem, dirs.disk ? dirs.disk : "", dirs.other, NULL);
		_exit(127);
	}
	if (pid < 0)
		return false;
	end_hung(pid);
	if (waitpid(pid, &status, 0) != pid)
		return false;
	return report(t, true, status, NULL, err);
}

static bool run(const struct test_case *t)
{
	char self[4096], sock[128];
	int err = memfd_create("stderr", MFD_CLOEXEC), status;
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	struct fake *f;
	bool ok;

	self[n > 0 ? n : 0] = 0;
	clear_all();
	snprintf(sock, sizeof(sock), "%s/sock", dirs.other);
	f = fake_start(sock, t->manner);
	status = fake_serve(f, start(t, self, sock, err));
	ok = report(t, !t->log || !strcmp(t->log, fake_log(f)), status, fake_log(f), err);
	fake_stop(f);
	return ok;
}

static const struct {
	const struct test_case *cases;
	const size_t *nr;
} all[] = {
	{ map_cases, &nr_map_cases },
	{ change_cases, &nr_change_cases },
	{ file_cases, &nr_file_cases },
	{ process_cases, &nr_process_cases },
	{ session_cases, &nr_session_cases },
};

static bool chosen(const char *name, char **names)
{
	if (!*names)
		return true;
	for (; *names; names++)
		if (!strcmp(*names, name))
			return true;
	return false;
}

/* A directory for the case on each kind of file system; false: cannot be had. */
static bool make_dirs(void)
{
	struct statfs fs;
	const char *tmp = getenv("TMPDIR");

	snprintf(root[2], sizeof(root[2]), "/dev/shm/udax-shim-XXXXXX");
	if (statfs("/dev/shm", &fs) || fs.f_type != TMPFS_MAGIC || !mkdtemp(root[2]))
		return false;
	dirs.other = root[2];
	snprintf(root[0], sizeof(root[0]), "%.40s/p", root[2]);
	dirs.pmem = root[0];
	if (mkdir(root[0], 0700))
		return false;
	snprintf(root[1], sizeof(root[1]), "%.40s/udax-shim-XXXXXX", tmp ? tmp : "/var/tmp");
	if (!statfs(tmp ? tmp : "/var/tmp", &fs) && fs.f_type != TMPFS_MAGIC &&
	    mkdtemp(root[1]))
		dirs.disk = root[1];
	return true;
}

/* What is about odd replies, or the shim's environment, needs the fake one. */
static bool run_case(const struct test_case *t, bool real, unsigned int *skipped)
{
	if ((t->image && !dirs.disk) || (real && (t->manner != FAKE_PLAIN || t->setting))) {
		if (!real)
			printf("skipped %s: no disk file system\n", t->name);
		++*skipped;
		return true;
	}
	return real ? run_real(t) : run(t);
}

static int drive(char **names, bool real)
{
	unsigned int failed = 0, skipped = 0;
	size_t i, k;

	if (!make_dirs()) {
		printf("skipped: no tmpfs on /dev/shm\n");
		return 77;
	}
	for (i = 0; i < ARRAY_SIZE(all); i++)
		for (k = 0; k < *all[i].nr; k++) {
			const struct test_case *t = &all[i].cases[k];

			if (chosen(t->name, names) && !run_case(t, real, &skipped))
				failed++;
		}
	rmdir(dirs.pmem);
	rmdir(dirs.other);
	if (dirs.disk)
		rmdir(dirs.disk);
	printf("%u failed, %u skipped\n", failed, skipped);
	return failed ? 1 : 0;
}

static int become(char **argv)
{
	size_t i, k;

	dirs.pmem = argv[1];
	dirs.disk = argv[2][0] ? argv[2] : NULL;
	dirs.other = argv[3];
	for (i = 0; i < ARRAY_SIZE(all); i++)
		for (k = 0; k < *all[i].nr; k++)
			if (!strcmp(all[i].cases[k].name, argv[0])) {
				if (!strcmp(argv[0], "shared"))
					unlink(path_of(dirs.pmem, "f"));
				all[i].cases[k].run();
				return 0;
			}
	return 126;
}

int main(int argc, char **argv)
{
	if (argc == 6 && !strcmp(argv[1], "--case"))
		return become(argv + 2);
	if (!getenv("top_builddir"))
		setenv("top_builddir", ".", 0);
	if (argc > 1 && !strcmp(argv[1], "--real"))
		return drive(argv + 2, true);
	return drive(argv + 1, false);
}
