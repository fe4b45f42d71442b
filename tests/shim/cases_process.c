/* SPDX-License-Identifier: BSD-3-Clause */
/* Processes, threads, signals and locks. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cases.h"

#define RW (PROT_READ | PROT_WRITE)
#define OPENING "HELLO:new UFFD MAP"

static void wait_for(pid_t pid)
{
	int status;

	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* In the child all ranges but those of MADV_DONTFORK are served again. */
static void forking(void)
{
	int fd = make_file(dirs.pmem, "f", 4 * PAGE, O_RDWR);
	char *p = map_file(fd, 4 * PAGE, RW, MAP_SHARED, 0);
	char *q = map_file(fd, PAGE, PROT_READ, MAP_PRIVATE, PAGE);
	pid_t pid;

	CHECK(!madvise(p + 2 * PAGE, PAGE, MADV_DONTFORK));
	pid = fork();
	if (!pid) {
		check_pages(p, 0, 2);
		check_pages(q, 1, 1);
		CHECK(!munmap(p, PAGE));
		CHECK(!munmap(p + 2 * PAGE, PAGE));
		_exit(0);
	}
	wait_for(pid);
	check_pages(p, 0, 4);
	CHECK(!munmap(p, 4 * PAGE));
}

/* Nothing managed: nothing to say for the child, nor its own child. */
static void forking_empty(void)
{
	int fd = make_file(dirs.pmem, "f", 4 * PAGE, O_RDWR);
	pid_t pid;

	CHECK(!munmap(map_file(fd, PAGE, RW, MAP_SHARED, 0), PAGE));
	pid = fork();
	if (!pid) {
		pid = fork();
		if (!pid)
			_exit(0);
		wait_for(pid);
		_exit(0);
	}
	wait_for(pid);
	pid = fork();
	if (!pid) {
		check_pages(map_file(fd, 4 * PAGE, RW, MAP_SHARED, 0), 0, 4);
		_exit(0);
	}
	wait_for(pid);
}

/* A fork without handlers is noticed at the child's next change. */
static void forking_raw(void)
{
	int fd = make_file(dirs.pmem, "f", 4 * PAGE, O_RDWR);
	char *p = map_file(fd, 4 * PAGE, RW, MAP_SHARED, 0);
	pid_t pid = (pid_t)syscall(SYS_fork);

	if (!pid) {
		check_pages(p, 0, 4);
		CHECK(!munmap(p, 4 * PAGE));
		_exit(0);
	}
	wait_for(pid);
	CHECK(!munmap(p, 4 * PAGE));
}

/* A borrowed address space: the child must not touch what is its parent's. */
static void vforking(void)
{
	int fd = make_file(dirs.pmem, "f", 4 * PAGE, O_RDWR);
	char *p = map_file(fd, 4 * PAGE, RW, MAP_SHARED, 0);
	char *a = map_file(-1, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, 0);
	pid_t pid = vfork();

	if (!pid) {
		(void)!ftruncate(fd, 8 * PAGE);
		close_range(3, ~0u, 0);
		munmap(a, PAGE);
		mprotect(p, PAGE, PROT_READ);
		_exit(0);
	}
	wait_for(pid);
	CHECK(!ftruncate(fd, 4 * PAGE));
	check_pages(p, 0, 4);
}

/* The new program knows nothing of the old one's session. */
static void executing(void)
{
	int fd = make_file(dirs.pmem, "f", 4 * PAGE, O_RDWR);

	map_file(fd, 4 * PAGE, RW, MAP_SHARED, 0);
	execl("/proc/self/exe", "shim-test", "--case", "shared", dirs.pmem,
	      dirs.disk ? dirs.disk : "", dirs.other, NULL);
	CHECK(!"exec");
}

/* Does another process hold a lock on the file? Asked from a new process. */
static bool is_locked(const char *path)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	pid_t pid = fork();
	int status, fd;

	if (!pid) {
		fd = open(path, O_RDWR);
		_exit(fd < 0 || fcntl(fd, F_GETLK, &l) ? 2 : l.l_type != F_UNLCK);
	}
	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	CHECK(WEXITSTATUS(status) < 2);
	return WEXITSTATUS(status);
}

/*
 * Any close of any descriptor of the file would drop the lock: each call that
 * concerns the file is made, and the lock is there after each.
 */
static void keep_lock(const char *dir)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = make_file(dir, "f", 4 * PMD, O_RDWR);
	int ro = open(path_of(dir, "f"), O_RDONLY);
	char path[4096], *p, *q;
	pid_t pid;

	snprintf(path, sizeof(path), "%s", path_of(dir, "f"));
	CHECK(!fcntl(fd, F_SETLK, &l) && is_locked(path));
	p = map_file(fd, 4 * PMD, RW, MAP_SHARED, 0);
	CHECK(is_locked(path));
	q = map_file(ro, PAGE, PROT_READ, MAP_SHARED, 0);
	CHECK(is_locked(path));
	CHECK(!truncate(path, 5 * PMD) && is_locked(path));
	CHECK(!ftruncate(fd, 4 * PMD) && is_locked(path));
	CHECK(!posix_fallocate(fd, 0, PAGE) && is_locked(path));
	CHECK(open(path, O_RDWR | O_TRUNC) >= 0 && is_locked(path));
	CHECK(!ftruncate(fd, 4 * PMD) && is_locked(path));
	CHECK(!msync(p, PMD, MS_SYNC) && is_locked(path));
	CHECK(!fsync(fd) && is_locked(path));
	p = mremap(p, 4 * PMD, 6 * PMD, MREMAP_MAYMOVE);
	CHECK(p != MAP_FAILED && is_locked(path));
	pid = fork();
	if (!pid)
		_exit(0);
	wait_for(pid);
	CHECK(is_locked(path));
	CHECK(!munmap(p, 6 * PMD) && !munmap(q, PAGE) && is_locked(path));
}

