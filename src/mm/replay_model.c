/* SPDX-License-Identifier: BSD-3-Clause */
/* The model's driver: bytes, system calls and threads. */
#include "mm/replay_model_int.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* More faults than any access can need: one of them does not do its work. */
#define MAX_FAULTS	64

void model_split(void *arg, uint64_t addr)
{
	struct replay *r = arg;
	struct log_place place = replay_place(r, addr);

	log_event(&r->log, "splitpmd(%c+%" PRIu64 "P)", 'A' + place.map,
		  place.page);
}

static void model_inval_lock(struct replay *r, struct replay_file *file)
{
	model_point(r);
	model_lock(r, &model_file(file)->inval, true);
}

static void model_inval_unlock(struct replay *r, struct replay_file *file)
{
	model_unlock(&model_file(file)->inval);
}

/* Others have learnt by then what it was before. */
static void model_fs_begin(struct replay *r)
{
	model_point(r);
}

static void model_fs_end(struct replay *r)
{
}

/* ------------------------------------------------------------------ bytes */

static void model_resize(struct replay *r, struct replay_file *file)
{
	struct dax_mapping *mapping = &model_file(file)->mapping;

	lock_take(&mapping->i_pages);
	mapping->i_size = file->fs.size;
	lock_release(&mapping->i_pages);
}

/* The simulated file system has its own bytes: it has cleared them. */
static void model_zero(struct replay *r, struct replay_file *file, uint64_t off,
		       uint64_t len)
{
}

static void model_collapse(struct replay *r, struct replay_file *file,
			   uint64_t off, uint64_t len)
{
	model_resize(r, file);
}

static void model_fill(struct replay *r, struct replay_file *file, uint64_t off,
		       uint8_t byte, uint64_t len)
{
	model_point(r);
	if (simfs_fill(&file->fs, off, byte, len))
		replay_fail(r, -ENOMEM, "no memory for a page");
}

static void model_read(struct replay *r, struct replay_file *file, uint64_t off,
		       void *dst, uint64_t len)
{
	/* One read(2) is one step: each thread stores at one place alone. */
	if (off == r->op->off)
		model_point(r);
	simfs_read(&file->fs, off, dst, len);
}

/* The bytes from @addr to the end of its page, @len at most. */
static uint64_t in_page(uint64_t addr, uint64_t len)
{
	uint64_t n = DAX_PAGE_SIZE - (addr & (DAX_PAGE_SIZE - 1));

	return n < len ? n : len;
}

static bool kernel_access(struct replay *r, uint64_t addr, bool write)
{
	return model_access(r, &r->mm, addr, write, false, true) == REPLAY_OK &&
	       !r->error;
}

static uint64_t model_write_from(struct replay *r, struct replay_file *file,
				 uint64_t off, uint64_t len, uint64_t addr)
{
	uint8_t bytes[DAX_PAGE_SIZE];
	uint64_t done, n;

	for (done = 0; done < len; done += n) {
		uint64_t at = addr + done;

		n = in_page(at, len - done);
		if (!kernel_access(r, at, false))
			break;
		model_copy_page(&r->mm, at, bytes);
		if (simfs_put(&file->fs, off + done,
			      bytes + (at & (DAX_PAGE_SIZE - 1)), n))
			replay_fail(r, -ENOMEM, "no memory for a page");
	}
	return done;
}

static uint64_t model_read_into(struct replay *r, struct replay_file *file,
				uint64_t off, uint64_t len, uint64_t addr)
{
	uint8_t bytes[DAX_PAGE_SIZE];
	uint64_t done, n, i;

	for (done = 0; done < len; done += n) {
		n = in_page(addr + done, len - done);
		if (!kernel_access(r, addr + done, true))
			break;
		simfs_read(&file->fs, off + done, bytes, n);
		for (i = 0; i < n; i++)
			model_store(r, &r->mm, addr + done + i, bytes[i]);
	}
	return done;
}

/* ------------------------------------------------------------ system calls */

/* Alone in the address space. */
static void begin_change(struct replay *r)
{
	struct model *m = r->arg;

	model_point(r);
	model_lock(r, &m->mmap_lock, true);
	model_wait_ptl(r);
}

static int end_change(struct replay *r, int rc)
{
	struct model *m = r->arg;

	model_unlock(&m->mmap_lock);
	return rc;
}

static int model_mmap(struct replay *r, const struct vma *vma)
{
	begin_change(r);
	return end_change(r, mm_mmap(&r->mm, vma));
}

