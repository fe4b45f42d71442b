/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The client's end of udaxd's control socket: JSON-RPC 2.0, one object a line.
 * One thread, one request at a time.
 */
#ifndef UDAX_CLI_RPC_H
#define UDAX_CLI_RPC_H

#include <stddef.h>

#include <jansson.h>

struct rpc {
	int fd;			/* -1: not connected */
	char *buf;		/* bytes received, @used of @size */
	size_t used, size;
	json_int_t id;		/* of the last request */
	char error[256];	/* why the last call failed, for people */
};

/*
 * Connects to the control socket that belongs to the data socket @socket and
 * reads the greeting. 0 or -errno, @r->error says why.
 */
int rpc_open(struct rpc *r, const char *socket);
void rpc_close(struct rpc *r);

/* Sends a request. @params is stolen, and may be NULL. 0 or -errno. */
int rpc_send(struct rpc *r, const char *method, json_t *params);
/*
 * The answer, if it has come: 1 and *@result (a new reference), 0 when more has
 * to be waited for (poll @r->fd for POLLIN), or -errno: -EREMOTEIO when udaxd
 * answered with an error, anything else means that the connection is of no
 * more use.
 */
int rpc_receive(struct rpc *r, json_t **result);
/* Sends, waits and receives: 0 and *@result, or -errno as rpc_receive(). */
int rpc_call(struct rpc *r, const char *method, json_t *params, json_t **result);

#endif
