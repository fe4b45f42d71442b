/* SPDX-License-Identifier: BSD-3-Clause */
/* Operations on files: what they do to entries and mappings, then the file. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "mm/replay_int.h"

#define MAX_FILE_SIZE	(1ULL << 44)	/* 16T, ext4's with blocks of 4K */

static uint64_t page_down(uint64_t off)
{
	return off >> PAGE_SHIFT;
}

static uint64_t page_up(uint64_t off)
{
	return (off + DAX_PAGE_SIZE - 1) >> PAGE_SHIFT;
}

void replay_ret(struct replay *r, int error)
{
	log_ret(&r->log, r->op->nr, "%s", error ? log_errno(-error) : "ok");
}

struct replay_file *replay_open_file(struct replay *r, uint8_t name)
{
	return r->name[name].open ? r->name[name].file : NULL;
}

static void set_size(struct replay_file *file)
{
	lock_take(&file->mapping.i_pages);
	file->mapping.i_size = file->fs.size;
	lock_release(&file->mapping.i_pages);
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
	int rc;

	if (r->o->variant->simfs.prealloc_breaks_layout)
		replay_break_layout(r, file);
	rc = simfs_prealloc(&file->fs, off, len);
	set_size(file);
	return rc;
}

/* Writes back what [off, off + len) touches. */
static void flush_range(struct replay *r, struct replay_file *file,
			uint64_t off, uint64_t len)
{
	replay_writeback(r, file, page_down(off), page_up(off + len) - 1);
}

/* Deletes the entries of the pages that lie in [off, off + len) as a whole. */
static void delete_inner(struct replay *r, struct replay_file *file,
			 uint64_t off, uint64_t len)
{
	uint64_t first = page_up(off), end = page_down(off + len);

	if (first < end)
		replay_delete(r, file, first, end - 1);
}

int replay_punch(struct replay *r, struct replay_file *file, uint64_t off,
		 uint64_t len)
{
	int rc = check_range(off, len);

	if (rc)
		return rc;
	if (off >= file->fs.size && r->o->variant->simfs.punch_past_eof_early) {
		flush_range(r, file, off, len);
		return 0;
	}
	replay_break_layout(r, file);
	flush_range(r, file, off, len);
	delete_inner(r, file, off, len);
	return simfs_punch(&file->fs, off, len);
}

static int zero(struct replay *r, struct replay_file *file, uint64_t off,
		uint64_t len)
{
	int rc;

	replay_break_layout(r, file);
	if (r->o->variant->simfs.zero_flushes)
		flush_range(r, file, off, len);
	delete_inner(r, file, off, len);
	rc = simfs_zero(&file->fs, off, len);
	set_size(file);
	return rc;
}

static int collapse(struct replay *r, struct replay_file *file, uint64_t off,
		    uint64_t len)
{
	uint64_t first = page_down(off);
	int rc = simfs_collapse_check(&file->fs, off, len);

	if (rc)
		return rc;
	replay_break_layout(r, file);
	flush_range(r, file, off, len);
	if (r->o->variant->simfs.collapse_margin && first)
		first--;
	replay_writeback(r, file, first, REPLAY_LAST);
	replay_delete(r, file, first, REPLAY_LAST);
	rc = simfs_collapse(&file->fs, off, len);
	set_size(file);
	return rc;
}

static int truncate_file(struct replay *r, struct replay_file *file,
			 uint64_t size)
{
	uint64_t first = page_up(size), old = file->fs.size;
	int rc;

	if (size > MAX_FILE_SIZE)
		return size > INT64_MAX ? -EINVAL : -EFBIG;
	replay_break_layout(r, file);
	if (r->o->variant->simfs.truncate_flushes && size <= old)
		replay_writeback(r, file, page_down(size), page_down(size));
	rc = simfs_truncate(&file->fs, size);
	set_size(file);
	/* truncate_pagecache(): private copies past the end go, too. */
	mm_zap_file(&r->main_mm, &file->fs, first, REPLAY_LAST, true);
	replay_delete(r, file, first, REPLAY_LAST);
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
		rc = zero(r, file, off, len);
		break;
	default:
		rc = collapse(r, file, off, len);
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
	uint8_t bytes[DAX_PAGE_SIZE];
	uint64_t done, n;

	if (!src->mapped) {
		if (simfs_fill(&file->fs, off, src->byte, len))
			replay_fail(r, -ENOMEM, "no memory for a page");
		return len;
	}
	for (done = 0; done < len; done += n) {
		uint64_t in_page = (addr + done) & (DAX_PAGE_SIZE - 1);

		n = DAX_PAGE_SIZE - in_page;
		if (n > len - done)
			n = len - done;
		if (replay_access(r, &r->main_mm, addr + done, false, false,
				  true) != REPLAY_OK || r->error)
			break;
		replay_copy_page(&r->main_mm, addr + done, bytes);
		if (simfs_put(&file->fs, off + done, bytes + in_page, n))
			replay_fail(r, -ENOMEM, "no memory for a page");
	}
	return done;
}

static void write_op(struct replay *r, struct replay_file *file, uint64_t off,
		     uint64_t len, const struct source *src)
{
	uint64_t done = 0, nr, copied;
	bool fresh;
	int rc = len ? check_range(off, len) : 0;

	while (!rc && !r->error && done < len) {
		uint64_t at = off + done;

		rc = simfs_write_begin(&file->fs, at, len - done, &nr, &fresh);
		if (rc)
			break;
		if (fresh)
			replay_invalidate(r, file, page_down(at),
					  page_down(at + nr - 1));
		copied = copy_in(r, file, at, nr, src, src->addr + done);
		done += copied;
		simfs_write_end(&file->fs, off + done);
		set_size(file);
		if (copied < nr)
			rc = -EFAULT;
	}
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
		simfs_read(&file->fs, off + done, bytes, n);
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
	uint64_t len = readable(file, r->op->foff, r->op->len), done, n, i;
	uint64_t addr = r->map[r->op->map].start + r->op->off;
	uint8_t bytes[DAX_PAGE_SIZE];

	for (done = 0; done < len; done += n) {
		n = DAX_PAGE_SIZE - ((addr + done) & (DAX_PAGE_SIZE - 1));
		if (n > len - done)
			n = len - done;
		if (replay_access(r, &r->main_mm, addr + done, true, false,
				  true) != REPLAY_OK || r->error)
			break;
		simfs_read(&file->fs, r->op->foff + done, bytes, n);
		for (i = 0; i < n; i++)
			replay_store(r, &r->main_mm, addr + done + i, bytes[i]);
	}
	if (len && !done)
		replay_ret(r, -EFAULT);
	else
		log_ret(&r->log, r->op->nr, "%" PRIu64, done);
}

/* ----------------------------------------------------------------- others */

static void create_op(struct replay *r)
{
	struct replay_file *file = replay_file_create(r, r->op->len);

	if (!file) {
		replay_fail(r, -ENOMEM, "no memory for a file");
		return;
	}
	r->name[r->op->file].file = file;
	r->name[r->op->file].open = true;
	replay_ret(r, 0);
}

static void extents_op(struct replay *r, struct replay_file *file)
{
	const struct extlog_result *res = NULL;
	const struct simfs_extent *e;
	unsigned int i;

	if (r->o->extents)
		res = extlog_at(r->o->extents, r->op->nr);
	if (res && simfs_set_extents(&file->fs, res->ext, res->nr))
		replay_fail(r, -ENOMEM, "no memory for extents");
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
		replay_ret(r, truncate_file(r, file, op->len));
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
