/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A trace as trace-cmd report prints one of the kernel. The kernel's events have
 * the kernel's fields (include/trace/events/fs_dax.h); scripts count on the place
 * of each. Ours are name and value in turns.
 */
#include <inttypes.h>
#include <string.h>

#include "cli/script.h"
#include "dax/dax.h"
#include "udax/wire.h"

#define FLAGS_LEN 100

static void line_begin(FILE *out, const struct script_event *e)
{
	const struct udax_trace_hdr *hdr = e->hdr;
	uint32_t task = hdr->tid;
	char comm[16];

	/* udaxd's own work has the executor's number. */
	if (task || e->session) {
		if (!task)
			task = e->session->pid;
		script_comm(comm, e->session);
	} else {
		task = hdr->ring;
		strcpy(comm, "udaxd");
	}
	fprintf(out, "%16s-%-7" PRIu32 " [%03u] %5" PRIu64 ".%06" PRIu64
		": %s:%*s ", comm, task, hdr->cpu, hdr->time / 1000000000,
		hdr->time / 1000 % 1000000, e->name,
		strlen(e->name) < 20 ? 20 - (int)strlen(e->name) : 0, "");
}

/* What all of the kernel's events begin with. */
static void inode(FILE *out, const struct script_event *e)
{
	if (e->file)
		fprintf(out, "dev %" PRIu32 ":%" PRIu32 " ino %#" PRIx64,
			e->file->major, e->file->minor, e->file->ino);
	else
		fputs("dev 0:0 ino 0", out);
}

static const char *sharing(const struct script_event *e)
{
	return e->region && e->region->flags & UDAX_MAP_PRIVATE ? "private" :
								  "shared";
}

struct fault {
	uint64_t address, pgoff, max_pgoff;
	uint32_t flags, result;
	bool pmd;
};

static void fault(FILE *out, const struct script_event *e,
		  const struct fault *f)
{
	char flags[FLAGS_LEN], result[FLAGS_LEN];

	inode(out, e);
	fprintf(out, " %s %s address %#" PRIx64, sharing(e),
		script_flags(flags, f->flags), f->address);
	if (f->pmd)
		fprintf(out, " vm_start %#" PRIx64 " vm_end %#" PRIx64,
			e->region ? e->region->start : 0,
			e->region ? e->region->end : 0);
	fprintf(out, " pgoff %#" PRIx64, f->pgoff);
	if (f->pmd)
		fprintf(out, " max_pgoff %#" PRIx64, f->max_pgoff);
	fprintf(out, " %s", script_result(result, f->result));
}

static void fault_begin(FILE *out, const struct script_event *e)
{
	const struct udax_trace_fault *r = (const void *)e->hdr;
	struct fault f = {
		.address = r->address, .pgoff = r->pgoff,
		.max_pgoff = r->max_pgoff, .flags = r->flags,
		.pmd = r->order && r->kind == DAX_OP_FAULT,
	};

	fault(out, e, &f);
}

static void fault_done(FILE *out, const struct script_event *e)
{
	const struct udax_trace_fault_done *r = (const void *)e->hdr;
	struct fault f = {
		.address = r->address, .pgoff = r->pgoff,
		.max_pgoff = r->max_pgoff, .flags = r->flags,
		.result = r->result,
		.pmd = r->order && r->kind == DAX_OP_FAULT,
	};

	fault(out, e, &f);
}

/* Kernel events of an install; names as script_event_names() chose them. */
static void mapping(FILE *out, const struct script_event *e)
{
	const struct udax_trace_install *r = (const void *)e->hdr;
	const char *access = r->write ? "write" : "read";
	char flags[FLAGS_LEN];

	inode(out, e);
	switch (r->map) {
	case DAX_MAP_PTE:
		fprintf(out, " %s %s address %#" PRIx64 " radix_entry %#" PRIx64,
			sharing(e), access, r->address, r->entry);
		break;
	case DAX_MAP_PMD:
		fprintf(out, " %s %s address %#" PRIx64 " length %#lx pfn %#"
			PRIx64 " DEV|MAP radix_entry %#" PRIx64, sharing(e),
			access, r->address, DAX_PMD_SIZE, r->pfn, r->entry);
		break;
	case DAX_MAP_PTE_ZERO:
		fprintf(out, " %s %s address %#" PRIx64 " pgoff %#" PRIx64
			" NOPAGE", sharing(e),
			script_flags(flags, r->flags), r->address,
			r->pgoff);
		break;
	default:
		fprintf(out, " %s address %#" PRIx64 " zero_folio %#x radix_entry %#"
			PRIx64, sharing(e), r->address, 0, r->entry);
	}
}

