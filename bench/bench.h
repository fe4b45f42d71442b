/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * udax-bench: what its experiments share. An experiment is a function in
 * tbl/experiments.h; it prints its numbers and how to read them, and puts every
 * raw figure into its report, a JSON object. The runner (main.c) has put there
 * already what every report has (doc/experiments.md, "The envelope"):
 *
 *	udax_bench	version of this format, BENCH_FORMAT
 *	experiment	its name
 *	command		what makes this report again
 *	host		kernel, CPU, load, affinity, date, the command as given
 *	udaxd		how udaxd was built and would run, if there is one
 *	seed, quick, repeat, protocols	the options, as they stand
 *	exit		enum bench_exit, at the end
 *
 * and an experiment adds "placement" and, by results.h, what the report shows.
 * Nothing here is shared between threads.
 */
#ifndef UDAX_BENCH_BENCH_H
#define UDAX_BENCH_BENCH_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include <jansson.h>

#include "lib/parse.h"

#define BENCH_FORMAT 1

enum bench_exit {
	BENCH_OK = 0,
	BENCH_FAIL = 1,		/* the experiment went wrong: no number stands */
	BENCH_USAGE = 2,
	BENCH_CANNOT = 77,	/* not on this machine; the reason is on stderr */
};

struct bench_opts {
	const char *json;	/* report goes here; NULL: nowhere */
	const char *json_dir;	/* ... or to NAME.json in here; NULL: nowhere */
	const char *only;	/* comma list of group or variant names; NULL: all */
	const char *protocols;	/* comma list; NULL: the experiment's own */
	const char *dir;	/* tmpfs directory for the files; never NULL */
	unsigned int repeat;	/* counted rounds; 0: the experiment's default */
	uint64_t seed;		/* of every random choice and of the bootstrap */
	bool quick;
	int argc;		/* the whole command, for the report */
	char **argv;
};

/* @report: an object to fill, owned by the caller. enum bench_exit. */
typedef int (*experiment_fn)(const struct bench_opts *opts, json_t *report);

#define X(name, function, what) \
	int function(const struct bench_opts *opts, json_t *report);
#include "tbl/experiments.h"
#undef X

/* Set by SIGHUP, SIGINT and SIGTERM: clean up and end with BENCH_FAIL. */
extern volatile sig_atomic_t bench_interrupted;

/* The verb `report`. */
int report_main(int argc, char **argv);
/* Internal verbs: what the experiments run in processes of their own. */
int touch_main(int argc, char **argv);
int serve_main(int argc, char **argv);
int faulters_main(int argc, char **argv);
int mapper_main(int argc, char **argv);

/* Kernel, CPU, load, command, date; new reference. */
json_t *host_json(const struct bench_opts *opts);
/* Is @name in the comma list @list? A NULL list holds everything. */
bool name_listed(const char *list, const char *name);
/* "0,1" or "any" (-1) into @cpus, counted in @nr, which starts at 0. 0 or -EINVAL. */
int parse_cpus(char *list, int *cpus, unsigned int max, unsigned int *nr);

/* A line on stderr that the next one overwrites; nothing unless it is a tty. */
void progress(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

uint64_t clock_ns(clockid_t clock);
/* Pins the calling thread; does nothing when @cpu is negative. 0 or -errno. */
int pin_to(int cpu);
/* CPUs of our affinity mask, at most @max of them, in order. Their number. */
unsigned int cpus_allowed(int *cpus, unsigned int max);

#endif
