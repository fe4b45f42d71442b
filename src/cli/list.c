/* SPDX-License-Identifier: BSD-3-Clause */
#include <getopt.h>
#include <inttypes.h>

#include "cli/list.h"
#include "lib/parse.h"

static const struct option long_options[] = {
	{ "socket", required_argument, NULL, 's' },
	{ "sessions", no_argument, NULL, 'S' },
	{ "files", no_argument, NULL, 'F' },
	{ "mappings", no_argument, NULL, 'M' },
	{ "waiters", no_argument, NULL, 'W' },
	{ "entries", required_argument, NULL, 'E' },
	{ "human", no_argument, NULL, 'u' },
	{ "verbose", no_argument, NULL, 'v' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 }
};

static void help(void)
{
	fputs("Usage: udax list [--socket SOCK] [-S] [-F] [-M] [-W] [-E FILE] [-u]\n"
	      "Lists what a running udaxd serves, as JSON; sessions, files and mappings if\n"
	      "nothing else is asked for.\n\n"
	      "  -S, --sessions  programs, one for each memory\n"
	      "  -F, --files     files that are mapped\n"
	      "  -M, --mappings  mappings of files\n"
	      "  -W, --waiters   what waits for an entry, and what holds one while its medium\n"
	      "                  works\n"
	      "  -E, --entries FILE\n"
	      "                  the table of a file that is mapped\n"
	      "  --socket SOCK   its data socket (default: $UDAX_SOCKET)\n"
	      "  -u, --human     tables for people\n"
	      "  -v, --verbose   with all counters of each session\n"
	      "  -h, --help      print this\n", stdout);
}

static const char *text(const json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));

	return s ? s : "?";
}

static void sessions(const json_t *list)
{
	const json_t *s;
	size_t i;

	printf("%6s %8s %-16s %-7s %9s %12s %12s\n", "ID", "PID", "PROGRAM",
	       "STATE", "MAPPINGS", "4K FAULTS", "2M FAULTS");
	json_array_foreach(list, i, s)
		printf("%6" PRId64 " %8" PRId64 " %-16s %-7s %9" PRId64
		       " %12" PRId64 " %12" PRId64 "\n",
		       (int64_t)json_number(s, "id"),
		       (int64_t)json_number(s, "pid"), text(s, "comm"),
		       text(s, "state"), (int64_t)json_number(s, "regions"),
		       (int64_t)json_number(s, "pte"),
		       (int64_t)json_number(s, "pmd"));
}

static void files(const json_t *list)
{
	const json_t *f;
	char size[24];
	size_t i;

	printf("%6s %-7s %8s %9s %s\n", "ID", "MEDIA", "SIZE", "MAPPINGS",
	       "PATH");
	json_array_foreach(list, i, f)
		printf("%6" PRId64 " %-7s %8s %9" PRId64 " %s\n",
		       (int64_t)json_number(f, "id"), text(f, "media"),
		       format_size(size, sizeof(size), json_number(f, "size")),
		       (int64_t)json_number(f, "mappings"), text(f, "path"));
}

static void mappings(const json_t *list)
{
	char length[24], offset[24];
	const json_t *m;
	size_t i;

	printf("%6s %8s %6s %14s %8s %8s %s\n", "ID", "PID", "FILE", "ADDRESS",
	       "LENGTH", "OFFSET", "PROT");
	json_array_foreach(list, i, m)
		printf("%6" PRId64 " %8" PRId64 " %6" PRId64 " %14" PRIx64
		       " %8s %8s %s%c\n", (int64_t)json_number(m, "id"),
		       (int64_t)json_number(m, "pid"),
		       (int64_t)json_number(m, "file"),
		       (uint64_t)json_number(m, "start"),
		       format_size(length, sizeof(length),
				   json_number(m, "length")),
		       format_size(offset, sizeof(offset),
				   json_number(m, "offset")),
		       text(m, "prot"),
		       json_is_true(json_object_get(m, "private")) ? 'p' : 's');
}

static const struct kind {
	char letter;
	const char *name, *method;
	void (*print)(const json_t *list);
} kinds[] = {
	{ 'S', "sessions", "list_sessions", sessions },
	{ 'F', "files", "list_files", files },
	{ 'M', "mappings", "list_mappings", mappings },
	{ 'W', "waiters", "list_waiters", print_waiters },
	{ 'W', "holds", "list_holds", print_holds },
};

#define NR_KINDS (sizeof(kinds) / sizeof(kinds[0]))
/* The letters of what is listed when nothing else is asked for. */
#define NORMAL "SFM"

static json_t *params_of(const struct kind *kind, bool verbose)
{
	if (kind->letter != 'S' || !verbose)
		return NULL;
	return json_pack("{s:b}", "counters", 1);
}

static int list(struct rpc *r, const bool *wanted, const char *file, bool human,
		bool verbose)
{
	json_t *all = json_object(), *one;
	int ret = 0;

	for (size_t i = 0; i < NR_KINDS && !ret; i++) {
		if (!wanted[i])
			continue;
		one = daemon_call(r, kinds[i].method, params_of(&kinds[i], verbose),
				  &ret);
		if (one && human)
			kinds[i].print(one);
		json_object_set_new(all, kinds[i].name, one);
	}
	if (file && !ret) {
		one = fetch_entries(r, file, &ret);
		if (one && human)
			print_entries(one);
		json_object_set_new(all, "entries", one);
	}
	if (!ret && !human)
		ret = print_json(all, stdout);
	json_decref(all);
	return ret;
}

static void want(bool *wanted, int letter)
{
	for (size_t i = 0; i < NR_KINDS; i++)
		if (kinds[i].letter == letter)
			wanted[i] = true;
}

int cmd_list(int argc, char **argv)
{
	bool wanted[NR_KINDS] = { false }, human = false, any = false,
	     verbose = false;
	const char *socket = NULL, *file = NULL;
	struct rpc r;
	int c, ret;

	while ((c = getopt_long(argc, argv, "s:SFMWE:uvh", long_options, NULL)) >= 0) {
		switch (c) {
		case 's':
			socket = optarg;
			break;
		case 'S':
		case 'F':
		case 'M':
		case 'W':
			want(wanted, c);
			any = true;
			break;
		case 'E':
			file = optarg;
			any = true;
			break;
		case 'u':
			human = true;
			break;
		case 'v':
			verbose = true;
			break;
		case 'h':
			help();
			return 0;
		default:
			fputs("Try 'udax help list'.\n", stderr);
			return EXIT_USAGE;
		}
	}
	if (optind < argc)
		return usage_error("list", "%s: no arguments are taken",
				   argv[optind]);
	for (const char *letter = NORMAL; !any && *letter; letter++)
		want(wanted, *letter);
	ret = daemon_open(&r, "list", socket);
	if (ret >= 0)
		return ret;
	ret = list(&r, wanted, file, human, verbose);
	rpc_close(&r);
	return ret;
}
