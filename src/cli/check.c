/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/check.h"
#include "cli/cli.h"
#include "mm/check.h"

enum {
	OPT_NO_POR = 256, OPT_BLOCKS, OPT_REPLAY, OPT_JSON, OPT_RACE, OPT_KERNEL,
	OPT_FS, OPT_EXTENTS, OPT_LIVE, OPT_AGAINST, OPT_FAULTS, OPT_MAX_STATES,
};

static const struct option long_options[] = {
	{ "protocol", required_argument, NULL, 'p' },
	{ "litmus", required_argument, NULL, 'l' },
	{ "exhaustive", required_argument, NULL, 'x' },
	{ "replay", required_argument, NULL, OPT_REPLAY },
	{ "blocks", no_argument, NULL, OPT_BLOCKS },
	{ "no-por", no_argument, NULL, OPT_NO_POR },
	{ "race", required_argument, NULL, OPT_RACE },
	{ "kernel", required_argument, NULL, OPT_KERNEL },
	{ "fs", required_argument, NULL, OPT_FS },
	{ "extents", required_argument, NULL, OPT_EXTENTS },
	{ "live", no_argument, NULL, OPT_LIVE },
	{ "against", required_argument, NULL, OPT_AGAINST },
	{ "faults", required_argument, NULL, OPT_FAULTS },
	{ "max-states", required_argument, NULL, OPT_MAX_STATES },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 }
};

struct options {
	const char *protocol, *litmus, *replay;
	unsigned int exhaustive;
	bool blocks, por, json;
	struct check_race race;
};

static volatile sig_atomic_t stop;

static void on_sigint(int sig)
{
	stop = sig;
}

static void help(void)
{
	fputs("Usage: udax check [OPTION]...\n"
	      "Runs every interleaving of a few faults on one 2M window and says which\n"
	      "protocol loses a wakeup.\n\n"
	      "  --protocol P      the protocol (default 616), or all\n"
	      "  --litmus L1..L13  this litmus test, or all (the default)\n"
	      "  --exhaustive N    every N operations (1 to 8) on each of four tables\n"
	      "  --blocks          faults write to blocks; else they read holes\n"
	      "  --no-por          no partial-order reduction\n"
	      "  --replay SCHEDULE print what a schedule does, step by step\n"
	      "  --json            print one JSON value\n\n"
	      "  --race SCRIPT     the outcomes that the model allows for a race\n"
	      "  --kernel VERSION  ... as Linux 6.18 (default) or 6.1\n"
	      "  --fs NAME         ... as on xfs (default) or ext4\n"
	      "  --extents LOG     ... allocating where LOG, recorded with it, says\n"
	      "  --live            ... and what a driver on real memory may do, too\n"
	      "  --against FILE    print outcomes of FILE that are not allowed\n"
	      "  --faults N        follow an access through N faults (default 3)\n"
	      "  --max-states N    give up at N states (default 4000000)\n\n"
	      "  -h, --help        print this\n\n"
	      "Exit status: 0, 1 the model is broken, or an outcome not allowed; 2 wrong\n"
	      "usage, 125 udax failed, 130 interrupted.\n", stdout);
}

/* ------------------------------------------------------------------ litmus */

static int print_schedule(const char *schedule)
{
	char msg[120];

	printf("  %s\n", schedule);
	if (!check_replay(schedule, stdout, msg, sizeof(msg)))
		return 0;
	complain("%s: %s", schedule, msg);
	return EXIT_UDAX;
}

static int print_litmus(const struct check_litmus *l, const struct check_case *c,
			const struct check_report *r)
{
	char schedule[CHECK_SCHEDULE];

	printf("%-12s %-4s %-12s %-8s %-12s states %lu lost %lu stranded %lu "
	       "rescued %lu missed %lu delayed %lu misdirected %lu barged %lu "
	       "useless %lu\n", c->protocol, l->name, l->operations,
	       check_table_name(l->table), check_finding_name(r->worst),
	       r->states, r->lost, r->stranded, r->rescued, r->missed,
	       r->delayed, r->misdirected, r->barged, r->useless);
	for (int i = 0; i < CHECK_INVARIANTS; i++)
		if (r->broken[i])
			printf("  invariant %d broken in %lu states\n", i,
			       r->broken[i]);
	if (r->worst == CHECK_CLEAN)
		return 0;
	check_schedule(c, r->steps, schedule);
	if (r->worst >= CHECK_STRANDED)
		return print_schedule(schedule);
	printf("  %s\n", schedule);
	return 0;
}

