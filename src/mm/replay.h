/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A scenario script is run: what its operations do to the simulated file system
 * is here (replay.c, replay_fs.c, replay_map.c), once. What a file's entries,
 * bytes, page tables and threads are is the driver's: those of the model
 * (replay_model.h), or real ones behind udaxd (src/cli).
 *
 * One operation after the other; a driver may have threads of its own. Errors
 * are -errno.
 */
#ifndef UDAX_MM_REPLAY_H
#define UDAX_MM_REPLAY_H

#include <stdio.h>

#include "dax/dax.h"
#include "mm/extlog.h"
#include "mm/log.h"
#include "mm/mmu.h"
#include "mm/script.h"
#include "mm/variant.h"

#define REPLAY_NAMES	26
#define REPLAY_LAST	(DAX_TABLE_MAX - 1)	/* the last page of any file */

struct replay_options {
	const struct mm_variant *variant;
	const struct extlog *extents;	/* placements to take over; may be NULL */
	const char *scenario;		/* its name, for the log's first line */
	FILE *out;
};

/* A file, from its creation to the end of the run: mappings outlive names. */
struct replay_file {
	struct simfs_file fs;
	struct replay_file *next;
	void *driver;			/* the driver's own */
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

struct replay_access {
	enum replay_outcome outcome;
	bool write;
	uint8_t value;			/* of a load that was REPLAY_OK */
};

struct replay {
	const struct replay_options *o;
	const struct replay_driver *driver;
	void *arg;			/* the driver's own */
	const struct script *script;
	const struct script_op *op;	/* the one that runs */
	struct log log;
	struct simfs fs;
	struct mm mm;			/* the process: its VMAs, and what the
					   driver keeps of page tables */
	struct replay_file *files;
	struct replay_name name[REPLAY_NAMES];
	struct replay_map map[REPLAY_NAMES];
	int error;			/* the run cannot go on */
	const char *why;
};

/*
 * What a driver does. Those that return nothing report what they cannot do by
 * replay_fail(). Pages are counted, [first, last] is inclusive; offsets,
 * addresses and lengths are bytes.
 */
struct replay_driver {
	/* Gives a new file what the driver keeps of it. 0 or -errno. */
	int (*create)(struct replay *r, struct replay_file *file);
	void (*destroy)(struct replay *r, struct replay_file *file);
	/* Runs an operation of the model over the pages, to its end. */
	void (*range)(struct replay *r, struct replay_file *file,
		      enum dax_op_kind kind, uint64_t first, uint64_t last);
	/* Zaps [start, start + nr) in every mapping; @cows: private copies too. */
	void (*unmap)(struct replay *r, struct replay_file *file,
		      uint64_t start, uint64_t nr, bool cows);

	/*
	 * The invalidate lock, exclusive; range operations in between have it.
	 * Faults hold it shared.
	 */
	void (*inval_lock)(struct replay *r, struct replay_file *file);
	void (*inval_unlock)(struct replay *r, struct replay_file *file);
	/* Around each change of file->fs: faults look up extents meanwhile. */
	void (*fs_begin)(struct replay *r);
	void (*fs_end)(struct replay *r);

	/* Bytes. The file system's part has been done, and file->fs is new. */
	void (*resize)(struct replay *r, struct replay_file *file);
	void (*zero)(struct replay *r, struct replay_file *file, uint64_t off,
		     uint64_t len);
	/* What lies behind [off, off + len) has moved to @off. */
	void (*collapse)(struct replay *r, struct replay_file *file,
			 uint64_t off, uint64_t len);
	void (*fill)(struct replay *r, struct replay_file *file, uint64_t off,
		     uint8_t byte, uint64_t len);
	void (*read)(struct replay *r, struct replay_file *file, uint64_t off,
		     void *dst, uint64_t len);
	/* By the kernel, between file and memory: how many until a fault failed. */
	uint64_t (*write_from)(struct replay *r, struct replay_file *file,
			       uint64_t off, uint64_t len, uint64_t addr);
	uint64_t (*read_into)(struct replay *r, struct replay_file *file,
			      uint64_t off, uint64_t len, uint64_t addr);

	/* mm.split of r->mm, which has the replay as its arg; may be NULL. */
	void (*split)(void *arg, uint64_t addr);
	/* System calls; r->mm follows. 0 or -errno. */
	int (*mmap)(struct replay *r, const struct vma *vma);
	int (*munmap)(struct replay *r, uint64_t addr, uint64_t len);
	int (*mprotect)(struct replay *r, uint64_t addr, uint64_t len,
			unsigned int prot);
	int (*mremap)(struct replay *r, uint64_t from, uint64_t len,
		      uint64_t to);
	/* All but MADV_REMOVE, which is a punch. */
	int (*madvise)(struct replay *r, uint64_t addr, uint64_t len,
		       enum script_advice advice);

	/* Accesses by threads: r->op, at @addr. */
	void (*touch)(struct replay *r, uint64_t addr, struct replay_access *a);
	void (*child)(struct replay *r, uint64_t addr, struct replay_access *a);
	void (*start)(struct replay *r, uint64_t addr);		/* atouch */
	void (*arm)(struct replay *r, uint64_t addr);
	void (*go)(struct replay *r);
	/* False: the thread has nothing to be joined. */
	bool (*join)(struct replay *r, struct replay_access *a);
};

/*
 * Runs @script and prints its log. 0, or -errno with a sentence in @msg: the
 * replay could not go on. What the operations of the script answer is in the log.
 */
int replay_script(const struct script *script, const struct replay_options *o,
		  const struct replay_driver *driver, void *arg, char *msg,
		  size_t len);

/* The same in parts, for a driver that may give up in the middle. */
void replay_init(struct replay *r, const struct script *script,
		 const struct replay_options *o,
		 const struct replay_driver *driver, void *arg);
void replay_run(struct replay *r);
/* No operation runs any more, or will. */
void replay_exit(struct replay *r);

/* Notes that the run cannot go on; returns @error. */
int replay_fail(struct replay *r, int error, const char *why);
/* Which mapping @addr belongs to, by its slot. */
struct log_place replay_place(struct replay *r, uint64_t addr);
/* Does the log know @addr as a mapping's, be it unmapped meanwhile? */
bool replay_named(struct replay *r, uint64_t addr);
/* "ok", or the errno that @error (0 or negative) is. */
void replay_ret(struct replay *r, int error);

/* replay_fs.c: operations on files. */

void replay_file_op(struct replay *r);
/* fsync: data and metadata of pages [first, last]. */
void replay_sync(struct replay *r, struct replay_file *file, uint64_t first,
		 uint64_t last);
int replay_punch(struct replay *r, struct replay_file *file, uint64_t off,
		 uint64_t len);
/* A file by name, if it is open. */
struct replay_file *replay_open_file(struct replay *r, uint8_t name);

/* replay_map.c: operations on mappings. */

void replay_map_op(struct replay *r);

#endif
