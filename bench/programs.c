/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * programs: what udax costs programs that nobody here wrote. Each runs native,
 * under `udax run` with its private daemon, and served by a udaxd that runs
 * already, in turn; ratios are of neighbouring rounds.
 */
#include "programs.h"

#include <errno.h>
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS 3

static const struct program {
	const char *name, *needs, *command;
} programs[] = {
#define X(name, needs, command) { name, needs, command },
#include "tbl/programs.h"
#undef X
};

#define NR_PROGRAMS (sizeof(programs) / sizeof(programs[0]))

const char *const placement_names[PLACEMENTS] = { "pinned", "unpinned" };

static double seconds_of(struct timeval tv)
{
	return tv.tv_sec + tv.tv_usec / 1e6;
}

/* Runs to the end; its exit status, or -errno. */
static int run_argv(char *const *argv, char *const *envp, struct took *took)
{
	struct rusage usage;
	struct spawn how = { .argv = argv, .envp = envp, .keep = { -1, -1 } };
	struct child c = { .ctl = -1 };
	uint64_t start = clock_ns(CLOCK_MONOTONIC);
	int status, ret = child_spawn(&c, &how);

	if (ret)
		return ret;
	while (wait4(c.pid, &status, 0, &usage) < 0)
		if (errno != EINTR)
			return -errno;
	took->wall = (clock_ns(CLOCK_MONOTONIC) - start) / 1e9;
	took->minor_faults = usage.ru_minflt;
	took->cpu = seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -EINTR;
}

static int shell(const char *command, char *const *envp, struct took *took)
{
	char *argv[] = { (char *)"/bin/sh", (char *)"-c",
			 (char *)(uintptr_t)command, NULL };

	return run_argv(argv, envp, took);
}

/* The command in an empty directory below @dir, its output in a file there. */
static char *in_directory(const char *dir, const char *command)
{
	char *text;

	if (asprintf(&text, "cd '%s/w' && { %s\n} >../out 2>&1 </dev/null", dir,
		     command) < 0)
		abort();
	return text;
}

static int empty_directory(const char *dir)
{
	struct took took;
	char *text;
	int ret;

	if (asprintf(&text, "rm -rf '%s/w' && mkdir '%s/w'", dir, dir) < 0)
		abort();
	ret = shell(text, NULL, &took);
	free(text);
	return ret;
}

static double daemon_cpu(const struct programs *a)
{
	clockid_t clock;

	return clock_getcpuclockid(a->daemon.child.pid, &clock) ? 0 :
	       clock_ns(clock) / 1e9;
}

static double number(const json_t *o, const char *name)
{
	return json_number_value(json_object_get(o, name));
}

/* Since the daemon's start. */
static int count(struct programs *a, struct counts *c)
{
	const json_t *all, *faults;
	json_t *status;
	int ret = rpc_call(&a->rpc, "get_status", NULL, &status);

	if (ret)
		return ret;
	all = json_object_get(status, "counters");
	faults = json_object_get(all, "faults");
	*c = (struct counts){
		.small = number(faults, "pte") + number(all, "refill"),
		.huge = number(faults, "pmd"), .reads = number(faults, "read"),
		.mappings = number(all, "mappings"),
		.processes = number(all, "processes"),
		.huge_ms = number(all, "fault_pmd_ns") / 1e6,
	};
	json_decref(status);
	return 0;
}

/* What @before has grown to. */
static struct counts grown(const struct counts *before, const struct counts *after)
{
	struct counts c = {
		.small = after->small - before->small,
		.huge = after->huge - before->huge,
		.reads = after->reads - before->reads,
		.mappings = after->mappings - before->mappings,
		.processes = after->processes - before->processes,
		.huge_ms = after->huge_ms - before->huge_ms,
	};

	c.reads = c.small + c.huge ? c.reads / (c.small + c.huge) : 0;
	return c;
}

static int run_served(struct programs *a, const char *text, struct took *took)
{
	struct counts before, after;
	double cpu = daemon_cpu(a);
	int ret = count(a, &before);

	if (!ret)
		ret = shell(text, a->daemon.env, took);
	if (!ret)
		ret = count(a, &after);
	if (!ret)
		took->counts = grown(&before, &after);
	took->cpu += daemon_cpu(a) - cpu;
	return ret;
}

static int run_way(struct programs *a, enum way way, const char *command,
		   struct took *took)
{
	char *text = in_directory(a->dir, command);
	/* What udax has to say of a program without mappings is of no interest. */
	char *argv[] = { (char *)"/bin/sh", (char *)"-c", (char *)
			 "exec \"$0\" run -q --pmem \"$1\" -- /bin/sh -c \"$2\" 2>\"$1/err\"",
			 a->tree.cli, a->dir, text, NULL };
	int ret = empty_directory(a->dir);

	if (!ret && way == RUN_WAY)
		ret = run_argv(argv, NULL, took);
	else if (!ret && way == SERVED_WAY)
		ret = run_served(a, text, took);
	else if (!ret)
		ret = shell(text, NULL, took);
	free(text);
	return ret;
}

/* Is every word of @needs a command? */
static bool installed(const char *needs)
{
	struct took took;
	char *text;
	int ret;

	if (asprintf(&text, "PATH=$PATH:/usr/sbin:/sbin; for c in %s; do"
		     " command -v $c >/dev/null || exit 1; done", needs) < 0)
		abort();
	ret = shell(text, NULL, &took);
	free(text);
	return !ret;
}

static void show_output(const struct programs *a)
{
	char cmd[400];

	snprintf(cmd, sizeof(cmd), "tail -n 5 '%s/out' >&2", a->dir);
	if (system(cmd))
		fputs("udax-bench: it said nothing\n", stderr);
}

