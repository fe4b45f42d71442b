/* SPDX-License-Identifier: BSD-3-Clause */
/* Local sockets: listen, connect, packets with descriptors, bad packets. */
#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "io-test.h"
#include "lib/sock.h"

static char dir[64], path[96];
static char why[256];

static int setup(void **state)
{
	snprintf(dir, sizeof(dir), "/tmp/udax-test-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/sock", dir);
	why[0] = '\0';
	return 0;
}

static int teardown(void **state)
{
	unlink(path);
	return rmdir(dir);
}

static unsigned int open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned int n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static void pair(int fds[2], int type)
{
	assert_int_equal(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds), 0);
}

static int listen_at(const char *where)
{
	return sock_listen(where, SOCK_SEQPACKET | SOCK_NONBLOCK, 0600, why, sizeof(why));
}

static void listen_connect(void **state)
{
	int ls, client, conn, pidfd;
	struct ucred cred;
	struct stat st;
	char buf[8];
	unsigned int n = 0;

	ls = listen_at(path);
	assert_true(ls >= 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_true(fcntl(ls, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(sock_accept(ls, 0), -EAGAIN);

	client = sock_connect(path, SOCK_SEQPACKET | SOCK_NONBLOCK, why, sizeof(why));
	assert_true(client >= 0);
	assert_true(fcntl(client, F_GETFL) & O_NONBLOCK);
	conn = sock_accept(ls, SOCK_NONBLOCK);
	assert_true(conn >= 0);
	assert_true(fcntl(conn, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(conn, F_GETFL) & O_NONBLOCK);
	assert_int_equal(sock_peer(conn, &cred), 0);
	assert_int_equal(cred.pid, getpid());
	assert_int_equal(cred.uid, geteuid());
	pidfd = sock_peer_pidfd(conn);
	assert_true(pidfd >= 0);
	close(pidfd);

	assert_int_equal(sock_recv(conn, buf, sizeof(buf), NULL, &n, 0), -EAGAIN);
	assert_int_equal(sock_send(client, "abc", 3, NULL, 0, 0), 0);
	assert_int_equal(sock_recv(conn, buf, sizeof(buf), NULL, &n, 0), 3);
	close(client);
	assert_int_equal(sock_recv(conn, buf, sizeof(buf), NULL, &n, 0), 0);
	assert_int_equal(sock_send(conn, "abc", 3, NULL, 0, 0), -EPIPE);
	close(conn);
	close(ls);
}

/* A dead listener's file is replaced; a live one's, or another file, is not. */
static void stale(void **state)
{
	int ls, second, fd;

	ls = listen_at(path);
	assert_true(ls >= 0);
	assert_int_equal(listen_at(path), -EADDRINUSE);
	assert_non_null(strstr(why, "another process listens there"));
	assert_non_null(strstr(why, path));
	/* One of another type listens as well. */
	assert_int_equal(sock_listen(path, SOCK_STREAM, 0600, why, sizeof(why)), -EADDRINUSE);
	close(ls);
	assert_int_equal(sock_connect(path, SOCK_SEQPACKET, why, sizeof(why)), -ECONNREFUSED);
	assert_non_null(strstr(why, "nobody listens there"));
	second = listen_at(path);
	assert_true(second >= 0);
	fd = sock_connect(path, SOCK_SEQPACKET, why, sizeof(why));
	assert_true(fd >= 0);
	close(fd);
	close(second);
	unlink(path);

	assert_int_equal(sock_connect(path, SOCK_SEQPACKET, why, sizeof(why)), -ENOENT);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	close(fd);
	assert_int_equal(listen_at(path), -EEXIST);
	assert_non_null(strstr(why, "not a socket"));
	assert_int_equal(access(path, F_OK), 0);
}

/* Several that want the same stale path at once: one gets it. */
#define RIVALS 4

static void *rival(void *arg)
{
	int *fd = arg;

	*fd = sock_listen(path, SOCK_SEQPACKET, 0600, NULL, 0);
	return NULL;
}

static void rivals(void **state)
{
	pthread_t thread[RIVALS];
	int fd[RIVALS], round, won, i;

	for (round = 0; round < 50; round++) {
		for (i = 0; i < RIVALS; i++)
			assert_int_equal(pthread_create(&thread[i], NULL, rival, &fd[i]), 0);
		for (won = 0, i = 0; i < RIVALS; i++) {
			pthread_join(thread[i], NULL);
			won += fd[i] >= 0;
			assert_true(fd[i] >= 0 || fd[i] == -EADDRINUSE);
		}
		assert_int_equal(won, 1);
		for (i = 0; i < RIVALS; i++)
			if (fd[i] >= 0)
				close(fd[i]);
	}
}

static void bad_paths(void **state)
{
	char longer[200];

	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(listen_at(longer), -ENAMETOOLONG);
	assert_non_null(strstr(why, "107"));
	assert_int_equal(sock_connect(longer, SOCK_STREAM, why, sizeof(why)), -ENAMETOOLONG);
	assert_int_equal(listen_at(""), -EINVAL);
	assert_int_equal(listen_at("/tmp/udax-no-such-directory/sock"), -ENOENT);
	assert_non_null(strstr(why, "/tmp/udax-no-such-directory"));
}

/* The descriptors arrive, in order, close-on-exec, and are the same files. */
static void pass_fds(void **state)
{
	int fds[2], files[SOCK_MAX_FDS], got[SOCK_MAX_FDS];
	unsigned int i, n = SOCK_MAX_FDS, before = open_fds();
	struct stat a, b;
	char buf[16];

	pair(fds, SOCK_SEQPACKET);
	for (i = 0; i < SOCK_MAX_FDS; i++) {
		files[i] = memfd_create("udax-test", MFD_CLOEXEC);
		assert_true(files[i] >= 0);
	}
	assert_int_equal(sock_send(fds[0], "hello", 5, files, SOCK_MAX_FDS, 0), 0);
	assert_int_equal(sock_recv(fds[1], buf, sizeof(buf), got, &n, 0), 5);
	assert_int_equal(n, SOCK_MAX_FDS);
	for (i = 0; i < n; i++) {
		assert_true(fcntl(got[i], F_GETFD) & FD_CLOEXEC);
		assert_int_equal(fstat(files[i], &a), 0);
		assert_int_equal(fstat(got[i], &b), 0);
		assert_int_equal(a.st_ino, b.st_ino);
		close(files[i]);
		close(got[i]);
	}
	assert_int_equal(sock_send(fds[0], "x", 1, files, SOCK_MAX_FDS + 1, 0), -EINVAL);
	close(fds[0]);
	close(fds[1]);
	assert_int_equal(open_fds(), before);
}

/* Bad packets are consumed, leave no descriptor, and the next one is good. */
static void bad_packets(void **state)
{
	int fds[2], file[3], got[3];
	unsigned int i, n, before;
	char buf[4];

	pair(fds, SOCK_SEQPACKET);
	for (i = 0; i < 3; i++)
		file[i] = memfd_create("udax-test", MFD_CLOEXEC);
	before = open_fds();

	n = 3;
	assert_int_equal(sock_send(fds[0], "too long", 8, file, 2, 0), 0);
	assert_int_equal(sock_recv(fds[1], buf, sizeof(buf), got, &n, 0), -EMSGSIZE);
	assert_int_equal(n, 0);
	assert_int_equal(open_fds(), before);

	/* More descriptors than asked for; none asked for. */
	n = 2;
	assert_int_equal(sock_send(fds[0], "abc", 3, file, 3, 0), 0);
	assert_int_equal(sock_recv(fds[1], buf, sizeof(buf), got, &n, 0), -ETOOMANYREFS);
	assert_int_equal(n, 0);
	assert_int_equal(open_fds(), before);
	n = 0;
	assert_int_equal(sock_send(fds[0], "abc", 3, file, 1, 0), 0);
	assert_int_equal(sock_recv(fds[1], buf, sizeof(buf), NULL, &n, 0), -ETOOMANYREFS);
	assert_int_equal(open_fds(), before);

	n = 3;
	assert_int_equal(sock_send(fds[0], "abcd", 4, file, 3, 0), 0);
	assert_int_equal(sock_recv(fds[1], buf, sizeof(buf), got, &n, 0), 4);
	assert_int_equal(n, 3);
	for (i = 0; i < 3; i++) {
		close(got[i]);
		close(file[i]);
	}
	close(fds[0]);
	close(fds[1]);
}

/* Descriptors past the room for control data are the kernel's to close. */
static void too_many_fds(void **state)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(100 * sizeof(int))];
	} control = { 0 };
	char byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control.buf, .msg_controllen = sizeof(control.buf),
	};
	int fds[2], got[SOCK_MAX_FDS], i;
	unsigned int n = SOCK_MAX_FDS, before;
	char buf[4];

	pair(fds, SOCK_SEQPACKET);
	before = open_fds();
	control.align.cmsg_level = SOL_SOCKET;
	control.align.cmsg_type = SCM_RIGHTS;
	control.align.cmsg_len = CMSG_LEN(100 * sizeof(int));
	for (i = 0; i < 100; i++)
		memcpy(CMSG_DATA(&control.align) + (size_t)i * sizeof(int), &fds[0], sizeof(int));
	assert_int_equal(sendmsg(fds[0], &msg, 0), 1);
	assert_int_equal(sock_recv(fds[1], buf, sizeof(buf), got, &n, 0), -ETOOMANYREFS);
	assert_int_equal(n, 0);
	assert_int_equal(open_fds(), before);
	close(fds[0]);
	close(fds[1]);
}

