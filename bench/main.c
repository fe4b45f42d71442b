/* SPDX-License-Identifier: BSD-3-Clause */
/* udax-bench: the table of experiments, the command line, the report file. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

static const struct experiment experiments[] = {
	{ "floor", floor_run,
	  "page faults of udaxd beside the raw userfaultfd loop and native" },
	{ "idle", idle_run,
	  "CPU time of a daemon with 1000 mappings and no faults" },
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
	      "       udax-bench run EXPERIMENT [OPTION]...\n"
	      "  --json FILE   write every raw figure to FILE\n"
	      "  --repeat N    rounds that count, for each variant\n"
	      "  --quick       a short run, good for a first look only\n"
	      "  --only NAMES  groups or variants to run, commas between\n"
	      "  --dir DIR     tmpfs directory for the files (/dev/shm)\n"
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

/* 0, or BENCH_USAGE with the reason printed. */
static int parse_options(struct bench_opts *opts)
{
	static const struct option longopts[] = {
		{ "json", required_argument, NULL, 'j' },
		{ "repeat", required_argument, NULL, 'n' },
		{ "quick", no_argument, NULL, 'q' },
		{ "only", required_argument, NULL, 'o' },
		{ "dir", required_argument, NULL, 'd' },
		{ NULL, 0, NULL, 0 },
	};
	uint64_t n;
	int c;

	optind = 3;
	while ((c = getopt_long(opts->argc, opts->argv, "", longopts,
				NULL)) != -1) {
		switch (c) {
		case 'j':
			opts->json = optarg;
			break;
		case 'n':
			if (parse_size(optarg, &n) || !n || n > 100000)
				return usage_error("bad --repeat", optarg);
			opts->repeat = n;
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
	}
	if (optind < opts->argc)
		return usage_error("too many arguments", opts->argv[optind]);
	return 0;
}

static int write_report(const struct bench_opts *opts, json_t *report)
{
	if (!opts->json)
		return 0;
	if (json_dump_file(report, opts->json, JSON_INDENT(1) | JSON_REAL_PRECISION(9))) {
		fprintf(stderr, "udax-bench: %s: %s\n", opts->json,
			strerror(errno));
		return BENCH_FAIL;
	}
	return 0;
}

static int run_main(int argc, char **argv)
{
	struct bench_opts opts = { .dir = "/dev/shm", .argc = argc, .argv = argv };
	const struct experiment *e;
	json_t *report;
	int ret;

	if (argc < 3)
		return usage_error("which experiment?", NULL);
	e = find_experiment(argv[2]);
	if (!e)
		return usage_error("no such experiment", argv[2]);
	ret = parse_options(&opts);
	if (ret)
		return ret;
	catch_signals();
	report = json_object();
	json_object_set_new(report, "experiment", json_string(e->name));
	json_object_set_new(report, "host", host_json(&opts));
	ret = e->run(&opts, report);
	json_object_set_new(report, "exit", json_integer(ret));
	if (ret != BENCH_CANNOT && write_report(&opts, report))
		ret = BENCH_FAIL;
	json_decref(report);
	return ret;
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc < 2)
		return usage_error("which verb?", NULL);
	if (!strcmp(argv[1], "list"))
		return argc == 2 ? list_main() :
			usage_error("too many arguments", argv[2]);
	if (!strcmp(argv[1], "run"))
		return run_main(argc, argv);
	if (!strcmp(argv[1], "touch"))
		return touch_main(argc - 1, argv + 1);
	if (!strcmp(argv[1], "serve"))
		return serve_main(argc - 1, argv + 1);
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
