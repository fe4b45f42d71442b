/* SPDX-License-Identifier: BSD-3-Clause */
#include "cli/list.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/parse.h"

static const char *text(const json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));

	return s ? s : "?";
}

static bool is(const json_t *o, const char *name)
{
	return json_is_true(json_object_get(o, name));
}

static const char *order(const json_t *o, const char *name)
{
	return json_number(o, name) ? "2M" : "4K";
}

void print_waiters(const json_t *list)
{
	const json_t *w;
	char since[24];
	size_t i;

	printf("%6s %-22s %-12s %4s %10s %10s %12s %4s %-7s %9s %s\n", "FILE",
	       "THREAD", "OPERATION", "SIZE", "INDEX", "KEY", "WAITS FOR", "SIZE",
	       "STATE", "SINCE", "");
	json_array_foreach(list, i, w)
		printf("%6" PRId64 " %-22s %-12s %4s %#10" PRIx64 " %#10" PRIx64
		       " %#12" PRIx64 " %4s %-7s %9s %s\n",
		       (int64_t)json_number(w, "file"), text(w, "name"),
		       text(w, "operation"), order(w, "order"),
		       (uint64_t)json_number(w, "index"),
		       (uint64_t)json_number(w, "key"),
		       (uint64_t)json_number(w, "blocker.index"),
		       order(w, "blocker.order"), text(w, "state"),
		       json_object_get(w, "ns") ?
		       format_duration(since, sizeof(since),
				       json_number(w, "ns")) : "",
		       is(w, "stranded") ? "STRANDED" : "");
}

void print_holds(const json_t *list)
{
	const json_t *h;
	char left[24];
	size_t i;

	printf("%6s %8s %8s %-12s %-6s %4s %10s %9s\n", "FILE", "PID", "TID",
	       "OPERATION", "HOLD", "SIZE", "INDEX", "LEFT");
	json_array_foreach(list, i, h)
		printf("%6" PRId64 " %8" PRId64 " %8" PRId64
		       " %-12s %-6s %4s %#10" PRIx64 " %9s\n",
		       (int64_t)json_number(h, "file"),
		       (int64_t)json_number(h, "pid"),
		       (int64_t)json_number(h, "tid"), text(h, "operation"),
		       text(h, "kind"), order(h, "order"),
		       (uint64_t)json_number(h, "index"), is(h, "gate") ? "gate" :
		       format_duration(left, sizeof(left),
				       json_number(h, "ns")));
}

void print_entries(const json_t *list)
{
	const json_t *e;
	size_t i;

	printf("%12s %4s %-5s %12s %s\n", "INDEX", "SIZE", "KIND", "PFN", "MARKS");
	json_array_foreach(list, i, e)
		printf("%#12" PRIx64 " %4s %-5s %#12" PRIx64 "%s%s%s%s\n",
		       (uint64_t)json_number(e, "index"), order(e, "order"),
		       text(e, "kind"), (uint64_t)json_number(e, "pfn"),
		       is(e, "locked") ? " locked" : "",
		       is(e, "dirty") ? " dirty" : "",
		       is(e, "towrite") ? " towrite" : "",
		       is(e, "writeback") ? " writeback" : "");
}

/* The id that the daemon gave the file, 0 with a complaint. */
static json_int_t file_id(struct rpc *r, const char *path, int *status)
{
	json_t *files, *f;
	json_int_t id = 0;
	struct stat st;
	size_t i;

	if (stat(path, &st)) {
		complain("%s: %s", path, strerror(errno));
		*status = EXIT_REFUSED;
		return 0;
	}
	files = daemon_call(r, "list_files", NULL, status);
	json_array_foreach(files, i, f)
		if ((dev_t)json_number(f, "dev") == st.st_dev &&
		    (ino_t)json_number(f, "ino") == st.st_ino)
			id = json_number(f, "id");
	if (files && !id) {
		complain("%s: no program maps it", path);
		*status = EXIT_REFUSED;
	}
	json_decref(files);
	return id;
}

json_t *fetch_entries(struct rpc *r, const char *path, int *status)
{
	json_int_t id = file_id(r, path, status), first = 0;
	json_t *all = json_array();

	while (id) {
		json_t *part = daemon_call(r, "list_entries",
					   json_pack("{s:I,s:I}", "file", id,
						     "first", first), status);

		json_array_extend(all, json_object_get(part, "entries"));
		first = json_number(part, "next");
		if (!first)
			id = 0;
		json_decref(part);
	}
	if (!*status)
		return all;
	json_decref(all);
	return NULL;
}
