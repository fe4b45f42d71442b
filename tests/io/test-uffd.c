/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The userfaultfd verbs against another process: a forked child maps a memfd,
 * sends its userfaultfd, and touches what it is told; this side resolves.
 */
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "io-test.h"
#include "io/uffd.h"
#include "lib/sock.h"

#define LEN (4 * WINDOW)

/* An order to the child, and its answer (the byte read, or what it was told). */
struct order {
	char what;		/* 'r' read, 'w' write, 'q' quit */
	char byte;
	uint64_t off;
};

struct client {
	pid_t pid;
	int pidfd, sock, uffd, memfd;
	uint64_t addr;		/* of the mapping in the child */
	uint64_t features;
};

static void __attribute__((noreturn)) child(int sock, int memfd)
{
	struct order o;
	char *map;
	int uffd;

	signal(SIGBUS, SIG_DFL);	/* not cmocka's handler */
	map = mmap(NULL, LEN + WINDOW, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	map = (char *)(((uintptr_t)map + WINDOW - 1) & ~(uintptr_t)(WINDOW - 1));
	map = mmap(map, LEN, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, memfd, 0);
	uffd = uffd_open(-1, false);
	if (map == MAP_FAILED || uffd < 0)
		_exit(77);
	o.off = (uintptr_t)map;
	if (sock_send(sock, &o, sizeof(o), &uffd, 1, 0))
		_exit(1);
	close(uffd);
	while (recv(sock, &o, sizeof(o), 0) == sizeof(o) && o.what != 'q') {
		if (o.what == 'w')
			*(volatile char *)(map + o.off) = o.byte;
		o.byte = *(volatile char *)(map + o.off);
		if (sock_send(sock, &o, sizeof(o), NULL, 0, 0))
			_exit(1);
	}
	_exit(0);
}

static void start(struct client *c, unsigned int modes)
{
	struct order o;
	unsigned int n = 1;
	int fds[2];

	c->memfd = memfd_create("udax-test", MFD_CLOEXEC);
	assert_true(c->memfd >= 0);
	assert_int_equal(ftruncate(c->memfd, LEN), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
	c->pid = fork();
	assert_true(c->pid >= 0);
	if (!c->pid)
		child(fds[1], c->memfd);
	close(fds[1]);
	c->sock = fds[0];
	c->pidfd = (int)syscall(SYS_pidfd_open, c->pid, 0);
	assert_true(c->pidfd >= 0);
	assert_int_equal(sock_recv(c->sock, &o, sizeof(o), &c->uffd, &n, 0), sizeof(o));
	assert_int_equal(n, 1);
	c->addr = o.off;
	/* API and REGISTER of another process's userfaultfd. */
	assert_int_equal(uffd_api(c->uffd, UFFD_FEATURE_MINOR_SHMEM | UFFD_FEATURE_MISSING_SHMEM,
				  ~0ull & ~(uint64_t)(UFFD_FEATURE_SIGBUS |
						      UFFD_FEATURE_EVENT_REMOVE |
						      UFFD_FEATURE_EVENT_UNMAP |
						      UFFD_FEATURE_EVENT_REMAP |
						      UFFD_FEATURE_WP_ASYNC),
				  &c->features), 0);
	assert_int_equal(uffd_register(c->uffd, c->addr, LEN, modes), 0);
}

static void stop(struct client *c)
{
	struct order o = { .what = 'q' };
	int status;

	assert_int_equal(sock_send(c->sock, &o, sizeof(o), NULL, 0, 0), 0);
	assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
	assert_int_equal(status, 0);
	close(c->uffd);
	close(c->sock);
	close(c->pidfd);
	close(c->memfd);
}

static void order(struct client *c, char what, uint64_t off, char byte)
{
	struct order o = { .what = what, .off = off, .byte = byte };

	assert_int_equal(sock_send(c->sock, &o, sizeof(o), NULL, 0, 0), 0);
}

/* The child's answer, which must need no fault any more. */
static char answer(struct client *c)
{
	struct pollfd p[2] = { { c->uffd, POLLIN, 0 }, { c->sock, POLLIN, 0 } };
	struct order o;

	assert_true(poll(p, 2, -1) > 0);
	assert_int_equal(p[0].revents, 0);
	assert_int_equal(recv(c->sock, &o, sizeof(o), 0), sizeof(o));
	return o.byte;
}

/* The next message: the fault that the child waits in. */
static struct uffd_msg fault(struct client *c)
{
	struct pollfd p[2] = { { c->uffd, POLLIN, 0 }, { c->sock, POLLIN, 0 } };
	struct uffd_msg msg[4];

	assert_true(poll(p, 2, -1) > 0);
	assert_int_equal(p[1].revents, 0);
	assert_int_equal(uffd_read(c->uffd, msg, 4), 1);
	assert_int_equal(msg[0].event, UFFD_EVENT_PAGEFAULT);
	return msg[0];
}

static void assert_fault(struct client *c, uint64_t off, uint64_t flags)
{
	struct uffd_msg msg = fault(c);

	assert_int_equal(msg.arg.pagefault.address & ~(PAGE - 1), c->addr + (off & ~(PAGE - 1)));
	assert_int_equal(msg.arg.pagefault.flags, flags);
}

/* Amount of the child's mapping that huge page table entries map, in KiB. */
static unsigned long pmd_mapped(struct client *c)
{
	unsigned long kib, sum = 0;
	char path[64], line[256];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/smaps", (int)c->pid);
	f = fopen(path, "re");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "ShmemPmdMapped: %lu", &kib) == 1)
			sum += kib;
	fclose(f);
	return sum;
}

