/* SPDX-License-Identifier: BSD-3-Clause */
#include "cli/doctor.h"

#include <getopt.h>

#include "cli/cli.h"

static const struct option long_options[] = {
	{ "json", no_argument, NULL, 'j' },
	{ "human", no_argument, NULL, 'u' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 }
};

static const struct {
	const char *name;
	probe_fn *fn;
	const char *label;
} probes[] = {
#define X(name, fn, label) { name, fn, label },
	PROBES(X)
#undef X
};

static const char *const verdicts[] = {
	[VERDICT_OK] = "ok",
	[VERDICT_INFO] = "info",
	[VERDICT_LACKS] = "lacks",
	[VERDICT_NEEDED] = "needed",
};

static void help(void)
{
	fputs("Usage: udax doctor [--json]\n"
	      "Tries what udax needs of this machine: a line each, and how to enable it.\n"
	      "Exit status 77 when page faults cannot be served at all.\n\n"
	      "  --json       one JSON object instead\n"
	      "  -u, --human  for people (the default)\n"
	      "  -h, --help   print this\n", stdout);
}

static void print_human(const char *label, const struct finding *f)
{
	printf("%-7s %-34s %s", verdicts[f->verdict], label, f->detail);
	if (f->enable && f->verdict >= VERDICT_LACKS)
		printf("; %s", f->enable);
	putchar('\n');
}

static json_t *finding_json(const struct finding *f)
{
	json_t *o = json_pack("{s:s,s:s}", "verdict", verdicts[f->verdict],
			      "detail", f->detail);

	if (f->enable && f->verdict >= VERDICT_LACKS)
		json_object_set_new(o, "enable", json_string(f->enable));
	return o;
}

static int examine(bool json)
{
	json_t *all = json_object();
	int ret = 0, err = 0;

	for (size_t i = 0; i < sizeof(probes) / sizeof(probes[0]); i++) {
		struct finding f = { VERDICT_OK };

		probes[i].fn(&f);
		if (f.verdict == VERDICT_NEEDED)
			ret = EXIT_CANNOT;
		if (json)
			json_object_set_new(all, probes[i].name,
					    finding_json(&f));
		else
			print_human(probes[i].label, &f);
	}
	if (json)
		err = print_json(all, stdout);
	json_decref(all);
	return err ? err : ret;
}

int cmd_doctor(int argc, char **argv)
{
	bool json = false;
	int c;

	while ((c = getopt_long(argc, argv, "uh", long_options, NULL)) >= 0) {
		switch (c) {
		case 'j':
			json = true;
			break;
		case 'u':
			json = false;
			break;
		case 'h':
			help();
			return 0;
		default:
			fputs("Try 'udax help doctor'.\n", stderr);
			return EXIT_USAGE;
		}
	}
	if (optind < argc)
		return usage_error("doctor", "%s: no arguments are taken",
				   argv[optind]);
	return examine(json);
}