static int model_munmap(struct replay *r, uint64_t addr, uint64_t len)
{
	begin_change(r);
	return end_change(r, mm_munmap(&r->mm, addr, len));
}

/* change_pte_range() takes each entry out before it puts the new one in. */
static int model_mprotect(struct replay *r, uint64_t addr, uint64_t len,
			  unsigned int prot)
{
	struct model *m = r->arg;

	begin_change(r);
	if (m->sched && mm_hide(&r->mm, addr, addr + len, false)) {
		model_lock(r, &m->ptl, true);
		model_point(r);
		mm_show(&r->mm, addr, addr + len);
		model_unlock(&m->ptl);
	}
	return end_change(r, mm_mprotect(&r->mm, addr, len, prot));
}

static int model_mremap(struct replay *r, uint64_t from, uint64_t len,
			uint64_t to)
{
	begin_change(r);
	return end_change(r, mm_mremap(&r->mm, from, len, to));
}

static int set_nohuge(struct replay *r, uint64_t addr, uint64_t len,
		      bool nohuge)
{
	begin_change(r);
	return end_change(r, mm_set_nohuge(&r->mm, addr, len, nohuge));
}

/* A slot after the other; a whole window's table may be freed after that. */
static int dontneed_vma(void *arg, struct vma *vma, uint64_t from, uint64_t to)
{
	struct replay *r = arg;
	uint64_t start, end = from;

	model_point(r);
	model_mark(r);
	while (mm_next_slot(&r->mm, end, to, &start, &end)) {
		model_saw_walk(r, end);
		model_wait_ptl(r);
		mm_zap(&r->mm, start, end, true);
		model_point(r);
		if (end - start < DAX_PMD_SIZE ||
		    !r->mm.rules->dontneed_frees_table)
			continue;
		model_wait_ptl(r);
		mm_free_empty_table(&r->mm, start);
		model_point(r);
	}
	model_end_walk(r);
	return 0;
}

static int dontneed(struct replay *r, uint64_t addr, uint64_t len)
{
	struct model *m = r->arg;
	int rc;

	model_point(r);
	model_lock(r, &m->mmap_lock, false);
	rc = mm_for_each(&r->mm, addr, len, dontneed_vma, r);
	model_unlock(&m->mmap_lock);
	return rc;
}

/* __get_user_pages() ends where it finds no mapping. */
struct populate {
	struct replay *r;
	bool write;
	uint64_t at;
};

static int populate_vma(void *arg, struct vma *vma, uint64_t from, uint64_t to)
{
	struct populate *p = arg;
	struct replay *r = p->r;

	if (from > p->at)
		return -ENOMEM;
	p->at = to;
	/* EINVAL for what is not allowed, EFAULT for SIGBUS. */
	if (!(vma->flags & (p->write ? VMA_WRITE : VMA_READ)))
		return -EINVAL;
	for (; from < to && !r->error; from += DAX_PAGE_SIZE)
		if (model_access(r, &r->mm, from, p->write, false, false) !=
		    REPLAY_OK)
			return -EFAULT;
	return 0;
}

static int populate(struct replay *r, uint64_t addr, uint64_t len, bool write)
{
	struct populate p = { .r = r, .write = write, .at = addr };

	return mm_for_each(&r->mm, addr, len, populate_vma, &p);
}

static int willneed_vma(void *arg, struct vma *vma, uint64_t from, uint64_t to)
{
	return 0;	/* there is nothing to read ahead */
}

static int model_madvise(struct replay *r, uint64_t addr, uint64_t len,
			 enum script_advice advice)
{
	struct mm *mm = &r->mm;

	switch (advice) {
	case SCRIPT_DONTNEED:
		return dontneed(r, addr, len);
	case SCRIPT_NOHUGEPAGE:
		return set_nohuge(r, addr, len, true);
	case SCRIPT_HUGEPAGE:
		return set_nohuge(r, addr, len, false);
	case SCRIPT_POPULATE_READ:
		return populate(r, addr, len, false);
	case SCRIPT_POPULATE_WRITE:
		return populate(r, addr, len, true);
	case SCRIPT_WILLNEED:
		return mm_for_each(mm, addr, len, willneed_vma, r);
	case SCRIPT_REMOVE:
		break;
	}
	return -EINVAL;
}

/* ---------------------------------------------------------------- accesses */

void model_hit(struct replay *r, struct mm *mm, const struct script_op *op,
	       uint64_t addr, struct replay_access *a)
{
	a->outcome = REPLAY_OK;
	if (op->write)
		model_store(r, mm, addr, op->byte);
	else
		a->value = model_load(mm, addr);
}

