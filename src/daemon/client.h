/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Inside the control socket: control.c accepts clients, client.c moves their
 * bytes, request.c understands them. All of it runs on the control thread.
 */
#ifndef UDAX_DAEMON_CLIENT_H
#define UDAX_DAEMON_CLIENT_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "daemon/methods.h"

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
	struct list_head waits;		/* waiting.link */
	bool stop;			/* the answer to shutdown is on its way */
};

/* control.c: takes the connections that are there. */
void control_accept(struct control *c);

/* client.c */

/* A client on the connection @fd, which is its own from now on. */
void client_new(struct control *c, int fd);
/* Hangs up; for the end, when the loop does not run any more. */
void client_free(struct client *cl);
/* Closes it when it is done with; @cl may be gone after it. */
void client_settle(struct client *cl);
/* An answer. @id NULL: the request had none, or none that could be read. */
void client_result(struct client *cl, json_t *id, json_t *result);
void client_error(struct client *cl, json_t *id, int code, const char *message);

/* request.c */

/* One line of a client, without its end. */
void request_line(struct client *cl, const char *line, size_t len);
/* Forgets what the client waits for. */
void request_forget(struct client *cl);
/* Forgets what all wait for, as control_stop() may. */
void request_forget_all(struct control *c);

#endif
