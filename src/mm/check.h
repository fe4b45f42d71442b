/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The checker: every interleaving of a few operations on one 2M window, over the
 * model itself. A step is one dax_op_step(), which is one critical section of
 * i_pages. Nothing is held in the beginning, no operation holds a lock for ever,
 * each has a mapping of its own (page tables decide nothing) and the file
 * system's locks are left out.
 *
 * Operations, of page 0, 1 or 2:
 *	P  page fault
 *	M  2M fault at that page; when it falls back it goes on as P
 *	I  invalidation of the page's entry, if it is clean
 *	W  lock and unlock the page's entry
 *	S  deletes the window's entries by a scan (its page means nothing)
 *	B  looks at the window's entries by a scan for pinned pages (likewise)
 *
 * No threads, no locks: a checker belongs to its caller. This header knows
 * nothing of the model's geometry, so that any program may include it.
 */
#ifndef UDAX_MM_CHECK_H
#define UDAX_MM_CHECK_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define CHECK_TASKS	8	/* operations in a case */
#define CHECK_STEPS	1024	/* characters of a schedule's steps, with the 0 */
#define CHECK_SCHEDULE	(CHECK_STEPS + 96)
#define CHECK_INVARIANTS 32	/* more than dax_verify() knows */

/* What stands in the table in the beginning, unlocked. */
enum check_table {
	CHECK_EMPTY,
	CHECK_ZERO_2M,
	CHECK_REAL_2M,
	CHECK_PAGE0,	/* real entries of single pages */
	CHECK_PAGE1,
	CHECK_PAGES12,
	CHECK_TABLES
};

struct check_case {
	const char *protocol;
	enum check_table table;
	bool blocks;		/* the medium has blocks and faults write; else
				   it has holes and they read */
	unsigned int nr;	/* operations */
	struct {
		char letter;
		uint8_t page;
	} op[CHECK_TASKS];
};

/* What may be wrong, the worst last. doc/fault.md, "Words for waits". */
enum check_finding {
	CHECK_CLEAN,
	CHECK_MISDIRECTED,
	CHECK_DELAYED,
	CHECK_STRANDED,
	CHECK_MISSED,		/* a scan has passed over an entry that stays */
	CHECK_LOST,
	CHECK_BROKEN,		/* an invariant of the model */
	CHECK_FINDINGS
};

struct check_report {
	uint64_t states, edges;	/* distinct states; steps between them */
	uint64_t lost, stranded, delayed;	/* states with such a sleeper */
	uint64_t disagreed;	/* lost states with a sleeper who has a source */
	/* Edges, all of them; 0 without @detail. */
	uint64_t rescued, misdirected, barged, useless, missed;
	uint64_t broken[CHECK_INVARIANTS];	/* states, by invariant */
	bool made_2m;		/* some state has a zero or real 2M entry */
	enum check_finding worst;
	char steps[CHECK_STEPS];	/* the fewest that lead to the worst */
};

struct checker;

/*
 * @por: steps that no other operation can notice are not interleaved.
 * @detail: tell apart states that differ in what wakes have been good for; the
 * numbers that need it are 0 otherwise. @stop: when it becomes true, runs end
 * with -EINTR; may be NULL. NULL: out of memory.
 */
struct checker *checker_new(bool por, bool detail,
			    const volatile sig_atomic_t *stop);
void checker_free(struct checker *x);

/* 0, -ENOMEM or -EINTR; -EINVAL: no such protocol. */
int checker_run(struct checker *x, const struct check_case *c,
		struct check_report *r);

/* Static strings. i = 0, 1, ...: NULL past the last. */
const char *check_protocol(unsigned int i);
bool check_protocol_known(const char *name);
const char *check_finding_name(enum check_finding f);
const char *check_table_name(enum check_table table);

/*
 * A schedule is PROTOCOL:TABLE[+blocks]:OPERATION,...:STEPS, one digit a step:
 * the place of the operation that takes it. @buf: CHECK_SCHEDULE bytes.
 */
void check_schedule(const struct check_case *c, const char *steps, char *buf);
/* "P1,M0" alone, or "" for none. @buf: 3 * CHECK_TASKS bytes. */
void check_operations(const struct check_case *c, char *buf);
/* False when @text is no list of operations. */
bool check_parse_operations(struct check_case *c, const char *text);

/*
 * Runs @schedule and prints each step: entries, queues, who wakes whom, and what
 * is wrong in the end. 0; -EINVAL with a sentence in @msg if it cannot be run.
 */
int check_replay(const char *schedule, FILE *out, char *msg, size_t len);

/* The litmus tests. NULL past the last. */
struct check_litmus {
	const char *name, *operations;
	enum check_table table;
};

const struct check_litmus *check_litmus_nth(unsigned int i);
/* As the protocol's case of the test. */
void check_litmus_case(const struct check_litmus *l, const char *protocol,
		       struct check_case *c);

/*
 * Every multiset of @operations (1 to CHECK_TASKS) out of P0 P1 P2 M0 M2 I0 I1
 * W1 over the tables empty, zero2m, real2m and page1.
 */
struct check_totals {
	uint64_t cases, done;	/* to be run, run */
	uint64_t lost, lost_without_invalidate, stranded, broken;	/* cases */
	uint64_t disagreed;	/* as in the reports */
	uint64_t states;
	char first[CHECK_SCHEDULE];	/* the first lost one; "" if there is none */
	char first_broken[CHECK_SCHEDULE];
};

/* @progress: called after each case, may be NULL. As checker_run(). */
int check_exhaustive(struct checker *x, const char *protocol, bool blocks,
		     unsigned int operations, struct check_totals *t,
		     void (*progress)(const struct check_totals *t));

#endif
