/* SPDX-License-Identifier: BSD-3-Clause */
/* The processes below this one. */
#ifndef UDAX_CLI_TREE_H
#define UDAX_CLI_TREE_H

#include <sys/types.h>

/*
 * Kills every descendant and reaps it. This process must be a child subreaper,
 * so that a process whose parent dies first is not out of reach. @reaped is
 * called for each child that is reaped.
 */
void tree_kill(void (*reaped)(void *arg, pid_t pid, int status), void *arg);

#endif
