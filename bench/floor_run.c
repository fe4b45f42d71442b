/* SPDX-License-Identifier: BSD-3-Clause */
/* floor: the processes of a group's variants, and their rounds in turn. */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "floor.h"

#define ANSWER_MS 60000
#define MAX_ARGS 40

/* The arguments of a child; strings owned. */
struct args {
	char *v[MAX_ARGS];
	unsigned int n;
};

static void __attribute__((format(printf, 2, 3)))
add(struct args *a, const char *fmt, ...)
{
	va_list ap;
	int ret;

	va_start(ap, fmt);
	ret = vasprintf(&a->v[a->n], fmt, ap);
	va_end(ap);
	if (ret < 0 || ++a->n == MAX_ARGS)
		abort();
}

static void add_number(struct args *a, const char *option, uint64_t n)
{
	add(a, "%s", option);
	add(a, "%llu", (unsigned long long)n);
}

static void args_free(struct args *a)
{
	while (a->n)
		free(a->v[--a->n]);
}

/* A packet of exactly @size bytes within ANSWER_MS; 0 or -errno. */
static int answer(int sock, void *data, size_t size)
{
	struct pollfd p = { .fd = sock, .events = POLLIN };
	int ret = poll(&p, 1, ANSWER_MS);
	ssize_t n;

	if (ret <= 0)
		return ret ? -errno : -ETIMEDOUT;
	n = recv(sock, data, size, 0);
	if (n < 0)
		return -errno;
	return (size_t)n == size ? 0 : -EPIPE;
}

static unsigned int server_cpus(const struct floor *f, const struct variant *v)
{
	return v->place == PER_CPU ? f->nr_cpus : 1;
}

/* The first @nr of our CPUs as "0,1". */
static void add_cpus(struct args *a, const struct floor *f, unsigned int nr)
{
	char buf[256] = "";
	unsigned int i, len = 0;

	for (i = 0; i < nr && len < sizeof(buf); i++)
		len += snprintf(buf + len, sizeof(buf) - len, "%s%d",
				i ? "," : "", f->cpus[i]);
	add(a, "--cpus");
	add(a, "%s", buf);
}

static unsigned int around_of(const struct variant *v)
{
	return v->around ? v->around : 1;
}

/* The raw loop as a process; @sock: the end that the userfaultfd comes from. */
static int start_server(struct floor *f, const struct variant *v,
			struct child *server, int sock)
{
	struct args a = { .n = 0 };
	struct spawn how = { .argv = a.v, .keep = { sock, -1 } };
	int ret;

	add(&a, "/proc/self/exe");
	add(&a, "serve");
	add(&a, "--form");
	add(&a, "%s", v->form == SERVE_URING ? "uring" : "block");
	add_number(&a, "--sock", sock);
	add_number(&a, "--unit", f->g->unit);
	add_number(&a, "--around", around_of(v));
	if (v->anon)
		add(&a, "--anon");
	if (v->place != ANYWHERE) {
		add_cpus(&a, f, server_cpus(f, v));
	} else {
		add(&a, "--cpus");
		add(&a, "any");
	}
	ret = child_spawn(server, &how);
	args_free(&a);
	return ret;
}

static void toucher_args(struct args *a, const struct floor *f,
			 const struct variant *v)
{
	const struct group *g = f->g;

	add(a, "/proc/self/exe");
	add(a, "touch");
	add(a, "--file");
	add(a, "%s", g->unit == HUGE_UNIT ? f->huge : f->small);
	add_number(a, "--size", g->size);
	add_number(a, "--unit", g->unit);
	add_number(a, "--passes", f->opts->quick ? 1 : g->passes);
	add_number(a, "--threads", g->threads);
	add_number(a, "--maps", g->maps);
	add_number(a, "--around", around_of(v));
	if (g->unit == SMALL_UNIT)
		add(a, "--nohuge");
	if (g->read)
		add(a, "--read");
	if (g->random)
		add_number(a, "--random", f->opts->seed);
	if (v->anon)
		add(a, "--anon");
	if (g->pinning != NOBODY)
		add_cpus(a, f, g->pinning == ONE_EACH ? g->threads : 1);
	if (v->kind == SIGBUS_SELF || v->kind == THREAD) {
		add(a, "--self");
		add(a, "%s", v->kind == THREAD ? "thread" : "sigbus");
	}
}

