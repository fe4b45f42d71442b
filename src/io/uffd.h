/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * userfaultfd: feature negotiation and the resolve verbs, with the error rules
 * that the verbs share. Nothing here keeps state (but uffd_probe()) or takes a lock; every call is
 * one system call unless said. Addresses and lengths are bytes, page aligned,
 * in the address space of the userfaultfd (another process's).
 *
 * Results: 0 or -errno. -EAGAIN: the address space is changing (an event is
 * unread) or the call raced with a zap or a collapse; -EEXIST: already mapped
 * (the kernel does not wake: the caller must); -ENOENT: no such mapping;
 * -ESRCH: the process is gone; -EFAULT: no page in the file there.
 */
#ifndef UDAX_IO_UFFD_H
#define UDAX_IO_UFFD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "io/uffd_compat.h"	/* <linux/userfaultfd.h> and what Debian's lacks */

/* Modes of registration; values of UFFDIO_REGISTER_MODE_*. */
#define UFFD_MISSING	0x1u
#define UFFD_WP		0x2u
#define UFFD_MINOR	0x4u

/*
 * UFFDIO_API with those of @want that the kernel and our privileges grant.
 * @need: fails with -EOPNOTSUPP when one of these is missing.
 */
int uffd_api(int fd, uint64_t need, uint64_t want, uint64_t *granted);
/* What this kernel offers, asked once on a throw-away userfaultfd. 0 or -errno. */
int uffd_probe(uint64_t *features);
/*
 * A userfaultfd of the calling process, O_NONBLOCK. @dev: open /dev/userfaultfd,
 * or -1: by the system call, else by the device if it can be opened. fd or -errno.
 */
int uffd_open(int dev, bool user_mode_only);

int uffd_register(int fd, uint64_t start, uint64_t len, unsigned int modes);
int uffd_unregister(int fd, uint64_t start, uint64_t len);

/* @done (may be NULL): bytes mapped, also when it fails half way. */
int uffd_continue(int fd, uint64_t start, uint64_t len, bool wp, bool wake, uint64_t *done);
/* @src: in this process; -EFAULT also when it cannot be read. @done as above. */
int uffd_copy(int fd, uint64_t dst, uint64_t src, uint64_t len, bool wake, uint64_t *done);
int uffd_zeropage(int fd, uint64_t start, uint64_t len, bool wake);
int uffd_writeprotect(int fd, uint64_t start, uint64_t len, bool wp, bool wake);
int uffd_poison(int fd, uint64_t start, uint64_t len);
int uffd_wake(int fd, uint64_t start, uint64_t len);

/*
 * CONTINUE of a whole range of 4K pages, some of which may be mapped: maps what
 * is not, skips what is. Several calls. @done: bytes newly mapped. Wakes the
 * range, also when it fails.
 */
int uffd_continue_range(int fd, uint64_t start, uint64_t len, bool wp, uint64_t *done);

/* Nonblocking. Number of messages, 0 when there is none, or -errno. */
int uffd_read(int fd, struct uffd_msg *msgs, unsigned int max);

/*
 * MADV_COLLAPSE of one 2M window in another process (pidfd), one call. Never
 * wakes. -EBUSY: a hole or the end of file inside; -EINVAL: empty or not
 * eligible; -EAGAIN: a page is pinned; -EPERM: privileges.
 *
 * Only for a window of which the medium's iomap says that all of it is data
 * (MAPPED, 2M). A huge folio that fallocate() made and nothing has touched yet
 * was not cleared: COLLAPSE (6.18) maps it as it is, with what the memory held
 * before; CONTINUE and a native fault clear it first.
 */
int uffd_collapse(int pidfd, uint64_t start);

#endif