static json_t *json_broken(const struct check_report *r)
{
	json_t *o = json_object();
	char name[8];

	for (int i = 0; i < CHECK_INVARIANTS; i++) {
		if (!r->broken[i])
			continue;
		snprintf(name, sizeof(name), "%d", i);
		json_object_set_new(o, name, json_integer(r->broken[i]));
	}
	return o;
}

static json_t *json_litmus(const struct check_litmus *l,
			   const struct check_case *c,
			   const struct check_report *r)
{
	char schedule[CHECK_SCHEDULE];

	check_schedule(c, r->steps, schedule);
	return json_pack("{ss ss ss ss ss sI sI sI sI sI sI sI sI sI so so}",
			 "protocol", c->protocol, "litmus", l->name,
			 "operations", l->operations,
			 "table", check_table_name(l->table),
			 "verdict", check_finding_name(r->worst),
			 "states", (json_int_t)r->states,
			 "lost", (json_int_t)r->lost,
			 "stranded", (json_int_t)r->stranded,
			 "rescued", (json_int_t)r->rescued,
			 "missed", (json_int_t)r->missed,
			 "delayed", (json_int_t)r->delayed,
			 "misdirected", (json_int_t)r->misdirected,
			 "barged", (json_int_t)r->barged,
			 "useless", (json_int_t)r->useless,
			 "invariants", json_broken(r),
			 "first", r->worst == CHECK_CLEAN ? json_null() :
				  json_string(schedule));
}

static int run_failed(int rc)
{
	if (rc == -EINTR) {
		complain("check: interrupted");
		return EXIT_INTERRUPTED;
	}
	complain("check: %s", strerror(-rc));
	return EXIT_UDAX;
}

/* A model that breaks its own rules is no finding about a protocol. */
static int broken_model(bool broken, uint64_t disagreed)
{
	if (broken)
		complain("check: an invariant of the model is broken");
	if (disagreed)
		complain("check: somebody is lost who is not stranded");
	return broken || disagreed ? EXIT_REFUSED : 0;
}

static int litmus_one(struct checker *x, const struct options *o,
		      const struct check_litmus *l, const char *protocol,
		      json_t *list)
{
	struct check_report r;
	struct check_case c;
	int rc, status = 0;

	check_litmus_case(l, protocol, &c);
	c.blocks = o->blocks;
	rc = checker_run(x, &c, &r);
	if (rc)
		return run_failed(rc);
	if (list)
		json_array_append_new(list, json_litmus(l, &c, &r));
	else
		status = print_litmus(l, &c, &r);
	if (status)
		return status;
	return broken_model(r.worst == CHECK_BROKEN, r.disagreed);
}

static int litmus_protocol(struct checker *x, const struct options *o,
			   const char *protocol, json_t *list)
{
	const struct check_litmus *l;
	int status = 0;

	for (unsigned int i = 0; !status && (l = check_litmus_nth(i)); i++)
		if (!strcmp(o->litmus, "all") || !strcmp(o->litmus, l->name))
			status = litmus_one(x, o, l, protocol, list);
	return status;
}

/* -------------------------------------------------------------- exhaustive */

/* On a terminal a line that is written over, four times a second; else rarely. */
static void progress(const struct check_totals *t)
{
	static struct timespec last;
	bool tty = isatty(STDERR_FILENO);
	struct timespec now;
	int64_t ms;

	clock_gettime(CLOCK_MONOTONIC, &now);
	ms = (now.tv_sec - last.tv_sec) * 1000L +
	     (now.tv_nsec - last.tv_nsec) / 1000000;
	if (t->done == 1 || t->done == t->cases || ms >= (tty ? 250 : 5000)) {
		fprintf(stderr, "%s%lu of %lu cases, %lu lost, %lu states%s",
			tty ? "\r\033[K" : "", t->done, t->cases, t->lost,
			t->states, tty && t->done < t->cases ? "" : "\n");
		last = now;
	}
}

