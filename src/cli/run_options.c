/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/run.h"
#include "lib/path.h"
#include "udax/wire.h"

static const struct option long_options[] = {
	{ "pmem", required_argument, NULL, 'p' },
	{ "daemon", required_argument, NULL, 'd' },
	{ "protocol", required_argument, NULL, 'P' },
	{ "hold", required_argument, NULL, 'H' },
	{ "on-lost-wakeup", required_argument, NULL, 'L' },
	{ "track", required_argument, NULL, 't' },
	{ "media", required_argument, NULL, 'm' },
	{ "mmap-lock", required_argument, NULL, 'l' },
	{ "json", required_argument, NULL, 'j' },
	{ "fault-around", required_argument, NULL, 'A' },
	{ "trace", required_argument, NULL, 'T' },
	{ "trace-size", required_argument, NULL, 'S' },
	{ "quiet", no_argument, NULL, 'q' },
	{ "require", no_argument, NULL, 'r' },
	{ "verbose", no_argument, NULL, 'v' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 }
};

static void help(void)
{
	fputs("Usage: udax run [OPTION]... --pmem DIR -- CMD [ARG]...\n"
	      "Runs CMD; its faults on mappings of files below DIR are served as DAX faults.\n\n"
	      "  --pmem DIR        a directory of persistent-memory files (repeatable;\n"
	      "                    default: $UDAX_PMEM)\n"
	      "  --daemon SOCK     use the udaxd that listens at SOCK (default: a private one,\n"
	      "                    for as long as CMD runs)\n"
	      "  --protocol [GLOB:]NAME\n"
	      "                    fault protocol (default: 616, today's kernel), or that of\n"
	      "                    files GLOB\n"
	      "  --hold [GLOB:]KIND=TIME[,...]\n"
	      "                    how long the medium takes; KIND: alloc, read or flush\n"
	      "  --on-lost-wakeup ACTION\n"
	      "                    report, kick (default) or kill: what is done about a fault\n"
	      "                    that nobody is left to wake\n"
	      "  --track MODE      fast: huge mappings, no fault for a write after a read\n"
	      "  --media KIND      auto, direct (tmpfs, hugetlbfs) or image (any file system)\n"
	      "  --mmap-lock KIND  kernel: a fault that waits keeps mmap() and the like waiting,\n"
	      "                    as in the kernel; none (default)\n"
	      "  --json FILE       write the summary to FILE as JSON (-: standard output)\n"
	      "  --fault-around N  a 4K fault maps up to N pages, a power of two (default: 1)\n"
	      "  --trace FILE      write a trace of the faults to FILE: udax script prints it\n"
	      "  --trace-size SIZE at most so many bytes of it a thread of udaxd (default: 64M)\n"
	      "  -q, --quiet       no summary on standard error\n"
	      "  --require         fail (125) if the program was not emulated\n"
	      "  -v, --verbose     say what happens\n"
	      "  -h, --help        print this\n\n"
	      "Exit status: CMD's, 128+N if signal N ended it; 127 not found, 126 cannot be\n"
	      "run, 125 udax failed, 77 this machine cannot, 2 usage.\n", stdout);
}

static int add_dir(struct run_options *o, const char *path)
{
	char *dir = NULL, *joined, **dirs;
	int err;

	err = path_canonical_dir(path, &dir);
	if (err) {
		complain("--pmem %s: %s", path, strerror(-err));
		return EXIT_USAGE;
	}
	if (strchr(dir, ':')) {
		free(dir);
		complain("--pmem %s: a path with ':' cannot be used", path);
		return EXIT_USAGE;
	}
	dirs = reallocarray(o->dirs, o->nr_dirs + 1, sizeof(*dirs));
	if (dirs)
		o->dirs = dirs;
	if (!dirs || asprintf(&joined, "%s%s%s", o->pmem ? o->pmem : "",
			      o->pmem ? ":" : "", dir) < 0) {
		free(dir);
		complain("out of memory");
		return EXIT_UDAX;
	}
	o->dirs[o->nr_dirs++] = dir;
	free(o->pmem);
	o->pmem = joined;
	return -1;
}

/* The directories of an outer udax run, or of the user's own setting. */
static int dirs_from_env(struct run_options *o)
{
	const char *env = getenv(UDAX_ENV_PMEM);
	char *copy, *dir, *rest;
	int status = -1;

	if (!env || !*env)
		return usage_error("run", "no --pmem DIR");
	copy = rest = strdup(env);
	while (status < 0 && (dir = strsep(&rest, ":")))
		if (*dir)
			status = add_dir(o, dir);
	free(copy);
	return status;
}

/* udaxd knows what they mean. */
static int add_rule(struct run_options *o, const char *option, const char *arg)
{
	const char **rules = reallocarray(o->rules, o->nr_rules + 2,
					  sizeof(*rules));

	if (!rules) {
		complain("out of memory");
		return EXIT_UDAX;
	}
	o->rules = rules;
	o->rules[o->nr_rules++] = option;
	o->rules[o->nr_rules++] = arg;
	return -1;
}

static int one_option(struct run_options *o, int c, char *arg)
{
	switch (c) {
	case 'p':
		return add_dir(o, arg);
	case 'd':
		o->daemon = arg;
		return -1;
	case 'P':
		return add_rule(o, "--protocol", arg);
	case 'L':
		o->on_lost = arg;
		return -1;
	case 'H':
		return add_rule(o, "--hold", arg);
	case 't':
		o->track = arg;
		return -1;
	case 'm':
		o->media = arg;
		return -1;
	case 'l':
		o->mmap_lock = !strcmp(arg, "kernel");
		if (o->mmap_lock || !strcmp(arg, "none"))
			return -1;
		complain("--mmap-lock %s: none of kernel, none", arg);
		return EXIT_USAGE;
	case 'j':
		o->json = arg;
		return -1;
	case 'A':
		o->around = arg;
		return -1;
	case 'T':
		o->trace = arg;
		return -1;
	case 'S':
		o->trace_size = arg;
		return -1;
	case 'q':
		o->quiet = true;
		return -1;
	case 'r':
		o->require = true;
		return -1;
	case 'v':
		o->verbose = true;
		return -1;
	case 'h':
		help();
		return 0;
	default:
		fputs("Try 'udax help run'.\n", stderr);
		return EXIT_USAGE;
	}
}

int run_options_parse(struct run_options *o, int argc, char **argv)
{
	int c, status;

	*o = (struct run_options) { 0 };
	/* '+': the first word that is no option is the program. */
	while ((c = getopt_long(argc, argv, "+qvh", long_options, NULL)) >= 0) {
		status = one_option(o, c, optarg);
		if (status >= 0)
			return status;
	}
	if (optind == argc)
		return usage_error("run", "no program to run");
	o->cmd = argv + optind;
	if (o->daemon && (o->nr_rules || o->on_lost || o->track || o->media ||
			  o->around || o->trace || o->trace_size))
		return usage_error("run", "--protocol, --hold, --on-lost-wakeup, --track, "
				   "--media, --fault-around and --trace are the "
				   "daemon's: not with --daemon");
	return o->nr_dirs ? -1 : dirs_from_env(o);
}

void run_options_free(struct run_options *o)
{
	for (size_t i = 0; i < o->nr_dirs; i++)
		free(o->dirs[i]);
	free(o->dirs);
	free(o->rules);
	free(o->pmem);
}
