/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/check.h"
#include "cli/cli.h"
#include "cli/scenario.h"
#include "mm/race.h"

#define MAX_FAULTS	3
#define MAX_STATES	4000000

/* On a terminal a line that is written over, four times a second. */
static void progress(const struct race_totals *t)
{
	static struct timespec last;
	struct timespec now;
	int64_t ms;

	clock_gettime(CLOCK_MONOTONIC, &now);
	ms = (now.tv_sec - last.tv_sec) * 1000L +
	     (now.tv_nsec - last.tv_nsec) / 1000000;
	if (ms < 250)
		return;
	last = now;
	fprintf(stderr, "\r\033[K%" PRIu64 " states, %" PRIu64 " runs",
		t->states, t->runs);
}

/* ------------------------------------------------------------------ print */

static json_t *json_lines(const char *text)
{
	json_t *list = json_array();
	const char *nl;

	/* Each line begins with two blanks. */
	for (; (nl = strchr(text, '\n')); text = nl + 1)
		json_array_append_new(list,
				      json_stringn(text + 2, nl - text - 2));
	return list;
}

static json_t *json_outcomes(const struct outcomes *set)
{
	json_t *list = json_array();
	unsigned int i;

	for (i = 0; i < set->nr; i++)
		json_array_append_new(list,
			json_pack("{sI so}", "count",
				  (json_int_t)set->list[i].count, "lines",
				  json_lines(set->list[i].text)));
	return list;
}

static int print_object(const struct race_options *o,
			const struct outcomes *set,
			const struct outcomes *missing,
			const struct race_totals *t, bool complete)
{
	json_t *obj = json_pack("{ss ss ss ss sb sI sI sI sI sI sb so}",
				"race", set->name, "fs", set->fs, "kernel",
				set->kernel, "protocol", o->protocol->name,
				"live", o->live, "states",
				(json_int_t)t->states, "runs",
				(json_int_t)t->runs, "steps",
				(json_int_t)t->steps, "hangs",
				(json_int_t)t->hangs, "cut", (json_int_t)t->cut,
				"complete", complete, "outcomes",
				json_outcomes(set));
	int status;

	if (missing)
		json_object_set_new(obj, "missing", json_outcomes(missing));
	status = print_json(obj, stdout);
	json_decref(obj);
	return status;
}

static void print_set(struct outcomes *set, const struct race_totals *t,
		      bool complete)
{
	char more[200];

	snprintf(more, sizeof(more),
		 "states %" PRIu64 " steps %" PRIu64 " hangs %" PRIu64
		 " cut %" PRIu64 "%s", t->states, t->steps, t->hangs, t->cut,
		 complete ? "" : " incomplete");
	outcomes_print(set, more, stdout);
}

/* ---------------------------------------------------------------- compare */

/* What of @recorded @allowed has not. */
static int find_missing(const struct outcomes *recorded,
			const struct outcomes *allowed,
			struct outcomes *missing)
{
	unsigned int i;
	int rc = 0;

	outcomes_init(missing);
	for (i = 0; i < recorded->nr && !rc; i++) {
		const struct outcome *o = &recorded->list[i];

		if (!outcomes_have(allowed, o))
			rc = outcomes_add(missing, o->text, strlen(o->text),
					  o->count);
	}
	outcomes_sort(missing);
	return rc;
}

/* -------------------------------------------------------------------- run */

