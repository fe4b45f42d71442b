/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A mapping of a tmpfs file (or memfd) that only its owner sees, armed for
 * missing pages by a userfaultfd. ZEROPAGE and COPY through it are the ways to
 * allocate exactly one page of the file whatever the mount's huge= says: write()
 * and fallocate() may make a huge folio, whose other pages are then there as
 * zeros that nobody has filled. And neither ever changes a page that is there.
 * SIGBUS mode: a touch of a hole fails, instead of waiting to be resolved.
 *
 * Any thread, no lock held; each call takes @lock, a leaf. The mapping is made
 * at the first use and made anew when the file has outgrown it. Positions are
 * bytes in the file, page aligned. Errors: -ENOSPC: the memory is full; -EFAULT:
 * past the end of file; other -errno: no mapping or no userfaultfd can be had.
 */
#ifndef UDAX_IO_ARMED_H
#define UDAX_IO_ARMED_H

#include <pthread.h>
#include <stdint.h>

struct armed {
	int fd;			/* not owned; read-write */
	pthread_rwlock_t lock;	/* write: to replace the three below */
	char *map;
	uint64_t len;
	int uffd;		/* the process's own, or < 0 */
};

void armed_init(struct armed *a, int fd);
void armed_exit(struct armed *a);

/* One page of zeros, unless there is a page. */
int armed_zero(struct armed *a, uint64_t pos);

/*
 * Copies @len bytes at @src to the pages that are missing, page by page, each
 * atomically. A page of @src that cannot be read (truncated) counts as zeros.
 */
int armed_copy(struct armed *a, uint64_t pos, uint64_t len, const void *src);

/*
 * Makes the pages that are there ready to be mapped: a folio that fallocate()
 * made is cleared by its first fault only. -EFAULT: one is missing.
 */
int armed_touch(struct armed *a, uint64_t pos, uint64_t len);

#endif
