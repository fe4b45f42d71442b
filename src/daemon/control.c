/* SPDX-License-Identifier: BSD-3-Clause */
#include "daemon/control.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/client.h"
#include "lib/sock.h"

/* Without a descriptor for it, a connection stays where it is for the time. */
void control_accept(struct control *c)
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
		control_accept(loop_owner(loop));
}

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
	struct client *cl, *next;

	if (!c)
		return;
	loop_stop(c->loop);
	pthread_join(c->thread, NULL);
	unlink(c->path);
	close(c->listen);
	request_forget_all(c);
	list_for_each_safe(cl, next, &c->clients, link)
		client_free(cl);
	loop_free(c->loop);
	free(c->path);
	free(c);
}
