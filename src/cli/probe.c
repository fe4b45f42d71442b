/* SPDX-License-Identifier: BSD-3-Clause */
/* The probes of udax doctor. */
#include "cli/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/loop.h"
#include "io/uffd.h"
#include "lib/parse.h"

#define DEVICE "/dev/userfaultfd"
#define PAGE 4096u
#define WINDOW (2u << 20)

static void __attribute__((format(printf, 4, 5)))
found(struct finding *f, enum verdict verdict, const char *enable,
      const char *fmt, ...)
{
	va_list ap;

	f->verdict = verdict;
	f->enable = enable;
	va_start(ap, fmt);
	vsnprintf(f->detail, sizeof(f->detail), fmt, ap);
	va_end(ap);
}

/* First line of a file of the kernel's; false if there is none. */
static bool read_line(const char *path, char *buf, size_t len)
{
	FILE *f = fopen(path, "re");
	bool ok = f && fgets(buf, len, f);

	if (f)
		fclose(f);
	if (ok)
		buf[strcspn(buf, "\n")] = '\0';
	return ok;
}

void probe_kernel(struct finding *f)
{
	struct utsname u;

	if (uname(&u))
		found(f, VERDICT_INFO, NULL, "%s", strerror(errno));
	else
		found(f, VERDICT_INFO, NULL, "%s %s", u.sysname, u.release);
}

/*
 * A userfaultfd, by the first way that works, as programs get theirs; or -errno.
 * The last one misses the faults that the kernel takes for the program.
 */
static int any_uffd(const char **way, bool *user_only)
{
	int fd, dev, err;

	*user_only = false;
	*way = "by the system call";
	err = fd = uffd_open(-1, false);
	if (fd >= 0)
		return fd;
	dev = open(DEVICE, O_RDWR | O_CLOEXEC);
	if (dev >= 0) {
		*way = "by " DEVICE;
		fd = uffd_open(dev, false);
		close(dev);
		if (fd >= 0)
			return fd;
	}
	*user_only = true;
	fd = uffd_open(-1, true);
	return fd >= 0 ? fd : err;
}

void probe_userfaultfd(struct finding *f)
{
	static const char how[] = "as root: setfacl -m u:USER:rw " DEVICE
		", or sysctl vm.unprivileged_userfaultfd=1";
	const char *way;
	bool user_only;
	int fd = any_uffd(&way, &user_only);

	if (fd >= 0)
		close(fd);
	if (fd >= 0 && !user_only)
		found(f, VERDICT_OK, NULL, "%s", way);
	else if (fd >= 0)
		found(f, VERDICT_LACKS, how, "system calls on pages not yet mapped fail with EFAULT");
	else if (fd == -ENOSYS)
		found(f, VERDICT_NEEDED, "a kernel with CONFIG_USERFAULTFD", "not in this kernel");
	else
		found(f, VERDICT_NEEDED, how, "%s", strerror(-fd));
}

static void feature(struct finding *f, uint64_t bit, enum verdict without,
		    const char *cost, const char *enable)
{
	uint64_t features;
	int err = uffd_probe(&features);

	if (err)
		found(f, without, NULL, "cannot be asked: %s", strerror(-err));
	else if (features & bit)
		found(f, VERDICT_OK, NULL, "yes");
	else
		found(f, without, enable, "%s", cost);
}

void probe_minor(struct finding *f)
{
	feature(f, UFFD_FEATURE_MINOR_SHMEM, VERDICT_NEEDED, "no", "Linux 5.14 or later");
}

void probe_wp(struct finding *f)
{
	feature(f, UFFD_FEATURE_WP_HUGETLBFS_SHMEM, VERDICT_LACKS,
		"the pages of an image that were written are not known",
		"Linux 5.19 or later");
}

void probe_poison(struct finding *f)
{
	feature(f, UFFD_FEATURE_POISON, VERDICT_LACKS,
		"a store to a full tmpfs cannot end in SIGBUS",
		"Linux 6.6 or later");
}

void probe_event_fork(struct finding *f)
{
	const char *way;
	uint64_t granted;
	bool user_only;
	int fd = any_uffd(&way, &user_only), err = fd;

	if (fd >= 0)
		err = uffd_api(fd, 0, UFFD_FEATURE_EVENT_FORK, &granted);
	if (fd >= 0)
		close(fd);
	if (err < 0)
		found(f, VERDICT_LACKS, NULL, "cannot be asked: %s", strerror(-err));
	else if (granted & UFFD_FEATURE_EVENT_FORK)
		found(f, VERDICT_OK, NULL, "yes");
	else
		found(f, VERDICT_LACKS, "run udaxd with CAP_SYS_PTRACE",
		      "a child of a raw fork is not emulated");
}