int programs_rounds(struct programs *a, const char *name, const char *command,
		    unsigned int rounds, bool warm, struct times *t)
{
	static const char *const ways[] = { "native", "udax run", "served" };
	unsigned int i;
	int round, ret;

	t->rounds = rounds;
	for (round = warm ? -1 : 0; round < (int)rounds; round++) {
		for (i = 0; i < WAYS; i++) {
			enum way way = (i + round + 1) % WAYS;
			struct took took = { 0 };

			progress("programs: %s, %s, round %d/%u, %s",
				 placement_names[a->placement], name, round + 1, rounds,
				 ways[way]);
			ret = bench_interrupted ? -EINTR :
						  run_way(a, way, command, &took);
			if (ret) {
				progress("%s", "");
				fprintf(stderr, "udax-bench: %s, %s: %s %d\n", name,
					ways[way], ret < 0 ? strerror(-ret) :
					"exit status", ret);
				show_output(a);
				return ret < 0 ? ret : -EIO;
			}
			if (round >= 0)
				t->t[way][round] = took;
		}
	}
	progress("%s", "");
	return 0;
}

struct spread programs_extra(const struct times *t, enum way way)
{
	double v[PROGRAMS_MAX_ROUNDS];
	unsigned int i;

	for (i = 0; i < t->rounds; i++)
		v[i] = (t->t[way][i].wall - t->t[NATIVE_WAY][i].wall) * 1e3;
	return spread_of(v, t->rounds);
}

double programs_native_faults(const struct times *t)
{
	double v[PROGRAMS_MAX_ROUNDS];
	unsigned int i;

	for (i = 0; i < t->rounds; i++)
		v[i] = t->t[NATIVE_WAY][i].minor_faults -
			t->t[SERVED_WAY][i].minor_faults;
	return fmax(spread_of(v, t->rounds).median, 0);
}

/* All programs in the placement at work. */
static int run_all(struct programs *a)
{
	struct sums sums = { .nr = 0 };
	struct times t;
	struct costs c;
	unsigned int i;
	int ret = programs_cost(a, &c);

	if (!ret)
		programs_tables(a);
	for (i = 0; i < NR_PROGRAMS && !ret; i++) {
		const struct program *p = &programs[i];

		if (!name_listed(a->opts->only, p->name))
			continue;
		if (!installed(p->needs)) {
			if (a->placement == PINNED)
				printf("  %-14s left out: needs %s\n", p->name, p->needs);
			continue;
		}
		/* The pinned runs have warmed up what there is to be. */
		ret = programs_rounds(a, p->name, p->command, a->rounds,
				      a->placement == PINNED, &t);
		if (!ret)
			programs_add(a, p->name, &t, &c, &sums);
	}
	if (!ret && !sums.nr)
		ret = -ENOENT;
	if (!ret)
		programs_judge(a, &sums);
	return ret;
}

/* Of us, and of all that we start from now on. */
static int allow(const int *cpus, unsigned int nr)
{
	unsigned int i;
	cpu_set_t set;

	CPU_ZERO(&set);
	for (i = 0; i < nr; i++)
		CPU_SET(cpus[i], &set);
	return sched_setaffinity(0, sizeof(set), &set) ? -errno : 0;
}

static int run_placement(struct programs *a, enum placement placement)
{
	int ret;

	a->placement = placement;
	ret = allow(a->cpus, placement == PINNED ? 1 : a->nr_cpus);
	if (!ret)
		ret = udax_start(&a->daemon, &a->tree, a->dir, NULL, 0);
	if (ret) {
		fprintf(stderr, "udax-bench: udaxd: %s\n", strerror(-ret));
		return ret;
	}
	ret = rpc_open(&a->rpc, a->daemon.sock);
	if (ret)
		fprintf(stderr, "udax-bench: udaxd: %s\n", a->rpc.error);
	else
		ret = run_all(a);
	rpc_close(&a->rpc);
	udax_stop(&a->daemon);
	return ret;
}

static void remove_all(const struct programs *a)
{
	struct took took;
	char *text;

	if (asprintf(&text, "rm -rf '%s'", a->dir) < 0)
		abort();
	shell(text, NULL, &took);
	free(text);
}

static int run_placements(struct programs *a)
{
	int ret = run_placement(a, PINNED);

	/* On one CPU there is no other. */
	if (!ret && a->nr_cpus > 1)
		ret = run_placement(a, UNPINNED);
	allow(a->cpus, a->nr_cpus);
	return ret;
}

int programs_run(const struct bench_opts *opts, json_t *report)
{
	struct programs *a = calloc(1, sizeof(*a));
	int ret;

	if (!a || udax_find(&a->tree)) {
		free(a);
		return BENCH_CANNOT;
	}
	a->opts = opts;
	a->report = report;
	a->rpc.fd = -1;
	a->nr_cpus = cpus_allowed(a->cpus, 64);
	a->rounds = opts->repeat ? opts->repeat : opts->quick ? 1 : ROUNDS;
	if (a->rounds > PROGRAMS_MAX_ROUNDS)
		a->rounds = PROGRAMS_MAX_ROUNDS;
	snprintf(a->dir, sizeof(a->dir), "%.200s/udax-bench.XXXXXX", opts->dir);
	if (!mkdtemp(a->dir)) {
		fprintf(stderr, "udax-bench: %s: %s\n", a->dir, strerror(errno));
		free(a);
		return BENCH_CANNOT;
	}
	ret = run_placements(a);
	remove_all(a);
	if (!ret)
		programs_end(report);
	else if (ret == -ENOENT)
		fputs("udax-bench: none of the programs is installed\n", stderr);
	free(a);
	return ret == -ENOENT ? BENCH_CANNOT : ret ? BENCH_FAIL : BENCH_OK;
}
