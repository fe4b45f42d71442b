/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * <linux/userfaultfd.h> plus what the header of Linux 6.1 (Debian 12) does not
 * have yet. Only names and layouts of the kernel's ABI: whether the running
 * kernel knows them is asked at run time (uffd_probe(), uffd_api()), never
 * concluded from the header. The number after a name is the first kernel.
 */
#ifndef UDAX_IO_UFFD_COMPAT_H
#define UDAX_IO_UFFD_COMPAT_H

#include <linux/ioctl.h>
#include <linux/types.h>
#include <linux/userfaultfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1			/* 5.11 */
#endif

#ifndef USERFAULTFD_IOC_NEW			/* /dev/userfaultfd, 6.1 */
#define USERFAULTFD_IOC 0xAA
#define USERFAULTFD_IOC_NEW _IO(USERFAULTFD_IOC, 0x00)
#endif

/* Features, struct uffdio_api.features. */
#ifndef UFFD_FEATURE_WP_UNPOPULATED
#define UFFD_FEATURE_WP_UNPOPULATED	(1 << 13)	/* 6.4 */
#endif
#ifndef UFFD_FEATURE_POISON
#define UFFD_FEATURE_POISON		(1 << 14)	/* 6.6 */
#endif
#ifndef UFFD_FEATURE_WP_ASYNC
#define UFFD_FEATURE_WP_ASYNC		(1 << 15)	/* 6.7 */
#endif
#ifndef UFFD_FEATURE_MOVE
#define UFFD_FEATURE_MOVE		(1 << 16)	/* 6.8 */
#endif

#ifndef UFFDIO_CONTINUE_MODE_WP
#define UFFDIO_CONTINUE_MODE_WP		((__u64)1 << 1)	/* 6.4 */
#endif

#ifndef UFFDIO_POISON				/* 6.6 */
#define _UFFDIO_POISON 0x08
struct uffdio_poison {
	struct uffdio_range range;
#define UFFDIO_POISON_MODE_DONTWAKE	((__u64)1 << 0)
	__u64 mode;
	__s64 updated;		/* written by the ioctl: bytes or -errno */
};
#define UFFDIO_POISON _IOWR(UFFDIO, _UFFDIO_POISON, struct uffdio_poison)
#endif

#ifndef UFFDIO_MOVE				/* 6.8 */
#define _UFFDIO_MOVE 0x05
struct uffdio_move {
	__u64 dst;
	__u64 src;
	__u64 len;
#define UFFDIO_MOVE_MODE_DONTWAKE	((__u64)1 << 0)
#define UFFDIO_MOVE_MODE_ALLOW_SRC_HOLES ((__u64)1 << 1)
	__u64 mode;
	__s64 move;		/* written by the ioctl: bytes or -errno */
};
#define UFFDIO_MOVE _IOWR(UFFDIO, _UFFDIO_MOVE, struct uffdio_move)
#endif

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25			/* 6.1; process_madvise too */
#endif

#ifndef SYS_process_madvise
#define SYS_process_madvise 440			/* 5.10, all architectures */
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434			/* 5.3, all architectures */
#endif

/* The numbers below are the kernel's; a header that differs is not Linux's. */
_Static_assert(sizeof(struct uffd_msg) == 32, "userfaultfd ABI");
_Static_assert(sizeof(struct uffdio_continue) == 32, "userfaultfd ABI");
_Static_assert(sizeof(struct uffdio_poison) == 32, "userfaultfd ABI");
_Static_assert(sizeof(struct uffdio_move) == 40, "userfaultfd ABI");
_Static_assert(USERFAULTFD_IOC_NEW == 0xaa00, "userfaultfd ABI");
_Static_assert(UFFDIO_CONTINUE == 0xc020aa07, "userfaultfd ABI");
_Static_assert(UFFDIO_POISON == 0xc020aa08, "userfaultfd ABI");
_Static_assert(UFFDIO_MOVE == 0xc028aa05, "userfaultfd ABI");
_Static_assert(UFFD_FEATURE_MOVE == 0x10000, "userfaultfd ABI");
_Static_assert(MADV_COLLAPSE == 25, "madvise ABI");

#endif