void probe_io_uring(struct finding *f)
{
	struct loop *loop = NULL;
	int err = loop_new(&loop, 8, NULL);

	if (!err)
		loop_free(loop);
	if (err)
		found(f, VERDICT_NEEDED, "sysctl kernel.io_uring_disabled=0, and no seccomp filter against it",
		      "%s", strerror(-err));
	else
		found(f, VERDICT_OK, NULL, "yes");
}

/* -------------------------------------------------- one fault, for real */

static void *toucher(void *page)
{
	return (void *)(uintptr_t)*(volatile unsigned char *)page;
}

/* Waits for the one fault and maps the page that is in the file already. */
static int serve(int uffd, unsigned char *page)
{
	struct pollfd p = { .fd = uffd, .events = POLLIN };
	struct uffd_msg msg;
	pthread_t thread;
	void *seen = NULL;
	int n = 0;

	if (pthread_create(&thread, NULL, toucher, page))
		return -EAGAIN;
	while (!n)
		if (poll(&p, 1, -1) > 0)
			n = uffd_read(uffd, &msg, 1);
	if (n > 0)
		n = uffd_continue(uffd, (uintptr_t)page, PAGE, false, true, NULL);
	/* Without the registration a thread that is left asleep goes on. */
	if (n < 0)
		uffd_unregister(uffd, (uintptr_t)page, PAGE);
	pthread_join(thread, &seen);
	return n < 0 ? n : (uintptr_t)seen == 'x' ? 0 : -EIO;
}

static int served(void)
{
	int memfd = memfd_create("udax-doctor", MFD_CLOEXEC);
	unsigned char *page = MAP_FAILED;
	const char *way;
	uint64_t granted;
	bool user_only;
	int uffd = any_uffd(&way, &user_only), err = uffd;

	if (memfd < 0 || pwrite(memfd, "x", 1, 0) != 1 ||
	    ftruncate(memfd, PAGE))
		err = -errno;
	else
		page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
			    memfd, 0);
	if (err >= 0 && page == MAP_FAILED)
		err = -errno;
	if (err >= 0)
		err = uffd_api(uffd, UFFD_FEATURE_MINOR_SHMEM, 0, &granted);
	if (!err)
		err = uffd_register(uffd, (uintptr_t)page, PAGE,
				    UFFD_MISSING | UFFD_MINOR);
	if (!err)
		err = serve(uffd, page);
	if (page != MAP_FAILED)
		munmap(page, PAGE);
	if (uffd >= 0)
		close(uffd);
	if (memfd >= 0)
		close(memfd);
	return err;
}

void probe_served(struct finding *f)
{
	int err = served();

	if (err)
		found(f, VERDICT_NEEDED, NULL, "%s", strerror(-err));
	else
		found(f, VERDICT_OK, NULL, "yes");
}

/* --------------------------------------- a huge page in another process */

/* KiB mapped by huge pages in the mapping of @pid that starts at @start; or -errno. */
static long pmd_mapped(pid_t pid, uintptr_t start)
{
	char path[32], line[512];
	unsigned long from, to;
	bool here = false;
	long kib = -ENOENT;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/smaps", (int)pid);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	while (kib < 0 && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			here = from == start;
		else if (here && sscanf(line, "ShmemPmdMapped: %ld kB", &kib) == 1)
			break;
	}
	fclose(f);
	return kib;
}

