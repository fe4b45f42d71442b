/* SPDX-License-Identifier: BSD-3-Clause */
/* udax-bench: the table of experiments, the command line, the report file. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "dax/protocol.h"
#include "lib/stdio_fds.h"
#include "proc.h"
#include "sim_load.h"

struct experiment {
	const char *name, *what;
	experiment_fn run;
};

static const struct experiment experiments[] = {
#define X(name, function, what) { #name, what, function },
#include "tbl/experiments.h"
#undef X
};

#define NR_EXPERIMENTS (sizeof(experiments) / sizeof(experiments[0]))

volatile sig_atomic_t bench_interrupted;

static void on_signal(int sig)
{
	bench_interrupted = sig;
}

/* However a run ends, the experiment removes its files and processes. */
static void catch_signals(void)
{
	struct sigaction sa = { .sa_handler = on_signal };

	sigaction(SIGHUP, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	/* The reader of our output may go away. */
	signal(SIGPIPE, SIG_IGN);
}

static void usage(FILE *to)
{
	fputs("usage: udax-bench list\n"
	      "       udax-bench run EXPERIMENT|all [OPTION]...\n"
	      "       udax-bench report DIR\n"
	      "  --json FILE          write every raw figure to FILE\n"
	      "  --json-dir DIR       ... to EXPERIMENT.json in DIR, which report reads\n"
	      "  --protocol NAMES     protocols to compare, commas between\n"
	      "  --repeat N           rounds that count, for each variant\n"
	      "  --seed S             of every random choice (1)\n"
	      "  --quick              a short run, good for a first look only\n"
	      "  --only NAMES         groups or variants to run, commas between\n"
	      "  --dir DIR            tmpfs directory for the files (/dev/shm)\n"
	      "  --help, --version\n"
	      "exit status: 0, 1 failed, 2 usage, 77 cannot run here\n", to);
}

static int usage_error(const char *what, const char *arg)
{
	fprintf(stderr, "udax-bench: %s%s%s\n", what, arg ? ": " : "",
		arg ? arg : "");
	usage(stderr);
	return BENCH_USAGE;
}

static int list_main(void)
{
	size_t i;

	for (i = 0; i < NR_EXPERIMENTS; i++)
		printf("%-10s %s\n", experiments[i].name, experiments[i].what);
	return BENCH_OK;
}

static const struct experiment *find_experiment(const char *name)
{
	size_t i;

	for (i = 0; i < NR_EXPERIMENTS; i++)
		if (!strcmp(experiments[i].name, name))
			return &experiments[i];
	return NULL;
}

/* Every name of the list is a protocol. */
static bool protocols_known(const char *list)
{
	char name[32];
	size_t len;

	for (; *list; list += len + (list[len] == ',')) {
		len = strcspn(list, ",");
		if (!len || len >= sizeof(name))
			return false;
		snprintf(name, sizeof(name), "%.*s", (int)len, list);
		if (!dax_protocol_find(name))
			return false;
	}
	return true;
}

/* 0, or BENCH_USAGE with the reason printed. */
static int one_option(struct bench_opts *opts, int c)
{
	uint64_t n;

	switch (c) {
	case 'j':
		opts->json = optarg;
		break;
	case 'J':
		opts->json_dir = optarg;
		break;
	case 'P':
		if (!*optarg || !protocols_known(optarg))
			return usage_error("bad --protocol", optarg);
		opts->protocols = optarg;
		break;
	case 'n':
		if (parse_size(optarg, &n) || !n || n > 100000)
			return usage_error("bad --repeat", optarg);
		opts->repeat = n;
		break;
	case 's':
		if (parse_size(optarg, &n) || n > INT64_MAX)
			return usage_error("bad --seed", optarg);
		opts->seed = n;
		break;
	case 'q':
		opts->quick = true;
		break;
	case 'o':
		opts->only = optarg;
		break;
	case 'd':
		opts->dir = optarg;
		break;
	default:
		usage(stderr);
		return BENCH_USAGE;
	}
	return 0;
}

static int parse_options(struct bench_opts *opts)
{
	static const struct option longopts[] = {
		{ "json", required_argument, NULL, 'j' },
		{ "json-dir", required_argument, NULL, 'J' },
		{ "protocol", required_argument, NULL, 'P' },
		{ "repeat", required_argument, NULL, 'n' },
		{ "seed", required_argument, NULL, 's' },
		{ "quick", no_argument, NULL, 'q' },
		{ "only", required_argument, NULL, 'o' },
		{ "dir", required_argument, NULL, 'd' },
		{ NULL, 0, NULL, 0 },
	};
	int c, ret;

	optind = 3;
	while ((c = getopt_long(opts->argc, opts->argv, "", longopts,
				NULL)) != -1) {
		ret = one_option(opts, c);
		if (ret)
			return ret;
	}
	if (optind < opts->argc)
		return usage_error("too many arguments", opts->argv[optind]);
	return 0;
}

static int write_json(const char *path, json_t *report)
{
	if (!json_dump_file(report, path, JSON_INDENT(1) | JSON_REAL_PRECISION(9)))
		return 0;
	fprintf(stderr, "udax-bench: %s: %s\n", path, strerror(errno));
	return BENCH_FAIL;
}

/* The command that makes this report again, whichever way it was started. */
static json_t *again(const struct bench_opts *o, const struct experiment *e)
{
	char text[1024];
	int n;

	n = snprintf(text, sizeof(text), "udax-bench run %s --seed %llu", e->name,
		     (unsigned long long)o->seed);
	if (o->quick)
		n += snprintf(text + n, sizeof(text) - n, " --quick");
	if (o->repeat)
		n += snprintf(text + n, sizeof(text) - n, " --repeat %u", o->repeat);
	if (o->protocols)
		n += snprintf(text + n, sizeof(text) - n, " --protocol %.300s",
			      o->protocols);
	if (o->only)
		snprintf(text + n, sizeof(text) - n, " --only %.300s", o->only);
	return json_string(text);
}

/* What every report begins with; new reference. */
static json_t *envelope(const struct bench_opts *opts, const struct experiment *e)
{
	struct udax_tree tree;
	json_t *o;

	o = json_pack("{s:i,s:s,s:s,s:o,s:o,s:I,s:b,s:i}",
		      "udax_bench", BENCH_FORMAT, "experiment", e->name,
		      "what", e->what, "command", again(opts, e),
		      "host", host_json(opts),
		      "seed", (json_int_t)opts->seed, "quick", opts->quick,
		      "repeat", (int)opts->repeat);
	if (opts->protocols)
		json_object_set_new(o, "protocols", json_string(opts->protocols));
	if (!udax_find(&tree))
		json_object_set_new(o, "udaxd", udax_config(&tree));
	return o;
}

static int run_one(const struct bench_opts *opts, const struct experiment *e)
{
	json_t *report = envelope(opts, e);
	uint64_t start = clock_ns(CLOCK_MONOTONIC);
	char path[4096];
	int ret;

	ret = e->run(opts, report);
	progress("%s", "");
	json_object_set_new(report, "elapsed_ns", json_integer(
		(json_int_t)(clock_ns(CLOCK_MONOTONIC) - start)));
	json_object_set_new(report, "exit", json_integer(ret));
	if (ret != BENCH_CANNOT && opts->json && write_json(opts->json, report))
		ret = BENCH_FAIL;
	/* A report names what is missing, and why: also what cannot run here. */
	if (opts->json_dir) {
		snprintf(path, sizeof(path), "%s/%s.json", opts->json_dir, e->name);
		if (write_json(path, report))
			ret = BENCH_FAIL;
	}
	json_decref(report);
	return ret;
}

/* One after the other; those that cannot run here are passed over. */
static int run_all(const struct bench_opts *opts)
{
	struct bench_opts each = *opts;
	int ret = BENCH_OK, one;
	size_t i;

	each.only = NULL;
	if (opts->json)
		return usage_error("run all writes to --json-dir, not to --json", NULL);
	for (i = 0; i < NR_EXPERIMENTS && !bench_interrupted; i++) {
		if (!name_listed(opts->only, experiments[i].name))
			continue;
		printf("==== %s: %s\n", experiments[i].name, experiments[i].what);
		one = run_one(&each, &experiments[i]);
		if (one == BENCH_FAIL) {
			fprintf(stderr, "udax-bench: %s failed\n",
				experiments[i].name);
			ret = BENCH_FAIL;
		}
		putchar('\n');
	}
	return bench_interrupted ? BENCH_FAIL : ret;
}

static int run_main(int argc, char **argv)
{
	struct bench_opts opts = {
		.dir = "/dev/shm", .seed = 1, .argc = argc, .argv = argv,
	};
	const struct experiment *e = NULL;
	int ret;

	if (argc < 3)
		return usage_error("which experiment?", NULL);
	if (strcmp(argv[2], "all")) {
		e = find_experiment(argv[2]);
		if (!e)
			return usage_error("no such experiment", argv[2]);
	}
	ret = parse_options(&opts);
	if (ret)
		return ret;
	catch_signals();
	return e ? run_one(&opts, e) : run_all(&opts);
}

static int run_verb(int argc, char **argv)
{
	if (argc < 2)
		return usage_error("which verb?", NULL);
	if (!strcmp(argv[1], "list"))
		return argc == 2 ? list_main() :
			usage_error("too many arguments", argv[2]);
	if (!strcmp(argv[1], "run"))
		return run_main(argc, argv);
	if (!strcmp(argv[1], "report"))
		return report_main(argc - 1, argv + 1);
	if (!strcmp(argv[1], "touch"))
		return touch_main(argc - 1, argv + 1);
	if (!strcmp(argv[1], "serve"))
		return serve_main(argc - 1, argv + 1);
	if (!strcmp(argv[1], "mapper"))
		return mapper_main(argc - 1, argv + 1);
	if (!strcmp(argv[1], "faulters"))
		return faulters_main(argc - 1, argv + 1);
	if (!strcmp(argv[1], "simload"))
		return simload_main(argc - 1, argv + 1);
	if (!strcmp(argv[1], "--help")) {
		usage(stdout);
		return BENCH_OK;
	}
	if (!strcmp(argv[1], "--version")) {
		puts("udax-bench " PACKAGE_VERSION);
		return BENCH_OK;
	}
	return usage_error("no such verb", argv[1]);
}

int main(int argc, char **argv)
{
	int status;

	stdio_fds_open();
	setvbuf(stdout, NULL, _IOLBF, 0);
	status = run_verb(argc, argv);
	if (stdout_is_written())
		return status;
	fputs("udax-bench: cannot write to standard output\n", stderr);
	return BENCH_FAIL;
}
