/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/sim.h"
#include "lib/parse.h"

/* Above every character, so that getopt's '?' is no option. */
enum option_id {
	OPTION_BASE = 256,
#define X(id, name, arg, read, field, help) OPTION_##id,
#include "cli/tbl/sim_options.h"
#undef X
};

static const struct option long_options[] = {
#define X(id, name, arg, read, field, help) \
	{ name, (arg) ? required_argument : no_argument, NULL, OPTION_##id },
#include "cli/tbl/sim_options.h"
#undef X
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 }
};

/* Readers: 0 or -errno; the sentence in @msg, if any, says more. */
typedef int read_fn(const char *arg, void *field, char *msg, size_t len);

static int read_text(const char *arg, void *field, char *msg, size_t len)
{
	*(const char **)field = arg;
	return 0;
}

static int read_flag(const char *arg, void *field, char *msg, size_t len)
{
	*(bool *)field = true;
	return 0;
}

static int read_number(const char *arg, void *field, char *msg, size_t len)
{
	return parse_uint(arg, UINT64_MAX, field);
}

static int read_count(const char *arg, void *field, char *msg, size_t len)
{
	uint64_t n;
	int err = parse_uint(arg, UINT32_MAX, &n);

	if (!err)
		*(unsigned int *)field = n;
	return err;
}

static int read_duration(const char *arg, void *field, char *msg, size_t len)
{
	return parse_duration(arg, field);
}

static int read_dist(const char *arg, void *field, char *msg, size_t len)
{
	return dist_parse(arg, field, msg, len);
}

static int read_hold(const char *arg, void *field, char *msg, size_t len)
{
	struct sim_options *o = container_of((struct sim_config *)field,
					     struct sim_options, c);
	struct hold new;
	int err;

	if (!strncmp(arg, "trace:", 6) || !strncmp(arg, "file:", 5))
		return sim_hold_recorded(arg, &o->c.hold, o->holds, msg, len);
	err = hold_parse(arg, &new, msg, len);
	if (err)
		return err;
	if (new.glob || new.gates) {
		snprintf(msg, len, new.glob ? "%s: files have no names here" :
			 "%s: nobody is there to open a gate", arg);
		hold_free(&new);
		return -EINVAL;
	}
	hold_free(&o->c.hold);
	o->c.hold = new;
	return 0;
}

/* Plain decimals alone; strtod() takes more than people mean. */
static int read_decimal(const char *arg, double *value)
{
	char *end;

	if (!*arg || arg[strspn(arg, "0123456789.")])
		return -EINVAL;
	*value = strtod(arg, &end);
	return *end ? -EINVAL : 0;
}

static int read_part(const char *arg, void *field, char *msg, size_t len)
{
	double part;
	int err = read_decimal(arg, &part);

	if (err)
		return err;
	if (part > 1)
		return -ERANGE;
	*(double *)field = part;
	return 0;
}

static int read_rate(const char *arg, void *field, char *msg, size_t len)
{
	double rate;
	int err = read_decimal(arg, &rate);

	if (err)
		return err;
	if (rate > 1e9)
		return -ERANGE;
	*(double *)field = rate;
	return 0;
}

static int read_arrivals(const char *arg, void *field, char *msg, size_t len)
{
	struct sim_config *c = field;
	char rate[32];
	const char *task;
	int err;

	if (!strcmp(arg, "closed")) {
		c->arrivals = SIM_CLOSED;
		return 0;
	}
	if (strncmp(arg, "poisson:", 8) || strlen(arg + 8) >= sizeof(rate))
		return -EINVAL;
	strcpy(rate, arg + 8);
	task = strchr(rate, '/');
	if (task) {
		if (strcmp(task, "/task"))
			return -EINVAL;
		rate[task - rate] = '\0';
	}
	err = read_rate(rate, &c->rate, msg, len);
	if (err || c->rate <= 0)
		return err ? err : -EINVAL;
	c->arrivals = task ? SIM_POISSON_TASK : SIM_POISSON;
	return 0;
}

static int read_kick(const char *arg, void *field, char *msg, size_t len)
{
	struct sim_config *c = field;

	c->kick = true;
	return parse_duration(arg, &c->kick_after);
}

static int read_cost(char *item, uint64_t *cost)
{
	char *value = strchr(item, '=');

	if (!value)
		return -EINVAL;
	*value++ = '\0';
	for (int i = 0; i < SIM_COSTS; i++)
		if (!strcmp(sim_cost_name(i), item))
			return parse_duration(value, &cost[i]);
	return -EINVAL;
}

