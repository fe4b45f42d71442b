/* SPDX-License-Identifier: BSD-3-Clause */
/* udax check --race: check_race.c for check.c. */
#ifndef UDAX_CLI_CHECK_H
#define UDAX_CLI_CHECK_H

#include <signal.h>
#include <stdbool.h>

#define EXIT_INTERRUPTED 130

struct check_race {
	const char *script;
	const char *kernel, *fs, *protocol;		/* NULL: the default */
	const char *extents, *against;			/* files, or NULL */
	const char *faults, *max_states;		/* numbers, or NULL */
	bool live, por, json;
};

/* The exit status. */
int check_race(const struct check_race *c, const volatile sig_atomic_t *stop);

#endif