static void writeback(FILE *out, const struct script_event *e)
{
	const struct udax_trace_range *r = (const void *)e->hdr;

	inode(out, e);
	fprintf(out, " pgoff %#" PRIx64 "-%#" PRIx64, r->start, r->end);
}

static void writeback_one(FILE *out, const struct script_event *e)
{
	const struct udax_trace_pages *r = (const void *)e->hdr;

	inode(out, e);
	fprintf(out, " pgoff %#" PRIx64 " pglen %#" PRIx64, r->start, r->nr);
}

static void field(FILE *out, const struct script_field *f)
{
	switch (f->kind) {
	case FIELD_HEX:
		fprintf(out, " %s %#" PRIx64, f->name, f->value);
		break;
	case FIELD_SIGNED:
		fprintf(out, " %s %" PRId64, f->name, (int64_t)f->value);
		break;
	case FIELD_WORD:
		fprintf(out, " %s %s", f->name, f->word);
		break;
	case FIELD_DEC:
	case FIELD_BOOL:
		fprintf(out, " %s %" PRIu64, f->name, f->value);
		break;
	}
}

static void ours(FILE *out, const struct script_event *e)
{
	struct script_field f;

	if (e->file)
		inode(out, e);
	for (unsigned int i = 0; script_field(e->hdr, i, &f); i++)
		field(out, &f);
	/* The ends of waits name it. */
	if (e->hdr->type == UDAX_TRACE_WAKE)
		fprintf(out, " seq %" PRIu64, e->hdr->seq);
}

static void known(FILE *out, const struct script_event *e)
{
	const struct udax_trace_session *s = (const void *)e->hdr;
	const struct udax_trace_file_known *f = (const void *)e->hdr;
	char comm[16], protocol[17], name[33];

	ours(out, e);
	if (e->hdr->type == UDAX_TRACE_SESSION)
		fprintf(out, " pid %" PRIu32 " comm %s", s->pid,
			script_comm(comm, s));
	else if (e->hdr->type == UDAX_TRACE_FILE)
		fprintf(out, " protocol %s name %s",
			script_word(protocol, f->protocol, sizeof(f->protocol)),
			script_word(name, f->name, sizeof(f->name)));
}

/* The event of ours that stands beside one of the kernel's. */
static bool is_second(const struct script_event *e)
{
	return e->hdr->type >= UDAX_TRACE_REFILL && !strncmp(e->name, "udax_", 5);
}

static int text_event(void *state, FILE *out, const struct script_event *e)
{
	const struct udax_trace_range *range = (const void *)e->hdr;

	line_begin(out, e);
	switch (is_second(e) ? 0 : e->hdr->type) {
	case UDAX_TRACE_FAULT:
		fault_begin(out, e);
		break;
	case UDAX_TRACE_FAULT_DONE:
		fault_done(out, e);
		break;
	case UDAX_TRACE_INSTALL:
		mapping(out, e);
		break;
	case UDAX_TRACE_WRITEBACK_ONE:
		writeback_one(out, e);
		break;
	case UDAX_TRACE_RANGE:
	case UDAX_TRACE_RANGE_DONE:
		if (range->kind == DAX_OP_WRITEBACK)
			writeback(out, e);
		else
			ours(out, e);
		break;
	case UDAX_TRACE_SESSION:
	case UDAX_TRACE_FILE:
		known(out, e);
		break;
	default:
		ours(out, e);
	}
	fputc('\n', out);
	return 0;
}

const struct script_format script_text = {
	.name = "text",
	.event = text_event,
};
