/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A live contest of protocols: for each a udaxd of its own and a set of faulters
 * (faulters.h), a round of each in turn. One thread; what is started is ended by
 * live_cell(), however it ends.
 */
#ifndef UDAX_BENCH_LIVE_H
#define UDAX_BENCH_LIVE_H

#include "bench.h"
#include "faulters.h"
#include "proc.h"

#define LIVE_MAX 16

struct live {
	const struct bench_opts *opts;
	struct udax_tree tree;
	char dir[300];		/* in a tmpfs; the daemons' --pmem */
	char file[320];		/* windows of huge folios, @windows of them */
	uint32_t windows;
	int cpus[64];
	unsigned int nr_cpus;
};

/*
 * Finds udaxd, makes the directory and a file of @windows 2M windows. 0, or enum
 * bench_exit with a sentence on stderr.
 */
int live_open(struct live *l, const struct bench_opts *opts, uint32_t windows);
void live_close(struct live *l);

/* One competitor: how its daemon is started, and under which name it reports. */
struct live_variant {
	const char *name;
	const char *protocol;		/* NULL: the default */
	const char *more[UDAX_MORE - 8];	/* further options of udaxd */
	const char *env;		/* NAME=VALUE for the programs, or NULL */
};

/* One cell of an experiment: a load, run under each variant. */
struct live_cell {
	const char *group, *name;	/* unique together */
	struct faulters_config cfg;	/* cfg.seed is set by live_cell() */
	const char *hold;		/* udaxd --hold; NULL: from cfg.hold_ns */
	const struct live_variant *variants;
	unsigned int nr;
	unsigned int rounds;		/* that count; one more is run and dropped */
	const char *path;		/* the file; NULL: @file of struct live */
	const char *log;		/* what the daemons say on stderr; NULL: ours */
	bool exact;			/* --track exact; entries outlive a round */
	bool decides;			/* e3: the rule is judged on it */
	bool asleep;			/* lost sleepers: asleep.h; no variant kicks */
};

/*
 * Appends the cell to @cells:
 *
 *	{"driver": "live", "group", "name", "load", "hold_ns", "p", "threads",
 *	 "processes", "pages", "variants": [{"name", "protocol",
 *	 "hung": bool, "rounds": [{"ns", "touches", "CLASS": {"n", "p50", "p99",
 *	 "max", "sum"}, "p99_ns", "counters": {..}, "woken_per_all",
 *	 "passed_over", "daemon_cpu_ns"}], "stall_ns": {..}, "cdf": {CLASS:
 *	 [[ns, part]..]}}]}
 *
 * A variant whose threads never come back is ended, "hung", and left out of the
 * rounds that follow. 0 or -errno with a sentence on stderr.
 */
int live_cell(struct live *l, const struct live_cell *cell, json_t *cells);

/* The variants of a comma list of protocols, or of @defaults. Their number. */
unsigned int live_protocols(const struct bench_opts *opts, const char *defaults,
			    struct live_variant *variants, char names[][32]);

/*
 * Opens, lets @body run its cells into @cells, closes. @body: 0, -errno with a
 * sentence on stderr, or enum bench_exit. enum bench_exit.
 */
int live_cells(const struct bench_opts *opts, json_t *cells, uint32_t windows,
	       int (*body)(struct live *l, json_t *cells));
/*
 * Most of an experiment: live_cells() with "cells" of @report, and @show makes
 * tables of them and says what they mean; prints that. enum bench_exit.
 */
int live_experiment(const struct bench_opts *opts, json_t *report, uint32_t windows,
		    int (*body)(struct live *l, json_t *cells),
		    void (*show)(json_t *report));
/*
 * The same of an experiment with a simulated part, which runs alone where the live one
 * cannot; --only live or sim runs one. @show is told which of them are in the cells.
 */
int live_and_sim(const struct bench_opts *opts, json_t *report, uint32_t windows,
		 int (*body)(struct live *l, json_t *cells),
		 int (*sim_body)(const struct bench_opts *opts, json_t *cells),
		 void (*show)(json_t *report, bool live, bool sim));
/*
 * Makes each variant whose protocol may lose a wakeup wake such sleepers. -ENOTSUP
 * with a sentence on stderr if this udaxd cannot.
 */
int live_kick(const struct live *l, struct live_variant *variants, unsigned int nr);

const char *sample_class_name(enum sample_class class);

#endif