static void locks(void)
{
	keep_lock(dirs.pmem);
}

static void locks_image(void)
{
	keep_lock(dirs.disk);
}

/* ---------------------------------------------------- threads and signals */

static int shared_fd;
static volatile sig_atomic_t ticks;

static void churn(unsigned int seed, unsigned int rounds)
{
	unsigned int i;
	char *p;

	for (i = 0; i < rounds; i++) {
		size_t page = rand_r(&seed) % 60;

		p = mmap(NULL, 4 * PAGE, PROT_READ, MAP_SHARED, shared_fd,
			 (off_t)(page * PAGE));
		CHECK(p != MAP_FAILED);
		check_pages(p, page, 4);
		if (seed & 1)
			CHECK(!munmap(p + PAGE, PAGE));
		if (seed & 2)
			CHECK(!mprotect(p, PAGE, PROT_NONE));
		CHECK(!munmap(p, 4 * PAGE));
	}
}

static void on_tick(int sig)
{
	int old = errno;

	ticks++;
	churn((unsigned int)ticks, 1);
	errno = old;
}

/* A handler that maps may come at any point, also inside a hook. */
static void signals(void)
{
	struct sigaction sa = { .sa_handler = on_tick };
	struct itimerval it = { { 0, 500 }, { 0, 500 } };

	shared_fd = make_file(dirs.pmem, "f", 64 * PAGE, O_RDWR);
	CHECK(!sigaction(SIGALRM, &sa, NULL));
	CHECK(!setitimer(ITIMER_REAL, &it, NULL));
	while (ticks < 200)
		churn((unsigned int)ticks + 1, 5);
	memset(&it, 0, sizeof(it));
	CHECK(!setitimer(ITIMER_REAL, &it, NULL));
}

static void *churner(void *arg)
{
	churn((unsigned int)(uintptr_t)arg, 300);
	return NULL;
}

/* Forks from the midst of threads that change mappings. */
static void threads(void)
{
	pthread_t t[4];
	uintptr_t i;
	pid_t pid;

	shared_fd = make_file(dirs.pmem, "f", 64 * PAGE, O_RDWR);
	for (i = 0; i < 4; i++)
		CHECK(!pthread_create(&t[i], NULL, churner, (void *)(i + 1)));
	for (i = 0; i < 10; i++) {
		pid = fork();
		if (!pid) {
			churn(99, 5);
			_exit(0);
		}
		wait_for(pid);
	}
	for (i = 0; i < 4; i++)
		CHECK(!pthread_join(t[i], NULL));
}

static void *reader(void *arg)
{
	char c;

	(void)!read(*(int *)arg, &c, 1);
	return NULL;
}

/* read(2) on an empty pipe is where a thread can be cancelled. */
static void cancel(void)
{
	void *result;
	pthread_t t;
	int fds[2];

	CHECK(!pipe(fds));
	CHECK(!pthread_create(&t, NULL, reader, &fds[0]));
	CHECK(!pthread_cancel(t));
	CHECK(!pthread_join(t, &result) && result == PTHREAD_CANCELED);
}

const struct test_case process_cases[] = {
	{ "fork", forking, .log = "HELLO:new UFFD MAP MAP+private BEGIN:madvise END:madvise"
	  " HELLO:forked UFFD MAP#+private MAP# MAP# BEGIN:munmap END:munmap"
	  " BEGIN:munmap END:munmap", .err = "" },
	{ "fork-claimed", forking, FAKE_CLAIMS, .log = "HELLO:new UFFD MAP MAP+private"
	  " BEGIN:madvise END:madvise HELLO:forked BEGIN:munmap END:munmap"
	  " BEGIN:munmap END:munmap", .err = "" },
	{ "fork-empty", forking_empty, .log = OPENING " BEGIN:munmap END:munmap " OPENING,
	  .err = "" },
	{ "fork-raw", forking_raw, .log = OPENING " HELLO:forked UFFD MAP#"
	  " BEGIN:munmap END:munmap BEGIN:munmap END:munmap", .err = "" },
	{ "vfork", vforking, .log = OPENING " FILEOP:truncate", .err = "" },
	{ "exec", executing, .log = OPENING " " OPENING " BEGIN:munmap END:munmap",
	  .err = "" },
	{ "locks", locks, .err = "" },
	{ "locks-image", locks_image, .image = true, .err = "" },
	{ "signals", signals, .err = "" },
	{ "threads", threads, .err = "" },
	{ "cancel", cancel, .log = "", .err = "" },
};
const size_t nr_process_cases = ARRAY_SIZE(process_cases);
