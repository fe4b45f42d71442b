/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * programs: what udax costs programs that nobody here wrote. Each runs native,
 * under `udax run` with its private daemon, and served by a udaxd that runs
 * already, in turn; ratios are of neighbouring rounds.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "proc.h"
#include "results.h"
#include "stats.h"

#define ROUNDS 5
#define MAX_ROUNDS 100
#define MEAN_BOUND 1.10
#define WORST_BOUND 1.35

static const struct program {
	const char *name, *needs, *command;
} programs[] = {
#define X(name, needs, command) { name, needs, command },
#include "tbl/programs.h"
#undef X
};

#define NR_PROGRAMS (sizeof(programs) / sizeof(programs[0]))

/* How a program is run. */
enum way { NATIVE, RUN, SERVED, WAYS };

struct all {
	const struct bench_opts *opts;
	json_t *report;
	struct udax_tree tree;
	struct udax_daemon daemon;
	char dir[300];
	unsigned int rounds;
};

/* Seconds: by the clock, and of CPU, of all that ran for it. */
struct took {
	double wall, cpu;
};

struct times {
	struct took t[WAYS][MAX_ROUNDS];
};

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

static double daemon_cpu(const struct all *a)
{
	clockid_t clock;

	return clock_getcpuclockid(a->daemon.child.pid, &clock) ? 0 :
	       clock_ns(clock) / 1e9;
}

static int run_way(struct all *a, enum way way, const char *command,
		   struct took *took)
{
	char *text = in_directory(a->dir, command);
	/* What udax has to say of a program without mappings is of no interest. */
	char *argv[] = { (char *)"/bin/sh", (char *)"-c", (char *)
			 "exec \"$0\" run -q --pmem \"$1\" -- /bin/sh -c \"$2\" 2>\"$1/err\"",
			 a->tree.cli, a->dir, text, NULL };
	int ret = empty_directory(a->dir);
	double before = daemon_cpu(a);

	if (!ret && way == RUN)
		ret = run_argv(argv, NULL, took);
	else if (!ret)
		ret = shell(text, way == SERVED ? a->daemon.env : NULL, took);
	if (way == SERVED)
		took->cpu += daemon_cpu(a) - before;
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

static void show_output(const struct all *a)
{
	char cmd[400];

	snprintf(cmd, sizeof(cmd), "tail -n 5 '%s/out' >&2", a->dir);
	if (system(cmd))
		fputs("udax-bench: it said nothing\n", stderr);
}

static int run_rounds(struct all *a, const char *name, const char *command,
		      struct times *t)
{
	static const char *const ways[] = { "native", "udax run", "served" };
	unsigned int i;
	int round, ret;

