/* SPDX-License-Identifier: BSD-3-Clause */
/* The summary of a run for people: a line a subject, counts in one column. */
#include <inttypes.h>
#include <string.h>

#include "cli/cli.h"
#include "lib/parse.h"

#define COUNT "%12" JSON_INTEGER_FORMAT "  "

static const char *plural(json_int_t n)
{
	return n == 1 ? "" : "s";
}

/* "colour 8, eof 4": the members of @o that are not zero. */
static void members(const json_t *o, FILE *out)
{
	const char *key, *comma = "";
	json_t *value;

	json_object_foreach((json_t *)o, key, value) {
		if (!json_integer_value(value))
			continue;
		fprintf(out, "%s%s %" JSON_INTEGER_FORMAT, comma, key,
			json_integer_value(value));
		comma = ", ";
	}
	fputc('\n', out);
}

static json_int_t sum(const json_t *o)
{
	json_int_t n = 0;
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)o, key, value)
		n += json_integer_value(value);
	return n;
}

static void counted(json_int_t n, const json_t *o, const char *label, FILE *out)
{
	if (!n)
		return;
	fprintf(out, COUNT "%-12s", n, label);
	members(o, out);
}

static void group(const json_t *summary, const char *name, const char *label,
		  FILE *out)
{
	const json_t *o = json_object_get(summary, name);

	counted(sum(o), o, label, out);
}

/* Calls of a wake function; the other members are what these did. */
static void wakes(const json_t *summary, FILE *out)
{
	const json_t *o = json_object_get(summary, "wakes");

	counted(json_number(o, "next") + json_number(o, "all"), o, "wakes", out);
}

static void count(const json_t *summary, const char *name, const char *label,
		  FILE *out)
{
	json_int_t n = json_number(summary, name);

	if (n)
		fprintf(out, COUNT "%s\n", n, label);
}

static void size(const json_t *summary, const char *name, const char *label,
		 FILE *out)
{
	json_int_t n = json_number(summary, name);
	char buf[24];

	if (n)
		fprintf(out, "%12s  %s\n", format_size(buf, sizeof(buf), n),
			label);
}

/* What there is to say of a safe protocol is that there is nothing to say. */
static void lost(const json_t *s, FILE *out)
{
	json_int_t n = json_number(s, "lost_wakeups");

	if (n)
		fprintf(out, COUNT "lost wakeups; rescued %" JSON_INTEGER_FORMAT
			", kicked %" JSON_INTEGER_FORMAT "\n", n,
			json_number(s, "rescued"), json_number(s, "kicked"));
}

static void quantiles(const json_t *o, const char *label, FILE *out)
{
	char p50[24], p99[24], max[24];

	if (!o)
		return;
	fprintf(out, "%12s  %-12sp99 %s, max %s\n",
		format_duration(p50, sizeof(p50), json_number(o, "p50")), label,
		format_duration(p99, sizeof(p99), json_number(o, "p99")),
		format_duration(max, sizeof(max), json_number(o, "max")));
}

/* The pile-up: how many waited behind whom, and how long. */
static void mmap_lock(const json_t *o, FILE *out)
{
	if (!o)
		return;
	fprintf(out, COUNT "%-12s%" JSON_INTEGER_FORMAT " writers and %"
		JSON_INTEGER_FORMAT " faults waited, %" JSON_INTEGER_FORMAT
		" at once\n", json_number(o, "writes"), "mmap_lock",
		json_number(o, "waits.write"), json_number(o, "waits.read"),
		json_number(o, "max_queue"));
	quantiles(json_object_get(o, "wait_ns"), "waits for it", out);
}

static void word(const json_t *summary, const char *name, FILE *out)
{
	const char *s = json_string_value(json_object_get(summary, name));

	if (s)
		fprintf(out, ", %s %s", name, s);
}

void print_summary(const json_t *s, FILE *out)
{
	json_int_t files = json_number(s, "files");
	json_int_t maps = json_number(s, "mappings");
	json_int_t procs = json_number(s, "processes");
	const json_t *latency = json_object_get(s, "latency_ns");

	fprintf(out, "udax: %" JSON_INTEGER_FORMAT " file%s, %"
		JSON_INTEGER_FORMAT " mapping%s, %" JSON_INTEGER_FORMAT
		" process%s", files, plural(files), maps, plural(maps), procs,
		procs == 1 ? "" : "es");
	word(s, "protocol", out);
	word(s, "track", out);
	word(s, "media", out);
	fputc('\n', out);

	fprintf(out, COUNT "%-12s%" JSON_INTEGER_FORMAT " of 4K, %"
		JSON_INTEGER_FORMAT " of 2M; %" JSON_INTEGER_FORMAT " reads, %"
		JSON_INTEGER_FORMAT " writes\n", json_number(s, "faults.total"),
		"faults", json_number(s, "faults.pte"),
		json_number(s, "faults.pmd"), json_number(s, "faults.read"),
		json_number(s, "faults.write"));
	count(s, "refill", "refills", out);
	count(s, "around", "pages mapped around them", out);
	group(s, "fallback", "fallbacks", out);
	count(s, "result.sigbus", "ended in SIGBUS", out);
	count(s, "result.needdsync", "needed the metadata synced", out);
	count(s, "result.cow", "private copies", out);
	count(s, "waits", "waits", out);
	wakes(s, out);
	lost(s, out);
	quantiles(json_object_get(json_object_get(s, "lost_ns"), "detect"),
		  "to be found", out);
	quantiles(json_object_get(json_object_get(s, "lost_ns"), "rescued"),
		  "to a rescue", out);
	quantiles(json_object_get(json_object_get(s, "lost_ns"), "kicked"),
		  "to the kick", out);
	quantiles(json_object_get(latency, "pte"), "4K latency", out);
	quantiles(json_object_get(latency, "pmd"), "2M latency", out);
	quantiles(json_object_get(s, "stall_ns"), "stall", out);
	mmap_lock(json_object_get(s, "mmap_lock"), out);
	size(s, "huge_bytes", "mapped by huge pages", out);
	size(s, "fill_bytes", "loaded", out);
	size(s, "writeback_bytes", "written back", out);
	count(s, "unknown", "faults outside every mapping", out);
	count(s, "trace_dropped", "trace records dropped (--trace-size)", out);
}
