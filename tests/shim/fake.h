/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A udaxd for tests: answers the shim's messages, keeps a log of them, and can
 * be told to answer oddly. It serves no faults: registered or not, the memory
 * of a file on tmpfs is the file's.
 */
#ifndef UDAX_TESTS_SHIM_FAKE_H
#define UDAX_TESTS_SHIM_FAKE_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

#include "udax/wire.h"

enum fake_manner {
	FAKE_PLAIN,
	FAKE_CLAIMS,		/* forked children are served already */
	FAKE_NO_LISTENER,	/* the socket's path does not exist */
	FAKE_REFUSES_HELLO,	/* EPERM */
	FAKE_REFUSES_MAP,	/* ENOMEM */
	FAKE_REFUSES_SYNC,	/* EIO */
	FAKE_HANGS_UP_ON_MAP,
	FAKE_HANGS_UP_ON_BEGIN,
	FAKE_SHORT_REPLY,	/* to MAP, from here on */
	FAKE_LONG_REPLY,
	FAKE_WRONG_SEQ,
	FAKE_WRONG_OP,
	FAKE_EXTRA_FD,		/* a descriptor nobody asked for, with each reply */
	FAKE_OPEN_NONE,
};

struct fake;

struct fake *fake_start(const char *path, enum fake_manner manner);
/* Serves until @pid has ended; its wait status. */
int fake_serve(struct fake *f, pid_t pid);
/*
 * One word a message: HELLO:new UFFD MAP BEGIN:munmap END:munmap ... A failed
 * END is END:munmap!22; a MAP with an id is MAP#; flags follow as +private.
 */
const char *fake_log(const struct fake *f);
/* The @nth MAP of all (from 0), or NULL. */
const struct udax_map *fake_map(const struct fake *f, unsigned int nth);
void fake_stop(struct fake *f);

#endif