static void minor(void **state)
{
	struct uffd_msg msg;
	struct client c;
	uint64_t done;

	start(&c, UFFD_MISSING | UFFD_MINOR);
	assert_int_equal(uffd_read(c.uffd, &msg, 1), 0);
	file_fill(c.memfd, 0, WINDOW, 'm');

	order(&c, 'r', 3 * PAGE + 5, 0);
	assert_fault(&c, 3 * PAGE, UFFD_PAGEFAULT_FLAG_MINOR);
	assert_int_equal(uffd_continue(c.uffd, c.addr + 3 * PAGE, PAGE, false, true, &done), 0);
	assert_int_equal(done, PAGE);
	assert_int_equal(answer(&c), 'm');
	/* Writable at once, and the file's own page. */
	order(&c, 'w', 3 * PAGE, 'W');
	assert_int_equal(answer(&c), 'W');
	assert_true(file_is(c.memfd, 3 * PAGE, 1, 'W'));

	order(&c, 'w', 4 * PAGE, 'V');
	assert_fault(&c, 4 * PAGE, UFFD_PAGEFAULT_FLAG_MINOR | UFFD_PAGEFAULT_FLAG_WRITE);
	/* Over what is mapped in part: as far as it goes, then EEXIST. */
	assert_int_equal(uffd_continue(c.uffd, c.addr + 2 * PAGE, 4 * PAGE, false, false, &done),
			 -EAGAIN);
	assert_int_equal(done, PAGE);
	assert_int_equal(uffd_continue(c.uffd, c.addr + 3 * PAGE, PAGE, false, false, &done),
			 -EEXIST);
	assert_int_equal(done, 0);
	assert_int_equal(uffd_continue_range(c.uffd, c.addr, WINDOW, false, &done), 0);
	assert_int_equal(done, WINDOW - 2 * PAGE);
	assert_int_equal(answer(&c), 'V');
	assert_int_equal(uffd_continue_range(c.uffd, c.addr, WINDOW, false, &done), 0);
	assert_int_equal(done, 0);
	assert_int_equal(pmd_mapped(&c), 0);
	stop(&c);
}

/* EEXIST wakes nobody: the wake must follow. */
static void exists_needs_wake(void **state)
{
	struct client c;
	uint64_t done;

	start(&c, UFFD_MISSING | UFFD_MINOR);
	file_fill(c.memfd, 0, PAGE, 'm');
	order(&c, 'r', 0, 0);
	assert_fault(&c, 0, UFFD_PAGEFAULT_FLAG_MINOR);
	assert_int_equal(uffd_continue(c.uffd, c.addr, PAGE, false, false, &done), 0);
	assert_int_equal(uffd_continue(c.uffd, c.addr, PAGE, false, true, &done), -EEXIST);
	/* It still sleeps: a thread that runs would have answered or faulted. */
	assert_int_equal(poll(&(struct pollfd){ c.sock, POLLIN, 0 }, 1, 0), 0);
	assert_int_equal(uffd_wake(c.uffd, c.addr, PAGE), 0);
	assert_int_equal(answer(&c), 'm');
	stop(&c);
}

