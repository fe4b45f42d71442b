/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mm/extlog.h"

struct reader {
	struct extlog *log;
	struct script_error *err;
	unsigned int line;
	unsigned int op;	/* the `extents` that waits for its result; 0 */
	unsigned int last;	/* the last operation seen */
};

static int fail(struct reader *r, const char *msg)
{
	r->err->line = r->line;
	snprintf(r->err->msg, sizeof(r->err->msg), "%s", msg);
	return -EINVAL;
}

/* "[0P+512P written colour-ok]"; @s moves behind it. */
static int parse_extent(const char **s, struct simfs_extent *e)
{
	char state[16], colour[16];
	int used = 0;

	if (sscanf(*s, " [%" SCNu64 "P+%" SCNu64 "P %15s %15[^] ]]%n",
		   &e->page, &e->nr, state, colour, &used) != 4 || !used)
		return -EINVAL;
	if (!e->nr || e->nr > UINT64_MAX - e->page)
		return -EINVAL;
	if (!strcmp(state, "written"))
		e->state = SIMFS_WRITTEN;
	else if (!strcmp(state, "unwritten"))
		e->state = SIMFS_UNWRITTEN;
	else
		return -EINVAL;
	if (!strcmp(colour, "colour-ok"))
		e->pfn = e->page;
	else if (!strcmp(colour, "colour-bad"))
		e->pfn = e->page + 1;
	else
		return -EINVAL;
	*s += used;
	return 0;
}

static struct extlog_result *add_result(struct reader *r, unsigned int nr)
{
	struct extlog *log = r->log;
	struct extlog_result *res;

	res = realloc(log->results, (log->nr + 1) * sizeof(*res));
	if (!res)
		return NULL;
	log->results = res;
	res += log->nr;
	res->op = r->op;
	res->nr = nr;
	res->ext = calloc(nr ? nr : 1, sizeof(*res->ext));
	if (!res->ext)
		return NULL;
	log->nr++;
	return res;
}

/* "n=2 [...] [...]" */
static int parse_result(struct reader *r, const char *s)
{
	struct extlog_result *res;
	unsigned int nr, i;
	int used = 0;

	if (sscanf(s, "n=%u%n", &nr, &used) != 1)
		return 0;	/* an errno */
	if (nr > strlen(s))
		return fail(r, "more extents announced than follow");
	res = add_result(r, nr);
	if (!res)
		return -ENOMEM;
	s += used;
	for (i = 0; i < nr; i++) {
		if (parse_extent(&s, &res->ext[i]))
			return fail(r, "not an extent");
		if (i && res->ext[i].page <
			 res->ext[i - 1].page + res->ext[i - 1].nr)
			return fail(r, "extents overlap");
	}
	return 0;
}

static int parse_line(struct reader *r, const char *line)
{
	char name[16];
	unsigned int op;
	int used = 0;

	if (sscanf(line, "op %u %15s", &op, name) == 2) {
		if (op <= r->last)
			return fail(r, "operations are not in order");
		r->last = op;
		r->op = !strcmp(name, script_op_name(SCRIPT_EXTENTS)) ? op : 0;
	} else if (r->op && sscanf(line, "ret %u %n", &op, &used) == 1 &&
		   used && op == r->op) {
		int rc = parse_result(r, line + used);

		r->op = 0;
		return rc;
	}
	return 0;
}

int extlog_parse(struct extlog *e, const char *text, size_t len,
		 struct script_error *err)
{
	struct reader r = { .log = e, .err = err };
	char *copy = strndup(text, len), *line, *next;
	int rc = 0;

	memset(e, 0, sizeof(*e));
	memset(err, 0, sizeof(*err));
	if (!copy)
		return -ENOMEM;
	for (line = copy; line && !rc; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		r.line++;
		rc = parse_line(&r, line);
	}
	free(copy);
	if (!rc && !r.last) {
		r.line = 0;
		rc = fail(&r, "not a log: no operation in it");
	}
	if (rc)
		extlog_free(e);
	return rc;
}

void extlog_free(struct extlog *e)
{
	unsigned int i;

	for (i = 0; i < e->nr; i++)
		free(e->results[i].ext);
	free(e->results);
	memset(e, 0, sizeof(*e));
}

const struct extlog_result *extlog_at(const struct extlog *e, unsigned int op)
{
	unsigned int lo = 0, hi = e->nr;

	while (lo < hi) {
		unsigned int mid = (lo + hi) / 2;

		if (e->results[mid].op < op)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < e->nr && e->results[lo].op == op ? &e->results[lo] : NULL;
}

/*
 * Does @op change what an earlier allocation left? An MADV_REMOVE names a
 * mapping and not a file: any is taken to be this file's.
 */
static bool disturbs(const struct script_op *op, uint8_t file)
{
	switch (op->kind) {
	case SCRIPT_CREATE:
	case SCRIPT_PUNCH:
	case SCRIPT_ZERO:
	case SCRIPT_COLLAPSE:
	case SCRIPT_TRUNCATE:
		return op->file == file;
	case SCRIPT_MADVISE:
		return op->advice == SCRIPT_REMOVE;
	default:
		return false;
	}
}

const struct extlog_result *extlog_next(const struct extlog *e,
					const struct script *script,
					unsigned int i, uint8_t file)
{
	for (i++; i < script->nr && !disturbs(&script->ops[i], file); i++)
		if (script->ops[i].kind == SCRIPT_EXTENTS &&
		    script->ops[i].file == file)
			return extlog_at(e, script->ops[i].nr);
	return NULL;
}
