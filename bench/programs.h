/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * programs: its parts. programs.c runs commands and takes their times, programs_cost.c
 * measures what a fault, a mapping and a process cost, programs_report.c says what a
 * program's extra time is made of. All of it twice: with everything on one CPU, and
 * pinned by nobody. One thread.
 */
#ifndef UDAX_BENCH_PROGRAMS_H
#define UDAX_BENCH_PROGRAMS_H

#include "bench.h"
#include "cli/rpc.h"
#include "proc.h"
#include "stats.h"

#define PROGRAMS_MAX_ROUNDS 100
/* The bounds of `udax run`, everything on one CPU. */
#define PROGRAMS_MEAN_BOUND 1.10
#define PROGRAMS_WORST_BOUND 1.35

/* How a program is run. */
enum way { NATIVE_WAY, RUN_WAY, SERVED_WAY, WAYS };

/* What the daemon counted; of a served run. */
struct counts {
	double small, huge;	/* faults, by the size that was mapped; refills are small */
	double reads;		/* part of the faults that are reads */
	double mappings, processes;
	double huge_ms;		/* of 2M faults, message read to mapped */
};

/* Seconds: by the clock, and of CPU, of all that ran for it. */
struct took {
	double wall, cpu;
	/* Of the processes, anonymous ones too; those that udaxd serves are others. */
	double minor_faults;
	struct counts counts;
};

struct times {
	struct took t[WAYS][PROGRAMS_MAX_ROUNDS];
	unsigned int rounds;
};

/* What one of each takes longer than natively, in ms. */
struct costs {
	double read, write, huge;	/* faults over the raw loop */
	double page;			/* a native fault on a page of a new file: all of it */
	double mapping;			/* made and removed, served */
	double process;			/* its attaching, served */
	double start;			/* udax run of a program that does nothing */
};

enum placement { PINNED, UNPINNED, PLACEMENTS };
extern const char *const placement_names[PLACEMENTS];

/*
 * Of all programs, by way; FLOOR: natively, and as many 4K faults over the raw loop as
 * udaxd serves, which no server in another process can do without.
 */
enum { FLOOR = WAYS, SUMS };
struct sums {
	double logs[SUMS], worst[SUMS];
	const char *worst_name[SUMS];
	double extra, faults, huge, mappings, start;	/* ms of RUN_WAY */
	unsigned int nr;
};

struct programs {
	const struct bench_opts *opts;
	json_t *report;
	json_t *times, *made, *costs;	/* tables of the placement at work */
	struct udax_tree tree;
	struct udax_daemon daemon;	/* serves SERVED_WAY */
	struct rpc rpc;
	char dir[300];			/* in a tmpfs */
	int cpus[64];
	unsigned int nr_cpus;
	unsigned int rounds;		/* that count */
	enum placement placement;
};

/*
 * @command by each way in turn, @rounds times, after a round that is dropped if
 * @warm. 0 or -errno with a sentence on stderr.
 */
int programs_rounds(struct programs *a, const char *name, const char *command,
		    unsigned int rounds, bool warm, struct times *t);
/* Median over the rounds of what @way took longer than native, ms. */
struct spread programs_extra(const struct times *t, enum way way);
/* Native faults on files: those that are minor faults no more when served. */
double programs_native_faults(const struct times *t);

/* In the placement at work; -errno with a sentence on stderr. */
int programs_cost(struct programs *a, struct costs *c);

/* Adds the tables of the placement to the report. */
void programs_tables(struct programs *a);
void programs_add(struct programs *a, const char *name, const struct times *t,
		  const struct costs *c, struct sums *sums);
/* After the last program of the placement: prints, and judges the pinned one. */
void programs_judge(struct programs *a, const struct sums *sums);
/* How to read it, and what not to conclude. */
void programs_end(json_t *report);

#endif