/* A signal in the middle of a wait is not an error. */
static void on_alarm(int sig)
{
}

static void interrupted(void **state)
{
	struct sigaction act = { .sa_handler = on_alarm }, old;
	int fds[2], status;
	unsigned int n = 0;
	char buf[4];
	pid_t pid, parent = getpid();

	pair(fds, SOCK_SEQPACKET);
	sigaction(SIGUSR1, &act, &old);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		int i;

		/* Some of these hit the parent in recvmsg(), none may hurt. */
		for (i = 0; i < 100; i++) {
			kill(parent, SIGUSR1);
			sched_yield();
		}
		_exit(sock_send(fds[0], "abc", 3, NULL, 0, 0) ? 1 : 0);
	}
	assert_int_equal(sock_recv(fds[1], buf, sizeof(buf), NULL, &n, 0), 3);
	while (waitpid(pid, &status, 0) < 0)
		assert_int_equal(errno, EINTR);
	assert_int_equal(status, 0);
	sigaction(SIGUSR1, &old, NULL);
	close(fds[0]);
	close(fds[1]);
}

static void stream(void **state)
{
	int fds[2];
	unsigned int n = 0;
	char buf[8];

	pair(fds, SOCK_STREAM);
	assert_int_equal(sock_send(fds[0], "abc", 3, NULL, 0, 0), 0);
	assert_int_equal(sock_send(fds[0], "def", 3, NULL, 0, 0), 0);
	assert_int_equal(sock_recv(fds[1], buf, sizeof(buf), NULL, &n, 0), 6);
	assert_memory_equal(buf, "abcdef", 6);
	close(fds[0]);
	assert_int_equal(sock_recv(fds[1], buf, sizeof(buf), NULL, &n, 0), 0);
	close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(listen_connect, setup, teardown),
		cmocka_unit_test_setup_teardown(stale, setup, teardown),
		cmocka_unit_test_setup_teardown(rivals, setup, teardown),
		cmocka_unit_test(bad_paths),
		cmocka_unit_test(pass_fds),
		cmocka_unit_test(bad_packets),
		cmocka_unit_test(too_many_fds),
		cmocka_unit_test(interrupted),
		cmocka_unit_test(stream),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
