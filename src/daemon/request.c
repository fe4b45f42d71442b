/* SPDX-License-Identifier: BSD-3-Clause */
/* Requests of the control socket: lines, methods, and waiting for a result. */
#include <stdlib.h>
#include <string.h>

#include "daemon/client.h"

/* Requests of one client that wait for something. */
#define MAX_WAITS 16

/* A request that is answered when a run is idle. */
struct waiting {
	struct list_head link;
	struct client *client;		/* NULL: it has hung up */
	json_t *id;
	json_t *(*later)(struct udaxd *d, uint64_t token);
	struct group_wait wait;
	struct loop_msg msg;
};

static void wait_free(struct waiting *w)
{
	list_del(&w->link);
	json_decref(w->id);
	free(w);
}

/* A wait whose message is on its way is freed by the message. */
void request_forget(struct client *cl)
{
	struct waiting *w, *next;

	list_for_each_safe(w, next, &cl->c->waits, link) {
		if (w->client != cl)
			continue;
		w->client = NULL;
		cl->nr_waits--;
		if (group_wait_cancel(cl->c->d, &w->wait))
			wait_free(w);
	}
}

/* Their messages will not run any more, and nobody posts another. */
void request_forget_all(struct control *c)
{
	struct waiting *w, *next;

	list_for_each_safe(w, next, &c->waits, link) {
		group_wait_cancel(c->d, &w->wait);
		wait_free(w);
	}
}

static void wait_over(struct loop *loop, struct loop_msg *msg)
{
	struct waiting *w = container_of(msg, struct waiting, msg);
	struct client *cl = w->client;

	if (cl) {
		struct udaxd *d = cl->c->d;
		json_t *result = w->later(d, w->wait.token);

		w->client = NULL;
		cl->nr_waits--;
		if (result)
			client_result(cl, w->id, result);
		else
			client_error(cl, w->id, RPC_INTERNAL, "no memory");
		client_settle(cl);
	}
	wait_free(w);
}

static void start_waiting(struct client *cl, json_t *id,
			  const struct rpc_call *call)
{
	struct waiting *w;

	w = cl->nr_waits < MAX_WAITS ? calloc(1, sizeof(*w)) : NULL;
	if (!w) {
		client_error(cl, id, RPC_BUSY, "too many requests are waiting");
		return;
	}
	w->client = cl;
	w->id = json_incref(id);
	w->later = call->later;
	w->wait.token = call->token;
	w->wait.loop = cl->c->loop;
	w->wait.msg = &w->msg;
	w->msg.fn = wait_over;
	list_init(&w->wait.link);
	list_add_tail(&w->link, &cl->c->waits);
	cl->nr_waits++;
	group_wait(cl->c->d, &w->wait);
}

static rpc_method *find_method(const char *name)
{
	static const struct {
		const char *name;
		rpc_method *fn;
	} methods[] = {
#define X(name, fn, help) { name, fn },
#include "daemon/tbl/methods.h"
#undef X
	};

	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		if (!strcmp(methods[i].name, name))
			return methods[i].fn;
	return NULL;
}

static void call_method(struct client *cl, rpc_method *fn, json_t *id,
			json_t *params)
{
	struct rpc_call call = { .d = cl->c->d, .params = params };
	json_t *result = fn(&call);

	if (call.wait)
		start_waiting(cl, id, &call);
	else if (result)
		client_result(cl, id, result);
	else if (call.error)
		client_error(cl, id, call.error, call.message);
	else
		client_error(cl, id, RPC_INTERNAL, "no memory");
	if (call.stop)
		cl->c->stop = true;
}

static void one_request(struct client *cl, json_t *request)
{
	json_t *id = json_object_get(request, "id"), *params = NULL, *none = NULL;
	const char *version, *name;
	rpc_method *fn;
	json_error_t e;

	if (!json_is_string(id) && !json_is_number(id)) {
		client_error(cl, NULL, RPC_REQUEST,
			     "not an object with an id that is a string or a number");
		return;
	}
	if (json_unpack_ex(request, &e, JSON_STRICT, "{s:s,s:s,s:o,s?:o}",
			   "jsonrpc", &version, "method", &name, "id", &id,
			   "params", &params)) {
		client_error(cl, id, RPC_REQUEST, e.text);
		return;
	}
	if (strcmp(version, "2.0")) {
		client_error(cl, id, RPC_REQUEST, "jsonrpc: 2.0 is spoken here");
		return;
	}
	fn = find_method(name);
	if (!fn) {
		client_error(cl, id, RPC_METHOD, "no such method; see rpc_get_methods");
		return;
	}
	if (!params)
		params = none = json_object();
	if (json_is_object(params))
		call_method(cl, fn, id, params);
	else
		client_error(cl, id, RPC_PARAMS, "params: an object");
	json_decref(none);
}

void request_line(struct client *cl, const char *line, size_t len)
{
	json_error_t e;
	json_t *request = json_loadb(line, len, JSON_REJECT_DUPLICATES, &e);

	if (request)
		one_request(cl, request);
	else
		client_error(cl, NULL, RPC_PARSE, e.text);
	json_decref(request);
}
