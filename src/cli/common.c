/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/rpc.h"
#include "udax/wire.h"

/* One write: others write to the same stderr. */
static void vcomplain(const char *fmt, va_list ap)
{
	char line[1024];
	int len = snprintf(line, sizeof(line), "udax: ");
	int rest = sizeof(line) - 1 - len;
	int more = vsnprintf(line + len, rest, fmt, ap);

	if (more > 0)
		len += more < rest ? more : rest - 1;
	line[len++] = '\n';
	fwrite(line, 1, len, stderr);
}

void complain(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vcomplain(fmt, ap);
	va_end(ap);
}

int usage_error(const char *verb, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vcomplain(fmt, ap);
	va_end(ap);
	fprintf(stderr, "Try 'udax help %s'.\n", verb);
	return EXIT_USAGE;
}

static char *join(const char *dir, const char *name)
{
	char *path;

	if (asprintf(&path, "%s/%s", dir, name) < 0)
		return NULL;
	if (!access(path, R_OK))
		return path;
	free(path);
	return NULL;
}

char *find_ours(const char *name, const char *installed)
{
	char self[PATH_MAX], *path = NULL;
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n > 0) {
		self[n] = '\0';
		*strrchr(self, '/') = '\0';
		path = join(self, name);
	}
	if (!path)
		path = join(installed, name);
	if (!path)
		complain("%s is neither beside udax nor in %s", name, installed);
	return path;
}

int print_json(const json_t *value, FILE *out)
{
	if (!json_dumpf(value, out, JSON_INDENT(2)) && fputc('\n', out) != EOF &&
	    !fflush(out))
		return 0;
	complain("cannot write the JSON: %s", strerror(errno));
	return EXIT_UDAX;
}

int daemon_open(struct rpc *r, const char *verb, const char *option)
{
	const char *socket = option ? option : getenv(UDAX_ENV_SOCKET);

	if (!socket || !*socket)
		return usage_error(verb, "no --socket SOCK, and %s is not set",
				   UDAX_ENV_SOCKET);
	if (!rpc_open(r, socket))
		return -1;
	complain("%s", r->error);
	return EXIT_UDAX;
}

json_t *daemon_call(struct rpc *r, const char *method, json_t *params,
		    int *status)
{
	json_t *result;
	int err = rpc_call(r, method, params, &result);

	if (!err)
		return result;
	complain("%s", r->error);
	*status = err == -EREMOTEIO ? EXIT_REFUSED : EXIT_UDAX;
	return NULL;
}

json_int_t json_number(const json_t *o, const char *path)
{
	char part[64];
	size_t len;

	while (o && path) {
		len = strcspn(path, ".");
		if (len >= sizeof(part))
			return 0;
		memcpy(part, path, len);
		part[len] = '\0';
		o = json_object_get(o, part);
		path = path[len] ? path + len + 1 : NULL;
	}
	return json_integer_value(o);
}
