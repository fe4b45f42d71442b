/* SPDX-License-Identifier: BSD-3-Clause */
#include "daemon/control.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/methods.h"
#include "lib/sock.h"

#define MAX_CLIENTS 256
/* Answers that a client has not read: above it, its requests have to wait. */
#define MAX_OUT (1u << 20)
/* Requests of one client that wait for something. */
#define MAX_WAITS 16
/* Bytes taken from one client before the others have their turn. */
#define TURN (64u << 10)

struct buffer {
	char *data;
	size_t len, size;
};

struct client {
	struct list_head link;		/* control.clients */
	struct control *c;
	int fd;
	bool eof;			/* it sends no more */
	bool ending;			/* hang up once the answers are out */
	bool closed;			/* hung up; freed when nothing is pending */
	bool again_posted;
	struct loop_op poll;
	struct loop_msg again;		/* its turn is not over, others come first */
	struct buffer in, out;
	unsigned int nr_waits;		/* of control.waits */
};

/* A request that is answered when a run is idle. */
struct client_wait {
	struct list_head link;
	struct client *client;		/* NULL: it has hung up */
	json_t *id;
	json_t *(*later)(struct udaxd *d, uint64_t token);
	struct group_wait wait;
	struct loop_msg msg;
};

struct control {
	struct udaxd *d;
	struct loop *loop;
	pthread_t thread;
	int listen;
	char *path;
	struct loop_op accept;
	bool accept_stuck;		/* no descriptor was left for a client */
	struct list_head clients;	/* @nr_clients, the closed ones too */
	unsigned int nr_clients;
	struct list_head waits;		/* client_wait.link */
	bool stop;			/* the answer to shutdown is on its way */
};

static bool buffer_add(struct buffer *b, const char *data, size_t len)
{
	size_t size = b->size ? b->size : 4096;
	char *bigger;

	while (size - b->len < len)
		size *= 2;
	if (size != b->size) {
		bigger = realloc(b->data, size);
		if (!bigger)
			return false;
		b->data = bigger;
		b->size = size;
	}
	memcpy(b->data + b->len, data, len);
	b->len += len;
	return true;
}

static void buffer_drop(struct buffer *b, size_t len)
{
	if (!len)
		return;
	b->len -= len;
	memmove(b->data, b->data + len, b->len);
}

/* -------------------------------------------------------------- life */

static void accept_clients(struct control *c);

static void client_free(struct client *cl)
{
	struct control *c = cl->c;

	list_del(&cl->link);
	c->nr_clients--;
	close(cl->fd);
	free(cl->in.data);
	free(cl->out.data);
	free(cl);
}

static void client_reap(struct client *cl)
{
	struct control *c = cl->c;

	if (!cl->closed || cl->poll.armed || cl->again_posted)
		return;
	client_free(cl);
	if (c->accept_stuck)
		accept_clients(c);
}

static void wait_free(struct client_wait *w)
{
	list_del(&w->link);
	json_decref(w->id);
	free(w);
}

/* A wait whose message is on its way is freed by the message. */
static void client_drop_waits(struct client *cl)
{
	struct client_wait *w, *next;

	list_for_each_safe(w, next, &cl->c->waits, link) {
		if (w->client != cl)
			continue;
		w->client = NULL;
		cl->nr_waits--;
		if (group_wait_cancel(cl->c->d, &w->wait))
			wait_free(w);
	}
}

/* Leaves the memory to client_reap(). */
static void client_close(struct client *cl)
{
	if (cl->closed)
		return;
	cl->closed = true;
	client_drop_waits(cl);
	if (cl->poll.armed)
		loop_cancel(cl->c->loop, &cl->poll);
}

/* ----------------------------------------------------------- answers */

static void client_flush(struct client *cl)
{
	size_t done = 0;

	while (!cl->closed && done < cl->out.len) {
		ssize_t n = send(cl->fd, cl->out.data + done, cl->out.len - done,
				 MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n >= 0)
			done += n;
		else if (errno == EAGAIN)
			break;
		else if (errno != EINTR)
			client_close(cl);
	}
	buffer_drop(&cl->out, done);
}

/* Steals @line; NULL stands for "no memory to say it". */
static void client_say(struct client *cl, json_t *line)
{
	char *text = line ? json_dumps(line, JSON_COMPACT) : NULL;
	size_t len;

	json_decref(line);
	if (cl->closed) {
		free(text);
		return;
	}
	if (text) {
		len = strlen(text);
		text[len++] = '\n';	/* in the place of the final NUL */
	}
	/* A client that misses an answer would wait for ever. */
	if (!text || !buffer_add(&cl->out, text, len))
		client_close(cl);
	free(text);
	client_flush(cl);
}

