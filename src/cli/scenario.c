/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/scenario.h"

/* All of @path; *@len bytes, freed by the caller. NULL with a complaint. */
static char *read_file(const char *path, size_t *len)
{
	FILE *in = fopen(path, "r");
	char *text = NULL;
	ssize_t n;
	size_t room = 0;

	if (!in) {
		complain("%s: %s", path, strerror(errno));
		return NULL;
	}
	/* No file of text holds a zero byte; one that does is refused later. */
	errno = 0;
	n = getdelim(&text, &room, '\0', in);
	if (n < 0 && !feof(in)) {
		complain("%s: %s", path, strerror(errno));
		free(text);
		text = NULL;
	}
	fclose(in);
	*len = n < 0 ? 0 : n;
	return text;
}

static int complain_script(const char *path, const struct script_error *err,
			   int rc)
{
	if (rc == -ENOMEM) {
		complain("%s: out of memory", path);
		return EXIT_UDAX;
	}
	if (err->line)
		complain("%s:%u: %s", path, err->line, err->msg);
	else
		complain("%s: %s", path, err->msg);
	return EXIT_USAGE;
}

typedef int (*parse_fn)(void *into, const char *text, size_t len,
			struct script_error *err);

static int load(const char *path, parse_fn parse, void *into)
{
	struct script_error err;
	char *text;
	size_t len;
	int rc;

	text = read_file(path, &len);
	if (!text)
		return EXIT_USAGE;
	rc = parse(into, text, len, &err);
	free(text);
	return rc ? complain_script(path, &err, rc) : 0;
}

static int parse_script(void *into, const char *text, size_t len,
			struct script_error *err)
{
	return script_parse(into, text, len, err);
}

int load_script(const char *path, struct script *s)
{
	return load(path, parse_script, s);
}

static int parse_extents(void *into, const char *text, size_t len,
			 struct script_error *err)
{
	return extlog_parse(into, text, len, err);
}

int load_extents(const char *path, struct extlog *e)
{
	return load(path, parse_extents, e);
}

static int parse_outcomes(void *into, const char *text, size_t len,
			  struct script_error *err)
{
	return outcomes_parse(into, text, len, err);
}

int load_outcomes(const char *path, struct outcomes *set)
{
	return load(path, parse_outcomes, set);
}

char *scenario_name(const char *path)
{
	const char *name = strrchr(path, '/');
	size_t len;

	name = name ? name + 1 : path;
	len = strlen(name);
	if (len > 7 && !strcmp(name + len - 7, ".script"))
		len -= 7;
	return strndup(name, len);
}
