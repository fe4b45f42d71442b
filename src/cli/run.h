/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * udax run: its options, its state, and the steps of its one event loop. One
 * thread; it sleeps in poll() only.
 */
#ifndef UDAX_CLI_RUN_H
#define UDAX_CLI_RUN_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include <jansson.h>

#include "cli/keeper.h"
#include "cli/private.h"
#include "cli/rpc.h"

struct run_options {
	char *pmem;		/* canonical directories, ':' between */
	char **dirs;		/* the same, @nr_dirs of them */
	size_t nr_dirs;
	const char *daemon;	/* data socket of a running daemon, or NULL */
	const char *track, *media, *around;	/* NULL: udaxd's default */
	const char *on_lost;	/* NULL: kick */
	const char **rules;	/* "--protocol" or "--hold", and its argument: @nr_rules words */
	size_t nr_rules;
	const char *json;	/* NULL: none; "-": stdout */
	const char *trace, *trace_size;	/* NULL: none, udaxd's default */
	bool quiet, require, verbose;
	bool mmap_lock;		/* --mmap-lock kernel */
	char **cmd;		/* NULL-terminated, in argv */
};

/* -1, or the exit status of udax. @o is freed by run_options_free(). */
int run_options_parse(struct run_options *o, int argc, char **argv);
void run_options_free(struct run_options *o);

/* pmem.c: -1, or the exit status of udax, with a complaint. @media may be NULL. */
int pmem_check(const char *dir, const char *media);

struct run {
	struct run_options opt;
	const char *name;	/* of the program, for messages */
	uint64_t token;
	sigset_t mask;		/* the caller's, for the children */
	void (*chld)(int), (*pipe)(int);	/* the caller's dispositions */
	int sigfd;
	struct private_daemon own;
	char *public_socket;	/* absolute path of --daemon */
	const char *socket;	/* data socket in use */
	int daemon_pidfd;	/* of --daemon's; -1: none, or seen to be gone */
	bool daemon_gone;	/* it has ended */
	bool lost;		/* ... before it was told to: daemon_lost() has run */
	bool leaving;		/* it was told to */
	bool killed;		/* the program was, for want of its daemon */
	int daemon_status;	/* wait status; private daemon, gone */
	struct keeper keeper;
	struct rpc rpc;
	FILE *json;
	pid_t cmd;		/* 0: not running */
	int cmd_status;		/* wait status */
	int straggler;		/* pidfd of a process that outlives CMD, or -1 */
	bool answer_due;	/* a request is under way */
	json_t *answer;		/* to the last request; owned */
	int interrupted;	/* signal taken while no program ran */
};

/* attach.c */

/* Starts it or connects to it. -1, or the exit status of udax, with a complaint. */
int run_attach(struct run *r);
/* Ends a private daemon and forgets the connections. */
void run_detach(struct run *r);

/* events.c */

/* Blocks the signals and makes the descriptor for them. 0 or -errno, with a complaint. */
int run_signals(struct run *r);
/* Handles what has happened; @wait: sleeps until something has. */
void run_step(struct run *r, bool wait);

#endif
