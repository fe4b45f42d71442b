/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "io/uffd.h"

#define PAGE_BYTES	4096u
#define WINDOW_BYTES	(2u << 20)

_Static_assert(UFFD_MISSING == UFFDIO_REGISTER_MODE_MISSING, "uffd.h");
_Static_assert(UFFD_WP == UFFDIO_REGISTER_MODE_WP, "uffd.h");
_Static_assert(UFFD_MINOR == UFFDIO_REGISTER_MODE_MINOR, "uffd.h");

static int uffd_ioctl(int fd, unsigned long request, void *arg)
{
	return ioctl(fd, request, arg) < 0 ? -errno : 0;
}

static int open_by_device(int dev, int flags)
{
	int fd = ioctl(dev, USERFAULTFD_IOC_NEW, (unsigned long)flags);

	return fd < 0 ? -errno : fd;
}

int uffd_open(int dev, bool user_mode_only)
{
	/* poll() reports POLLERR for a userfaultfd without O_NONBLOCK. */
	int flags = O_CLOEXEC | O_NONBLOCK, fd, err;

	if (user_mode_only)
		flags |= UFFD_USER_MODE_ONLY;
	if (dev >= 0)
		return open_by_device(dev, flags);
	fd = (int)syscall(SYS_userfaultfd, flags);
	if (fd >= 0)
		return fd;
	err = -errno;
	/* Not allowed, or filtered: the device has permissions of its own. */
	dev = open("/dev/userfaultfd", O_RDWR | O_CLOEXEC);
	if (dev < 0)
		return err;
	fd = open_by_device(dev, flags);
	close(dev);
	return fd;
}

int uffd_probe(uint64_t *features)
{
	struct uffdio_api api = { .api = UFFD_API };
	/* The kernel's, the same for every descriptor and for good; 0: not asked yet. */
	static _Atomic uint64_t known;
	int fd, ret;

	*features = atomic_load(&known);
	if (*features)
		return 0;
	fd = uffd_open(-1, true);
	if (fd < 0)
		return fd;
	ret = uffd_ioctl(fd, UFFDIO_API, &api);
	if (!ret)
		*features = api.features;
	atomic_store(&known, *features);
	close(fd);
	return ret;
}

/*
 * UFFDIO_API fails as a whole for a feature that the kernel lacks, and with
 * EPERM for EVENT_FORK without CAP_SYS_PTRACE; a failure leaves the descriptor
 * as it was, so that a smaller wish can follow. A first call with no features
 * would tell what there is, but use up the only call: hence the probe.
 */
int uffd_api(int fd, uint64_t need, uint64_t want, uint64_t *granted)
{
	struct uffdio_api api;
	uint64_t features;
	int ret;

	*granted = 0;
	ret = uffd_probe(&features);
	if (ret)
		return ret;
	want = (want | need) & features;
	if ((want & need) != need)
		return -EOPNOTSUPP;
	api = (struct uffdio_api){ .api = UFFD_API, .features = want };
	ret = uffd_ioctl(fd, UFFDIO_API, &api);
	if (ret == -EPERM && (want & UFFD_FEATURE_EVENT_FORK)) {
		if (need & UFFD_FEATURE_EVENT_FORK)
			return -EOPNOTSUPP;
		want &= ~(uint64_t)UFFD_FEATURE_EVENT_FORK;
		api = (struct uffdio_api){ .api = UFFD_API, .features = want };
		ret = uffd_ioctl(fd, UFFDIO_API, &api);
	}
	if (!ret)
		*granted = want;
	return ret;
}

int uffd_register(int fd, uint64_t start, uint64_t len, unsigned int modes)
{
	struct uffdio_register reg = {
		.range = { .start = start, .len = len },
		.mode = modes,
	};

	return uffd_ioctl(fd, UFFDIO_REGISTER, &reg);
}

int uffd_unregister(int fd, uint64_t start, uint64_t len)
{
	struct uffdio_range range = { .start = start, .len = len };

	return uffd_ioctl(fd, UFFDIO_UNREGISTER, &range);
}

