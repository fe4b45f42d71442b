/* SPDX-License-Identifier: BSD-3-Clause */
#include "cli/script.h"

#include <errno.h>
#include <fnmatch.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "lib/parse.h"
#include "lib/trace_read.h"

static const struct option long_options[] = {
	{ "format", required_argument, NULL, 'F' },
	{ "event", required_argument, NULL, 'e' },
	{ "pid", required_argument, NULL, 'p' },
	{ "tid", required_argument, NULL, 't' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 }
};

#define PATTERNS_MAX 64

struct options {
	const struct script_format *format;
	const char *path;
	const char *events[PATTERNS_MAX];	/* none: all */
	bool found[PATTERNS_MAX];		/* in the trace, whoever's */
	unsigned int nr_events;
	uint32_t pid, tid;			/* 0: all */
};

static void help(void)
{
	fputs("Usage: udax script [OPTION]... FILE\n"
	      "Prints the trace FILE that udax run or udaxd wrote, or is writing.\n\n"
	      "  --format text     as trace-cmd report prints the kernel's events (default)\n"
	      "  --format json     one JSON object a line\n"
	      "  --format chrome   trace events for Perfetto: a row a thread, faults and waits\n"
	      "                    as slices, an arrow from each wake to the wait it ended\n"
	      "  -e, --event NAME[,NAME]...\n"
	      "                    these events only; * and ? as in file names\n"
	      "  --pid PID         those of one process\n"
	      "  --tid TID         those of one thread\n"
	      "  -h, --help        print this\n\n"
	      "Exit status: 0, 1 for a trace that is damaged or cut short (what could be read\n"
	      "was printed), 2 for what is no trace or wrong usage, 125 udax failed.\n",
	      stdout);
}

/* ------------------------------------------------------------------ options */

static const struct script_format *find_format(const char *name)
{
	static const struct script_format *const formats[] = {
		&script_text, &script_json, &script_chrome
	};

	for (unsigned int i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
		if (!strcmp(formats[i]->name, name))
			return formats[i];
	return NULL;
}

/* Cuts @list at its commas. */
static int add_events(struct options *o, char *list)
{
	char *name;

	while ((name = strsep(&list, ","))) {
		if (!*name)
			continue;
		if (o->nr_events == PATTERNS_MAX)
			return usage_error("script", "--event: too many");
		o->events[o->nr_events++] = name;
	}
	return -1;
}

static int set_id(const char *option, const char *arg, uint32_t *id)
{
	uint64_t value;

	if (parse_uint(arg, INT32_MAX, &value) || !value)
		return usage_error("script", "--%s %s: not a number of a task",
				   option, arg);
	*id = value;
	return -1;
}

static int one_option(struct options *o, int c)
{
	switch (c) {
	case 'F':
		o->format = find_format(optarg);
		if (!o->format)
			return usage_error("script", "--format %s: none of text, "
					   "json, chrome", optarg);
		return -1;
	case 'e':
		return add_events(o, optarg);
	case 'p':
		return set_id("pid", optarg, &o->pid);
	case 't':
		return set_id("tid", optarg, &o->tid);
	case 'h':
		help();
		return 0;
	default:
		fputs("Try 'udax help script'.\n", stderr);
		return EXIT_USAGE;
	}
}

/* -1 to go on, else the exit status. */
static int parse(struct options *o, int argc, char **argv)
{
	int c, status;

	*o = (struct options) { .format = &script_text };
	while ((c = getopt_long(argc, argv, "e:h", long_options, NULL)) >= 0) {
		status = one_option(o, c);
		if (status >= 0)
			return status;
	}
	if (argc - optind != 1)
		return usage_error("script", "%s", argc == optind ?
				   "no trace to print" : "one trace at a time");
	if (o->format->whole && o->nr_events)
		return usage_error("script", "--format %s shows all events: not "
				   "with --event", o->format->name);
	o->path = argv[optind];
	return -1;
}

/* ------------------------------------------------------------------- events */

static bool wanted(struct options *o, const struct script_event *e)
{
	bool named = !o->nr_events;

	for (unsigned int i = 0; i < o->nr_events; i++)
		if (!fnmatch(o->events[i], e->name, 0))
			named = o->found[i] = true;
	if (o->tid && e->hdr->tid != o->tid)
		return false;
	if (o->pid && (!e->session || e->session->pid != o->pid))
		return false;
	return named;
}

static int print_record(struct options *o, struct script_names *names,
			void *state, const struct udax_trace_hdr *hdr)
{
	struct script_event e = { .hdr = hdr };
	const char *event[2];
	unsigned int nr;
	int err = names_learn(names, hdr);

	e.session = names_session(names, hdr);
	e.region = names_region(names, hdr);
	e.file = names_file(names, hdr);
	nr = script_event_names(hdr, event);
	for (unsigned int i = 0; i < nr && !err; i++) {
		e.name = event[i];
		if (wanted(o, &e))
			err = o->format->event(state, stdout, &e);
	}
	return err;
}

/* 0 or a reader's or a format's -errno. */
static int print_all(struct options *o, struct trace_reader *r)
{
	struct script_names names = { NULL };
	const struct udax_trace_hdr *hdr;
	void *state = NULL;
	int err = 0, n = 0;

	if (o->format->begin)
		err = o->format->begin(&state, stdout, trace_file(r));
	while (!err && !ferror(stdout) && (n = trace_next(r, &hdr)) > 0)
		err = print_record(o, &names, state, hdr);
	if (o->format->end && !(err && !state)) {
		int end = o->format->end(state, stdout);

		if (!err)
			err = end;
	}
	names_free(&names);
	return err ? err : n;
}

static int finish(const struct options *o, struct trace_reader *r, int err)
{
	uint64_t lost = trace_lost(r);

	if (fflush(stdout) || ferror(stdout)) {
		complain("cannot write: %s", strerror(errno));
		return EXIT_UDAX;
	}
	if (err == -ENOMEM) {
		complain("%s: out of memory", o->path);
		return EXIT_UDAX;
	}
	if (lost)
		complain("%s: %" PRIu64 " record%s dropped (--trace-size)",
			 o->path, lost, lost == 1 ? " was" : "s were");
	for (unsigned int i = 0; i < o->nr_events; i++)
		if (!o->found[i])
			complain("%s: no event %s in it", o->path, o->events[i]);
	if (!err)
		return 0;
	complain("%s: %s", o->path, err == -ENODATA ? "cut short" : "damaged");
	return EXIT_REFUSED;
}

int cmd_script(int argc, char **argv)
{
	struct trace_reader *r;
	struct options o;
	char why[128];
	int status = parse(&o, argc, argv);

	if (status >= 0)
		return status;
	if (trace_open(&r, o.path, TRACE_OPEN_SNAPSHOT, why, sizeof(why))) {
		complain("%s: %s", o.path, why);
		return EXIT_USAGE;
	}
	status = finish(&o, r, print_all(&o, r));
	trace_reader_free(r);
	return status;
}
