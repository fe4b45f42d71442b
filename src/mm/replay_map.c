/* SPDX-License-Identifier: BSD-3-Clause */
/* Operations on mappings: the system calls, and accesses by threads. */
#include <errno.h>
#include <inttypes.h>

#include "mm/replay.h"

static uint64_t target(struct replay *r, const struct script_op *op)
{
	return r->map[op->map].start + op->off;
}

/* Offsets in a mapping that could not be made count from where it was to be. */
static void set_target(struct replay *r, uint8_t map, uint64_t start)
{
	if (!r->map[map].known)
		r->map[map].start = start;
}

static unsigned int prot_flags(unsigned int prot)
{
	return (prot & SCRIPT_PROT_R ? VMA_READ : 0) |
	       (prot & SCRIPT_PROT_W ? VMA_WRITE : 0);
}

/* ------------------------------------------------------------ system calls */

static int map_op(struct replay *r)
{
	const struct script_op *op = r->op;
	struct replay_file *file = replay_open_file(r, op->file);
	struct vma vma = {
		.start = script_slot(op->map) + (op->colour << PAGE_SHIFT),
		.pgoff = op->off >> PAGE_SHIFT,
		.flags = prot_flags(op->prot),
		.file = file ? &file->fs : NULL,
		.owner = file,
	};
	uint64_t len;
	int rc;

	set_target(r, op->map, vma.start);
	if (!op->len || op->off & (DAX_PAGE_SIZE - 1))
		return -EINVAL;
	if (!file)
		return -EBADF;
	if (op->map_kind != SCRIPT_PRIVATE)
		vma.flags |= VMA_SHARED;
	if (op->map_kind == SCRIPT_SYNC)
		vma.flags |= VMA_SYNC;
	len = (op->len + DAX_PAGE_SIZE - 1) & ~(DAX_PAGE_SIZE - 1);
	if (op->off > INT64_MAX - len)	/* file_mmap_ok() */
		return -EOVERFLOW;
	vma.end = vma.start + len;
	rc = r->driver->mmap(r, &vma);
	if (!rc)
		r->map[op->map] = (struct replay_map){
			true, vma.start, vma.end - vma.start
		};
	return rc;
}

static int mremap_op(struct replay *r)
{
	const struct script_op *op = r->op;
	uint64_t to = script_slot(op->to) + (op->colour << PAGE_SHIFT);
	int rc;

	set_target(r, op->to, to);
	rc = r->driver->mremap(r, target(r, op), op->len, to);
	if (!rc)
		r->map[op->to] = (struct replay_map){ true, to, op->len };
	return rc;
}

static uint64_t file_page(const struct vma *vma, uint64_t addr)
{
	return vma->pgoff + ((addr - vma->start) >> PAGE_SHIFT);
}

static int msync_vma(void *arg, struct vma *vma, uint64_t from, uint64_t to)
{
	if (vma->flags & VMA_SHARED)
		replay_sync(arg, vma->owner, file_page(vma, from),
			    file_page(vma, to) - 1);
	return 0;
}

static int remove_vma(void *arg, struct vma *vma, uint64_t from, uint64_t to)
{
	if (!(vma->flags & VMA_SHARED))
		return -EACCES;
	return replay_punch(arg, vma->owner, file_page(vma, from) << PAGE_SHIFT,
			    to - from);
}

static int madvise_op(struct replay *r)
{
	uint64_t addr = target(r, r->op), len = r->op->len;

	if (r->op->advice == SCRIPT_REMOVE)
		return mm_for_each(&r->mm, addr, len, remove_vma, r);
	return r->driver->madvise(r, addr, len, r->op->advice);
}

/* ---------------------------------------------------------------- accesses */

static void ret_access(struct replay *r, const struct replay_access *a)
{
	if (a->outcome == REPLAY_SIGSEGV)
		log_ret(&r->log, r->op->nr, "SIGSEGV");
	else if (a->outcome == REPLAY_SIGBUS)
		log_ret(&r->log, r->op->nr, "SIGBUS");
	else if (a->write)
		replay_ret(r, 0);
	else
		log_ret(&r->log, r->op->nr, "val=%02x", a->value);
}

static void access_op(struct replay *r)
{
	struct replay_access a = { .write = r->op->write };

	if (r->op->kind == SCRIPT_TOUCH)
		r->driver->touch(r, target(r, r->op), &a);
	else
		r->driver->child(r, target(r, r->op), &a);
	ret_access(r, &a);
}

static void join_op(struct replay *r)
{
	struct replay_access a;

	if (r->driver->join(r, &a))
		ret_access(r, &a);
	else
		replay_ret(r, 0);
}

void replay_map_op(struct replay *r)
{
	const struct script_op *op = r->op;

	switch (op->kind) {
	case SCRIPT_MAP:
		replay_ret(r, map_op(r));
		break;
	case SCRIPT_MUNMAP:
		replay_ret(r, r->driver->munmap(r, target(r, op), op->len));
		break;
	case SCRIPT_MSYNC:
		replay_ret(r, mm_for_each(&r->mm, target(r, op), op->len,
					  msync_vma, r));
		break;
	case SCRIPT_MPROTECT:
		replay_ret(r, r->driver->mprotect(r, target(r, op), op->len,
						  prot_flags(op->prot)));
		break;
	case SCRIPT_MADVISE:
		replay_ret(r, madvise_op(r));
		break;
	case SCRIPT_MREMAP:
		replay_ret(r, mremap_op(r));
		break;
	case SCRIPT_TOUCH:
	case SCRIPT_CHILD:
		access_op(r);
		break;
	case SCRIPT_ATOUCH:
		r->driver->start(r, target(r, op));
		replay_ret(r, 0);
		break;
	case SCRIPT_ARM:
		r->driver->arm(r, target(r, op));
		replay_ret(r, 0);
		break;
	case SCRIPT_GO:
		r->driver->go(r);
		replay_ret(r, 0);
		break;
	case SCRIPT_JOIN:
		join_op(r);
		break;
	default:
		break;
	}
}
