/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The floor experiment: its groups, its processes and what they say to each other.
 *
 *	touch	maps the file, and in each round zaps its page tables and
 *		touches every unit once, timing each touch; resolves its own
 *		faults where the variant says so
 *	serve	the raw loop: reads the touchers' userfaultfd and resolves,
 *		nothing else; got the descriptor by SCM_RIGHTS
 *	udaxd	the real daemon; the toucher has libudax-preload.so instead of
 *		a userfaultfd of its own
 *
 * The parent drives the touchers in turn, a round each, over SOCK_SEQPACKET
 * pairs. All are processes of one program, so the structs need no version.
 */
#ifndef UDAX_BENCH_FLOOR_H
#define UDAX_BENCH_FLOOR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "bench.h"
#include "proc.h"
#include "stats.h"

#define FLOOR_SMALL_SIZE (128 << 20)	/* of the two files */
#define FLOOR_HUGE_SIZE (256 << 20)
#define MAX_VARIANTS 8
#define MAX_PROCS 16

/* ---------------------------------------------------------------- groups */

/* Who resolves: the kernel; the toucher in a SIGBUS handler or in a thread; others. */
enum kind { NATIVE, SIGBUS_SELF, THREAD, RAW, UDAX };
enum serve_form { SERVE_BLOCK, SERVE_URING };
/* Where the servers run: on the toucher's CPU, one a CPU, one anywhere. */
enum place { ON_ONE, PER_CPU, ANYWHERE };

struct variant {
	const char *name;
	enum kind kind;
	enum serve_form form;
	enum place place;
	unsigned int around;	/* pages a resolve; 0: one */
	bool anon;		/* anonymous memory, and UFFDIO_COPY if served */
};

/* Where the toucher's threads run. */
enum pinning { ALL_ON_ONE, ONE_EACH, NOBODY };

enum figure { RATE, P50 };

struct goal {
	const char *variant;
	const char *against;	/* NULL: the figure itself, not a ratio */
	enum figure figure;
	double bound;		/* 0: for information */
};

struct group {
	const char *name, *what;
	uint64_t unit, size, passes;
	unsigned int threads, procs, maps;	/* 0: 1 */
	bool read, random;
	enum pinning pinning;
	struct variant variants[MAX_VARIANTS];
	struct goal goals[MAX_VARIANTS];
};

extern const struct group floor_groups[];
extern const unsigned int floor_nr_groups;

/* ------------------------------------------------------------- messages */

/* Toucher to parent, once. */
struct touch_hello {
	int32_t error;		/* 0, or the errno of the set-up */
	uint32_t armed;		/* is a userfaultfd registered on the mapping? */
	uint64_t map_ns;	/* time to make the mappings */
};

/* Parent to toucher. */
enum touch_command { TOUCH_ROUND = 1, TOUCH_QUIT };

/* Toucher to parent, for each TOUCH_ROUND. Times in ns. */
struct touch_round {
	uint64_t touches;
	uint64_t ns;		/* wall, first touch to last, sum of the passes */
	uint64_t cpu_ns;	/* of the toucher and its server, the same span */
	uint64_t min, p50, p99, max;	/* of single touches */
	uint64_t wrong;		/* units that do not hold what was stored */
	uint64_t huge_bytes;	/* ShmemPmdMapped after the last pass */
};

/* Toucher to server, once, with the userfaultfd. */
struct serve_hello {
	int32_t pid;
};

/* --------------------------------------------- floor_serve.c, floor_arm.c */

struct server {
	enum serve_form form;
	uint64_t unit;
	unsigned int around;	/* pages a resolve, of 4K */
	bool anon;		/* UFFDIO_COPY of a page of zeros */
	int uffd;
	int pidfd;		/* of the toucher; -1: it is this process */
};

/* Resolves what the address lies in, whatever it finds there already. */
void serve_resolve(const struct server *s, uint64_t address);
/* Reads and resolves for ever. */
void serve_loop(const struct server *s) __attribute__((noreturn));

/*
 * A userfaultfd on [@map, @map + @size): handed to the server at @sock, or, with
 * @how SIGBUS_SELF or THREAD, served in this process, on @cpu. 0 or -errno.
 */
int floor_arm(const struct server *like, enum kind how, void *map, uint64_t size,
	      int sock, int cpu);

/* ----------------------------------------------------------- floor_run.c */

/* A variant at work: its processes and what they measured. */
struct runner {
	const struct variant *v;
	struct child touch[MAX_PROCS], serve[MAX_PROCS];
	struct udax_daemon daemon;
	struct touch_round *rounds;
	uint64_t daemon_kb;	/* private memory of udaxd at the end */
};

struct floor {
	const struct bench_opts *opts;
	json_t *report, *raw;	/* raw: the figures of every round */
	const struct group *g;
	struct udax_tree tree;
	bool have_udax;
	char dir[300], small[320], huge[320];
	int cpus[64];
	unsigned int nr_cpus;
	unsigned int rounds;
	unsigned int judged, broken;	/* goals, and those that do not hold */
	struct runner runners[MAX_VARIANTS];
	unsigned int nr;
};

/*
 * Starts the variants of @f->g that are wanted and runs all rounds. 0 or -errno;
 * floor_end_group() in either case, when the figures have been read.
 */
int floor_run_group(struct floor *f);
void floor_end_group(struct floor *f);
bool floor_wanted(const struct floor *f, const char *variant);

/* --------------------------------------------------------------- floor.c */

/* The files, in opts->dir. 0, or -errno with a sentence on stderr and nothing open. */
int floor_open(struct floor *f, const struct bench_opts *opts);
void floor_close(struct floor *f);

/* --------------------------------------------------------- floor_cost.c */

/* What a fault takes longer over the raw loop than natively, ns; medians of rounds. */
struct floor_cost {
	double read, write, huge;	/* 4K, 4K, 2M of huge folios */
};

/*
 * Measures it, briefly, with the affinity that we have: one thread and its loop, on
 * one CPU if that is all there is, else pinned by nobody, with a loop on each. 0 or
 * -errno with a sentence on stderr.
 */
int floor_cost(const struct bench_opts *opts, struct floor_cost *cost);

/* -------------------------------------------------------- floor_report.c */

/* Prints the group, and adds it to the report. */
void floor_report_group(struct floor *f);
/* How to read it, and what not to conclude. */
void floor_report_end(const struct floor *f);

#endif