static void client_result(struct client *cl, json_t *id, json_t *result)
{
	client_say(cl, json_pack("{s:s,s:O,s:o}", "jsonrpc", "2.0", "id", id,
				 "result", result));
}

/* @id NULL: the request had none, or none that could be read. */
static void client_error(struct client *cl, json_t *id, int code,
			 const char *message)
{
	client_say(cl, json_pack("{s:s,s:O?,s:{s:i,s:s}}", "jsonrpc", "2.0",
				 "id", id, "error", "code", code,
				 "message", message));
}

static void wait_over(struct loop *loop, struct loop_msg *msg)
{
	struct client_wait *w = container_of(msg, struct client_wait, msg);
	struct client *cl = w->client;

	if (cl) {
		struct udaxd *d = cl->c->d;
		json_t *result = w->later(d, w->wait.token);

		cl->nr_waits--;
		if (result)
			client_result(cl, w->id, result);
		else
			client_error(cl, w->id, RPC_INTERNAL, "no memory");
		if (cl->eof && !cl->nr_waits && !cl->out.len)
			client_close(cl);
		client_reap(cl);
	}
	wait_free(w);
}

static void client_wait(struct client *cl, json_t *id,
			const struct rpc_call *call)
{
	struct client_wait *w;

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

/* ---------------------------------------------------------- requests */

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
		client_wait(cl, id, &call);
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

static void one_line(struct client *cl, const char *line, size_t len)
{
	json_error_t e;
	json_t *request = json_loadb(line, len, JSON_REJECT_DUPLICATES, &e);

	if (request)
		one_request(cl, request);
	else
		client_error(cl, NULL, RPC_PARSE, e.text);
	json_decref(request);
}

static void client_too_long(struct client *cl)
{
	client_error(cl, NULL, RPC_REQUEST, "a request is longer than 1 MiB");
	cl->ending = true;
}

/* Lines that have come whole, until one has to wait for room for answers. */
static void client_lines(struct client *cl)
{
	size_t done = 0;
	char *end;

	while (!cl->closed && !cl->ending && cl->out.len < MAX_OUT) {
		char *line = cl->in.data + done;

		end = cl->in.len > done ?
			memchr(line, '\n', cl->in.len - done) : NULL;
		if (!end)
			break;
		if (end - line > CONTROL_MAX_REQUEST)
			client_too_long(cl);
		else
			one_line(cl, line, end - line);
		done = end + 1 - cl->in.data;
	}
	buffer_drop(&cl->in, done);
}

static bool has_line(const struct client *cl)
{
	return cl->in.len && memchr(cl->in.data, '\n', cl->in.len);
}

/*
 * Takes what there is, at most TURN bytes: the poll tells only of news, so what
 * is left behind needs another turn. True when there may be more.
 */
static bool client_receive(struct client *cl)
{
	char data[16384];
	size_t taken = 0;

	while (!cl->closed && !cl->ending && !cl->eof && taken < TURN) {
		ssize_t n;

		client_lines(cl);
		if (has_line(cl))	/* stuck until the client reads */
			return false;
		if (cl->in.len > CONTROL_MAX_REQUEST) {
			client_too_long(cl);
			return false;
		}
		n = recv(cl->fd, data, sizeof(data), MSG_DONTWAIT);
		if (n > 0) {
			taken += n;
			if (!buffer_add(&cl->in, data, n))
				client_close(cl);
		} else if (!n) {
			cl->eof = true;
		} else if (errno == EAGAIN) {
			return false;
		} else if (errno != EINTR) {
			client_close(cl);
		}
	}
	client_lines(cl);
	return !cl->closed && !cl->ending && !cl->eof && !has_line(cl);
}

static void client_turn(struct client *cl)
{
	struct control *c = cl->c;

	client_flush(cl);
	if (client_receive(cl) && !cl->again_posted) {
		cl->again_posted = true;
		loop_post(c->loop, &cl->again);
	}
	if (!cl->closed && !cl->out.len &&
	    (cl->ending || (cl->eof && !cl->nr_waits && !has_line(cl))))
		client_close(cl);
	if (c->stop) {
		c->stop = false;
		udaxd_stop(c->d);
	}
}

static void client_again(struct loop *loop, struct loop_msg *msg)
{
	struct client *cl = container_of(msg, struct client, again);

	cl->again_posted = false;
	client_turn(cl);
	client_reap(cl);
}

static void client_event(struct loop *loop, struct loop_op *op, int res,
			 bool last)
{
	struct client *cl = container_of(op, struct client, poll);

	if (res > 0)
		client_turn(cl);
	/* A hang-up in both directions: nobody reads answers any more. */
	if (last || (res > 0 && (res & (POLLHUP | POLLERR))))
		client_close(cl);
	client_reap(cl);
}

/* ------------------------------------------------------------ accept */

static json_t *greeting(void)
{
	return json_pack("{s:{s:s,s:[s]}}", "udax", "version", PACKAGE_VERSION,
			 "capabilities", "get_summary.wait");
}

static bool may_connect(int fd)
{
	struct ucred peer;

	return !sock_peer(fd, &peer) && (!peer.uid || peer.uid == geteuid());
}

static void client_new(struct control *c, int fd)
{
	struct client *cl = calloc(1, sizeof(*cl));

	if (!cl) {
		close(fd);
		return;
	}
	cl->c = c;
	cl->fd = fd;
	cl->again.fn = client_again;
	list_add_tail(&cl->link, &c->clients);
	c->nr_clients++;
	loop_op_init(&cl->poll, client_event);
	if (!may_connect(fd)) {
		client_error(cl, NULL, RPC_REQUEST, "only root and the daemon's user are served");
		client_close(cl);
	} else if (c->nr_clients > MAX_CLIENTS) {
		client_error(cl, NULL, RPC_BUSY, "too many clients");
		client_close(cl);
	} else {
		client_say(cl, greeting());
		if (loop_poll(c->loop, &cl->poll, fd, POLLIN | POLLOUT))
			client_close(cl);
	}
	client_reap(cl);
}

/* Without a descriptor for it, a connection stays where it is for the time. */
static void accept_clients(struct control *c)
{
	int fd;

	c->accept_stuck = false;
	while ((fd = sock_accept(c->listen, SOCK_NONBLOCK)) >= 0)
		client_new(c, fd);
	c->accept_stuck = fd == -EMFILE || fd == -ENFILE;
}

static void accept_event(struct loop *loop, struct loop_op *op, int res,
			 bool last)
{
	if (res >= 0)
		accept_clients(loop_owner(loop));
}

/* ------------------------------------------------------- start, stop */

static void *control_thread(void *arg)
{
	struct control *c = arg;
	int err = loop_run(c->loop);

	if (err)
		fprintf(stderr, "udaxd: control socket: %s\n", strerror(-err));
	return NULL;
}

/* The signals are for the other threads. */
static int start_thread(struct control *c)
{
	sigset_t all, old;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(&c->thread, NULL, control_thread, c);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -err;
}

int control_start(struct control **out, struct udaxd *d, const char *path)
{
	struct control *c = calloc(1, sizeof(*c));
	char why[256] = "no memory";
	int err = -ENOMEM;

	if (!c)
		goto fail;
	c->d = d;
	list_init(&c->clients);
	list_init(&c->waits);
	c->path = strdup(path);
	if (!c->path)
		goto fail_free;
	c->listen = sock_listen(path, SOCK_STREAM | SOCK_NONBLOCK, 0600, why,
				sizeof(why));
	if (c->listen < 0) {
		err = c->listen;
		goto fail_free;
	}
	snprintf(why, sizeof(why), "no event loop or thread");
	err = loop_new(&c->loop, 64, c);
	if (err)
		goto fail_listen;
	loop_op_init(&c->accept, accept_event);
	err = loop_poll(c->loop, &c->accept, c->listen, POLLIN);
	if (!err)
		err = start_thread(c);
	if (err)
		goto fail_loop;
	*out = c;
	return 0;

fail_loop:
	loop_free(c->loop);
fail_listen:
	close(c->listen);
	unlink(path);
fail_free:
	free(c->path);
	free(c);
fail:
	fprintf(stderr, "udaxd: control socket: %s\n", why);
	return err;
}

void control_stop(struct control *c)
{
	struct client_wait *w, *next_wait;
	struct client *cl, *next;

	if (!c)
		return;
	loop_stop(c->loop);
	pthread_join(c->thread, NULL);
	unlink(c->path);
	close(c->listen);
	/* Their messages will not run any more, and nobody posts another. */
	list_for_each_safe(w, next_wait, &c->waits, link) {
		group_wait_cancel(c->d, &w->wait);
		wait_free(w);
	}
	list_for_each_safe(cl, next, &c->clients, link)
		client_free(cl);
	loop_free(c->loop);
	free(c->path);
	free(c);
}
