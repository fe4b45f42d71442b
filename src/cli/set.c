/* SPDX-License-Identifier: BSD-3-Clause */
#include <getopt.h>

#include "cli/cli.h"
#include "cli/rpc.h"

static const struct option long_options[] = {
	{ "socket", required_argument, NULL, 's' },
	{ "hold", required_argument, NULL, 'H' },
	{ "no-hold", no_argument, NULL, 'N' },
	{ "on-lost-wakeup", required_argument, NULL, 'L' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 }
};

static void help(void)
{
	fputs("Usage: udax set [--socket SOCK] [--hold RULE]... [--on-lost-wakeup ACTION]\n"
	      "Changes how a running udaxd behaves.\n\n"
	      "  --hold [GLOB:]KIND=TIME[,...]\n"
	      "                   how long media take, instead of the rules so far (repeatable)\n"
	      "  --no-hold        they take no time\n"
	      "  --on-lost-wakeup ACTION\n"
	      "                   report, kick or kill\n"
	      "  --socket SOCK    its data socket (default: $UDAX_SOCKET)\n"
	      "  -h, --help       print this\n", stdout);
}

static int set(const char *socket, json_t *params)
{
	struct rpc r;
	json_t *done;
	int ret = daemon_open(&r, "set", socket);

	if (ret >= 0) {
		json_decref(params);
		return ret;
	}
	ret = 0;
	done = daemon_call(&r, "set", params, &ret);
	json_decref(done);
	rpc_close(&r);
	return ret;
}

int cmd_set(int argc, char **argv)
{
	json_t *params = json_object(), *holds = NULL;
	const char *socket = NULL;
	int c;

	while ((c = getopt_long(argc, argv, "h", long_options, NULL)) >= 0) {
		switch (c) {
		case 's':
			socket = optarg;
			break;
		case 'H':
		case 'N':
			if (!holds)
				holds = json_array();
			if (c == 'H')
				json_array_append_new(holds, json_string(optarg));
			break;
		case 'L':
			json_object_set_new(params, "on_lost_wakeup",
					    json_string(optarg));
			break;
		case 'h':
			help();
			json_decref(holds);
			json_decref(params);
			return 0;
		default:
			fputs("Try 'udax help set'.\n", stderr);
			json_decref(holds);
			json_decref(params);
			return EXIT_USAGE;
		}
	}
	if (holds)
		json_object_set_new(params, "hold", holds);
	if (optind < argc || !json_object_size(params)) {
		json_decref(params);
		return optind < argc ?
			usage_error("set", "%s: no arguments are taken",
				    argv[optind]) :
			usage_error("set", "nothing to set");
	}
	return set(socket, params);
}
