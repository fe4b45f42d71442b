/* SPDX-License-Identifier: BSD-3-Clause */
/* Which cases there are: the litmus tests, all of a number; schedules. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "mm/check_int.h"

const char *check_protocol(unsigned int i)
{
	const struct dax_protocol *p = dax_protocol_nth(i);

	return p ? p->name : NULL;
}

bool check_protocol_known(const char *name)
{
	return dax_protocol_find(name);
}

const char *check_finding_name(enum check_finding f)
{
	static const char *const names[CHECK_FINDINGS] = {
		[CHECK_CLEAN] = "clean",
		[CHECK_MISDIRECTED] = "misdirected",
		[CHECK_DELAYED] = "delayed",
		[CHECK_STRANDED] = "stranded",
		[CHECK_MISSED] = "missed",
		[CHECK_LOST] = "lost",
		[CHECK_BROKEN] = "broken",
	};

	return names[f];
}

const char *check_table_name(enum check_table table)
{
	static const char *const names[CHECK_TABLES] = {
		[CHECK_EMPTY] = "empty",
		[CHECK_ZERO_2M] = "zero2m",
		[CHECK_REAL_2M] = "real2m",
		[CHECK_PAGE0] = "page0",
		[CHECK_PAGE1] = "page1",
		[CHECK_PAGES12] = "pages12",
	};

	return names[table];
}

/* ------------------------------------------------------------------ litmus */

static const struct check_litmus litmus[] = {
	{ "L1", "P1,M0", CHECK_EMPTY },
	{ "L2", "P0,M0", CHECK_EMPTY },
	{ "L3", "P1,M0", CHECK_PAGE0 },
	{ "L4", "P1,M0,P0", CHECK_EMPTY },
	{ "L5", "P1,M0,M1,M2", CHECK_EMPTY },
	{ "L6", "P1,I1,I1,I1", CHECK_EMPTY },
	{ "L7", "P1,P1,I1,I1", CHECK_EMPTY },
	{ "L8", "W0,I0,P1,P2", CHECK_REAL_2M },
	{ "L9", "M0,P1,M0,M2", CHECK_ZERO_2M },
	{ "L10", "M0,I0,P1,M2", CHECK_ZERO_2M },
	{ "L11", "P1,P2,P1,P2", CHECK_EMPTY },
	{ "L12", "P1,P1,M2,P0", CHECK_EMPTY },
	{ "L13", "W1,B0", CHECK_PAGES12 },
};

const struct check_litmus *check_litmus_nth(unsigned int i)
{
	return i < sizeof(litmus) / sizeof(litmus[0]) ? &litmus[i] : NULL;
}

void check_litmus_case(const struct check_litmus *l, const char *protocol,
		       struct check_case *c)
{
	*c = (struct check_case){ .protocol = protocol, .table = l->table };
	check_parse_operations(c, l->operations);
}

/* -------------------------------------------------------------- exhaustive */

static const char exhaustive_letter[] = "PPPMMIIW";
static const uint8_t exhaustive_page[] = { 0, 1, 2, 0, 2, 0, 1, 1 };
static const enum check_table exhaustive_table[] = {
	CHECK_EMPTY, CHECK_ZERO_2M, CHECK_REAL_2M, CHECK_PAGE1,
};

#define EXHAUSTIVE_OPS (sizeof(exhaustive_page))
#define EXHAUSTIVE_TABLES \
	(sizeof(exhaustive_table) / sizeof(exhaustive_table[0]))

/* The next multiset: the numbers never fall from left to right. */
static bool next_multiset(uint8_t *pick, unsigned int n)
{
	unsigned int i = n;

	while (i-- && pick[i] == EXHAUSTIVE_OPS - 1)
		;
	if (i >= n)
		return false;
	memset(pick + i, pick[i] + 1, n - i);
	return true;
}

static uint64_t nr_multisets(unsigned int n)
{
	uint64_t nr = 1;

	for (unsigned int i = 1; i <= n; i++)
		nr = nr * (EXHAUSTIVE_OPS - 1 + i) / i;
	return nr;
}

static int exhaustive_case(struct checker *x, const struct check_case *c,
			   struct check_totals *t)
{
	bool invalidates = false;
	struct check_report r;
	int rc = checker_run(x, c, &r);

