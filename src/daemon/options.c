/* SPDX-License-Identifier: BSD-3-Clause */
#include "daemon/options.h"

#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "dax/dax.h"
#include "lib/parse.h"
#include "lib/path.h"
#include "mm/variant.h"
#include "udax/wire.h"

#define DEFAULT_PROTOCOL "616"
#define DEFAULT_HELPERS 2
#define DEFAULT_TRACE_SIZE (64ULL << 20)
#define TRACE_SIZE_MAX (64ULL << 30)
#define WAIT_QUEUES_MAX (1U << 20)

/* Above every character, so that getopt's '?' is no option. */
enum option_id {
	OPTION_BASE = 256,
#define X(id, name, arg, help) OPTION_##id,
#include "daemon/tbl/options.h"
#undef X
};

static const struct option long_options[] = {
#define X(id, name, arg, help) \
	{ name, (arg) ? required_argument : no_argument, NULL, OPTION_##id },
#include "daemon/tbl/options.h"
#undef X
	{ NULL, 0, NULL, 0 }
};

static const struct {
	const char *name, *arg, *help;
} rows[] = {
#define X(id, name, arg, help) { name, arg, help },
#include "daemon/tbl/options.h"
#undef X
};

static const char *const track_names[] = {
	[TRACK_FAST] = "fast",
	[TRACK_EXACT] = "exact",
};

static const char *const media_names[] = {
	[MEDIA_CHOICE_AUTO] = "auto",
	[MEDIA_CHOICE_DIRECT] = "direct",
	[MEDIA_CHOICE_IMAGE] = "image",
};

static const char *const lost_names[] = {
	[LOST_REPORT] = "report",
	[LOST_KICK] = "kick",
	[LOST_KILL] = "kill",
};

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

const char *udaxd_track_name(enum udaxd_track track)
{
	return track_names[track];
}

const char *udaxd_lost_name(enum udaxd_lost lost)
{
	return lost_names[lost];
}

const char *udaxd_media_name(enum udaxd_media media)
{
	return media_names[media];
}

static void help(FILE *out)
{
	fputs("Usage: udaxd --socket PATH [OPTION]...\n"
	      "Serves the page faults of programs on their persistent-memory files.\n\n",
	      out);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char left[64];

		snprintf(left, sizeof(left), "--%s%s%s", rows[i].name,
			 rows[i].arg ? " " : "", rows[i].arg ? rows[i].arg : "");
		fprintf(out, "  %-22s %s\n", left, rows[i].help);
	}
}

/* Index of @name in @names, or -1. */
static int choice(const char *name, const char *const *names, int nr)
{
	for (int i = 0; i < nr; i++)
		if (!strcmp(name, names[i]))
			return i;
	return -1;
}

int udaxd_lost_find(const char *name)
{
	return choice(name, lost_names, ARRAY_SIZE(lost_names));
}

static int usage(const char *option, const char *value, const char *why)
{
	fprintf(stderr, "udaxd: --%s %s: %s\n", option, value, why);
	return 2;
}

static int set_number(const char *option, const char *value, unsigned int min,
		      unsigned int max, unsigned int *out)
{
	uint64_t v;

	if (parse_uint(value, max, &v) || v < min) {
		fprintf(stderr, "udaxd: --%s %s: not a number from %u to %u\n",
			option, value, min, max);
		return 2;
	}
	*out = v;
	return -1;
}

static int set_socket(struct udaxd_options *o, const char *path)
{
	size_t max = sizeof(((struct sockaddr_un *)0)->sun_path);

	if (!*path || strlen(path) + strlen(UDAX_CONTROL_SUFFIX) >= max)
		return usage("socket", path, "empty, or too long for a socket");
	free(o->socket);
	o->socket = strdup(path);
	return o->socket ? -1 : usage("socket", path, "no memory");
}

static int add_pmem(struct udaxd_options *o, const char *path)
{
	char **dirs, *dir = NULL;
	int err;

	err = path_canonical_dir(path, &dir);
	if (err)
		return usage("pmem", path, strerror(-err));
	dirs = reallocarray(o->pmem, o->nr_pmem + 1, sizeof(*dirs));
	if (!dirs) {
		free(dir);
		return usage("pmem", path, "no memory");
	}
	o->pmem = dirs;
	o->pmem[o->nr_pmem++] = dir;
	return -1;
}

static int add_protocol(struct udaxd_options *o, const char *rule)
{
	char why[256];

	if (!protocol_rules_add(&o->protocols, rule, why, sizeof(why)))
		return -1;
	return usage("protocol", rule, why);
}

