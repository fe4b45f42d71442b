/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * control-server SOCK: a udaxd that has a control socket and nothing else. One
 * program with one mapping of one file, SOCK itself, in the run with token 1234.
 * Summaries that are waited for come on SIGUSR1, but those of the run 1234 at
 * once. SIGTERM and the method shutdown end it.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/control.h"
#include "daemon/daemon.h"
#include "daemon/methods.h"
#include "daemon/readers.h"

static struct udaxd d;
static struct group run;
static struct session program;
static struct region mapping, *mappings[] = { &mapping };
static struct file file;
static struct media medium;
static const struct media_ops medium_ops = { .name = "direct" };
static const struct dax_protocol protocol = { .name = "616" };

const struct dax_protocol *dax_protocol_find(const char *name)
{
	return NULL;
}

const struct dax_protocol *dax_protocol_nth(unsigned int i)
{
	return NULL;
}

const char *dax_fallback_name(enum dax_fallback reason)
{
	static const char *const names[] = {
		"none", "colour", "private", "vma", "eof", "conflict", "oom",
		"extent"
	};

	return names[reason];
}

unsigned int readers_cpus(const struct session *s, unsigned int cpus[READERS_MAX])
{
	cpus[0] = 2;
	cpus[1] = 5;
	return 2;
}

void session_stats(const struct session *s, struct fault_stats *into)
{
	into->pte += 7;
}

void group_stats(struct udaxd *u, const struct group *g,
		 struct fault_stats *into)
{
	if (!g || g == &run)
		into->pte += 7;
}

void group_lost(struct udaxd *u, const struct group *g,
		struct lost_times *into)
{
	memset(into, 0, sizeof(*into));
}

struct group *group_find(struct udaxd *u, uint64_t token)
{
	return token == run.token ? &run : NULL;
}

void group_wait(struct udaxd *u, struct group_wait *w)
{
	lock_take(&u->lock);
	if (w->token == run.token)
		loop_post(w->loop, w->msg);
	else
		list_add_tail(&w->link, &u->idle_waits);
	lock_release(&u->lock);
}

bool group_wait_cancel(struct udaxd *u, struct group_wait *w)
{
	bool waiting;

	lock_take(&u->lock);
	waiting = !list_empty(&w->link);
	list_del(&w->link);
	lock_release(&u->lock);
	return waiting;
}

void udaxd_stop(struct udaxd *u)
{
	kill(getpid(), SIGTERM);
}

/* There is no model here to look into. */
#define ABSENT(name) \
	json_t *name(struct rpc_call *call) { return json_array(); }
ABSENT(method_list_waiters)
ABSENT(method_list_holds)
ABSENT(method_list_entries)
ABSENT(method_set)
ABSENT(method_run_operation)

static void everything_is_idle(void)
{
	struct group_wait *w, *next;

	lock_take(&d.lock);
	list_for_each_safe(w, next, &d.idle_waits, link) {
		list_del(&w->link);
		loop_post(w->loop, w->msg);
	}
	lock_release(&d.lock);
}

static void set_up(char *sock)
{
	lock_init(&d.lock, LOCK_RANK_DAEMON, "daemon");
	list_init(&d.sessions);
	list_init(&d.files);
	list_init(&d.groups);
	list_init(&d.idle_waits);
	d.opt.socket = sock;
	d.opt.protocols.normal = &protocol;
	d.nr_sessions = d.nr_files = 1;
	run.token = 0x1234;
	run.media = 1u << MEDIA_IMAGE;
	run.files = run.mappings = run.processes = 1;
	list_add_tail(&run.link, &d.groups);

	medium.ops = &medium_ops;
	medium.fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	medium.page_size = 4096;
	file.id = 2;
	file.media = &medium;
	file.nr_regions = 1;
	lock_init(&file.lock, LOCK_RANK_FILE, "file");
	lock_init(&file.mapping.i_pages, LOCK_RANK_MAPPING, "i_pages");
	list_init(&file.mapping.sleepers);
	file.mapping.proto = &protocol;
	list_add_tail(&file.link, &d.files);

	mapping.id = 3;
	mapping.file = &file;
	mapping.start = 0x7f0000000000;
	mapping.end = mapping.start + (2 << 20);
	mapping.prot = PROT_READ | PROT_WRITE;
	program.id = 4;
	program.pid = getpid();
	program.group = &run;
	/* A name is bytes, not text. */
	strcpy(program.comm, "caf\xe9");
	program.regions = mappings;
	program.nr_regions = 1;
	program.mappings = 1;
	lock_init(&program.lock, LOCK_RANK_SESSION, "session");
	list_add_tail(&program.link, &d.sessions);
}

int main(int argc, char **argv)
{
	char path[128];
	sigset_t set;
	int sig;

	if (argc != 2)
		return 2;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	set_up(argv[1]);
	snprintf(path, sizeof(path), "%s" UDAX_CONTROL_SUFFIX, argv[1]);
	if (control_start(&d.control, &d, path))
		return 1;
	puts("ready");
	fflush(stdout);
	while (!sigwait(&set, &sig) && sig == SIGUSR1)
		everything_is_idle();
	control_stop(d.control);
	close(medium.fd);
	return 0;
}
