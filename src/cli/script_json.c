/* SPDX-License-Identifier: BSD-3-Clause */
/* A trace as JSON, an object a line: raw integers, nanoseconds. */
#include <errno.h>
#include <string.h>

#include <jansson.h>

#include "cli/script.h"

/* What is not text becomes '_'. */
static json_t *word(const char *name, unsigned int len)
{
	char buf[33];

	return json_string(script_word(buf, name, len));
}

static int set_integer(json_t *o, const char *name, uint64_t value)
{
	return json_object_set_new(o, name, json_integer((json_int_t)value));
}

static int set_field(json_t *o, const struct script_field *f)
{
	switch (f->kind) {
	case FIELD_WORD:
		return json_object_set_new(o, f->name, json_string(f->word));
	case FIELD_BOOL:
		return json_object_set_new(o, f->name, json_boolean(f->value));
	default:
		return set_integer(o, f->name, f->value);
	}
}

static int set_file(json_t *o, const struct udax_trace_file_known *f)
{
	int err = set_integer(o, "major", f->major);

	err |= set_integer(o, "minor", f->minor);
	err |= set_integer(o, "ino", f->ino);
	return err | json_object_set_new(o, "name", word(f->name,
							 sizeof(f->name)));
}

/* Names beside the numbers, where a record has them only so. */
static int set_more(json_t *o, const struct script_event *e)
{
	const struct udax_trace_fault_done *d = (const void *)e->hdr;
	const struct udax_trace_file_known *f = (const void *)e->hdr;
	char buf[100];

	switch (e->hdr->type) {
	case UDAX_TRACE_FAULT_DONE:
		return json_object_set_new(o, "result_names",
				json_string(script_result(buf, d->result)));
	case UDAX_TRACE_FILE:
		return json_object_set_new(o, "protocol",
				word(f->protocol, sizeof(f->protocol)));
	default:
		return 0;
	}
}

static int json_event(void *state, FILE *out, const struct script_event *e)
{
	const struct udax_trace_hdr *hdr = e->hdr;
	struct script_field f;
	json_t *o;
	int err;

	o = json_pack("{s:I,s:I,s:s,s:i,s:i,s:I,s:I}",
		      "seq", (json_int_t)hdr->seq,
		      "time_ns", (json_int_t)hdr->time, "event", e->name,
		      "cpu", (int)hdr->cpu, "ring", (int)hdr->ring,
		      "cause", (json_int_t)hdr->cause,
		      "tid", (json_int_t)hdr->tid);
	if (!o)
		return -ENOMEM;
	err = 0;
	if (e->session) {
		err |= set_integer(o, "pid", e->session->pid);
		err |= json_object_set_new(o, "comm", word(e->session->comm, 15));
	}
	if (e->file)
		err |= set_file(o, e->file);
	for (unsigned int i = 0; script_field(hdr, i, &f); i++)
		err |= set_field(o, &f);
	err |= set_more(o, e);
	if (!err) {
		json_dumpf(o, out, JSON_COMPACT);
		fputc('\n', out);
	}
	json_decref(o);
	return err ? -ENOMEM : 0;
}

const struct script_format script_json = {
	.name = "json",
	.event = json_event,
};
