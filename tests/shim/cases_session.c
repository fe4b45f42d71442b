/* SPDX-License-Identifier: BSD-3-Clause */
/* The connection: lost, replaced, refused, and odd replies. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cases.h"

#define RW (PROT_READ | PROT_WRITE)
#define OPENING "HELLO:new UFFD MAP"
#define GONE "udaxd is gone: "

/* One managed mapping, used and unmapped, whatever becomes of udaxd. */
static void plain(void)
{
	int fd = make_file(dirs.pmem, "f", 4 * PAGE, O_RDWR);
	char *p = map_file(fd, 4 * PAGE, RW, MAP_SHARED, 0);

	check_pages(p, 0, 4);
	p[0] = 'x';
	CHECK(!munmap(p, 4 * PAGE));
	p = map_file(fd, 4 * PAGE, RW, MAP_SHARED, 0);
	CHECK(p[0] == 'x');
	CHECK(!ftruncate(fd, PAGE));
}

/* Programs that close what they did not open: a new socket, the same session. */
static void closed(void)
{
	int fd = make_file(dirs.pmem, "f", 4 * PAGE, O_RDWR);
	char *p = map_file(fd, 4 * PAGE, RW, MAP_SHARED, 0);

	CHECK(!close_range((unsigned int)fd + 1, ~0u, 0));
	CHECK(!munmap(p, PAGE));
	CHECK(!munmap(p + PAGE, PAGE));
}

/* The number is somebody else's now: not written to, not closed. */
static void replaced(void)
{
	int fd = make_file(dirs.pmem, "f", 4 * PAGE, O_RDWR), fds[2], i, sock = -1;
	char *p = map_file(fd, 4 * PAGE, RW, MAP_SHARED, 0), c;
	struct stat st, now;

	for (i = fd + 1; i < 1024; i++)
		if (!fstat(i, &st) && S_ISSOCK(st.st_mode))
			sock = i;
	CHECK(sock > 500);		/* out of the program's way */
	CHECK(fcntl(sock, F_GETFD) == FD_CLOEXEC);
	CHECK(!pipe2(fds, O_NONBLOCK) && dup2(fds[1], sock) == sock);
	CHECK(!fstat(sock, &st));
	CHECK(!munmap(p, PAGE));
	CHECK(read(fds[0], &c, 1) == -1 && errno == EAGAIN);
	CHECK(!fstat(sock, &now) && now.st_ino == st.st_ino);
	CHECK(!munmap(p + PAGE, PAGE));
}

/* A small limit: the number is below it. */
static void few_numbers(void)
{
	struct rlimit lim = { 64, 64 };
	int fd;

	CHECK(!setrlimit(RLIMIT_NOFILE, &lim));
	fd = make_file(dirs.pmem, "f", 4 * PAGE, O_RDWR);
	check_pages(map_file(fd, PAGE, RW, MAP_SHARED, 0), 0, 1);
}

/* No descriptor left: that mapping is native, the next one is not. */
static void no_numbers(void)
{
	int fd = make_file(dirs.pmem, "f", 4 * PAGE, O_RDWR), last = fd, n;
	struct rlimit lim;
	char *p;

	CHECK(!getrlimit(RLIMIT_NOFILE, &lim));
	lim.rlim_cur = 40;
	CHECK(!setrlimit(RLIMIT_NOFILE, &lim));
	while ((n = dup(0)) >= 0)
		last = n;
	CHECK(errno == EMFILE);
	p = map_file(fd, 4 * PAGE, RW, MAP_SHARED, 0);
	check_pages(p, 0, 4);
	for (n = last; n > last - 6; n--)
		close(n);
	check_pages(map_file(fd, 4 * PAGE, RW, MAP_SHARED, 0), 0, 4);
}