static int read_costs(const char *arg, void *field, char *msg, size_t len)
{
	char *copy = strdup(arg), *rest = copy, *item;
	int err = copy ? 0 : -ENOMEM;

	while (!err && (item = strsep(&rest, ",")))
		err = read_cost(item, field);
	free(copy);
	return err;
}

static const struct {
	const char *name, *arg, *help;
	read_fn *read;
	size_t field;
} rows[] = {
#define X(id, name, arg, read, field, help) \
	{ name, arg, help, read_##read, offsetof(struct sim_options, field) },
#include "cli/tbl/sim_options.h"
#undef X
};

#define NR_ROWS (sizeof(rows) / sizeof(rows[0]))

static void help(void)
{
	fputs("Usage: udax sim [OPTION]...\n"
	      "Simulates the page faults of many tasks on many CPUs, in virtual time, and\n"
	      "says what each protocol makes of the same load.\n\n", stdout);
	for (size_t i = 0; i < NR_ROWS; i++)
		printf("  --%-11s %-12s %s\n", rows[i].name,
		       rows[i].arg ? rows[i].arg : "", rows[i].help);
	fputs("  -h, --help               print this\n\n"
	      "TIME is 50us; DIST is 50us, 20us-80us, exp:MEAN or lognorm:MEDIAN:SIGMA; PART\n"
	      "is 0 to 1; RATE is a number a second. STEP is one of", stdout);
	for (int i = 0; i < SIM_COSTS; i++)
		printf("%s%s", i % 9 == 8 ? "\n" : " ", sim_cost_name(i));
	fputs(".\n\nExit status: 0, 2 wrong usage, 125 udax failed, 130 interrupted.\n",
	      stdout);
}

struct bound {
	const char *name;
	uint64_t value, min, max;
};

static int check(const struct sim_config *c)
{
	const struct bound bounds[] = {
		{ "cpus", c->cpus, 1, SIM_MAX_CPUS },
		{ "tasks", c->tasks, 1, SIM_MAX_TASKS },
		{ "windows", c->windows, 1, SIM_MAX_WINDOWS },
		{ "files", c->files, 1, c->windows },
		{ "pages", c->pages, c->conflict > 0 ? 2 : 1, PG_PMD_NR },
		{ "table-bits", c->table_bits, 0, 20 },
		{ "faults", c->faults, c->time ? 0 : 1, 1UL << 40 },
		{ "warmup", c->warmup, 0, 1UL << 40 },
	};

	for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++)
		if (bounds[i].value < bounds[i].min || bounds[i].value > bounds[i].max)
			return usage_error("sim", "--%s %lu: %lu to %lu", bounds[i].name,
					   bounds[i].value, bounds[i].min,
					   bounds[i].max);
	return -1;
}

static int bad(size_t row, const char *arg, int err, const char *msg)
{
	if (*msg)
		return usage_error("sim", "--%s: %s", rows[row].name, msg);
	return usage_error("sim", "--%s %s: %s", rows[row].name, arg,
			   err == -ERANGE ? "too large" : "not understood");
}

int sim_parse(struct sim_options *o, int argc, char **argv)
{
	bool faults = false;
	char msg[160];
	int id, err;
	size_t row;

	*o = (struct sim_options){ .protocols = "616" };
	sim_config_init(&o->c);
	while ((id = getopt_long(argc, argv, "h", long_options, NULL)) >= 0) {
		if (id == 'h') {
			help();
			return 0;
		}
		if (id <= OPTION_BASE) {
			fputs("Try 'udax help sim'.\n", stderr);
			return EXIT_USAGE;
		}
		row = id - OPTION_BASE - 1;
		msg[0] = '\0';
		err = rows[row].read(optarg, (char *)o + rows[row].field, msg,
				     sizeof(msg));
		if (err)
			return bad(row, optarg, err, msg);
		faults |= id == OPTION_FAULTS;
	}
	if (optind < argc)
		return usage_error("sim", "%s: there are no arguments", argv[optind]);
	/* A time alone is all of the limit. */
	if (o->c.time && !faults)
		o->c.faults = 0;
	return check(&o->c);
}

void sim_options_free(struct sim_options *o)
{
	hold_free(&o->c.hold);
	for (int i = 0; i < HOLD_NR; i++)
		sim_samples_free(&o->holds[i]);
}