static json_t *json_totals(const struct options *o, const char *protocol,
			   const struct check_totals *t)
{
	return json_pack("{ss sI sI sI sI sI sI so so}", "protocol", protocol,
			 "operations", (json_int_t)o->exhaustive,
			 "cases", (json_int_t)t->done,
			 "lost", (json_int_t)t->lost,
			 "lost_without_invalidate",
			 (json_int_t)t->lost_without_invalidate,
			 "stranded", (json_int_t)t->stranded,
			 "states", (json_int_t)t->states,
			 "first", t->lost ? json_string(t->first) : json_null(),
			 "complete", json_boolean(t->done == t->cases));
}

static int exhaustive_protocol(struct checker *x, const struct options *o,
			       const char *protocol, json_t *list)
{
	struct check_totals t;
	int rc = check_exhaustive(x, protocol, o->blocks, o->exhaustive, &t,
				  progress);
	int status = 0;

	if (rc && rc != -EINTR)
		return run_failed(rc);
	if (rc && isatty(STDERR_FILENO))
		fputc('\n', stderr);
	if (list)
		json_array_append_new(list, json_totals(o, protocol, &t));
	else
		printf("%-12s %u operations: %lu of %lu cases, %lu states; lost in %lu cases, "
		       "%lu of them without an invalidation; stranded in %lu\n",
		       protocol, o->exhaustive, t.done, t.cases, t.states,
		       t.lost, t.lost_without_invalidate, t.stranded);
	if (!list && t.lost)
		status = print_schedule(t.first);
	if (t.broken)
		complain("check: %s", t.first_broken);
	if (status)
		return status;
	status = broken_model(t.broken, t.disagreed);
	return rc ? run_failed(rc) : status;
}

/* ----------------------------------------------------------------- options */

static int replay(const char *schedule)
{
	char msg[120];
	int rc = check_replay(schedule, stdout, msg, sizeof(msg));

	if (!rc)
		return 0;
	if (rc != -EINVAL) {
		complain("check: %s", msg);
		return EXIT_UDAX;
	}
	return usage_error("check", "--replay %s: %s", schedule, msg);
}

static bool litmus_known(const char *name)
{
	const struct check_litmus *l;

	if (!strcmp(name, "all"))
		return true;
	for (unsigned int i = 0; (l = check_litmus_nth(i)); i++)
		if (!strcmp(l->name, name))
			return true;
	return false;
}

static bool parse_operations(const char *text, unsigned int *n)
{
	if (text[0] < '1' || text[0] > '0' + CHECK_TASKS || text[1])
		return false;
	*n = text[0] - '0';
	return true;
}

/* --race has a protocol by default, and options of its own. */
static int race_options(struct options *o, int argc)
{
	if (optind < argc)
		return usage_error("check", "--race takes one script");
	if (o->litmus || o->exhaustive || o->replay || o->blocks)
		return usage_error("check", "--race goes with none of --litmus, "
				   "--exhaustive, --replay, --blocks");
	o->race.protocol = o->protocol;
	o->race.por = o->por;
	o->race.json = o->json;
	return -1;
}

static bool has_race_option(const struct check_race *r)
{
	return r->extents || r->against || r->faults || r->max_states ||
	       r->live || r->kernel || r->fs;
}

