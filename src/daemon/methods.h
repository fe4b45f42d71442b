/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Between the control socket (control.c) and its methods (methods.c). Everything
 * runs on the control thread.
 */
#ifndef UDAX_DAEMON_METHODS_H
#define UDAX_DAEMON_METHODS_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "daemon/daemon.h"

enum rpc_error {
	RPC_PARSE = -32700,
	RPC_REQUEST = -32600,
	RPC_METHOD = -32601,
	RPC_PARAMS = -32602,
	RPC_INTERNAL = -32603,
	RPC_BUSY = -32000,
};

/* A request. Borrowed by the method, not valid after its return. */
struct rpc_call {
	struct udaxd *d;
	json_t *params;		/* an object, perhaps empty */
	/* What the method may set, beside returning a result. */
	int error;		/* enum rpc_error, with no result */
	char message[160];
	bool stop;		/* end the daemon once the answer is on its way */
	bool wait;		/* no result yet: answer with @later(d, token) */
	uint64_t token;		/* ... when the run with this token is idle */
	json_t *(*later)(struct udaxd *d, uint64_t token);
};

/* The result (a new reference), or NULL with @error, or with @wait. */
typedef json_t *rpc_method(struct rpc_call *call);

/*
 * Unpacks the parameters as json_unpack() does; what @fmt does not name is
 * refused. False: @call->error is set.
 */
bool rpc_params(struct rpc_call *call, const char *fmt, ...);
/* NULL, with the error set: a parameter is wrong. */
json_t *rpc_refuse(struct rpc_call *call, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Names of files and programs need not be text; what is not becomes '?'. */
json_t *rpc_text(const char *name);

#define X(name, fn, help) rpc_method fn;
#include "daemon/tbl/methods.h"
#undef X

#endif