/*
 * The verbs' result field holds bytes done, or a negative errno: only a
 * positive value is progress. The ioctl itself says EAGAIN for a part done.
 */
static void store_done(uint64_t *done, int64_t result)
{
	if (done)
		*done = result > 0 ? (uint64_t)result : 0;
}

int uffd_continue(int fd, uint64_t start, uint64_t len, bool wp, bool wake, uint64_t *done)
{
	struct uffdio_continue cont = {
		.range = { .start = start, .len = len },
		.mode = (wp ? UFFDIO_CONTINUE_MODE_WP : 0) |
			(wake ? 0 : UFFDIO_CONTINUE_MODE_DONTWAKE),
	};
	int ret = uffd_ioctl(fd, UFFDIO_CONTINUE, &cont);

	store_done(done, cont.mapped);
	return ret;
}

int uffd_copy(int fd, uint64_t dst, uint64_t src, uint64_t len, bool wake, uint64_t *done)
{
	struct uffdio_copy copy = {
		.dst = dst,
		.src = src,
		.len = len,
		.mode = wake ? 0 : UFFDIO_COPY_MODE_DONTWAKE,
	};
	int ret = uffd_ioctl(fd, UFFDIO_COPY, &copy);

	store_done(done, copy.copy);
	return ret;
}

int uffd_zeropage(int fd, uint64_t start, uint64_t len, bool wake)
{
	struct uffdio_zeropage zero = {
		.range = { .start = start, .len = len },
		.mode = wake ? 0 : UFFDIO_ZEROPAGE_MODE_DONTWAKE,
	};

	return uffd_ioctl(fd, UFFDIO_ZEROPAGE, &zero);
}

int uffd_writeprotect(int fd, uint64_t start, uint64_t len, bool wp, bool wake)
{
	struct uffdio_writeprotect prot = {
		.range = { .start = start, .len = len },
		.mode = wp ? UFFDIO_WRITEPROTECT_MODE_WP : 0,
	};

	/* Protecting never wakes, and the kernel refuses DONTWAKE with it. */
	if (!wp && !wake)
		prot.mode |= UFFDIO_WRITEPROTECT_MODE_DONTWAKE;
	return uffd_ioctl(fd, UFFDIO_WRITEPROTECT, &prot);
}

int uffd_poison(int fd, uint64_t start, uint64_t len)
{
	struct uffdio_poison poison = {
		.range = { .start = start, .len = len },
	};

	return uffd_ioctl(fd, UFFDIO_POISON, &poison);
}

int uffd_wake(int fd, uint64_t start, uint64_t len)
{
	struct uffdio_range range = { .start = start, .len = len };

	return uffd_ioctl(fd, UFFDIO_WAKE, &range);
}

int uffd_continue_range(int fd, uint64_t start, uint64_t len, bool wp, uint64_t *done)
{
	uint64_t pos = start, end = start + len, part, total = 0;
	int ret = 0, wret;

	while (pos < end) {
		ret = uffd_continue(fd, pos, end - pos, wp, false, &part);
		pos += part;
		total += part;
		if (!ret)
			break;
		if (ret == -EEXIST)
			pos += PAGE_BYTES;
		else if (ret != -EAGAIN || !part)
			break;
		ret = 0;
	}
	store_done(done, (int64_t)total);
	wret = uffd_wake(fd, start, len);
	return ret ? ret : wret;
}

int uffd_read(int fd, struct uffd_msg *msgs, unsigned int max)
{
	ssize_t n;

	/* Not read(2): the C library's is a cancellation point, which costs. */
	do {
		n = syscall(SYS_read, fd, msgs, max * sizeof(*msgs));
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	return (int)((size_t)n / sizeof(*msgs));
}

int uffd_collapse(int pidfd, uint64_t start)
{
	struct iovec iov = {
		.iov_base = (void *)(uintptr_t)start,
		.iov_len = WINDOW_BYTES,
	};
	long ret = syscall(SYS_process_madvise, pidfd, &iov, 1UL, MADV_COLLAPSE, 0U);

	return ret < 0 ? -errno : 0;
}