/* @ctl: its end of the control pair; @uffd_sock: its end to the server, or -1. */
static int start_toucher(struct floor *f, struct runner *r, unsigned int n,
			 int ctl, int uffd_sock)
{
	struct args a = { .n = 0 };
	struct spawn how = { .argv = a.v, .keep = { ctl, uffd_sock } };
	int ret;

	toucher_args(&a, f, r->v);
	add_number(&a, "--ctl", ctl);
	if (uffd_sock >= 0)
		add_number(&a, "--uffd-sock", uffd_sock);
	/* udaxd serves them all; its time is charged once. */
	if (r->v->kind == RAW)
		add_number(&a, "--server", r->serve[n].pid);
	else if (r->v->kind == UDAX && !n)
		add_number(&a, "--server", r->daemon.child.pid);
	if (r->v->kind == UDAX)
		how.envp = r->daemon.env;
	ret = child_spawn(&r->touch[n], &how);
	args_free(&a);
	return ret;
}

/* One toucher, and its raw loop if it has one. 0 or -errno. */
static int start_pair(struct floor *f, struct runner *r, unsigned int n)
{
	int ctl[2] = { -1, -1 }, pass[2] = { -1, -1 }, ret = 0;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ctl))
		return -errno;
	r->touch[n].ctl = ctl[0];
	if (r->v->kind == RAW)
		ret = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pass) ?
			-errno : start_server(f, r->v, &r->serve[n], pass[1]);
	if (!ret)
		ret = start_toucher(f, r, n, ctl[1], pass[0]);
	close(ctl[1]);
	if (pass[0] >= 0) {
		close(pass[0]);
		close(pass[1]);
	}
	return ret;
}

static int say_hello(struct runner *r, unsigned int n)
{
	struct touch_hello hello;
	int ret = answer(r->touch[n].ctl, &hello, sizeof(hello));

	if (!ret)
		ret = -hello.error;
	if (!ret && !!hello.armed != (r->v->kind != NATIVE)) {
		fprintf(stderr, "udax-bench: %s: the mapping is %sarmed\n",
			r->v->name, hello.armed ? "" : "not ");
		ret = -EINVAL;
	}
	return ret;
}

static int start_udaxd(struct floor *f, struct runner *r)
{
	const char *more[] = { "--fault-around", NULL, NULL };
	char pages[16];

	snprintf(pages, sizeof(pages), "%u", around_of(r->v));
	more[1] = pages;
	return udax_start_with(&r->daemon, &f->tree, f->dir, f->cpus,
			       server_cpus(f, r->v), more);
}

/* 0 or -errno; whatever was started is ended by runner_stop(). */
static int runner_start(struct floor *f, struct runner *r, const struct variant *v)
{
	unsigned int n;
	int ret = 0;

	memset(r, 0, sizeof(*r));
	r->v = v;
	r->daemon.child.ctl = -1;
	for (n = 0; n < MAX_PROCS; n++)
		r->touch[n].ctl = r->serve[n].ctl = -1;
	r->rounds = calloc(f->rounds, sizeof(*r->rounds));
	if (!r->rounds)
		return -ENOMEM;
	if (v->kind == UDAX)
		ret = start_udaxd(f, r);
	for (n = 0; n < f->g->procs && !ret; n++)
		ret = start_pair(f, r, n);
	for (n = 0; n < f->g->procs && !ret; n++)
		ret = say_hello(r, n);
	return ret;
}

