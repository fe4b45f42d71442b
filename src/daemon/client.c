/* SPDX-License-Identifier: BSD-3-Clause */
/* Clients of the control socket: bytes in and out, never blocking. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/client.h"
#include "daemon/control.h"
#include "lib/sock.h"

#define MAX_CLIENTS 256
/* Answers that a client has not read: above it, its requests have to wait. */
#define MAX_OUT (1u << 20)
/* Bytes taken from one client before the others have their turn. */
#define TURN (64u << 10)

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

void client_free(struct client *cl)
{
	struct control *c = cl->c;

	list_del(&cl->link);
	c->nr_clients--;
	close(cl->fd);
	free(cl->in.data);
	free(cl->out.data);
	free(cl);
}

/* Leaves the memory to client_settle(). */
static void client_close(struct client *cl)
{
	if (cl->closed)
		return;
	cl->closed = true;
	request_forget(cl);
	if (cl->poll.armed)
		loop_cancel(cl->c->loop, &cl->poll);
}

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

void client_result(struct client *cl, json_t *id, json_t *result)
{
	client_say(cl, json_pack("{s:s,s:O,s:o}", "jsonrpc", "2.0", "id", id,
				 "result", result));
}

void client_error(struct client *cl, json_t *id, int code,
			 const char *message)
{
	client_say(cl, json_pack("{s:s,s:O?,s:{s:i,s:s}}", "jsonrpc", "2.0",
				 "id", id, "error", "code", code,
				 "message", message));
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
			request_line(cl, line, end - line);
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

void client_settle(struct client *cl)
{
	struct control *c = cl->c;

	if (!cl->out.len &&
	    (cl->ending || (cl->eof && !cl->nr_waits && !has_line(cl))))
		client_close(cl);
	if (!cl->closed || cl->poll.armed || cl->again_posted)
		return;
	client_free(cl);
	if (c->accept_stuck)
		control_accept(c);
}

static void client_turn(struct client *cl)
{
	struct control *c = cl->c;

	client_flush(cl);
	if (client_receive(cl) && !cl->again_posted) {
		cl->again_posted = true;
		loop_post(c->loop, &cl->again);
	}
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
	client_settle(cl);
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
	client_settle(cl);
}

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

void client_new(struct control *c, int fd)
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
	client_settle(cl);
}