static int add_hold(struct udaxd_options *o, const char *rule)
{
	char why[256];

	if (!hold_rules_add(&o->holds, rule, why, sizeof(why)))
		return -1;
	return usage("hold", rule, why);
}

static int set_fault_around(struct udaxd_options *o, const char *value)
{
	int status = set_number("fault-around", value, 1, PG_PMD_NR,
				&o->fault_around);

	if (status < 0 && o->fault_around & (o->fault_around - 1))
		return usage("fault-around", value, "not a power of two");
	return status;
}

static int set_wait_queues(struct udaxd_options *o, const char *value)
{
	unsigned int nr;
	int status = set_number("wait-queues", value, 1, WAIT_QUEUES_MAX, &nr);

	if (status >= 0)
		return status;
	if (nr & (nr - 1))
		return usage("wait-queues", value, "not a power of two");
	o->wait_bits = __builtin_ctz(nr);
	return -1;
}

static int set_trace(struct udaxd_options *o, const char *path)
{
	free(o->trace);
	o->trace = strdup(path);
	return o->trace ? -1 : usage("trace", path, "no memory");
}

/* Every kernel that is known is so with every file system. */
static int set_variant(struct udaxd_options *o, const char *kernel,
		       const char *fs, const char *option)
{
	const struct mm_variant *v = mm_variant_find(kernel, fs);

	if (!v)
		return usage(option, strcmp(option, "fs") ? kernel : fs,
			     "no such one is known (6.18, 6.1; xfs, ext4)");
	o->variant = v;
	return -1;
}

static int set_ready_fd(struct udaxd_options *o, const char *value)
{
	unsigned int fd;
	int status = set_number("ready-fd", value, 0, INT32_MAX, &fd);

	if (status >= 0)
		return status;
	/* Not for the programs that udaxd's own children might be. */
	if (fcntl(fd, F_SETFD, FD_CLOEXEC))
		return usage("ready-fd", value, "not an open descriptor");
	o->ready_fd = fd;
	return -1;
}

static int one_option(struct udaxd_options *o, int id, const char *arg)
{
	int i;

	switch (id) {
	case OPTION_SOCKET:
		return set_socket(o, arg);
	case OPTION_PMEM:
		return add_pmem(o, arg);
	case OPTION_WORKERS:
		return set_number("workers", arg, 1, UDAXD_OPTIONS_MAX_THREADS,
				  &o->workers);
	case OPTION_HELPERS:
		return set_number("helpers", arg, 1, UDAXD_OPTIONS_MAX_THREADS,
				  &o->helpers);
	case OPTION_PROTOCOL:
		return add_protocol(o, arg);
	case OPTION_HOLD:
		return add_hold(o, arg);
	case OPTION_ON_LOST_WAKEUP:
		i = udaxd_lost_find(arg);
		if (i < 0)
			return usage("on-lost-wakeup", arg,
				     "none of report, kick, kill");
		o->on_lost = i;
		return -1;
	case OPTION_TRACK:
		i = choice(arg, track_names, ARRAY_SIZE(track_names));
		if (i < 0)
			return usage("track", arg, "none of fast, exact");
		o->track = i;
		return -1;
	case OPTION_MEDIA:
		i = choice(arg, media_names, ARRAY_SIZE(media_names));
		if (i < 0)
			return usage("media", arg, "none of auto, direct, image");
		o->media = i;
		return -1;
	case OPTION_FAULT_AROUND:
		return set_fault_around(o, arg);
	case OPTION_WAIT_QUEUES:
		return set_wait_queues(o, arg);
	case OPTION_TRACE:
		return set_trace(o, arg);
	case OPTION_TRACE_SIZE:
		if (parse_size(arg, &o->trace_size) || !o->trace_size ||
		    o->trace_size > TRACE_SIZE_MAX)
			return usage("trace-size", arg, "not a size of at most 64G");
		return -1;
	case OPTION_READY_FD:
		return set_ready_fd(o, arg);
	case OPTION_EXIT_WITH_KEEPER:
		o->exit_with_keeper = true;
		return -1;
	case OPTION_KERNEL:
		return set_variant(o, arg, o->variant->fs, "kernel");
	case OPTION_FS:
		return set_variant(o, o->variant->kernel, arg, "fs");
	case OPTION_FS_CLIENTS:
		o->fs_clients = true;
		return -1;
	case OPTION_VERBOSE:
		o->verbose = true;
		return -1;
	case OPTION_HELP:
		help(stdout);
		return 0;
	case OPTION_VERSION:
		puts("udaxd " PACKAGE_VERSION);
		return 0;
	default:	/* getopt_long() has named the culprit */
		fputs("Try 'udaxd --help'.\n", stderr);
		return 2;
	}
}

