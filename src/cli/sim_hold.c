/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Recorded hold times: of a trace, from an entry's lock to its unlock, or of a
 * text file. Each recorded time is as likely as another.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/sim.h"
#include "lib/parse.h"
#include "lib/trace_read.h"

/* What a lock was for is known by the record with which its work began. */
#define ORIGINS	(1U << 16)

struct recorder {
	struct sim_samples *holds;	/* by kind */
	struct {
		uint32_t seq;
		enum hold_kind kind;
	} origin[ORIGINS];
	struct locked {
		uint64_t file, index, time;
		enum hold_kind kind;
	} *locked;			/* now */
	size_t nr, max;
};

static int record(struct sim_samples *s, uint64_t ns)
{
	return sim_samples_add(s, ns < DIST_MAX_NS ? ns : DIST_MAX_NS);
}

/* A kind of which there is nothing is as the other that a fault may have. */
static void share(struct hold *hold, const struct sim_samples *holds)
{
	for (int i = 0; i < HOLD_NR; i++) {
		const struct sim_samples *s = &holds[i];

		if (!s->nr && i != HOLD_FLUSH)
			s = &holds[i == HOLD_ALLOC ? HOLD_READ : HOLD_ALLOC];
		hold->time[i] = (struct dist){
			.shape = DIST_VALUES, .values = s->value, .nr = s->nr,
		};
	}
}

/* ------------------------------------------------------------------- trace */

static void begins(struct recorder *r, uint64_t seq, enum hold_kind kind)
{
	r->origin[seq % ORIGINS].seq = seq;
	r->origin[seq % ORIGINS].kind = kind;
}

static int on_lock(struct recorder *r, const struct udax_trace_entry *e)
{
	uint32_t cause = e->hdr.cause;
	struct locked *locked = r->locked;

	if (!cause || r->origin[cause % ORIGINS].seq != cause)
		return 0;
	if (r->nr == r->max) {
		r->max = r->max ? r->max * 2 : 64;
		locked = reallocarray(locked, r->max, sizeof(*locked));
		if (!locked)
			return -ENOMEM;
		r->locked = locked;
	}
	locked[r->nr++] = (struct locked){ e->file, e->index, e->hdr.time,
					   r->origin[cause % ORIGINS].kind };
	return 0;
}

/* An entry is locked once at a time; few are at any time. */
static int on_unlock(struct recorder *r, const struct udax_trace_entry *e)
{
	for (size_t i = 0; i < r->nr; i++) {
		struct locked l = r->locked[i];

		if (l.file != e->file || l.index != e->index)
			continue;
		r->locked[i] = r->locked[--r->nr];
		return record(&r->holds[l.kind], e->hdr.time - l.time);
	}
	return 0;
}

static int on_record(struct recorder *r, const struct udax_trace_hdr *hdr)
{
	const struct udax_trace_page_fault *fault = (const void *)hdr;

	switch (hdr->type) {
	case UDAX_TRACE_PAGE_FAULT:
		begins(r, hdr->seq, fault->write ? HOLD_ALLOC : HOLD_READ);
		return 0;
	case UDAX_TRACE_RANGE:
		begins(r, hdr->seq, HOLD_FLUSH);
		return 0;
	case UDAX_TRACE_LOCK:
		return on_lock(r, (const void *)hdr);
	case UDAX_TRACE_UNLOCK:
		return on_unlock(r, (const void *)hdr);
	default:
		return 0;
	}
}

static int read_trace(const char *path, struct sim_samples *holds, char *msg,
		      size_t len)
{
	struct recorder *r = calloc(1, sizeof(*r));
	const struct udax_trace_hdr *hdr;
	struct trace_reader *reader;
	char why[120];
	int err, n;

	if (!r)
		return -ENOMEM;
	r->holds = holds;
	err = trace_open(&reader, path, TRACE_OPEN_SNAPSHOT, why, sizeof(why));
	if (err) {
		snprintf(msg, len, "%s: %s", path, why);
		free(r);
		return err;
	}
	while (!err && (n = trace_next(reader, &hdr)) > 0)
		err = on_record(r, hdr);
	trace_reader_free(reader);
	free(r->locked);
	free(r);
	return err;
}

/* -------------------------------------------------------------------- text */

static int kind_of(const char *name)
{
	for (int i = 0; i < HOLD_NR; i++)
		if (!strcmp(hold_kind_name(i), name))
			return i;
	return -1;
}

/* "[KIND] TIME"; what follows a # is for people. */
static int read_line(char *line, struct sim_samples *holds)
{
	char *rest = line, *word, *time = NULL;
	int kind = HOLD_ALLOC, words = 0, err;
	uint64_t ns;

	line[strcspn(line, "#\n")] = '\0';
	while ((word = strsep(&rest, " \t")))
		if (*word && ++words > 0) {
			if (words == 2)
				kind = kind_of(time);
			time = word;
		}
	if (!words)
		return 0;
	if (words > 2 || kind < 0)
		return -EINVAL;
	err = parse_duration(time, &ns);
	return err ? err : record(&holds[kind], ns);
}

static int read_text(const char *path, struct sim_samples *holds, char *msg,
		     size_t len)
{
	FILE *f = fopen(path, "re");
	unsigned int nr = 0;
	char line[256];
	int err = f ? 0 : -errno;

	if (err) {
		snprintf(msg, len, "%s: %s", path, strerror(-err));
		return err;
	}
	while (!err && fgets(line, sizeof(line), f)) {
		nr++;
		err = read_line(line, holds);
	}
	if (err)
		snprintf(msg, len, "%s:%u: not [alloc|read|flush] TIME", path, nr);
	fclose(f);
	return err;
}

int sim_hold_recorded(const char *arg, struct hold *hold,
		      struct sim_samples *holds, char *msg, size_t len)
{
	bool trace = !strncmp(arg, "trace:", 6);
	const char *path = strchr(arg, ':') + 1;
	int err = trace ? read_trace(path, holds, msg, len) :
			  read_text(path, holds, msg, len);

	if (!err && !holds[HOLD_ALLOC].nr && !holds[HOLD_READ].nr &&
	    !holds[HOLD_FLUSH].nr) {
		snprintf(msg, len, "%s: no entry was locked there", path);
		err = -EINVAL;
	}
	if (!err)
		share(hold, holds);
	return err;
}
