/* SPDX-License-Identifier: BSD-3-Clause */
/* udax list: what shows the model of a running daemon. */
#ifndef UDAX_CLI_LIST_H
#define UDAX_CLI_LIST_H

#include "cli/cli.h"
#include "cli/rpc.h"

/* Tables for people. */
void print_waiters(const json_t *list);
void print_holds(const json_t *list);
void print_entries(const json_t *list);

/*
 * All entries of the file @path as a new array; NULL with a complaint, and the
 * exit status to end with.
 */
json_t *fetch_entries(struct rpc *r, const char *path, int *status);

#endif
