/* SPDX-License-Identifier: BSD-3-Clause */
/* Operations on files: what they do to entries and mappings, then the file. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "mm/replay.h"

#define MAX_FILE_SIZE	(1ULL << 44)	/* 16T, ext4's with blocks of 4K */

static uint64_t page_down(uint64_t off)
{
	return off >> PAGE_SHIFT;
}

static uint64_t page_up(uint64_t off)
{
	return (off + DAX_PAGE_SIZE - 1) >> PAGE_SHIFT;
}

struct replay_file *replay_open_file(struct replay *r, uint8_t name)
{
	return r->name[name].open ? r->name[name].file : NULL;
}

/* ------------------------------------------- what DAX does around a change */

static void writeback(struct replay *r, struct replay_file *file,
		      uint64_t first, uint64_t last)
{
	if (first <= last)
		r->driver->range(r, file, DAX_OP_WRITEBACK, first, last);
}

void replay_sync(struct replay *r, struct replay_file *file, uint64_t first,
		 uint64_t last)
{
	writeback(r, file, first, last);
	r->driver->fs_begin(r);
	file->fs.dirty = false;
	r->driver->fs_end(r);
}

static void delete_entries(struct replay *r, struct replay_file *file,
			   uint64_t first, uint64_t last)
{
	if (first <= last)
		r->driver->range(r, file, DAX_OP_DELETE, first, last);
}

static void break_layout(struct replay *r, struct replay_file *file)
{
	r->driver->range(r, file, DAX_OP_LAYOUT_BUSY, 0, REPLAY_LAST);
	if (r->o->variant->simfs.layout_deletes)
		r->driver->range(r, file, DAX_OP_DELETE_RANGE, 0, REPLAY_LAST);
}

/* -------------------------------------------------------------- fallocate */

static int check_range(uint64_t off, uint64_t len)
{
	if (!len || off > INT64_MAX || len > INT64_MAX)
		return -EINVAL;
	return off + len > MAX_FILE_SIZE ? -EFBIG : 0;
}

static int prealloc(struct replay *r, struct replay_file *file, uint64_t off,
		    uint64_t len)
{
	bool locks = r->o->variant->simfs.prealloc_breaks_layout;
	int rc;

	if (locks) {
		r->driver->inval_lock(r, file);
		break_layout(r, file);
	}
	r->driver->fs_begin(r);
	rc = simfs_prealloc(&file->fs, off, len);
	r->driver->fs_end(r);
	r->driver->resize(r, file);
	if (locks)
		r->driver->inval_unlock(r, file);
	return rc;
}

/* Writes back what [off, off + len) touches. */
static void flush_range(struct replay *r, struct replay_file *file,
			uint64_t off, uint64_t len)
{
	writeback(r, file, page_down(off), page_up(off + len) - 1);
}

/* Deletes the entries of the pages that lie in [off, off + len) as a whole. */
static void delete_inner(struct replay *r, struct replay_file *file,
			 uint64_t off, uint64_t len)
{
	uint64_t first = page_up(off), end = page_down(off + len);

	if (first < end)
		delete_entries(r, file, first, end - 1);
}

static int punch(struct replay *r, struct replay_file *file, uint64_t off,
		 uint64_t len)
{
	int rc;

	break_layout(r, file);
	if (!r->o->variant->simfs.punch_flushes_first)
		flush_range(r, file, off, len);
	delete_inner(r, file, off, len);
	r->driver->fs_begin(r);
	rc = simfs_punch(&file->fs, off, len);
	r->driver->fs_end(r);
	r->driver->zero(r, file, off, len);
	return rc;
}

int replay_punch(struct replay *r, struct replay_file *file, uint64_t off,
		 uint64_t len)
{
	const struct simfs_rules *rules = &r->o->variant->simfs;
	int rc = check_range(off, len);

	if (rc)
		return rc;
	if (rules->punch_flushes_first)
		flush_range(r, file, off, len);
	if (off >= file->fs.size && rules->punch_past_eof_early)
		return 0;
	r->driver->inval_lock(r, file);
	rc = punch(r, file, off, len);
	r->driver->inval_unlock(r, file);
	return rc;
}

static int zero(struct replay *r, struct replay_file *file, uint64_t off,
		uint64_t len)
{
	int rc;

	break_layout(r, file);
	if (r->o->variant->simfs.zero_flushes)
		flush_range(r, file, off, len);
	delete_inner(r, file, off, len);
	r->driver->fs_begin(r);
	rc = simfs_zero(&file->fs, off, len);
	r->driver->fs_end(r);
	r->driver->zero(r, file, off, len);
	r->driver->resize(r, file);
	return rc;
}

