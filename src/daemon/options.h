/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The command line of udaxd, parsed. Filled once by main() before any thread
 * starts, constant afterwards. Strings are owned by the struct, and freed by
 * udaxd_options_free().
 */
#ifndef UDAX_DAEMON_OPTIONS_H
#define UDAX_DAEMON_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "daemon/rules.h"

struct mm_variant;

/*
 * How stores are seen. Fast: by the faults of what is not mapped, and no others.
 * Exact: files in memory are mapped write-protected, as the kernel does it.
 */
enum udaxd_track { TRACK_FAST, TRACK_EXACT };

/* What is done about a fault that nobody is left to wake. */
enum udaxd_lost { LOST_REPORT, LOST_KICK, LOST_KILL };

enum udaxd_media { MEDIA_CHOICE_AUTO, MEDIA_CHOICE_DIRECT, MEDIA_CHOICE_IMAGE };

#define UDAXD_OPTIONS_MAX_THREADS 1024

struct udaxd_options {
	char *socket;			/* data socket; never NULL when run */
	char **pmem;			/* canonical directories, @nr_pmem of them */
	unsigned int nr_pmem;		/* 0: any file may be served */
	unsigned int workers;		/* 0: one for each CPU of the mask */
	unsigned int helpers;
	unsigned int fault_around;	/* pages that a 4K fault maps, itself included */
	unsigned int wait_bits;		/* 1 << of them: wait queues */
	struct protocol_rules protocols;
	struct hold_rules *holds;	/* NULL: none; handed over to udaxd.holds */
	enum udaxd_lost on_lost;
	enum udaxd_track track;
	/* The kernel and file system that are followed; never NULL. */
	const struct mm_variant *variant;
	enum udaxd_media media;
	char *trace;			/* NULL: none */
	uint64_t trace_size;		/* bytes a thread */
	int ready_fd;			/* -1: none */
	bool exit_with_keeper;
	bool fs_clients;		/* clients may be a file's file system */
	bool verbose;
};

/*
 * -1: run with @o. Else main() exits with the result at once: what there was to
 * say has been said (0 after --help and the like, 2 for usage, on stderr). The
 * caller frees @o in every case.
 */
int udaxd_options_parse(struct udaxd_options *o, int argc, char **argv);
void udaxd_options_free(struct udaxd_options *o);

/* key=value lines: how this udaxd was built and would run. */
void udaxd_options_dump(const struct udaxd_options *o, FILE *out);

const char *udaxd_track_name(enum udaxd_track track);
const char *udaxd_media_name(enum udaxd_media media);
const char *udaxd_lost_name(enum udaxd_lost lost);
/* -1: there is none of that name. */
int udaxd_lost_find(const char *name);

#endif
