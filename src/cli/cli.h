/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the verbs of udax share. A verb is a function in a file of its own, with
 * main()'s arguments (argv[0] is the verb) and the exit status as its result.
 * Data goes to stdout, JSON with raw integers unless -u asks for people's units;
 * everything said to people about what went wrong goes to stderr.
 */
#ifndef UDAX_CLI_CLI_H
#define UDAX_CLI_CLI_H

#include <stdbool.h>
#include <stdio.h>

#include <jansson.h>

/* Exit statuses; 125 to 127 as env(1) has them. */
enum {
	EXIT_REFUSED = 1,	/* udaxd answered with an error */
	EXIT_USAGE = 2,
	EXIT_CANNOT = 77,	/* this machine, or this user, cannot */
	EXIT_UDAX = 125,	/* udax itself failed */
	EXIT_NOEXEC = 126,	/* the program is there but cannot be run */
	EXIT_NOTFOUND = 127,
};

#define X(name, fn, help) int fn(int argc, char **argv);
#include "cli/tbl/verbs.h"
#undef X

/* "udax: ..." and a newline on stderr. */
void complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* complain(), then "Try 'udax help VERB'." Returns EXIT_USAGE. */
int usage_error(const char *verb, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * Path of a program or library of ours: beside this program (a build tree), or
 * in @installed. The caller frees it. NULL, with a complaint, if it is nowhere.
 */
char *find_ours(const char *name, const char *installed);

/* One JSON value and a newline; 0, or EXIT_UDAX with a complaint. */
int print_json(const json_t *value, FILE *out);

struct rpc;
/*
 * Connects to the daemon at @option, else at $UDAX_SOCKET. -1, or the exit
 * status of @verb, with a complaint.
 */
int daemon_open(struct rpc *r, const char *verb, const char *option);
/* rpc_call(); NULL with a complaint, and the exit status to end with. */
json_t *daemon_call(struct rpc *r, const char *method, json_t *params,
		    int *status);

/* The summary of a run (udax-run(1)) for people; only what is not zero. */
void print_summary(const json_t *summary, FILE *out);

/* Integer at @path ("faults.pte") in @o; 0 if it is not there. */
json_int_t json_number(const json_t *o, const char *path);

#endif
