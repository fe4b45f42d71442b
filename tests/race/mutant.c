/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Prints the outcomes of a race, of the model as it was linked: one with a fault
 * planted, for mutants.sh.
 */
#include <stdlib.h>
#include <string.h>

#include "mm/race.h"

static int explore(const struct script *script, const char *name)
{
	struct race_options o = {
		.variant = mm_variant_nth(0),
		.name = name,
		.por = true,
		.merge = true,
		.max_faults = 3,
		.max_states = 100000,
	};
	struct race_totals t;
	struct outcomes set;
	char msg[120];
	int rc;

	outcomes_init(&set);
	rc = race_explore(script, &o, &set, &t, msg, sizeof(msg));
	if (rc)
		fprintf(stderr, "%s: %s\n", name, msg);
	else
		outcomes_print(&set, NULL, stdout);
	outcomes_free(&set);
	return rc ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	static char text[4096];
	struct script_error err;
	struct script script;
	FILE *in = argc == 2 ? fopen(argv[1], "r") : NULL;
	size_t len;
	int status;

	if (!in)
		return EXIT_FAILURE;
	len = fread(text, 1, sizeof(text), in);
	fclose(in);
	if (script_parse(&script, text, len, &err)) {
		fprintf(stderr, "%s:%u: %s\n", argv[1], err.line, err.msg);
		return EXIT_FAILURE;
	}
	status = explore(&script, argv[1]);
	script_free(&script);
	return status;
}