/* Every number below is free again after a mapping: none leaks. */
static void no_leak(void)
{
	int fd = make_file(dirs.pmem, "f", 4 * PAGE, O_RDWR), i, n = 0, m = 0;

	map_file(fd, PAGE, RW, MAP_SHARED, 0);
	for (i = 0; i < 1024; i++)
		n += fcntl(i, F_GETFD) >= 0;
	map_file(fd, PAGE, RW, MAP_SHARED, 0);
	if (dirs.disk)
		map_file(make_file(dirs.disk, "f", PAGE, O_RDWR), PAGE, RW, MAP_SHARED, 0);
	else
		make_file(dirs.pmem, "g", PAGE, O_RDWR);
	for (i = 0; i < 1024; i++)
		m += fcntl(i, F_GETFD) >= 0;
	CHECK(m == n + 1);
}

/* The strings of the environment are the program's to overwrite. */
static void title(void)
{
	char *v = getenv(UDAX_ENV_PMEM);
	int fd = make_file(dirs.pmem, "f", PAGE, O_RDWR);

	CHECK(v);
	memset(v, '#', strlen(v));
	map_file(fd, PAGE, RW, MAP_SHARED, 0);
}

/* stderr's number is a file of the program's: no line of ours goes there. */
static void no_stderr(void)
{
	struct stat st;
	int fd;

	close(2);
	fd = make_file(dirs.pmem, "f", PAGE, O_RDWR);
	CHECK(fd == 2);
	map_file(fd, PAGE, RW, MAP_SHARED, 0);
	CHECK(!lseek(fd, 0, SEEK_CUR) && !fstat(fd, &st) && st.st_size == PAGE);
}

const struct test_case session_cases[] = {
	{ "closefrom", closed, .log = OPENING " HELLO:again BEGIN:munmap END:munmap"
	  " BEGIN:munmap END:munmap", .err = "" },
	{ "dup2-over", replaced, .log = OPENING " HELLO:again BEGIN:munmap END:munmap"
	  " BEGIN:munmap END:munmap", .err = "" },
	{ "few-descriptors", few_numbers, .log = OPENING, .err = "" },
	{ "no-descriptors", no_numbers, .log = OPENING, .err = "" },
	{ "no-leak", no_leak, .err = "" },
	{ "no-leak-extra", no_leak, FAKE_EXTRA_FD, .err = "" },
	{ "title", title, .log = OPENING, .err = "" },
	{ "verbose", plain, .err = "region 1: 0x", .setting = "UDAX_VERBOSE=1" },
	{ "no-daemon", plain, FAKE_NO_LISTENER, .log = "", .err = "cannot reach udaxd" },
	{ "no-stderr", no_stderr, FAKE_NO_LISTENER, .log = "", .err = "" },
	{ "no-daemon-quiet", plain, FAKE_NO_LISTENER, .log = "", .err = "",
	  .setting = "UDAX_QUIET=1" },
	{ "require", plain, FAKE_NO_LISTENER, .log = "", .err = "cannot reach udaxd",
	  .status = 125, .setting = "UDAX_REQUIRE=1" },
	{ "hello-refused", plain, FAKE_REFUSES_HELLO, .log = "HELLO:new",
	  .err = "cannot reach udaxd" },
	{ "map-refused", plain, FAKE_REFUSES_MAP, .log = OPENING " MAP FILEOP:truncate",
	  .err = "not emulated" },
	{ "gone-at-map", plain, FAKE_HANGS_UP_ON_MAP, .log = OPENING, .err = GONE },
	{ "gone-at-map-quiet", plain, FAKE_HANGS_UP_ON_MAP, .log = OPENING, .err = "",
	  .setting = "UDAX_QUIET=1" },
	{ "gone-in-bracket", plain, FAKE_HANGS_UP_ON_BEGIN, .log = OPENING " BEGIN:munmap",
	  .err = GONE },
	{ "short-reply", plain, FAKE_SHORT_REPLY, .log = OPENING, .err = GONE },
	{ "long-reply", plain, FAKE_LONG_REPLY, .log = OPENING, .err = GONE },
	{ "wrong-seq", plain, FAKE_WRONG_SEQ, .log = OPENING, .err = GONE },
	{ "wrong-op", plain, FAKE_WRONG_OP, .log = OPENING, .err = GONE },
	{ "extra-fd", plain, FAKE_EXTRA_FD, .log = OPENING " BEGIN:munmap END:munmap MAP"
	  " FILEOP:truncate", .err = "" },
};
const size_t nr_session_cases = ARRAY_SIZE(session_cases);
