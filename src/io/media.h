/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The medium behind a managed file: where its pages are and how they get into
 * the shared memory that programs map.
 *
 *	direct	the pmem file is on tmpfs or hugetlbfs; its pages are the memory
 *	image	the pmem file is anywhere, opened with libpmem2; the memory is a
 *		memfd that is filled from it and written back to it
 *
 * Locks: the medium takes what it needs itself; the caller holds none. Calls
 * that can block say so: a worker makes them only with MEDIA_NOWAIT and, on
 * -EAGAIN, hands the operation to the helper pool, which calls again without.
 * Offsets and lengths are bytes. Errors are -errno.
 */
#ifndef UDAX_IO_MEDIA_H
#define UDAX_IO_MEDIA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "dax/dax.h"	/* struct dax_iomap */

struct media;

enum media_kind { MEDIA_DIRECT, MEDIA_IMAGE };

enum media_flags {
	MEDIA_NOWAIT	= 0x1,	/* -EAGAIN instead of blocking */
	MEDIA_WRITE	= 0x2,	/* allocate */
	MEDIA_PRESENT	= 0x4,	/* known to be in the memory: the fault says so (MINOR), or
				 * the window was seen full */
	MEDIA_ABSENT	= 0x8,	/* the fault says that it is not (MISSING) */
	MEDIA_WHOLE	= 0x10,	/* the window is a zero entry: pages in it are fills of
				 * ours, so MEDIA_WRITE allocates all of it */
	MEDIA_ZERO	= 0x20,	/* fill(): for a reader of a hole, see media_track() */
};

struct media_ops {
	const char *name;	/* "direct", "image" */

	/*
	 * The extent at @pos. PTE faults ask for one page, PMD faults for a
	 * window at its head, and may be told a shorter length. MEDIA_WRITE
	 * allocates; a window that is not a hole as a whole is never completed
	 * by an allocation (as no file system does). 0 (see iomap->error) or
	 * -EAGAIN.
	 *
	 * One page: what is not in the memory is reported as MAPPED|NEW for
	 * MEDIA_WRITE without an allocation if direct: the caller's ZEROPAGE, or
	 * fill(), allocates it. A window reported MAPPED with 2M is in the
	 * memory as a whole if direct, cleared, and may be collapsed.
	 * A hugetlbfs file does not tell holes: without PRESENT or ABSENT the
	 * answer is MAPPED, and CONTINUE (EFAULT) has the last word.
	 */
	int (*iomap)(struct media *m, uint64_t pos, uint64_t len,
		     unsigned int flags, struct dax_iomap *iomap);
	/*
	 * Makes [pos, pos+len) present in the memory, so that CONTINUE maps it:
	 * image loads from the pmem file, direct allocates zeros, 4K at a time
	 * where @len is one page, whatever the mount's huge= says. Never changes
	 * what is present. -ENOSPC when the memory is full, -EFAULT past the
	 * end of file, -EROFS. May block, also with MEDIA_NOWAIT.
	 */
	int (*fill)(struct media *m, uint64_t pos, uint64_t len, unsigned int flags);
	/*
	 * Memory to pmem file, durable on return. Blocks. direct: nothing to do.
	 * Many ranges are written with one store() each and one sync() of all:
	 * each sync() is a journal commit where the file system has one. An
	 * error of the device shows at sync(). What is past the end of file,
	 * or not in the memory, is not written and is no error.
	 */
	int (*writeback)(struct media *m, uint64_t pos, uint64_t len);
	int (*store)(struct media *m, uint64_t pos, uint64_t len);
	int (*sync)(struct media *m, uint64_t pos, uint64_t len);
	/* The pmem file's size changed: follow it. Blocks. */
	int (*resize)(struct media *m);
	/*
	 * Blocks were punched or zeroed, or (@len to the end of file) moved:
	 * what the memory holds of them is dropped. Blocks.
	 */
	int (*punch)(struct media *m, uint64_t pos, uint64_t len);
	/* media_cleared() at a lower price; may be NULL. */
	bool (*cleared)(struct media *m, uint64_t pos);
	/*
	 * The window at @pos, cleared(), was mapped as a huge folio. is_huge():
	 * the medium remembers that, and the folio is still the same, all of it
	 * there. One system call at the most. Both NULL where there are none.
	 */
	void (*set_huge)(struct media *m, uint64_t pos);
	bool (*is_huge)(struct media *m, uint64_t pos);
	/*
	 * Only with media_track(), and NULL where there is nothing to know:
	 * write(2) has stored [pos, pos+len); all metadata is durable.
	 */
	void (*written)(struct media *m, uint64_t pos, uint64_t len);
	void (*synced)(struct media *m);
	void (*close)(struct media *m);
};

struct media {
	const struct media_ops *ops;
	enum media_kind kind;
	int fd;			/* the pmem file; O_RDWR where that could be had */
	int memfd;		/* image: what programs map; else -1 */
	bool readonly;		/* @fd is O_RDONLY: no allocation, no write-back */
	uint64_t page_size;	/* 4K; hugetlbfs 2M: every fault is a 2M fault */
	uint64_t dev, ino;	/* identity while it is open */
	uint64_t size;		/* atomic; last size seen, media_size() refreshes */
	char name[256];		/* for people: last part of its path at open */
};

/*
 * Opens the medium of the file behind @fd (any access mode; a descriptor of the
 * caller, dupped or reopened as needed, never closed here). -EOPNOTSUPP with a
 * sentence in @why (@why_len bytes) when the file cannot be served. May block.
 */
int media_open(struct media **m, int fd, char *why, unsigned int why_len);
void media_close(struct media *m);
/*
 * From here on iomap() answers as a file system does whose holes stay holes
 * when they are read: a page that fill() made with MEDIA_ZERO is a hole until a
 * MEDIA_WRITE allocates it. DAX_IOMAP_F_DIRTY tells of metadata that changed
 * since the last synced(). direct on tmpfs only, before the first iomap(). 0 or
 * -errno.
 */
int media_track(struct media *m);
/* Fresh size of the file in bytes (fstat), also stored in m->size. */
uint64_t media_size(struct media *m);
/*
 * Is the folio at @pos there, and cleared? COLLAPSE maps one that fallocate()
 * made uncleared (uffd.h); somebody we do not know of may have punched and
 * allocated again. One call of lseek() where nobody watches the folio yet.
 */
bool media_cleared(struct media *m, uint64_t pos);
/*
 * Path of the open file @fd, @size bytes; the one that it had if it has none any
 * more. 0 or -errno.
 */
int media_path(int fd, char *path, size_t size);
/*
 * Pages of [pos, pos+len) that the memory holds (@data), or does not: the length of
 * the first run of one kind, 0 when it is not known. One or a few system calls.
 */
uint64_t media_present(struct media *m, uint64_t pos, uint64_t len, bool *data);
/* Which medium serves this file, without opening it; or -EOPNOTSUPP. */
int media_kind_of(int fd);

#endif
