/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The scenario language: one operation a line, '#' starts a comment. Operations
 * are numbered from 1; blank lines and comments do not count.
 *
 *	number	(decimal|0xhex)[K|M|G|P]*, chained with + or - from the left
 *		(2M-4K); P is a page, 4096
 *	names	files A..Z, mappings A..Z (separate), threads 0..15
 *
 * Mapping M lives in a slot of its own, 1T wide and 1T aligned, at @colour
 * pages from the slot's start.
 */
#ifndef UDAX_MM_SCRIPT_H
#define UDAX_MM_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCRIPT_SLOT_SHIFT	40	/* 1T */
#define SCRIPT_SLOT_SIZE	(1ULL << SCRIPT_SLOT_SHIFT)
#define SCRIPT_THREADS		16
#define SCRIPT_BYTE		0x5a	/* what a store without a byte writes */

/*
 * Operation, its arguments in order:
 *	D F	file: defined here, used	N M	mapping: defined, used
 *	T	thread				o l e	@off, @len, @foff: bytes
 *	b	@byte				c	@colour: pages
 *	k	@map_kind			p q	@prot: of mmap, of mprotect
 *	a	@advice				A	@write
 *	?	what follows may be left out
 */
#define SCRIPT_OPS(X) \
	X(CREATE, "create", "Dl") \
	X(PREALLOC, "prealloc", "Fol") \
	X(PUNCH, "punch", "Fol") \
	X(ZERO, "zero", "Fol") \
	X(COLLAPSE, "collapse", "Fol") \
	X(TRUNCATE, "truncate", "Fl") \
	X(PWRITE, "pwrite", "Folb") \
	X(PREAD, "pread", "Fol") \
	X(FSYNC, "fsync", "F") \
	X(CLOSE, "close", "F") \
	X(OPEN, "open", "F") \
	X(STAT, "stat", "F") \
	X(EXTENTS, "extents", "F") \
	X(MAP, "map", "NFkpol?c") \
	X(MUNMAP, "munmap", "Mol") \
	X(MSYNC, "msync", "Mol") \
	X(MPROTECT, "mprotect", "Molq") \
	X(MADVISE, "madvise", "Mola") \
	X(MREMAP, "mremap", "MolN?c") \
	X(TOUCH, "touch", "TMoA?b") \
	X(ATOUCH, "atouch", "TMoA?b") \
	X(ARM, "arm", "TMoA?b") \
	X(GO, "go", "") \
	X(JOIN, "join", "T") \
	X(CHILD, "child", "MoA?b") \
	X(READINTO, "readinto", "MoFel") \
	X(WRITEFROM, "writefrom", "MoFel") \
	X(DROPCACHES, "dropcaches", "")

#define SCRIPT_OP_ENUM(id, name, args) SCRIPT_##id,
enum script_kind { SCRIPT_OPS(SCRIPT_OP_ENUM) SCRIPT_NR };
#undef SCRIPT_OP_ENUM

enum script_map_kind { SCRIPT_SHARED, SCRIPT_PRIVATE, SCRIPT_SYNC };

enum script_prot { SCRIPT_PROT_NONE = 0, SCRIPT_PROT_R = 1, SCRIPT_PROT_W = 2 };

enum script_advice {
	SCRIPT_DONTNEED,
	SCRIPT_NOHUGEPAGE,
	SCRIPT_HUGEPAGE,
	SCRIPT_POPULATE_READ,
	SCRIPT_POPULATE_WRITE,
	SCRIPT_REMOVE,
	SCRIPT_WILLNEED,
};

struct script_op {
	unsigned int nr;	/* from 1 */
	unsigned int line;	/* of the file, from 1 */
	enum script_kind kind;
	const char *text;	/* the line as written, trimmed; the script's */
	uint8_t file;		/* 0..25: A..Z */
	uint8_t map;		/* 0..25; of MREMAP the source */
	uint8_t to;		/* 0..25: MREMAP's target */
	uint8_t thread;		/* 0..15 */
	uint64_t off, len, foff;	/* bytes */
	uint64_t colour;	/* pages from the start of the (new) slot */
	uint8_t byte;
	enum script_map_kind map_kind;
	unsigned int prot;	/* enum script_prot bits */
	enum script_advice advice;
	bool write;
};

struct script {
	struct script_op *ops;
	unsigned int nr;
	char *text;		/* what the operations' @text points into */
};

struct script_error {
	unsigned int line;	/* 0: the script as a whole */
	char msg[120];
};

/*
 * Parses @len bytes at @text, which are copied. 0, -ENOMEM, or -EINVAL with
 * @err saying where and why; @s holds nothing then. What the kernel would
 * answer with an errno is not an error here.
 */
int script_parse(struct script *s, const char *text, size_t len,
		 struct script_error *err);
void script_free(struct script *s);

/* The first address of mapping @map's slot. */
static inline uint64_t script_slot(unsigned int map)
{
	return (uint64_t)(map + 1) << SCRIPT_SLOT_SHIFT;
}

const char *script_op_name(enum script_kind kind);

/*
 * A number of the grammar, the whole of @s. 0, -EINVAL (not one), -ERANGE
 * (below zero or above 2^64 - 1 at any point).
 */
int script_number(const char *s, uint64_t *value);

#endif