	for (round = -1; round < (int)a->rounds; round++) {
		for (i = 0; i < WAYS; i++) {
			enum way way = (i + round + 1) % WAYS;
			struct took took;

			progress("programs: %s, round %d/%u, %s", name, round + 1,
				 a->rounds, ways[way]);
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

static struct spread ratio(const struct all *a, const struct times *t, enum way way,
			   bool cpu)
{
	double v[MAX_ROUNDS];
	unsigned int i;

	for (i = 0; i < a->rounds; i++) {
		const struct took *x = &t->t[way][i], *n = &t->t[NATIVE][i];

		v[i] = cpu ? x->cpu / n->cpu : x->wall / n->wall;
	}
	return spread_of(v, a->rounds);
}

static struct spread milliseconds(const struct all *a, const struct times *t,
				  enum way way)
{
	double v[MAX_ROUNDS];
	unsigned int i;

	for (i = 0; i < a->rounds; i++)
		v[i] = t->t[way][i].wall * 1e3;
	return spread_of(v, a->rounds);
}

struct sums {
	double logs[WAYS], worst[WAYS];
	const char *worst_name[WAYS];
	unsigned int nr;
};

static void report_program(struct all *a, json_t *table, const struct program *p,
			   const struct times *t, struct sums *sums)
{
	struct spread native = milliseconds(a, t, NATIVE);
	struct spread run = ratio(a, t, RUN, false), run_cpu = ratio(a, t, RUN, true);
	struct spread served = ratio(a, t, SERVED, false);
	struct spread served_cpu = ratio(a, t, SERVED, true);
	const struct spread *of[WAYS] = { [RUN] = &run, [SERVED] = &served };
	int way;

	results_row(table, json_pack("[s,o,o,o,o,o]", p->name, spread_json(&native),
				     spread_json(&run), spread_json(&served),
				     spread_json(&run_cpu), spread_json(&served_cpu)));
	printf("  %-14s native %7.0f ms, udax run %.3f, served %.3f\n", p->name,
	       native.median, run.median, served.median);
	for (way = RUN; way < WAYS; way++) {
		sums->logs[way] += log(of[way]->median);
		if (of[way]->median > sums->worst[way]) {
			sums->worst[way] = of[way]->median;
			sums->worst_name[way] = p->name;
		}
	}
	sums->nr++;
}

/* What `udax run` itself takes: of a program that does nothing. */
static int startup(struct all *a, double *ms)
{
	struct times t;
	struct spread s;
	double v[MAX_ROUNDS];
	unsigned int i;
	int ret = run_rounds(a, "true", "true", &t);

	for (i = 0; i < a->rounds && !ret; i++)
		v[i] = (t.t[RUN][i].wall - t.t[NATIVE][i].wall) * 1e3;
	if (ret)
		return ret;
	s = spread_of(v, a->rounds);
	*ms = s.median;
	json_object_set_new(a->report, "startup_ms", spread_json(&s));
	printf("udax run of a program that does nothing: %.1f ms more (%.1f-%.1f)\n",
	       s.median, s.min, s.max);
	return 0;
}

static void report_sums(struct all *a, const struct sums *s)
{
	static const char *const names[] = { [RUN] = "udax run", [SERVED] = "served" };
	int way;

	for (way = RUN; way < WAYS; way++) {
		double mean = exp(s->logs[way] / s->nr);
		bool holds = mean <= MEAN_BOUND && s->worst[way] <= WORST_BOUND;

		printf("%s: geometric mean of %u programs %.3f (wanted %.2f), worst %.3f, "
		       "%s (wanted %.2f): %s\n", names[way], s->nr, mean, MEAN_BOUND,
		       s->worst[way], s->worst_name[way], WORST_BOUND,
		       holds ? "holds" : "DOES NOT HOLD");
		json_object_set_new(a->report, way == RUN ? "run" : "served", json_pack(
			"{s:f,s:f,s:s,s:b}", "geometric_mean", mean, "worst",
			s->worst[way], "worst_program", s->worst_name[way],
			"holds", holds));
	}
}

static int run_programs(struct all *a)
{
	json_t *table = results_table(a->report, "programs",
		"Programs: run time, native, and as a multiple of that",
		"program|native ms|udax run|served|CPU, udax run|CPU, served");
	struct sums sums = { .nr = 0 };
	struct times t;
	double start_ms;
	unsigned int i;
	int ret = startup(a, &start_ms);

	for (i = 0; i < NR_PROGRAMS && !ret; i++) {
		const struct program *p = &programs[i];

		if (!name_listed(a->opts->only, p->name))
			continue;
		if (!installed(p->needs)) {
			printf("  %-14s left out: needs %s\n", p->name, p->needs);
			continue;
		}
		ret = run_rounds(a, p->name, p->command, &t);
		if (!ret)
			report_program(a, table, p, &t, &sums);
	}
	if (ret)
		return ret;
	if (!sums.nr)
		return -ENOENT;
	putchar('\n');
	results_print_table(table, stdout);
	report_sums(a, &sums);
	return 0;
}

static const char *const how_to_read[] = {
	"Wall time of the command and all that it starts, in an empty directory of a tmpfs.",
	"udax run: with the start and the end of its private daemon. served: by a udaxd that "
	"runs already, so that this is what the faults, the attaching of each process and the "
	"changes of mappings cost. CPU: the ratio of CPU times, udaxd's among them.",
};

static const char *const what_not[] = {
	"A program that runs for some milliseconds takes a multiple of that under udax run: "
	"the start of the daemon is shown apart.",
	"A tmpfs is faster than any real medium: natively nothing is waited for here.",
	"On a loaded machine the run times say who was waiting for a CPU; the CPU times "
	"still hold.",
};

static void say(json_t *report, const char *where, const char *title,
		const char *const *text, size_t nr)
{
	size_t i;

	printf("\n%s\n", title);
	for (i = 0; i < nr; i++) {
		results_say(report, where, "%s", text[i]);
		results_print_sentence(text[i], stdout);
	}
}

static void remove_all(const struct all *a)
{
	struct took took;
	char *text;

	if (asprintf(&text, "rm -rf '%s'", a->dir) < 0)
		abort();
	shell(text, NULL, &took);
	free(text);
}

int programs_run(const struct bench_opts *opts, json_t *report)
{
	struct all *a = calloc(1, sizeof(*a));
	int ret;

	if (!a || udax_find(&a->tree)) {
		free(a);
		return BENCH_CANNOT;
	}
	a->opts = opts;
	a->report = report;
	a->rounds = opts->repeat ? opts->repeat : opts->quick ? 1 : ROUNDS;
	if (a->rounds > MAX_ROUNDS)
		a->rounds = MAX_ROUNDS;
	snprintf(a->dir, sizeof(a->dir), "%.200s/udax-bench.XXXXXX", opts->dir);
	if (!mkdtemp(a->dir)) {
		fprintf(stderr, "udax-bench: %s: %s\n", a->dir, strerror(errno));
		free(a);
		return BENCH_CANNOT;
	}
	ret = udax_start(&a->daemon, &a->tree, a->dir, NULL, 0);
	if (!ret) {
		ret = run_programs(a);
		udax_stop(&a->daemon);
	}
	remove_all(a);
	if (!ret) {
		say(report, "read", "How to read this", how_to_read,
		    sizeof(how_to_read) / sizeof(how_to_read[0]));
		say(report, "not", "What not to conclude", what_not,
		    sizeof(what_not) / sizeof(what_not[0]));
	} else if (ret == -ENOENT) {
		fputs("udax-bench: none of the programs is installed\n", stderr);
	}
	free(a);
	return ret == -ENOENT ? BENCH_CANNOT : ret ? BENCH_FAIL : BENCH_OK;
}
