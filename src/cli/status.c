/* SPDX-License-Identifier: BSD-3-Clause */
#include <getopt.h>

#include "cli/cli.h"
#include "cli/rpc.h"
#include "lib/parse.h"

static const struct option long_options[] = {
	{ "socket", required_argument, NULL, 's' },
	{ "human", no_argument, NULL, 'u' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 }
};

static void help(void)
{
	fputs("Usage: udax status [--socket SOCK] [-u]\n"
	      "Says what a running udaxd is and has done, as JSON.\n\n"
	      "  --socket SOCK   its data socket (default: $UDAX_SOCKET)\n"
	      "  -u, --human     for people\n"
	      "  -h, --help      print this\n", stdout);
}

static const char *text(const json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));

	return s ? s : "?";
}

static void print_rules(const json_t *s, const char *name, const char *label)
{
	const json_t *rule;
	size_t i;

	json_array_foreach(json_object_get(s, name), i, rule)
		printf("  %-10s %s\n", label, json_string_value(rule));
}

static void print_human(const json_t *s)
{
	const json_t *pmem = json_object_get(s, "pmem");
	char uptime[24];
	json_t *dir;
	size_t i;

	format_duration(uptime, sizeof(uptime), json_number(s, "uptime_ns"));
	printf("udaxd %s, process %d, up %s\n", text(s, "version"),
	       (int)json_number(s, "pid"), uptime);
	printf("  socket     %s\n", text(s, "socket"));
	json_array_foreach(pmem, i, dir)
		printf("  pmem       %s\n", json_string_value(dir));
	printf("  threads    %d workers, %d helpers\n",
	       (int)json_number(s, "workers"), (int)json_number(s, "helpers"));
	printf("  protocol   %s, track %s, media %s\n", text(s, "protocol"),
	       text(s, "track"), text(s, "media"));
	printf("  lost       %s; %d operations wait, %d of them stranded\n",
	       text(s, "on_lost_wakeup"), (int)json_number(s, "waiting"),
	       (int)json_number(s, "stranded"));
	print_rules(s, "protocol_rules", "protocol");
	print_rules(s, "hold", "hold");
	printf("  now        %d sessions, %d files; %d runs so far\n\n",
	       (int)json_number(s, "sessions"), (int)json_number(s, "files"),
	       (int)json_number(s, "runs"));
	print_summary(json_object_get(s, "counters"), stdout);
}

int cmd_status(int argc, char **argv)
{
	const char *socket = NULL;
	bool human = false;
	json_t *status;
	struct rpc r;
	int c, ret;

	while ((c = getopt_long(argc, argv, "s:uh", long_options, NULL)) >= 0) {
		switch (c) {
		case 's':
			socket = optarg;
			break;
		case 'u':
			human = true;
			break;
		case 'h':
			help();
			return 0;
		default:
			fputs("Try 'udax help status'.\n", stderr);
			return EXIT_USAGE;
		}
	}
	if (optind < argc)
		return usage_error("status", "%s: no arguments are taken",
				   argv[optind]);
	ret = daemon_open(&r, "status", socket);
	if (ret >= 0)
		return ret;
	ret = 0;
	status = daemon_call(&r, "get_status", NULL, &ret);
	if (status && human)
		print_human(status);
	else if (status)
		ret = print_json(status, stdout);
	json_decref(status);
	rpc_close(&r);
	return ret;
}
