/* SPDX-License-Identifier: BSD-3-Clause */
/* Operations on mappings: the system calls, and accesses by threads. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "mm/replay_int.h"

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
	vma.end = vma.start + ((op->len + DAX_PAGE_SIZE - 1) &
			       ~(DAX_PAGE_SIZE - 1));
	rc = mm_mmap(&r->main_mm, &vma);
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
	rc = mm_mremap(&r->main_mm, target(r, op), op->len, to);
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

static int populate(struct replay *r, struct vma *vma, uint64_t from,
		    uint64_t to, bool write)
{
	/* madvise answers EINVAL for what is not allowed, EFAULT for SIGBUS. */
	if (!(vma->flags & (write ? VMA_WRITE : VMA_ACCESS)))
		return -EINVAL;
	for (; from < to && !r->error; from += DAX_PAGE_SIZE)
		if (replay_access(r, &r->main_mm, from, write, false, false) !=
		    REPLAY_OK)
			return -EFAULT;
	return 0;
}

static int populate_read_vma(void *arg, struct vma *vma, uint64_t from,
			     uint64_t to)
{
	return populate(arg, vma, from, to, false);
}

static int populate_write_vma(void *arg, struct vma *vma, uint64_t from,
			      uint64_t to)
{
	return populate(arg, vma, from, to, true);
}

static int willneed_vma(void *arg, struct vma *vma, uint64_t from, uint64_t to)
{
	return 0;	/* there is nothing to read ahead */
}

static int madvise_op(struct replay *r)
{
	uint64_t addr = target(r, r->op), len = r->op->len;
	struct mm *mm = &r->main_mm;

	switch (r->op->advice) {
	case SCRIPT_DONTNEED:
		return mm_dontneed(mm, addr, len);
	case SCRIPT_NOHUGEPAGE:
		return mm_set_nohuge(mm, addr, len, true);
	case SCRIPT_HUGEPAGE:
		return mm_set_nohuge(mm, addr, len, false);
	case SCRIPT_POPULATE_READ:
		return mm_for_each(mm, addr, len, populate_read_vma, r);
	case SCRIPT_POPULATE_WRITE:
		return mm_for_each(mm, addr, len, populate_write_vma, r);
	case SCRIPT_REMOVE:
		return mm_for_each(mm, addr, len, remove_vma, r);
	case SCRIPT_WILLNEED:
		return mm_for_each(mm, addr, len, willneed_vma, r);
	}
	return -EINVAL;
}

/* ---------------------------------------------------------------- accesses */

static void touch(struct replay *r, struct mm *mm, const struct script_op *op,
		  struct replay_thread *t)
{
	uint64_t addr = target(r, op);

	t->write = op->write;
	t->outcome = replay_access(r, mm, addr, op->write, true, true);
	if (t->outcome != REPLAY_OK || r->error)
		return;
	if (op->write)
		replay_store(r, mm, addr, op->byte);
	else
		t->value = replay_load(mm, addr);
}

static void ret_outcome(struct replay *r, const struct replay_thread *t)
{
	if (t->outcome == REPLAY_SIGSEGV)
		log_ret(&r->log, r->op->nr, "SIGSEGV");
	else if (t->outcome == REPLAY_SIGBUS)
		log_ret(&r->log, r->op->nr, "SIGBUS");
	else if (t->write)
		replay_ret(r, 0);
	else
		log_ret(&r->log, r->op->nr, "val=%02x", t->value);
}

static void touch_as(struct replay *r, const struct script_op *op,
		     struct replay_thread *t)
{
	snprintf(r->log.who, sizeof(r->log.who), "T%u", op->thread % 100u);
	touch(r, &r->main_mm, op, t);
	strcpy(r->log.who, "main");
}

static void child_op(struct replay *r)
{
	struct replay_thread t = { 0 };

	if (mm_fork(&r->child_mm, &r->main_mm)) {
		replay_fail(r, -ENOMEM, "no memory for a process");
		return;
	}
	r->mm[1] = &r->child_mm;
	strcpy(r->log.who, "child");
	touch(r, &r->child_mm, r->op, &t);
	strcpy(r->log.who, "main");
	r->mm[1] = NULL;
	mm_exit(&r->child_mm);
	ret_outcome(r, &t);
}

static void atouch_op(struct replay *r)
{
	struct replay_thread *t = &r->thread[r->op->thread];

	touch_as(r, r->op, t);
	t->finished = true;
	replay_ret(r, 0);
}

static void arm_op(struct replay *r)
{
	struct replay_thread *t = &r->thread[r->op->thread];

	if (!t->armed)
		r->armed[r->nr_armed++] = r->op->thread;
	t->armed = r->op;
	replay_ret(r, 0);
}

static void go_op(struct replay *r)
{
	unsigned int i;

	for (i = 0; i < r->nr_armed && !r->error; i++) {
		struct replay_thread *t = &r->thread[r->armed[i]];

		touch_as(r, t->armed, t);
		t->armed = NULL;
		t->finished = true;
	}
	r->nr_armed = 0;
	replay_ret(r, 0);
}

static void join_op(struct replay *r)
{
	struct replay_thread *t = &r->thread[r->op->thread];

	if (t->finished)
		ret_outcome(r, t);
	else
		replay_ret(r, 0);
	t->finished = false;
}

void replay_map_op(struct replay *r)
{
	const struct script_op *op = r->op;
	struct replay_thread t = { 0 };

	switch (op->kind) {
	case SCRIPT_MAP:
		replay_ret(r, map_op(r));
		break;
	case SCRIPT_MUNMAP:
		replay_ret(r, mm_munmap(&r->main_mm, target(r, op), op->len));
		break;
	case SCRIPT_MSYNC:
		replay_ret(r, mm_for_each(&r->main_mm, target(r, op), op->len,
					  msync_vma, r));
		break;
	case SCRIPT_MPROTECT:
		replay_ret(r, mm_mprotect(&r->main_mm, target(r, op), op->len,
					  prot_flags(op->prot)));
		break;
	case SCRIPT_MADVISE:
		replay_ret(r, madvise_op(r));
		break;
	case SCRIPT_MREMAP:
		replay_ret(r, mremap_op(r));
		break;
	case SCRIPT_TOUCH:
		touch_as(r, op, &t);
		ret_outcome(r, &t);
		break;
	case SCRIPT_ATOUCH:
		atouch_op(r);
		break;
	case SCRIPT_ARM:
		arm_op(r);
		break;
	case SCRIPT_GO:
		go_op(r);
		break;
	case SCRIPT_JOIN:
		join_op(r);
		break;
	case SCRIPT_CHILD:
		child_op(r);
		break;
	default:
		break;
	}
}
