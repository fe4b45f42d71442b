/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "cli/cli.h"
#include "dax/protocol.h"
#include "lib/stdio_fds.h"

static const struct verb {
	const char *name;
	int (*fn)(int argc, char **argv);
	const char *help;
} verbs[] = {
#define X(name, fn, help) { name, fn, help },
#include "cli/tbl/verbs.h"
#undef X
};

#define NR_VERBS (sizeof(verbs) / sizeof(verbs[0]))

static const struct verb *verb_find(const char *name)
{
	for (size_t i = 0; i < NR_VERBS; i++)
		if (!strcmp(verbs[i].name, name))
			return &verbs[i];
	return NULL;
}

static int help(FILE *out)
{
	fputs("Usage: udax VERB [OPTION]... [ARGUMENT]...\n"
	      "Runs programs on emulated DAX.\n\n", out);
	for (size_t i = 0; i < NR_VERBS; i++)
		fprintf(out, "  %-10s %s\n", verbs[i].name, verbs[i].help);
	fputs("  help       print this, or the help of a verb\n\n"
	      "Also: --help, --version, --list-cmds, --list-protocols.\n", out);
	return 0;
}

static int unknown(const char *name)
{
	complain("%s: unknown verb", name);
	fputs("Try 'udax --help'.\n", stderr);
	return EXIT_USAGE;
}

static int help_verb(int argc, char **argv)
{
	char *args[] = { NULL, (char[]){ "--help" }, NULL };
	const struct verb *v;

	if (argc < 2)
		return help(stdout);
	v = verb_find(argv[1]);
	if (!v)
		return unknown(argv[1]);
	args[0] = argv[1];
	return v->fn(2, args);
}

static int list_cmds(void)
{
	for (size_t i = 0; i < NR_VERBS; i++)
		puts(verbs[i].name);
	puts("help");
	return 0;
}

static int list_protocols(void)
{
	const struct dax_protocol *p;

	for (unsigned int i = 0; (p = dax_protocol_nth(i)); i++)
		puts(p->name);
	return 0;
}

int main(int argc, char **argv)
{
	const struct verb *v;
	const char *name;
	int status;

	stdio_fds_open();
	if (argc < 2) {
		help(stderr);
		return EXIT_USAGE;
	}
	name = argv[1];
	v = verb_find(name);
	if (v)
		status = v->fn(argc - 1, argv + 1);
	else if (!strcmp(name, "help"))
		status = help_verb(argc - 1, argv + 1);
	else if (!strcmp(name, "--help") || !strcmp(name, "-h"))
		status = help(stdout);
	else if (!strcmp(name, "--version"))
		status = puts("udax " PACKAGE_VERSION) < 0;
	else if (!strcmp(name, "--list-cmds"))
		status = list_cmds();
	else if (!strcmp(name, "--list-protocols"))
		status = list_protocols();
	else
		return unknown(name);
	if (!stdout_is_written()) {
		complain("cannot write to standard output");
		return EXIT_UDAX;
	}
	return status;
}
