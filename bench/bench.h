/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * udax-bench: what its experiments share. An experiment is a function in the
 * table of main.c; it prints its numbers and how to read them, and puts every
 * raw figure into the JSON report. Nothing here is shared between threads.
 */
#ifndef UDAX_BENCH_BENCH_H
#define UDAX_BENCH_BENCH_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <jansson.h>

enum bench_exit {
	BENCH_OK = 0,
	BENCH_FAIL = 1,		/* the experiment went wrong: no number stands */
	BENCH_USAGE = 2,
	BENCH_CANNOT = 77,	/* not on this machine; the reason is on stderr */
};

struct bench_opts {
	const char *json;	/* report goes here; NULL: nowhere */
	const char *only;	/* comma list of group or variant names; NULL: all */
	const char *dir;	/* tmpfs directory for the files; never NULL */
	unsigned int repeat;	/* counted rounds; 0: the experiment's default */
	bool quick;
	int argc;		/* the whole command, for the report */
	char **argv;
};

struct experiment {
	const char *name;
	/* @report: an object to fill, owned by the caller. enum bench_exit. */
	int (*run)(const struct bench_opts *opts, json_t *report);
	const char *what;	/* one line for `udax-bench list` */
};

/* Set by SIGHUP, SIGINT and SIGTERM: clean up and end with BENCH_FAIL. */
extern volatile sig_atomic_t bench_interrupted;

int floor_run(const struct bench_opts *opts, json_t *report);
int idle_run(const struct bench_opts *opts, json_t *report);

/* Internal verbs: what the experiments run in processes of their own. */
int touch_main(int argc, char **argv);
int serve_main(int argc, char **argv);

/* Median and range of a set of figures. */
struct spread {
	double median, min, max;
	size_t n;
};

/* Reorders @v. All zeros when @n is 0. */
struct spread spread_of(double *v, size_t n);
/* {"median":..,"min":..,"max":..,"n":..}; new reference. */
json_t *spread_json(const struct spread *s);
/* The value below which a part @q of the sorted @v lies; 0 if empty. */
uint64_t quantile(const uint64_t *sorted, size_t n, double q);
void sort_u64(uint64_t *v, size_t n);

/* Kernel, CPU, load, command, date; new reference. */
json_t *host_json(const struct bench_opts *opts);
/* Is @name in the comma list @list? A NULL list holds everything. */
bool name_listed(const char *list, const char *name);
/* A decimal number with an optional k, M or G (powers of two); -EINVAL. */
int parse_size(const char *s, uint64_t *value);

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