static int collapse(struct replay *r, struct replay_file *file, uint64_t off,
		    uint64_t len)
{
	const struct simfs_rules *rules = &r->o->variant->simfs;
	uint64_t first = page_down(off), cut;
	int rc = simfs_collapse_check(&file->fs, off, len);

	if (rc)
		return rc;
	break_layout(r, file);
	flush_range(r, file, off, len);
	if (rules->collapse_margin && first)
		first--;
	writeback(r, file, first, REPLAY_LAST);
	delete_entries(r, file, first, REPLAY_LAST);
	r->driver->fs_begin(r);
	rc = simfs_collapse(&file->fs, off, len);
	r->driver->fs_end(r);
	r->driver->collapse(r, file, off, len);
	/* truncate_pagecache() */
	cut = rules->collapse_cuts ? page_down(off) : page_up(file->fs.size);
	r->driver->unmap(r, file, cut, REPLAY_LAST, true);
	return rc;
}

static int truncate_file(struct replay *r, struct replay_file *file,
			 uint64_t size)
{
	uint64_t first = page_up(size), old = file->fs.size;
	int rc;

	break_layout(r, file);
	if (r->o->variant->simfs.truncate_flushes && size <= old)
		writeback(r, file, page_down(size), page_down(size));
	r->driver->fs_begin(r);
	rc = simfs_truncate(&file->fs, size);
	r->driver->fs_end(r);
	r->driver->resize(r, file);
	/* truncate_pagecache(): private copies past the end go, too. */
	r->driver->unmap(r, file, first, REPLAY_LAST, true);
	delete_entries(r, file, first, REPLAY_LAST);
	return rc;
}

static int check_size(uint64_t size)
{
	if (size > INT64_MAX)
		return -EINVAL;
	return size > MAX_FILE_SIZE ? -EFBIG : 0;
}

static int truncate_op(struct replay *r, struct replay_file *file,
		       uint64_t size)
{
	int rc = check_size(size);

	if (rc)
		return rc;
	r->driver->inval_lock(r, file);
	rc = truncate_file(r, file, size);
	r->driver->inval_unlock(r, file);
	return rc;
}

static void fallocate_op(struct replay *r, struct replay_file *file)
{
	uint64_t off = r->op->off, len = r->op->len;
	int rc = check_range(off, len);

	if (rc) {
		replay_ret(r, rc);
		return;
	}
	switch (r->op->kind) {
	case SCRIPT_PREALLOC:
		rc = prealloc(r, file, off, len);
		break;
	case SCRIPT_PUNCH:
		rc = replay_punch(r, file, off, len);
		break;
	case SCRIPT_ZERO:
		r->driver->inval_lock(r, file);
		rc = zero(r, file, off, len);
		r->driver->inval_unlock(r, file);
		break;
	default:
		r->driver->inval_lock(r, file);
		rc = collapse(r, file, off, len);
		r->driver->inval_unlock(r, file);
		break;
	}
	replay_ret(r, rc);
}

/* ---------------------------------------------------- read(2) and write(2) */

/* Where write(2) takes its bytes: a byte, or the memory of a mapping. */
struct source {
	uint8_t byte;
	bool mapped;
	uint64_t addr;
};

/* How many of @len bytes at @off were stored before a fault failed. */
static uint64_t copy_in(struct replay *r, struct replay_file *file,
			uint64_t off, uint64_t len, const struct source *src,
			uint64_t addr)
{
	if (src->mapped)
		return r->driver->write_from(r, file, off, len, addr);
	r->driver->fill(r, file, off, src->byte, len);
	return len;
}

/*
 * A write(2) allocated these pages: invalidate_inode_pages2_range(). Page tables
 * are looked at once, after the entries.
 */
static void invalidate(struct replay *r, struct replay_file *file,
		       uint64_t first, uint64_t last)
{
	r->driver->range(r, file, DAX_OP_INVALIDATE, first, last);
}

/* The size grows when all is written. */
static void write_end(struct replay *r, struct replay_file *file, uint64_t end)
{
	r->driver->fs_begin(r);
	simfs_write_end(&file->fs, end);
	r->driver->fs_end(r);
	r->driver->resize(r, file);
}

static void write_op(struct replay *r, struct replay_file *file, uint64_t off,
		     uint64_t len, const struct source *src)
{
	uint64_t done = 0, nr, copied;
	bool fresh;
	int rc = len ? check_range(off, len) : 0;

	while (!rc && !r->error && done < len) {
		uint64_t at = off + done;

		r->driver->fs_begin(r);
		rc = simfs_write_begin(&file->fs, at, len - done, &nr, &fresh);
		r->driver->fs_end(r);
		if (rc)
			break;
		if (fresh)
			invalidate(r, file, page_down(at),
				   page_down(at + nr - 1));
		copied = copy_in(r, file, at, nr, src, src->addr + done);
		done += copied;
		if (copied < nr)
			rc = -EFAULT;
	}
	if (done)
		write_end(r, file, off + done);
	if (rc && !done)
		replay_ret(r, rc);
	else
		log_ret(&r->log, r->op->nr, "%" PRIu64, done);
}

static uint64_t readable(const struct replay_file *file, uint64_t off,
			 uint64_t len)
{
	uint64_t size = file->fs.size;

	if (off >= size)
		return 0;
	return len < size - off ? len : size - off;
}

