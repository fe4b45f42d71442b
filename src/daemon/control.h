/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The control socket: JSON-RPC 2.0 over a local stream socket, one JSON object a
 * line in both directions. The daemon speaks first, a greeting line
 *	{"udax": {"version": "...", "capabilities": [...]}}
 * then every request gets one answer; those that wait for something may be
 * overtaken by later ones. Errors: -32700 no JSON, -32600 no request (one has an
 * id and is at most CONTROL_MAX_REQUEST bytes, longer ones end the connection),
 * -32601 no such method, -32602 parameters wrong or unknown, -32603 no memory,
 * -32000 this connection, or this daemon, has too much in hand.
 * Only root and the daemon's own user are served.
 *
 * It runs on a thread and an event loop of its own; no client can make another
 * wait, nor a worker. The daemon lock is held for the time of a walk.
 */
#ifndef UDAX_DAEMON_CONTROL_H
#define UDAX_DAEMON_CONTROL_H

#define CONTROL_MAX_REQUEST (1u << 20)

struct control;
struct udaxd;

/*
 * Listens at @path and starts the thread. 0, or -errno with a line on stderr.
 * @d outlives it.
 */
int control_start(struct control **c, struct udaxd *d, const char *path);
/*
 * Ends the thread, hangs up on every client and removes the socket. To be called
 * when nobody posts to group waits any more: after the workers and helpers have
 * ended, and before the sessions and files are freed. NULL is allowed.
 */
void control_stop(struct control *c);

#endif
