/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/replay_live.h"
#include "cli/scenario.h"
#include "lib/parse.h"
#include "mm/replay_model.h"

#define MAX_RUNS 100000

static const struct option long_options[] = {
	{ "driver", required_argument, NULL, 'd' },
	{ "kernel", required_argument, NULL, 'k' },
	{ "fs", required_argument, NULL, 'f' },
	{ "extents", required_argument, NULL, 'e' },
	{ "runs", required_argument, NULL, 'r' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 }
};

struct options {
	const char *driver, *kernel, *fs, *extents;
	const struct mm_variant *variant;
	bool live;
	uint64_t runs;
};

static void help(void)
{
	fputs("Usage: udax replay [OPTION]... SCRIPT...\n"
	      "Runs scenario scripts and prints the log of what happened.\n\n"
	      "  --driver model    on a simulated process and file system (default)\n"
	      "  --driver live     with real threads, mappings and page faults, by udaxd\n"
	      "  --runs N          live: run it N times, and print the set of outcomes\n"
	      "  --kernel VERSION  behave as Linux 6.18 (default) or 6.1\n"
	      "  --fs NAME         behave as on xfs (default) or ext4\n"
	      "  --extents LOG     allocate where LOG, recorded with the one SCRIPT, says\n"
	      "  -h, --help        print this\n\n"
	      "Exit status: 0, 2 for an error in a script or on the command line, 77 this\n"
	      "machine cannot serve faults, 125 udax failed.\n", stdout);
}

static int replay_one(const struct options *o, const struct extlog *extents,
		      const char *path)
{
	struct replay_options ro = {
		.variant = o->variant,
		.extents = extents,
		.out = stdout,
	};
	struct script script;
	char *scenario;
	char msg[120];
	int status;

	status = load_script(path, &script);
	if (status)
		return status;
	scenario = scenario_name(path);
	ro.scenario = scenario ? scenario : path;
	if (o->live) {
		status = replay_live(path, &script, &ro, o->runs);
	} else if (replay_model(&script, &ro, msg, sizeof(msg))) {
		complain("%s: %s", path, msg);
		status = EXIT_UDAX;
	}
	free(scenario);
	script_free(&script);
	return status;
}

/* -1 to go on, else the exit status. */
static int parse(struct options *o, int argc, char **argv)
{
	int c;

	*o = (struct options) {
		.driver = "model", .kernel = "6.18", .fs = "xfs", .runs = 1,
	};
	while ((c = getopt_long(argc, argv, "h", long_options, NULL)) >= 0) {
		switch (c) {
		case 'd':
			o->driver = optarg;
			break;
		case 'k':
			o->kernel = optarg;
			break;
		case 'f':
			o->fs = optarg;
			break;
		case 'e':
			o->extents = optarg;
			break;
		case 'r':
			if (parse_uint(optarg, MAX_RUNS, &o->runs) || !o->runs)
				return usage_error("replay", "--runs %s: not a number from 1 to %d",
						   optarg, MAX_RUNS);
			break;
		case 'h':
			help();
			return 0;
		default:
			fputs("Try 'udax help replay'.\n", stderr);
			return EXIT_USAGE;
		}
	}
	o->live = !strcmp(o->driver, "live");
	if (!o->live && strcmp(o->driver, "model"))
		return usage_error("replay", "--driver %s: no such driver",
				   o->driver);
	if (!o->live && o->runs > 1)
		return usage_error("replay", "--runs goes with --driver live: the model has one outcome");
	o->variant = mm_variant_find(o->kernel, o->fs);
	if (!o->variant)
		return usage_error("replay", "no --kernel %s with --fs %s",
				   o->kernel, o->fs);
	if (optind == argc)
		return usage_error("replay", "no script to run");
	if (o->extents && argc - optind > 1)
		return usage_error("replay", "--extents goes with one script");
	return -1;
}

int cmd_replay(int argc, char **argv)
{
	struct extlog extents = { NULL, 0 };
	struct options o;
	int i, status;

	status = parse(&o, argc, argv);
	if (status >= 0)
		return status;
	status = o.extents ? load_extents(o.extents, &extents) : 0;
	for (i = optind; i < argc && !status; i++)
		status = replay_one(&o, o.extents ? &extents : NULL, argv[i]);
	extlog_free(&extents);
	return status;
}
