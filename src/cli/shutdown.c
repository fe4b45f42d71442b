/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <getopt.h>
#include <poll.h>

#include "cli/cli.h"
#include "cli/rpc.h"

static const struct option long_options[] = {
	{ "socket", required_argument, NULL, 's' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 }
};

static void help(void)
{
	fputs("Usage: udax shutdown [--socket SOCK]\n"
	      "Ends a running udaxd; returns when its files are written back and it is gone.\n\n"
	      "  --socket SOCK   its data socket (default: $UDAX_SOCKET)\n"
	      "  -h, --help      print this\n", stdout);
}

/* It hangs up at its end. */
static void wait_gone(struct rpc *r)
{
	struct pollfd p = { .fd = r->fd, .events = POLLRDHUP };

	while (poll(&p, 1, -1) < 0 && errno == EINTR)
		;
}

int cmd_shutdown(int argc, char **argv)
{
	const char *socket = NULL;
	json_t *result;
	struct rpc r;
	int c, ret;

	while ((c = getopt_long(argc, argv, "s:h", long_options, NULL)) >= 0) {
		switch (c) {
		case 's':
			socket = optarg;
			break;
		case 'h':
			help();
			return 0;
		default:
			fputs("Try 'udax help shutdown'.\n", stderr);
			return EXIT_USAGE;
		}
	}
	if (optind < argc)
		return usage_error("shutdown", "%s: no arguments are taken",
				   argv[optind]);
	ret = daemon_open(&r, "shutdown", socket);
	if (ret >= 0)
		return ret;
	ret = 0;
	result = daemon_call(&r, "shutdown", NULL, &ret);
	if (result)
		wait_gone(&r);
	rpc_close(&r);
	json_decref(result);
	return ret;
}