static void runner_stop(struct runner *r)
{
	unsigned int n;

	for (n = 0; n < MAX_PROCS; n++) {
		child_end(&r->touch[n]);
		child_end(&r->serve[n]);
	}
	if (r->v->kind == UDAX)
		udax_stop(&r->daemon);
	free(r->rounds);
	r->rounds = NULL;
}

/* Of several processes: the sums, the longest time, the median's mean. */
static void add_round(struct touch_round *sum, const struct touch_round *one,
		      unsigned int procs)
{
	sum->touches += one->touches;
	sum->cpu_ns += one->cpu_ns;
	sum->wrong += one->wrong;
	sum->huge_bytes += one->huge_bytes;
	sum->p50 += one->p50 / procs;
	if (one->ns > sum->ns)
		sum->ns = one->ns;
	if (one->p99 > sum->p99)
		sum->p99 = one->p99;
	if (one->max > sum->max)
		sum->max = one->max;
	if (!sum->min || one->min < sum->min)
		sum->min = one->min;
}

/* Runs a round of @r; it is kept when @round is not negative. 0 or -errno. */
static int runner_round(struct floor *f, struct runner *r, int round)
{
	uint8_t command = TOUCH_ROUND;
	struct touch_round sum = { 0 }, one;
	unsigned int n;
	int ret;

	for (n = 0; n < f->g->procs; n++)
		if (send(r->touch[n].ctl, &command, 1, MSG_NOSIGNAL) < 0)
			return -errno;
	for (n = 0; n < f->g->procs; n++) {
		ret = answer(r->touch[n].ctl, &one, sizeof(one));
		if (ret)
			return ret;
		add_round(&sum, &one, f->g->procs);
	}
	if (sum.wrong) {
		fprintf(stderr, "udax-bench: %s: %llu units do not hold what was "
			"stored\n", r->v->name, (unsigned long long)sum.wrong);
		return -EIO;
	}
	if (round >= 0)
		r->rounds[round] = sum;
	return 0;
}

/* All rounds of all variants in turn; each round starts with another one. */
static int run_rounds(struct floor *f)
{
	struct runner *r;
	unsigned int i;
	int round, ret;

	for (round = -1; round < (int)f->rounds; round++) {
		for (i = 0; i < f->nr; i++) {
			r = &f->runners[(i + round + 1) % f->nr];
			progress("%s: round %d/%u %s", f->g->name, round + 1,
				 f->rounds, r->v->name);
			ret = bench_interrupted ? -EINTR :
						  runner_round(f, r, round);
			if (ret) {
				progress("%s", "");
				fprintf(stderr, "udax-bench: %s, %s: %s\n",
					f->g->name, r->v->name, strerror(-ret));
				return ret;
			}
		}
	}
	return 0;
}

/* What udaxd has for itself; the pages that it shares are the files'. */
static uint64_t private_kb(pid_t pid)
{
	char path[64], line[128];
	unsigned long long kb = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "RssAnon: %llu", &kb) == 1)
			break;
	if (f)
		fclose(f);
	return kb;
}

int floor_run_group(struct floor *f)
{
	const struct group *g = f->g;
	unsigned int i;
	int ret = 0;

	f->nr = 0;
	for (i = 0; i < MAX_VARIANTS && g->variants[i].name && !ret; i++) {
		const struct variant *v = &g->variants[i];

		if (!floor_wanted(f, v->name) || (v->kind == UDAX && !f->have_udax))
			continue;
		progress("%s: starting %s", g->name, v->name);
		ret = runner_start(f, &f->runners[f->nr++], v);
		if (ret) {
			progress("%s", "");
			fprintf(stderr, "udax-bench: %s: %s: %s\n", g->name,
				v->name, strerror(-ret));
		}
	}
	if (!ret)
		ret = run_rounds(f);
	for (i = 0; i < f->nr; i++)
		if (f->runners[i].v->kind == UDAX)
			f->runners[i].daemon_kb =
				private_kb(f->runners[i].daemon.child.pid);
	return ret;
}

void floor_end_group(struct floor *f)
{
	while (f->nr)
		runner_stop(&f->runners[--f->nr]);
}