static void access_in(struct replay *r, struct mm *mm,
		      const struct script_op *op, uint64_t addr,
		      struct replay_access *a)
{
	enum replay_outcome outcome;

	a->write = op->write;
	outcome = model_access(r, mm, addr, op->write, true, true);
	if (r->error || model_released(r))
		return;
	a->outcome = outcome;
	if (outcome == REPLAY_OK)
		model_hit(r, mm, op, addr, a);
}

void model_access_as(struct replay *r, const struct script_op *op,
		     uint64_t addr, struct replay_access *a)
{
	snprintf(r->log.who, sizeof(r->log.who), "T%u", op->thread % 100u);
	access_in(r, &r->mm, op, addr, a);
	strcpy(r->log.who, "main");
}

static void model_touch(struct replay *r, uint64_t addr, struct replay_access *a)
{
	model_access_as(r, r->op, addr, a);
}

static void model_child(struct replay *r, uint64_t addr, struct replay_access *a)
{
	struct model *m = r->arg;
	struct mm child;

	begin_change(r);
	if (end_change(r, mm_fork(&child, &r->mm))) {
		replay_fail(r, -ENOMEM, "no memory for a process");
		return;
	}
	m->child = &child;
	strcpy(r->log.who, "child");
	access_in(r, &child, r->op, addr, a);
	strcpy(r->log.who, "main");
	m->child = NULL;
	mm_exit(&child);
}

static void finish(struct replay *r, const struct script_op *op, uint64_t addr,
		   struct model_thread *t)
{
	t->access = (struct replay_access){ 0 };
	model_access_as(r, op, addr, &t->access);
	t->finished = true;
}

static void model_start(struct replay *r, uint64_t addr)
{
	struct model *m = r->arg;

	finish(r, r->op, addr, &m->thread[r->op->thread]);
}

static void model_arm(struct replay *r, uint64_t addr)
{
	struct model *m = r->arg;
	struct model_thread *t = &m->thread[r->op->thread];

	if (!t->armed)
		m->armed[m->nr_armed++] = r->op->thread;
	t->armed = r->op;
	t->addr = addr;
}

static void model_go(struct replay *r)
{
	struct model *m = r->arg;
	unsigned int i;

	for (i = 0; i < m->nr_armed && !r->error; i++) {
		struct model_thread *t = &m->thread[m->armed[i]];

		finish(r, t->armed, t->addr, t);
		t->armed = NULL;
	}
	m->nr_armed = 0;
}

static bool model_join(struct replay *r, struct replay_access *a)
{
	struct model *m = r->arg;
	struct model_thread *t = &m->thread[r->op->thread];
	bool finished = t->finished;

	*a = t->access;
	t->finished = false;
	return finished;
}

const struct replay_driver model_driver = {
	.create = model_create,
	.destroy = model_destroy,
	.range = model_range,
	.unmap = model_unmap,
	.inval_lock = model_inval_lock,
	.inval_unlock = model_inval_unlock,
	.fs_begin = model_fs_begin,
	.fs_end = model_fs_end,
	.resize = model_resize,
	.zero = model_zero,
	.collapse = model_collapse,
	.fill = model_fill,
	.read = model_read,
	.write_from = model_write_from,
	.read_into = model_read_into,
	.split = model_split,
	.mmap = model_mmap,
	.munmap = model_munmap,
	.mprotect = model_mprotect,
	.mremap = model_mremap,
	.madvise = model_madvise,
	.touch = model_touch,
	.child = model_child,
	.start = model_start,
	.arm = model_arm,
	.go = model_go,
	.join = model_join,
};

int replay_model(const struct script *script, const struct replay_options *o,
		 char *msg, size_t len)
{
	uint64_t size = dax_wait_table_size(DAX_WAIT_TABLE_BITS);
	void *queues = aligned_alloc(64, (size + 63) & ~63ULL);
	struct model m = {
		.protocol = dax_protocol_find(o->variant->protocol),
		.max_faults = MAX_FAULTS,
	};
	int rc;

	if (!queues) {
		snprintf(msg, len, "no memory");
		return -ENOMEM;
	}
	dax_wait_table_init(&m.waits, DAX_WAIT_TABLE_BITS, queues);
	rc = replay_script(script, o, &model_driver, &m, msg, len);
	dax_wait_table_exit(&m.waits);
	free(queues);
	return rc;
}