int udaxd_options_parse(struct udaxd_options *o, int argc, char **argv)
{
	bool dump = false;
	int id, status;

	*o = (struct udaxd_options) {
		.helpers = DEFAULT_HELPERS,
		.protocols.normal = dax_protocol_find(DEFAULT_PROTOCOL),
		.fault_around = 1,
		.wait_bits = DAX_WAIT_TABLE_BITS,
		.trace_size = DEFAULT_TRACE_SIZE,
		.variant = mm_variant_nth(0),
		.ready_fd = -1,
	};
	while ((id = getopt_long(argc, argv, "", long_options, NULL)) >= 0) {
		/* The options after it count too. */
		if (id == OPTION_DUMP_CONFIG) {
			dump = true;
			continue;
		}
		status = one_option(o, id, optarg);
		if (status >= 0)
			return status;
	}
	if (optind < argc) {
		fprintf(stderr, "udaxd: %s: no arguments are taken\n",
			argv[optind]);
		return 2;
	}
	if (o->fault_around > 1 && o->track == TRACK_EXACT)
		return usage("track", "exact", "not with --fault-around: its faults are "
			     "the kernel's");
	if (dump) {
		udaxd_options_dump(o, stdout);
		return 0;
	}
	if (!o->socket) {
		fputs("udaxd: --socket PATH is needed\nTry 'udaxd --help'.\n",
		      stderr);
		return 2;
	}
	return -1;
}

void udaxd_options_free(struct udaxd_options *o)
{
	for (unsigned int i = 0; i < o->nr_pmem; i++)
		free(o->pmem[i]);
	free(o->pmem);
	free(o->socket);
	protocol_rules_free(&o->protocols);
	hold_rules_free(o->holds);
	o->holds = NULL;
	free(o->trace);
	o->pmem = NULL;
	o->nr_pmem = 0;
	o->socket = NULL;
	o->trace = NULL;
}

void udaxd_options_dump(const struct udaxd_options *o, FILE *out)
{
#ifdef UDAX_DEBUG
	const char *debug = "yes";
#else
	const char *debug = "no";
#endif
#ifdef HAVE_JEMALLOC
	const char *allocator = "jemalloc";
#else
	const char *allocator = "libc";
#endif
#ifdef HAVE_USDT
	const char *usdt = "yes";
#else
	const char *usdt = "no";
#endif

	fprintf(out, "version=%s\n", PACKAGE_VERSION);
	fprintf(out, "wire_version=%d\n", UDAX_WIRE_VERSION);
	fprintf(out, "compiler=%s\n", __VERSION__);
	fprintf(out, "debug=%s\n", debug);
	fprintf(out, "allocator=%s\n", allocator);
	fprintf(out, "usdt=%s\n", usdt);
	fprintf(out, "socket=%s\n", o->socket ? o->socket : "");
	for (unsigned int i = 0; i < o->nr_pmem; i++)
		fprintf(out, "pmem=%s\n", o->pmem[i]);
	fprintf(out, "workers=%u\n", o->workers);
	fprintf(out, "helpers=%u\n", o->helpers);
	fprintf(out, "protocol=%s\n", o->protocols.normal->name);
	for (unsigned int i = 0; i < o->protocols.nr; i++)
		fprintf(out, "protocol=%s:%s\n", o->protocols.rules[i].glob,
			o->protocols.rules[i].proto->name);
	for (unsigned int i = 0; o->holds && i < o->holds->nr; i++)
		fprintf(out, "hold=%s\n", o->holds->rules[i].text);
	fprintf(out, "on-lost-wakeup=%s\n", udaxd_lost_name(o->on_lost));
	fprintf(out, "track=%s\n", udaxd_track_name(o->track));
	fprintf(out, "media=%s\n", udaxd_media_name(o->media));
	fprintf(out, "fault_around=%u\n", o->fault_around);
	fprintf(out, "wait_queues=%u\n", 1U << o->wait_bits);
	fprintf(out, "trace=%s\n", o->trace ? o->trace : "");
	fprintf(out, "trace_size=%llu\n", (unsigned long long)o->trace_size);
}
