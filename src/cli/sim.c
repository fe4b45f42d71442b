/* SPDX-License-Identifier: BSD-3-Clause */
/* udax sim: runs one load under each of several protocols, in virtual time. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/sim.h"

#define MAX_PROTOCOLS 32
#define EXIT_INTERRUPTED 130

static volatile sig_atomic_t stop;

static void on_sigint(int sig)
{
	stop = sig;
}

/* The protocols of a list with commas, in its order; "all" of them. */
static int choose(const char *list, struct sim_row *rows, unsigned int *nr)
{
	const struct dax_protocol *p;
	char *copy, *rest, *name;
	int status = -1;

	*nr = 0;
	if (!strcmp(list, "all")) {
		while (*nr < MAX_PROTOCOLS && (p = dax_protocol_nth(*nr)))
			rows[(*nr)++].proto = p;
		return -1;
	}
	copy = rest = strdup(list);
	while (copy && status < 0 && (name = strsep(&rest, ","))) {
		p = dax_protocol_find(name);
		if (!p)
			status = usage_error("sim", "--protocol %s: no such protocol",
					     name);
		else if (*nr == MAX_PROTOCOLS)
			status = usage_error("sim", "--protocol: too many");
		else
			rows[(*nr)++].proto = p;
	}
	free(copy);
	return status;
}

static uint64_t wall_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int run(const struct sim_config *c, struct sim_row *rows, unsigned int nr)
{
	bool tty = isatty(STDERR_FILENO);
	uint64_t begin;
	int err = 0;

	for (unsigned int i = 0; i < nr && !err && !stop; i++) {
		if (tty)
			fprintf(stderr, "\r\033[K%s, %u of %u", rows[i].proto->name,
				i + 1, nr);
		begin = wall_ns();
		err = sim_run(c, rows[i].proto, &rows[i].r);
		rows[i].wall_ns = wall_ns() - begin;
	}
	if (tty)
		fputs("\r\033[K", stderr);
	return err;
}

static int print(const struct sim_options *o, const struct sim_row *rows,
		 unsigned int nr)
{
	json_t *json;
	int status;

	if (!o->json) {
		sim_print(&o->c, rows, nr);
		return 0;
	}
	json = sim_json(&o->c, rows, nr, o->cdf);
	status = print_json(json, stdout);
	json_decref(json);
	return status;
}

int cmd_sim(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = on_sigint, .sa_flags = SA_RESETHAND };
	struct sim_row rows[MAX_PROTOCOLS] = { 0 };
	struct sim_options o;
	unsigned int nr;
	int status, err;

	status = sim_parse(&o, argc, argv);
	if (status < 0)
		status = choose(o.protocols, rows, &nr);
	if (status >= 0) {
		sim_options_free(&o);
		return status;
	}
	/* The second ^C ends us as it would anybody. */
	sigaction(SIGINT, &sa, NULL);
	o.c.stop = &stop;
	err = run(&o.c, rows, nr);
	if (err) {
		complain("sim: %s", strerror(-err));
		status = EXIT_UDAX;
	} else if (stop) {
		complain("sim: interrupted");
		status = EXIT_INTERRUPTED;
	} else {
		status = print(&o, rows, nr);
	}
	for (unsigned int i = 0; i < nr; i++)
		sim_result_free(&rows[i].r);
	sim_options_free(&o);
	return status;
}