	if (rc)
		return rc;
	for (unsigned int i = 0; i < c->nr; i++)
		invalidates |= c->op[i].letter == 'I';
	t->done++;
	t->states += r.states;
	t->disagreed += r.disagreed;
	t->stranded += r.stranded > 0;
	if (r.lost) {
		if (!t->lost++)
			check_schedule(c, r.worst == CHECK_LOST ? r.steps : "",
				       t->first);
		t->lost_without_invalidate += !invalidates;
	}
	if (r.worst == CHECK_BROKEN && !t->broken++)
		check_schedule(c, r.steps, t->first_broken);
	return 0;
}

static int exhaustive_tables(struct checker *x, struct check_case *c,
			     const uint8_t *pick, struct check_totals *t,
			     void (*progress)(const struct check_totals *t))
{
	int rc = 0;

	for (unsigned int i = 0; i < c->nr; i++) {
		c->op[i].letter = exhaustive_letter[pick[i]];
		c->op[i].page = exhaustive_page[pick[i]];
	}
	for (unsigned int i = 0; i < EXHAUSTIVE_TABLES && !rc; i++) {
		c->table = exhaustive_table[i];
		rc = exhaustive_case(x, c, t);
		if (progress)
			progress(t);
	}
	return rc;
}

int check_exhaustive(struct checker *x, const char *protocol, bool blocks,
		     unsigned int operations, struct check_totals *t,
		     void (*progress)(const struct check_totals *t))
{
	struct check_case c = {
		.protocol = protocol, .blocks = blocks, .nr = operations,
	};
	uint8_t pick[CHECK_TASKS] = { 0 };
	int rc;

	memset(t, 0, sizeof(*t));
	t->cases = nr_multisets(operations) * EXHAUSTIVE_TABLES;
	do {
		rc = exhaustive_tables(x, &c, pick, t, progress);
	} while (!rc && next_multiset(pick, operations));
	return rc;
}

/* --------------------------------------------------------------- schedules */

void check_operations(const struct check_case *c, char *buf)
{
	char *p = buf;

	*p = '\0';
	for (unsigned int i = 0; i < c->nr; i++)
		p += sprintf(p, "%s%c%u", i ? "," : "", c->op[i].letter,
			     c->op[i].page);
}

void check_schedule(const struct check_case *c, const char *steps, char *buf)
{
	char ops[3 * CHECK_TASKS];

	check_operations(c, ops);
	snprintf(buf, CHECK_SCHEDULE, "%s:%s%s:%s:%s", c->protocol,
		 check_table_name(c->table), c->blocks ? "+blocks" : "", ops,
		 steps);
}

bool check_parse_operations(struct check_case *c, const char *text)
{
	c->nr = 0;
	do {
		if (c->nr == CHECK_TASKS || !*text ||
		    !strchr("PMIWSB", *text) || text[1] < '0' || text[1] > '2')
			return false;
		c->op[c->nr].letter = text[0];
		c->op[c->nr++].page = text[1] - '0';
		text += 2;
	} while (*text++ == ',');
	return !text[-1];
}

static bool parse_table(struct check_case *c, char *text)
{
	char *plus = strchr(text, '+');

	c->blocks = plus;
	if (plus && strcmp(plus, "+blocks"))
		return false;
	if (plus)
		*plus = '\0';
	for (int i = 0; i < CHECK_TABLES; i++)
		if (!strcmp(check_table_name(i), text)) {
			c->table = i;
			return true;
		}
	return false;
}

const char *check_parse_schedule(struct check_case *c, const char *schedule,
				 const char **steps)
{
	const struct dax_protocol *p;
	char buf[96], *table, *ops;
	const char *end = strrchr(schedule, ':');

	if (!end || (size_t)(end - schedule) >= sizeof(buf))
		return "not PROTOCOL:TABLE:OPERATIONS:STEPS";
	*steps = end + 1;
	memcpy(buf, schedule, end - schedule);
	buf[end - schedule] = '\0';
	table = strchr(buf, ':');
	ops = table ? strchr(table + 1, ':') : NULL;
	if (!ops)
		return "not PROTOCOL:TABLE:OPERATIONS:STEPS";
	*table++ = *ops++ = '\0';
	p = dax_protocol_find(buf);
	if (!p)
		return "no such protocol";
	c->protocol = p->name;
	if (!parse_table(c, table))
		return "no such table";
	if (!check_parse_operations(c, ops))
		return "no such operations";
	return NULL;
}