static int explored(const struct check_race *c, int rc, const char *msg,
		    const struct race_options *o, const struct race_totals *t)
{
	if (isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
	if (t->hangs)
		complain("check: %s: somebody sleeps for ever in %" PRIu64
			 " runs", c->script, t->hangs);
	if (t->cut)
		complain("check: %s: %" PRIu64 " runs in which an access took "
			 "more than %u faults are left out (--faults)",
			 c->script, t->cut, o->max_faults);
	if (!rc)
		return 0;
	if (rc == -EINTR) {
		complain("check: interrupted");
		return EXIT_INTERRUPTED;
	}
	if (rc == -E2BIG)
		complain("check: %s: more than %" PRIu64
			 " states (--max-states)", c->script, o->max_states);
	else
		complain("check: %s: %s", c->script, msg);
	return EXIT_UDAX;
}

static int run(const struct check_race *c, const struct script *script,
	       const struct race_options *o, const struct outcomes *recorded)
{
	struct outcomes set, missing;
	struct race_totals t;
	int rc, status, printed = 0;
	char msg[120];

	outcomes_init(&set);
	outcomes_init(&missing);
	rc = race_explore(script, o, &set, &t, msg, sizeof(msg));
	status = explored(c, rc, msg, o, &t);
	if (rc && rc != -EINTR && rc != -E2BIG)
		goto out;
	if (recorded && find_missing(recorded, &set, &missing)) {
		complain("check: out of memory");
		status = EXIT_UDAX;
	}
	outcomes_sort(&set);
	if (c->json)
		printed = print_object(o, &set, recorded ? &missing : NULL, &t,
				       !rc);
	else if (!recorded)
		print_set(&set, &t, !rc);
	for (unsigned int i = 0; !c->json && i < missing.nr; i++)
		outcomes_print_one(&missing.list[i], stdout);
	if (!status && missing.nr) {
		complain("check: %s: %u of %u outcomes are not allowed",
			 c->against, missing.nr, recorded->nr);
		status = EXIT_REFUSED;
	}
	status = status ? status : printed;
out:
	outcomes_free(&set);
	outcomes_free(&missing);
	return status;
}

static bool number(const char *text, uint64_t max, uint64_t *value)
{
	return !text || (!script_number(text, value) && *value && *value <= max);
}

static int options(const struct check_race *c, struct race_options *o)
{
	uint64_t faults = MAX_FAULTS;

	const char *kernel = c->kernel ? c->kernel : "6.18";
	const char *fs = c->fs ? c->fs : "xfs";

	o->max_states = MAX_STATES;
	o->variant = mm_variant_find(kernel, fs);
	if (!o->variant)
		return usage_error("check", "no --kernel %s with --fs %s",
				   kernel, fs);
	o->protocol = dax_protocol_find(c->protocol ? c->protocol :
					o->variant->protocol);
	if (!o->protocol)
		return usage_error("check", "--protocol %s: no such protocol",
				   c->protocol);
	if (!number(c->faults, 64, &faults))
		return usage_error("check", "--faults %s: 1 to 64", c->faults);
	if (!number(c->max_states, UINT32_MAX, &o->max_states))
		return usage_error("check", "--max-states %s: not a number",
				   c->max_states);
	o->max_faults = faults;
	o->por = c->por;
	o->live = c->live;
	o->merge = true;
	return 0;
}

static int load_and_run(const struct check_race *c, struct race_options *o)
{
	struct extlog extents = { NULL, 0 };
	struct outcomes recorded;
	struct script script;
	int status;

	outcomes_init(&recorded);
	status = load_script(c->script, &script);
	if (status)
		return status;
	if (c->extents) {
		status = load_extents(c->extents, &extents);
		o->extents = &extents;
	}
	if (!status && c->against)
		status = load_outcomes(c->against, &recorded);
	if (!status && c->against && !recorded.nr) {
		complain("%s: no outcome in it", c->against);
		status = EXIT_USAGE;
	}
	if (!status)
		status = run(c, &script, o, c->against ? &recorded : NULL);
	outcomes_free(&recorded);
	extlog_free(&extents);
	script_free(&script);
	return status;
}

int check_race(const struct check_race *c, const volatile sig_atomic_t *stop)
{
	struct race_options o = { .stop = stop };
	int status = options(c, &o);
	char *name;

	if (status)
		return status;
	if (isatty(STDERR_FILENO))
		o.progress = progress;
	name = scenario_name(c->script);
	o.name = name ? name : c->script;
	status = load_and_run(c, &o);
	free(name);
	return status;
}