static int check_options(struct options *o, int argc)
{
	if (o->race.script)
		return race_options(o, argc);
	if (has_race_option(&o->race))
		return usage_error("check", "--kernel, --fs, --extents, --live, "
				   "--against, --faults and --max-states go with "
				   "--race");
	if (o->replay && o->protocol)
		return usage_error("check", "--replay: its schedule names the protocol");
	if (!o->protocol)
		o->protocol = "616";
	if (optind < argc)
		return usage_error("check", "what is it that you want checked?");
	if (strcmp(o->protocol, "all") && !check_protocol_known(o->protocol))
		return usage_error("check", "--protocol %s: no such protocol",
				   o->protocol);
	if (!!o->litmus + !!o->exhaustive + !!o->replay > 1)
		return usage_error("check", "one of --litmus, --exhaustive, --replay");
	if (o->replay && o->json)
		return usage_error("check", "--replay has no --json");
	if (!o->litmus)
		o->litmus = "all";
	if (!litmus_known(o->litmus))
		return usage_error("check", "--litmus %s: no such test", o->litmus);
	return -1;
}

static const char **race_text(struct check_race *r, int option)
{
	switch (option) {
	case OPT_RACE:
		return &r->script;
	case OPT_KERNEL:
		return &r->kernel;
	case OPT_FS:
		return &r->fs;
	case OPT_EXTENTS:
		return &r->extents;
	case OPT_AGAINST:
		return &r->against;
	case OPT_FAULTS:
		return &r->faults;
	default:
		return &r->max_states;
	}
}

/* -1 to go on, else the exit status. */
static int parse(struct options *o, int argc, char **argv)
{
	int c;

	*o = (struct options){ .por = true };
	while ((c = getopt_long(argc, argv, "h", long_options, NULL)) >= 0) {
		switch (c) {
		case 'p':
			o->protocol = optarg;
			break;
		case 'l':
			o->litmus = optarg;
			break;
		case 'x':
			if (!parse_operations(optarg, &o->exhaustive))
				return usage_error("check", "--exhaustive %s: 1 to %d",
						   optarg, CHECK_TASKS);
			break;
		case OPT_REPLAY:
			o->replay = optarg;
			break;
		case OPT_BLOCKS:
			o->blocks = true;
			break;
		case OPT_NO_POR:
			o->por = false;
			break;
		case OPT_JSON:
			o->json = true;
			break;
		case OPT_LIVE:
			o->race.live = true;
			break;
		case OPT_RACE:
		case OPT_KERNEL:
		case OPT_FS:
		case OPT_EXTENTS:
		case OPT_AGAINST:
		case OPT_FAULTS:
		case OPT_MAX_STATES:
			*race_text(&o->race, c) = optarg;
			break;
		case 'h':
			help();
			return 0;
		default:
			fputs("Try 'udax help check'.\n", stderr);
			return EXIT_USAGE;
		}
	}
	return check_options(o, argc);
}

static int run(struct checker *x, const struct options *o, json_t *list)
{
	bool all = !strcmp(o->protocol, "all");
	const char *protocol;
	int status = 0;

	for (unsigned int i = 0; !status && (protocol = check_protocol(i)); i++) {
		if (!all && strcmp(protocol, o->protocol))
			continue;
		if (o->exhaustive)
			status = exhaustive_protocol(x, o, protocol, list);
		else
			status = litmus_protocol(x, o, protocol, list);
	}
	return status;
}

/* One protocol's exhaustive run is an object, all else a list. */
static int print_list(const struct options *o, const json_t *list)
{
	if (o->exhaustive && json_array_size(list) == 1 &&
	    strcmp(o->protocol, "all"))
		list = json_array_get(list, 0);
	return print_json(list, stdout);
}

int cmd_check(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = on_sigint, .sa_flags = SA_RESETHAND };
	struct checker *x;
	json_t *list = NULL;
	struct options o;
	int status, printed;

	status = parse(&o, argc, argv);
	if (status >= 0)
		return status;
	if (o.replay)
		return replay(o.replay);
	/* The second ^C ends us as it would anybody. */
	sigaction(SIGINT, &sa, NULL);
	if (o.race.script)
		return check_race(&o.race, &stop);
	x = checker_new(o.por, !o.exhaustive, &stop);
	if (!x)
		return run_failed(-ENOMEM);
	if (o.json)
		list = json_array();
	status = run(x, &o, list);
	if (list) {
		printed = print_list(&o, list);
		status = status ? status : printed;
		json_decref(list);
	}
	checker_free(x);
	return status;
}
