/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sets of outcomes of a race script: what the threads' faults and the operations
 * after `go` came to, in however many runs.
 *
 *	# race NAME fs FS kernel K runs N distinct N faults-that-waited N
 *	outcome xCOUNT
 *	  WHO: p PLACE user|kernel r|w np|prot		as in the log (log.h);
 *	  WHO: f PLACE ... res=FLAGS [WAITED]		without lk=, ev=, .offcolour
 *	  = OPERATION -> RESULT
 *
 * Lines of one thread stand together, in their order; threads by number, main
 * and child after them, operations last. WAITED: it slept on an entry.
 *
 * Two outcomes are alike when they differ in nothing but what belongs to the
 * file system's placement (.offcolour, the results of `extents`), lk=, ev=, s
 * lines, and a fault line that repeats the one before it.
 *
 * No lock; a set belongs to its caller. Errors: -ENOMEM, and what is said.
 */
#ifndef UDAX_MM_OUTCOMES_H
#define UDAX_MM_OUTCOMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "mm/script.h"

struct outcome {
	unsigned long count;	/* runs that ended so */
	char *text;		/* its lines, each with its newline */
	char *core;		/* the same, less what makes no difference */
	unsigned int hash;	/* of @text */
};

struct outcomes {
	char name[100], fs[20], kernel[60];	/* "" where not known */
	struct outcome *list;
	unsigned int nr, room;
};

void outcomes_init(struct outcomes *set);
void outcomes_free(struct outcomes *set);

/*
 * Parses a set. 0, -ENOMEM, or -EINVAL with @err saying where and why; the set
 * holds nothing then.
 */
int outcomes_parse(struct outcomes *set, const char *text, size_t len,
		   struct script_error *err);

/*
 * Adds the outcome of a run, from its log: the lines behind the first `go` (all
 * of them when there is none).
 */
int outcomes_add_log(struct outcomes *set, const char *log, size_t len);
/* Adds an outcome of @len bytes of lines, @count times. */
int outcomes_add(struct outcomes *set, const char *text, size_t len,
		 unsigned long count);

/*
 * Writes to @out what an outcome has of a line of a log (without its newline), if
 * anything; @op: the text of the operation under way. @on: a `go` has come back.
 */
void outcomes_put_log_line(FILE *out, const char *line, size_t len,
			   const char *op, bool on);
/* Where the lines of @who stand: threads by number, SCRIPT_THREADS + 3 at most. */
unsigned int outcomes_rank(const char *who, size_t len);

/* Is there an outcome like @o? */
bool outcomes_have(const struct outcomes *set, const struct outcome *o);
/* The most frequent first, then by text. */
void outcomes_sort(struct outcomes *set);
void outcomes_print_one(const struct outcome *o, FILE *out);
/* The first line and all outcomes, sorted; @more: further words of that line. */
void outcomes_print(struct outcomes *set, const char *more, FILE *out);

/* How many faults slept on an entry, over all runs. */
unsigned long outcomes_waited(const struct outcomes *set);
unsigned long outcomes_runs(const struct outcomes *set);

#endif
