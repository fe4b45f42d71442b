/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * udax script: a trace, printed. script.c reads and filters, a format prints;
 * what both need to know of a record is in script_event.c and script_names.c.
 */
#ifndef UDAX_CLI_SCRIPT_H
#define UDAX_CLI_SCRIPT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "udax/trace.h"

/* Who is who, learned from the trace as it is read. NULL: not known. */
struct script_names {
	void *sessions, *files, *regions, *threads;	/* tsearch(3) trees */
};

/* @hdr is the next record. 0 or -ENOMEM. */
int names_learn(struct script_names *n, const struct udax_trace_hdr *hdr);
void names_free(struct script_names *n);
/* The process of the thread that the record is about. */
const struct udax_trace_session *names_session(struct script_names *n,
					       const struct udax_trace_hdr *hdr);
const struct udax_trace_region *names_region(struct script_names *n,
					     const struct udax_trace_hdr *hdr);
const struct udax_trace_file_known *names_file(struct script_names *n,
					       const struct udax_trace_hdr *hdr);

/* One event; pointers live until the next record is read. */
struct script_event {
	const struct udax_trace_hdr *hdr;
	const char *name;
	const struct udax_trace_session *session;	/* or NULL */
	const struct udax_trace_region *region;		/* or NULL */
	const struct udax_trace_file_known *file;	/* or NULL */
};

/*
 * The events that the record stands for, by the names of the kernel's
 * tracepoints where it has them: at least one, at most two.
 */
unsigned int script_event_names(const struct udax_trace_hdr *hdr,
				const char *names[2]);

enum script_field_kind { FIELD_HEX, FIELD_DEC, FIELD_SIGNED, FIELD_BOOL, FIELD_WORD };

struct script_field {
	const char *name;
	enum script_field_kind kind;
	uint64_t value;		/* SIGNED: an int64_t */
	const char *word;	/* FIELD_WORD */
};

/* The @i-th field of the record; false: there are no more. */
bool script_field(const struct udax_trace_hdr *hdr, unsigned int i,
		  struct script_field *field);
/* "WRITE|USER", "NOPAGE"; "" for 0, as the kernel prints. @buf of 100 bytes. */
char *script_flags(char *buf, unsigned int flags);
char *script_result(char *buf, unsigned int result);
/*
 * The name in a field of @len bytes without what would break a line into other
 * fields. @buf of @len + 1 bytes. The process's; of 16 bytes.
 */
char *script_word(char *buf, const char *name, unsigned int len);
char *script_comm(char buf[16], const struct udax_trace_session *session);

/* How events are printed. Errors of the stream stay in it. */
struct script_format {
	const char *name;
	/* NULL: nothing to do. *@state is the format's; 0 or -errno. */
	int (*begin)(void **state, FILE *out, const struct udax_trace_file *file);
	int (*event)(void *state, FILE *out, const struct script_event *e);
	int (*end)(void *state, FILE *out);
	bool whole;	/* makes sense of all events only: no --event */
};

extern const struct script_format script_text, script_json, script_chrome;

#endif
