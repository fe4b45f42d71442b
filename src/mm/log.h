/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The log grammar: what the operations of a script did, a line each.
 *
 *	# ...						about the run
 *	op N text		ret N result		an operation
 *	  p TH MAP+page user|kernel r|w np|prot		hardware page fault
 *	  f TH MAP+page pg=PGOFF try=PMD|PTE acc=r|w|w+mk lk=mm|vma
 *	    grab=E ins=E unl=E res=FLAGS [ev=...]	one call of the file
 *		system's fault handler; E is an entry, or - where not reached
 *	  s TH event					events outside of one
 *
 * Events between log_attempt_begin() and _end() go to the attempt's ev=, all
 * others are s lines of their own. No lock; write errors stay in the stream.
 */
#ifndef UDAX_MM_LOG_H
#define UDAX_MM_LOG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "dax/dax.h"

struct log {
	FILE *out;
	char who[8];		/* who acts now: T0..T15, main, child */
	bool collecting;	/* inside an attempt */
	char ev[512];
};

/* Where an access went: page @page of mapping @map (0..25). */
struct log_place {
	unsigned int map;
	uint64_t page;
};

/* What an attempt found and did; a word of 0 was not reached. */
struct log_attempt {
	struct log_place place;
	uint64_t pgoff;
	unsigned int order;
	unsigned int flags;		/* enum dax_fault_flags */
	bool vma_lock;
	dax_entry_t grabbed, inserted, unlocked;	/* as of struct dax_op */
	unsigned int result;		/* enum dax_vm_fault bits */
};

void log_init(struct log *log, FILE *out);
void log_header(struct log *log, const char *kernel, const char *fs,
		const char *scenario);
void log_op(struct log *log, unsigned int nr, const char *text);
void log_ret(struct log *log, unsigned int nr, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void log_page_fault(struct log *log, struct log_place place, bool user,
		    bool write, bool present);
void log_event(struct log *log, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

void log_attempt_begin(struct log *log);
void log_attempt_end(struct log *log, const struct log_attempt *a);

/* "MAJOR|NOPAGE", "0": in the grammar's order. @buf of 100 bytes; returns it. */
char *log_result(char *buf, unsigned int result);
/*
 * "PTE.ZERO", "PMD.EMPTY.LOCKED", "FAULT:FALLBACK", "-" for 0; @pgoff is the
 * page asked for. @buf as above.
 */
char *log_entry(char *buf, dax_entry_t entry, uint64_t pgoff);
/* "ENOMEM" for ENOMEM; a number where there is no name here. Static string. */
const char *log_errno(int error);

#endif