static void missing(void **state)
{
	struct client c;
	uint64_t done;
	char src[PAGE];

	start(&c, UFFD_MISSING | UFFD_MINOR);
	order(&c, 'r', PAGE, 0);
	assert_fault(&c, PAGE, 0);
	/* A hole cannot be continued: nothing happens, the thread sleeps on. */
	assert_int_equal(uffd_continue(c.uffd, c.addr + PAGE, PAGE, false, true, &done), -EFAULT);
	assert_int_equal(done, 0);
	assert_int_equal(uffd_zeropage(c.uffd, c.addr + PAGE, PAGE, true), 0);
	assert_int_equal(answer(&c), 0);
	assert_int_equal(allocated(c.memfd), PAGE);
	assert_int_equal(uffd_zeropage(c.uffd, c.addr + PAGE, PAGE, true), -EEXIST);

	memset(src, 'c', sizeof(src));
	order(&c, 'r', 2 * PAGE, 0);
	assert_fault(&c, 2 * PAGE, 0);
	assert_int_equal(uffd_copy(c.uffd, c.addr + 2 * PAGE, (uintptr_t)src, PAGE, true,
				   &done), 0);
	assert_int_equal(done, PAGE);
	assert_int_equal(answer(&c), 'c');
	assert_int_equal(uffd_copy(c.uffd, c.addr + 3 * PAGE, PAGE, PAGE, true, &done), -EFAULT);
	stop(&c);
}

static void protect(void **state)
{
	struct client c;
	uint64_t done;

	start(&c, UFFD_MISSING | UFFD_MINOR | UFFD_WP);
	file_fill(c.memfd, 0, WINDOW, 'm');
	if (c.features & UFFD_FEATURE_WP_UNPOPULATED) {
		/* Mapped read-only at once (the same kernels have CONTINUE with WP). */
		order(&c, 'r', PAGE, 0);
		assert_fault(&c, PAGE, UFFD_PAGEFAULT_FLAG_MINOR);
		assert_int_equal(uffd_continue(c.uffd, c.addr + PAGE, PAGE, true, true, &done), 0);
		assert_int_equal(answer(&c), 'm');
		order(&c, 'w', PAGE, 'W');
		assert_fault(&c, PAGE, UFFD_PAGEFAULT_FLAG_WP | UFFD_PAGEFAULT_FLAG_WRITE);
		assert_int_equal(uffd_writeprotect(c.uffd, c.addr + PAGE, PAGE, false, true), 0);
		assert_int_equal(answer(&c), 'W');
	}
	order(&c, 'w', 2 * PAGE, 'A');
	assert_fault(&c, 2 * PAGE, UFFD_PAGEFAULT_FLAG_MINOR | UFFD_PAGEFAULT_FLAG_WRITE);
	assert_int_equal(uffd_continue(c.uffd, c.addr + 2 * PAGE, PAGE, false, true, &done), 0);
	assert_int_equal(answer(&c), 'A');
	assert_int_equal(uffd_writeprotect(c.uffd, c.addr + 2 * PAGE, PAGE, true, true), 0);
	order(&c, 'w', 2 * PAGE, 'B');
	assert_fault(&c, 2 * PAGE, UFFD_PAGEFAULT_FLAG_WP | UFFD_PAGEFAULT_FLAG_WRITE);
	assert_true(file_is(c.memfd, 2 * PAGE, 1, 'A'));
	assert_int_equal(uffd_writeprotect(c.uffd, c.addr + 2 * PAGE, PAGE, false, false), 0);
	assert_int_equal(uffd_wake(c.uffd, c.addr + 2 * PAGE, PAGE), 0);
	assert_int_equal(answer(&c), 'B');
	stop(&c);
}

