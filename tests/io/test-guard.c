/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The guard against SIGBUS. One test: cmocka sets the signal anew for each, and
 * the guard installs its handler once a process.
 */
#include <signal.h>
#include <sys/wait.h>

#include "io-test.h"
#include "io/guard.h"

/* A touch past the end of a file is an error of the guard, and only there. */
static void touch_fn(void *arg)
{
	*(volatile char *)arg = 1;
}

static void guard(void **state)
{
	int fd = memfd_create("udax-test", MFD_CLOEXEC), status;
	sigset_t bus;
	pid_t pid;
	char *map;

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, PAGE), 0);
	map = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(map, MAP_FAILED);
	signal(SIGBUS, SIG_DFL);	/* not cmocka's handler */
	sigemptyset(&bus);
	sigaddset(&bus, SIGBUS);
	pthread_sigmask(SIG_BLOCK, &bus, NULL);
	assert_int_equal(guard_run(touch_fn, map), 0);
	assert_int_equal(guard_run(touch_fn, map + PAGE), -EFAULT);
	assert_int_equal(guard_run(touch_fn, map + PAGE), -EFAULT);
	assert_int_equal(guard_run(touch_fn, map), 0);
	assert_true(guard_peek(map));
	assert_false(guard_peek(map + PAGE));
	assert_false(guard_peek(map + PAGE));
	assert_true(guard_peek(map));
	sigemptyset(&bus);
	sigaddset(&bus, SIGBUS);
	pthread_sigmask(SIG_BLOCK, &bus, NULL);
	pthread_sigmask(SIG_BLOCK, NULL, &bus);
	assert_true(sigismember(&bus, SIGBUS));
	pthread_sigmask(SIG_UNBLOCK, &bus, NULL);
	/* Outside it is what it was before: the end. */
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		touch_fn(map + PAGE);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
	munmap(map, 2 * PAGE);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(guard),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
