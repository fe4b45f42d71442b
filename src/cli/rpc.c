/* SPDX-License-Identifier: BSD-3-Clause */
#include "cli/rpc.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/sock.h"
#include "udax/wire.h"

static int failed(struct rpc *r, int err, const char *what)
{
	snprintf(r->error, sizeof(r->error), "%s: %s", what, strerror(-err));
	return err;
}

/* 1 and a line, 0 when it has not come yet, or -errno (-ECONNRESET: the end). */
static int receive_line(struct rpc *r, json_t **line)
{
	json_error_t e;
	char *end, *buf;
	ssize_t n;

	for (;;) {
		end = memchr(r->buf, '\n', r->used);
		if (end)
			break;
		if (r->size - r->used < 4096) {
			buf = realloc(r->buf, r->size * 2);
			if (!buf)
				return -ENOMEM;
			r->buf = buf;
			r->size *= 2;
		}
		n = recv(r->fd, r->buf + r->used, r->size - r->used,
			 MSG_DONTWAIT);
		if (n > 0)
			r->used += n;
		else if (!n)
			return -ECONNRESET;
		else if (errno == EAGAIN)
			return 0;
		else if (errno != EINTR)
			return -errno;
	}
	*line = json_loadb(r->buf, end - r->buf, JSON_REJECT_DUPLICATES, &e);
	r->used -= end + 1 - r->buf;
	memmove(r->buf, end + 1, r->used);
	return json_is_object(*line) ? 1 : -EPROTO;
}

static int wait_for(struct rpc *r, short events)
{
	struct pollfd p = { .fd = r->fd, .events = events };

	while (poll(&p, 1, -1) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

static int greeting(struct rpc *r)
{
	json_t *line = NULL;
	const char *version;
	int got;

	while (!(got = receive_line(r, &line))) {
		int err = wait_for(r, POLLIN);

		if (err)
			return failed(r, err, "waiting for udaxd");
	}
	if (got > 0 && !json_unpack(line, "{s:{s:s}}", "udax", "version",
				    &version))
		got = 0;
	else if (got > 0)
		got = -EPROTO;
	json_decref(line);
	return got ? failed(r, got, "greeting of udaxd") : 0;
}

int rpc_open(struct rpc *r, const char *socket)
{
	char *path;
	int err;

	*r = (struct rpc) { .fd = -1, .size = 16384 };
	r->buf = malloc(r->size);
	if (!r->buf || asprintf(&path, "%s%s", socket, UDAX_CONTROL_SUFFIX) < 0) {
		err = failed(r, -ENOMEM, socket);
		goto fail;
	}
	r->fd = sock_connect(path, SOCK_STREAM, r->error, sizeof(r->error));
	free(path);
	err = r->fd < 0 ? r->fd : greeting(r);
	if (!err)
		return 0;
fail:
	rpc_close(r);
	return err;
}

void rpc_close(struct rpc *r)
{
	if (r->fd >= 0)
		close(r->fd);
	free(r->buf);
	r->fd = -1;
	r->buf = NULL;
}

/* Requests are small: they fit the socket's buffer, a blocking send is fine. */
int rpc_send(struct rpc *r, const char *method, json_t *params)
{
	json_t *request;
	char *text;
	size_t len, sent = 0;
	int err = 0;

	request = json_pack("{s:s,s:I,s:s}", "jsonrpc", "2.0", "id", ++r->id,
			    "method", method);
	if (params)
		json_object_set_new(request, "params", params);
	text = json_dumps(request, JSON_COMPACT);
	json_decref(request);
	if (!text)
		return failed(r, -ENOMEM, method);
	len = strlen(text);
	text[len++] = '\n';	/* in the place of the final NUL */
	while (sent < len && !err) {
		ssize_t n = send(r->fd, text + sent, len - sent, MSG_NOSIGNAL);

		if (n >= 0)
			sent += n;
		else if (errno != EINTR)
			err = failed(r, -errno, method);
	}
	free(text);
	return err;
}

int rpc_receive(struct rpc *r, json_t **result)
{
	json_t *line = NULL, *error;
	const char *message = "no message";
	int got = receive_line(r, &line);

	if (got <= 0) {
		json_decref(line);
		return got ? failed(r, got, "udaxd") : 0;
	}
	error = json_object_get(line, "error");
	*result = json_incref(json_object_get(line, "result"));
	if (error) {
		json_unpack(error, "{s:s}", "message", &message);
		snprintf(r->error, sizeof(r->error), "udaxd: %s", message);
		got = -EREMOTEIO;
	} else if (!*result ||
		   json_number_value(json_object_get(line, "id")) != r->id) {
		json_decref(*result);
		got = failed(r, -EPROTO, "udaxd");
	}
	json_decref(line);
	return got;
}

int rpc_call(struct rpc *r, const char *method, json_t *params, json_t **result)
{
	int err = rpc_send(r, method, params);

	while (!err) {
		err = rpc_receive(r, result);
		if (!err && wait_for(r, POLLIN))
			err = failed(r, -EIO, "waiting for udaxd");
		else if (err > 0)
			return 0;
	}
	return err;
}
