/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The keeper: holds a second descriptor of each userfaultfd and memory image of
 * a run, for udaxd. While somebody holds them, a thread that faults after udaxd
 * died stays asleep instead of reading zeros from a page that was not loaded,
 * and udax run can end it. One thread.
 */
#ifndef UDAX_CLI_KEEPER_H
#define UDAX_CLI_KEEPER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct keeper {
	int fd;			/* the data socket; -1: not connected */
	struct kept *kept;	/* @nr of @max */
	size_t nr, max;
	bool ever;		/* something was held at some time */
};

/* Says HELLO to udaxd. 0, or -errno with a sentence in @why. */
int keeper_open(struct keeper *k, const char *socket, uint64_t token, char *why,
		size_t why_len);
/*
 * Takes what has come: call it when @k->fd can be read. 0, or -errno when
 * udaxd has hung up (-ECONNRESET) or talks nonsense: nothing more will come.
 * What is held stays held.
 */
int keeper_receive(struct keeper *k);
/* Drops everything and hangs up. */
void keeper_close(struct keeper *k);

#endif
