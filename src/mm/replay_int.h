/* SPDX-License-Identifier: BSD-3-Clause */
/* Shared by the parts of the model driver (replay_*.c), and by nobody else. */
#ifndef UDAX_MM_REPLAY_INT_H
#define UDAX_MM_REPLAY_INT_H

#include "dax/dax.h"
#include "mm/log.h"
#include "mm/mmu.h"
#include "mm/replay_model.h"

#define REPLAY_NAMES	26
#define REPLAY_LAST	(DAX_TABLE_MAX - 1)	/* the last page of any file */

/* A file, from its creation to the end of the run: mappings outlive names. */
struct replay_file {
	struct simfs_file fs;
	struct dax_mapping mapping;
	void *table;			/* the mapping's memory */
	struct replay_file *next;
};

struct replay_name {
	struct replay_file *file;	/* NULL: not created yet */
	bool open;
};

/* Where a mapping was made; it may be in pieces, or gone. */
struct replay_map {
	bool known;
	uint64_t start, len;
};

/* What an access came to. */
enum replay_outcome { REPLAY_OK, REPLAY_SIGSEGV, REPLAY_SIGBUS };

struct replay_thread {
	const struct script_op *armed;	/* waits for `go` */
	bool finished;			/* @outcome waits for `join` */
	bool write;
	enum replay_outcome outcome;
	uint8_t value;
};

struct replay {
	const struct replay_options *o;
	const struct script *script;
	const struct script_op *op;	/* the one that runs */
	struct log log;
	struct simfs fs;
	struct dax_wait_table waits;
	struct dax_stats stats;
	struct mm *mm[2];		/* the process; its child or NULL */
	struct mm main_mm, child_mm;
	struct replay_file *files;
	struct replay_name name[REPLAY_NAMES];
	struct replay_map map[REPLAY_NAMES];
	struct replay_thread thread[SCRIPT_THREADS];
	unsigned int armed[SCRIPT_THREADS], nr_armed;	/* in order */
	int error;			/* the run cannot go on */
	const char *why;
};

/* Notes that the run cannot go on; returns @error. */
int replay_fail(struct replay *r, int error, const char *why);
/* Which mapping @addr belongs to, by its slot. */
struct log_place replay_place(struct replay *r, uint64_t addr);
void replay_split(void *arg, uint64_t addr);

/* replay_dax.c: operations of the model, run to their end. */

struct replay_file *replay_file_create(struct replay *r, uint64_t size);
void replay_file_free(struct replay_file *file);
/* An operation; @mm, @vma and @addr of a fault, else NULL and 0. */
void replay_run(struct replay *r, struct replay_file *file, struct dax_op *op,
		struct mm *mm, const struct vma *vma, uint64_t addr);
/* Pages, inclusive; nothing when @first lies behind @last. */
void replay_writeback(struct replay *r, struct replay_file *file,
		      uint64_t first, uint64_t last);
void replay_delete(struct replay *r, struct replay_file *file, uint64_t first,
		   uint64_t last);
void replay_break_layout(struct replay *r, struct replay_file *file);
/* A write(2) allocated these: invalidate_inode_pages2_range(). */
void replay_invalidate(struct replay *r, struct replay_file *file,
		       uint64_t first, uint64_t last);
/* fsync: data and metadata. */
void replay_sync(struct replay *r, struct replay_file *file, uint64_t first,
		 uint64_t last);

/* replay_fault.c: accesses. @page_fault: the log gets a p line. */

enum replay_outcome replay_access(struct replay *r, struct mm *mm,
				  uint64_t addr, bool write, bool user,
				  bool page_fault);
/* After an access that was REPLAY_OK. */
uint8_t replay_load(struct mm *mm, uint64_t addr);
void replay_store(struct replay *r, struct mm *mm, uint64_t addr, uint8_t byte);
void replay_copy_page(struct mm *mm, uint64_t addr, uint8_t *bytes);

/* replay_fs.c: operations on files. */

void replay_file_op(struct replay *r);
int replay_punch(struct replay *r, struct replay_file *file, uint64_t off,
		 uint64_t len);
/* A file by name, if it is open. */
struct replay_file *replay_open_file(struct replay *r, uint8_t name);
/* "ok", or the errno that @error (0 or negative) is. */
void replay_ret(struct replay *r, int error);

/* replay_map.c: operations on mappings. */

void replay_map_op(struct replay *r);

#endif