/* A real 2M entry in the other process, with nothing mapped before. */
static void collapse(void **state)
{
	struct client c;
	int ret, tries = 0;

	start(&c, UFFD_MISSING | UFFD_MINOR);
	file_fill(c.memfd, WINDOW, WINDOW, 'h');
	file_fill(c.memfd, 2 * WINDOW, PAGE, 'x');
	order(&c, 'w', WINDOW + 9 * PAGE, 'W');
	assert_fault(&c, WINDOW + 9 * PAGE, UFFD_PAGEFAULT_FLAG_MINOR | UFFD_PAGEFAULT_FLAG_WRITE);
	/* EAGAIN as long as pages just written wait in some CPU's list. */
	while ((ret = uffd_collapse(c.pidfd, c.addr + WINDOW)) == -EAGAIN && tries++ < 10000)
		sched_yield();
	if (ret == -EPERM) {
		assert_int_equal(uffd_wake(c.uffd, c.addr, LEN), 0);
		assert_int_equal(uffd_continue_range(c.uffd, c.addr + WINDOW, WINDOW, false,
						     NULL), 0);
		answer(&c);
		stop(&c);
		print_message("process_madvise() needs privileges: not tested\n");
		skip();
	}
	assert_int_equal(ret, 0);
	assert_int_equal(pmd_mapped(&c), WINDOW / 1024);
	/* It does not wake. */
	assert_int_equal(poll(&(struct pollfd){ c.sock, POLLIN, 0 }, 1, 0), 0);
	assert_int_equal(uffd_wake(c.uffd, c.addr + WINDOW, WINDOW), 0);
	assert_int_equal(answer(&c), 'W');
	assert_true(file_is(c.memfd, WINDOW + 9 * PAGE, 1, 'W'));
	order(&c, 'r', WINDOW + 500 * PAGE, 0);
	assert_int_equal(answer(&c), 'h');
	/* Holes inside; empty. */
	assert_int_equal(uffd_collapse(c.pidfd, c.addr + 2 * WINDOW), -EBUSY);
	assert_int_equal(uffd_collapse(c.pidfd, c.addr + 3 * WINDOW), -EINVAL);
	stop(&c);
	assert_int_equal(uffd_collapse(-1, 0), -EBADF);
}

static void poison(void **state)
{
	struct client c;
	int status;

	start(&c, UFFD_MISSING | UFFD_MINOR);
	if (!(c.features & UFFD_FEATURE_POISON)) {
		stop(&c);
		print_message("this kernel has no UFFDIO_POISON: not tested\n");
		skip();
	}
	order(&c, 'w', PAGE, 'x');
	assert_fault(&c, PAGE, UFFD_PAGEFAULT_FLAG_WRITE);
	assert_int_equal(uffd_poison(c.uffd, c.addr + PAGE, PAGE), 0);
	assert_int_equal(waitpid(c.pid, &status, 0), c.pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGBUS);
	/* The process is gone: every verb says so, or does nothing. */
	assert_int_equal(uffd_continue(c.uffd, c.addr, PAGE, false, true, NULL), -ESRCH);
	assert_int_equal(uffd_zeropage(c.uffd, c.addr, PAGE, true), -ESRCH);
	assert_int_equal(uffd_wake(c.uffd, c.addr, PAGE), 0);
	close(c.uffd);
	close(c.sock);
	close(c.pidfd);
	close(c.memfd);
}

static void negotiate(void **state)
{
	uint64_t features, granted;
	int fd;

	assert_int_equal(uffd_probe(&features), 0);
	fd = uffd_open(-1, true);
	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	/* One that no kernel has: needed is refused, wished is left out. */
	assert_int_equal(uffd_api(fd, 1ull << 62, 0, &granted), -EOPNOTSUPP);
	assert_int_equal(granted, 0);
	assert_int_equal(uffd_api(fd, UFFD_FEATURE_MISSING_SHMEM,
				  (1ull << 62) | UFFD_FEATURE_MINOR_SHMEM, &granted), 0);
	assert_int_equal(granted, UFFD_FEATURE_MISSING_SHMEM |
			 (UFFD_FEATURE_MINOR_SHMEM & features));
	/* The handshake can be done once. */
	assert_int_equal(uffd_api(fd, 0, 0, &granted), -EINVAL);
	close(fd);
	/* One without a handshake. */
	fd = uffd_open(-1, true);
	assert_int_equal(uffd_register(fd, 0, PAGE, UFFD_MISSING), -EINVAL);
	close(fd);
	assert_int_equal(uffd_open(1000000, false), -EBADF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(negotiate),
		cmocka_unit_test(minor),
		cmocka_unit_test(exists_needs_wake),
		cmocka_unit_test(missing),
		cmocka_unit_test(protect),
		cmocka_unit_test(collapse),
		cmocka_unit_test(poison),
	};
	uint64_t features;
	int fd;

	fd = uffd_open(-1, false);
	if (fd < 0)
		skip_all("no userfaultfd that serves the kernel's own accesses "
			 "(vm.unprivileged_userfaultfd, /dev/userfaultfd)");
	close(fd);
	if (uffd_probe(&features) || !(features & UFFD_FEATURE_MINOR_SHMEM))
		skip_all("this kernel has no minor faults of shared memory (5.14)");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