static void pread_op(struct replay *r, struct replay_file *file)
{
	uint64_t off = r->op->off, done, n;
	uint64_t len = readable(file, off, r->op->len);
	uint8_t bytes[DAX_PAGE_SIZE], first = 0;
	bool same = true;
	unsigned int i;

	for (done = 0; done < len; done += n) {
		n = len - done < sizeof(bytes) ? len - done : sizeof(bytes);
		r->driver->read(r, file, off + done, bytes, n);
		if (!done)
			first = bytes[0];
		for (i = 0; i < n; i++)
			same &= bytes[i] == first;
	}
	log_ret(&r->log, r->op->nr, "%" PRIu64 " first=%02x same=%d", len,
		first, same);
}

static void readinto_op(struct replay *r, struct replay_file *file)
{
	uint64_t len = readable(file, r->op->foff, r->op->len), done;
	uint64_t addr = r->map[r->op->map].start + r->op->off;

	done = len ? r->driver->read_into(r, file, r->op->foff, len, addr) : 0;
	if (len && !done)
		replay_ret(r, -EFAULT);
	else
		log_ret(&r->log, r->op->nr, "%" PRIu64, done);
}

/* ----------------------------------------------------------------- others */

/* A size that cannot be leaves an empty file. */
static void create_op(struct replay *r)
{
	struct replay_file *file = calloc(1, sizeof(*file));
	int rc = check_size(r->op->len);

	if (!file) {
		replay_fail(r, -ENOMEM, "no memory for a file");
		return;
	}
	simfs_file_init(&file->fs, &r->fs, rc ? 0 : r->op->len);
	if (r->driver->create(r, file)) {
		simfs_file_exit(&file->fs);
		free(file);
		replay_fail(r, -ENOMEM, "cannot make a file");
		return;
	}
	file->next = r->files;
	r->files = file;
	r->name[r->op->file].file = file;
	r->name[r->op->file].open = true;
	replay_ret(r, rc);
}

static void extents_op(struct replay *r, struct replay_file *file)
{
	const struct extlog_result *res = NULL;
	const struct simfs_extent *e;
	unsigned int i;

	if (r->o->extents)
		res = extlog_at(r->o->extents, r->op->nr);
	r->driver->fs_begin(r);
	if (res && simfs_set_extents(&file->fs, res->ext, res->nr))
		replay_fail(r, -ENOMEM, "no memory for extents");
	r->driver->fs_end(r);
	fprintf(r->log.out, "ret %u n=%u", r->op->nr, file->fs.nr_ext);
	for (i = 0; i < file->fs.nr_ext; i++) {
		e = &file->fs.ext[i];
		fprintf(r->log.out,
			" [%" PRIu64 "P+%" PRIu64 "P %s colour-%s]", e->page,
			e->nr, e->state == SIMFS_WRITTEN ? "written" :
							   "unwritten",
			(e->pfn - e->page) & PG_PMD_COLOUR ? "bad" : "ok");
	}
	fputc('\n', r->log.out);
}

static void open_file_op(struct replay *r, struct replay_file *file)
{
	const struct script_op *op = r->op;
	struct source byte = { .byte = op->byte };
	struct source memory = { .mapped = true };

	switch (op->kind) {
	case SCRIPT_TRUNCATE:
		replay_ret(r, truncate_op(r, file, op->len));
		break;
	case SCRIPT_PWRITE:
		write_op(r, file, op->off, op->len, &byte);
		break;
	case SCRIPT_PREAD:
		pread_op(r, file);
		break;
	case SCRIPT_FSYNC:
		replay_sync(r, file, 0, REPLAY_LAST);
		replay_ret(r, 0);
		break;
	case SCRIPT_CLOSE:
		r->name[op->file].open = false;
		replay_ret(r, 0);
		break;
	case SCRIPT_STAT:
		log_ret(&r->log, op->nr, "size=%" PRIu64 " blocks512=%" PRIu64,
			file->fs.size,
			simfs_blocks(&file->fs) << (PAGE_SHIFT - 9));
		break;
	case SCRIPT_EXTENTS:
		extents_op(r, file);
		break;
	case SCRIPT_READINTO:
		readinto_op(r, file);
		break;
	case SCRIPT_WRITEFROM:
		memory.addr = r->map[op->map].start + op->off;
		write_op(r, file, op->foff, op->len, &memory);
		break;
	default:
		fallocate_op(r, file);
		break;
	}
}

void replay_file_op(struct replay *r)
{
	struct replay_file *file = replay_open_file(r, r->op->file);

	switch (r->op->kind) {
	case SCRIPT_CREATE:
		create_op(r);
		break;
	case SCRIPT_OPEN:
		r->name[r->op->file].open = true;
		replay_ret(r, 0);
		break;
	default:
		if (file)
			open_file_op(r, file);
		else
			replay_ret(r, -EBADF);
		break;
	}
}