/* The child: a window of the file at an aligned address, until it is killed. */
static void __attribute__((noreturn)) hold_window(int memfd, int report)
{
	uintptr_t start;
	void *p;

	p = mmap(NULL, 2 * WINDOW, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	start = ((uintptr_t)p + WINDOW - 1) & ~(uintptr_t)(WINDOW - 1);
	if (p == MAP_FAILED ||
	    mmap((void *)start, WINDOW, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_FIXED, memfd, 0) == MAP_FAILED ||
	    write(report, &start, sizeof(start)) != sizeof(start))
		_exit(1);
	for (;;)
		pause();
}

/* As udaxd does it: from outside, on pages that nobody has mapped. KiB or -errno. */
static long collapse(pid_t pid, int report)
{
	int pidfd = syscall(SYS_pidfd_open, pid, 0), err = -EAGAIN;
	uintptr_t start;

	if (pidfd < 0)
		return -errno;
	if (read(report, &start, sizeof(start)) != sizeof(start))
		err = -ENOMEM;
	/* A page that is still on its way to the LRU lists makes it busy. */
	for (int i = 0; i < 5 && (err == -EAGAIN || err == -EBUSY); i++)
		err = uffd_collapse(pidfd, start);
	close(pidfd);
	return err ? err : pmd_mapped(pid, start);
}

static int full_window(void)
{
	int memfd = memfd_create("udax-doctor", MFD_CLOEXEC);
	char *data = malloc(WINDOW);

	if (memfd >= 0 && data) {
		memset(data, 'x', WINDOW);
		if (pwrite(memfd, data, WINDOW, 0) == WINDOW) {
			free(data);
			return memfd;
		}
	}
	free(data);
	if (memfd >= 0)
		close(memfd);
	return -ENOMEM;
}

static long collapsed(void)
{
	int memfd = full_window(), fds[2];
	long kib = -EAGAIN;
	pid_t pid;

	if (memfd < 0)
		return memfd;
	if (pipe2(fds, O_CLOEXEC)) {
		close(memfd);
		return -errno;
	}
	fflush(NULL);
	pid = fork();
	if (!pid)
		hold_window(memfd, fds[1]);
	close(fds[1]);
	if (pid > 0) {
		kib = collapse(pid, fds[0]);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	close(fds[0]);
	close(memfd);
	return kib;
}

void probe_collapse(struct finding *f)
{
	long kib = collapsed();

	if (kib >= WINDOW / 1024)
		found(f, VERDICT_OK, NULL, "MADV_COLLAPSE maps 2M");
	else if (kib == -EPERM)
		found(f, VERDICT_LACKS, "run udaxd with CAP_SYS_NICE",
		      "no permission for process_madvise: 2M faults take 512 entries");
	else if (kib < 0)
		found(f, VERDICT_LACKS, "Linux 6.1 or later, with CONFIG_TRANSPARENT_HUGEPAGE",
		      "%s: 2M faults take 512 entries", strerror(-kib));
	else
		found(f, VERDICT_LACKS, NULL, "MADV_COLLAPSE mapped %ld KiB of 2048", kib);
}

/* ------------------------------------------------------------- settings */

/* The word in brackets: "always [never]" -> "never". */
static const char *chosen(char *line)
{
	char *open = strchr(line, '[');

	if (!open)
		return line;
	open[strcspn(open, "]")] = '\0';
	return open + 1;
}

void probe_shmem_huge(struct finding *f)
{
	char line[128];

	if (read_line("/sys/kernel/mm/transparent_hugepage/shmem_enabled", line,
		      sizeof(line)))
		found(f, VERDICT_INFO, NULL, "shmem_enabled is %s; a tmpfs decides by its option huge=",
		      chosen(line));
	else
		found(f, VERDICT_LACKS, "a kernel with CONFIG_TRANSPARENT_HUGEPAGE", "none");
}

void probe_hugetlb(struct finding *f)
{
	static const char dir[] = "/sys/kernel/mm/hugepages/hugepages-2048kB/";
	char path[128], all[32] = "", unused[32] = "";

	snprintf(path, sizeof(path), "%snr_hugepages", dir);
	if (!read_line(path, all, sizeof(all))) {
		found(f, VERDICT_LACKS, "a kernel with CONFIG_HUGETLBFS",
		      "none: no files on hugetlbfs");
		return;
	}
	snprintf(path, sizeof(path), "%sfree_hugepages", dir);
	read_line(path, unused, sizeof(unused));
	if (!strcmp(all, "0"))
		found(f, VERDICT_LACKS, "sysctl vm.nr_hugepages=N",
		      "0: no files on hugetlbfs");
	else
		found(f, VERDICT_INFO, NULL, "%s, %s of them free", all, unused);
}

void probe_memlock(struct finding *f)
{
	struct rlimit r;
	char size[24];

	if (getrlimit(RLIMIT_MEMLOCK, &r))
		found(f, VERDICT_INFO, NULL, "%s", strerror(errno));
	else if (r.rlim_cur == RLIM_INFINITY)
		found(f, VERDICT_INFO, NULL, "unlimited");
	else
		found(f, VERDICT_INFO, NULL, "%s",
		      format_size(size, sizeof(size), r.rlim_cur));
}

void probe_max_map_count(struct finding *f)
{
	char line[32];

	if (read_line("/proc/sys/vm/max_map_count", line, sizeof(line)))
		found(f, VERDICT_INFO, NULL, "%s (sysctl vm.max_map_count)", line);
	else
		found(f, VERDICT_INFO, NULL, "unknown");
}
