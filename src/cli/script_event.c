/* SPDX-License-Identifier: BSD-3-Clause */
/* Names and fields of a trace's records. */
#include "cli/script.h"

#include <stddef.h>
#include <string.h>

#include "dax/dax.h"
#include "lib/trace_read.h"
#include "mm/log.h"

/* -------------------------------------------------------------------- names */

static const char *const range_names[][2] = {
	[DAX_OP_WRITEBACK] = { "dax_writeback_range", "dax_writeback_range_done" },
	[DAX_OP_INVALIDATE] = { "dax_invalidate_mapping_entry_sync",
				"dax_invalidate_mapping_entry_sync_done" },
	[DAX_OP_DELETE] = { "dax_delete_mapping_entry",
			    "dax_delete_mapping_entry_done" },
	[DAX_OP_DELETE_RANGE] = { "dax_delete_mapping_range",
				  "dax_delete_mapping_range_done" },
	[DAX_OP_LAYOUT_BUSY] = { "dax_layout_busy_page_range",
				 "dax_layout_busy_page_range_done" },
	[DAX_OP_LOCK_ENTRY] = { "dax_lock_mapping_entry",
				"dax_lock_mapping_entry_done" },
};

static const char *range_name(const struct udax_trace_range *r, bool done)
{
	const unsigned int nr = sizeof(range_names) / sizeof(range_names[0]);

	if (r->kind < nr && range_names[r->kind][done])
		return range_names[r->kind][done];
	return trace_event_name(r->hdr.type);
}

/* The kernel's, of what was installed; NULL: it has none. */
static const char *install_name(const struct udax_trace_install *i)
{
	if (i->copy)
		return NULL;
	if (i->error)
		return i->map == DAX_MAP_PMD_ZERO ?
		       "dax_pmd_load_hole_fallback" : NULL;
	switch (i->map) {
	case DAX_MAP_PTE:
		return "dax_insert_mapping";
	case DAX_MAP_PMD:
		return "dax_pmd_insert_mapping";
	case DAX_MAP_PTE_ZERO:
		return "dax_load_hole";
	case DAX_MAP_PMD_ZERO:
		return "dax_pmd_load_hole";
	default:
		return NULL;
	}
}

static const char *done_name(const struct udax_trace_fault_done *d)
{
	if (d->kind == DAX_OP_MKWRITE)
		return d->inserted ? "dax_insert_pfn_mkwrite" :
				     "dax_insert_pfn_mkwrite_no_entry";
	return d->order ? "dax_pmd_fault_done" : "dax_pte_fault_done";
}

static const char *fault_name(const struct udax_trace_fault *f)
{
	if (f->kind == DAX_OP_MKWRITE)
		return "dax_finish_sync_fault";
	return f->order ? "dax_pmd_fault" : "dax_pte_fault";
}

unsigned int script_event_names(const struct udax_trace_hdr *hdr,
				const char *names[2])
{
	unsigned int n = 0;

	switch (hdr->type) {
	case UDAX_TRACE_FAULT:
		names[n++] = fault_name((const void *)hdr);
		break;
	case UDAX_TRACE_FAULT_DONE:
		names[n++] = done_name((const void *)hdr);
		if (((const struct udax_trace_fault_done *)hdr)->reason)
			names[n++] = "udax_fallback";
		break;
	case UDAX_TRACE_RANGE:
	case UDAX_TRACE_RANGE_DONE:
		names[n++] = range_name((const void *)hdr,
					hdr->type == UDAX_TRACE_RANGE_DONE);
		break;
	case UDAX_TRACE_INSTALL:
		names[n] = install_name((const void *)hdr);
		if (names[n])
			n++;
		/* fall through */
	default:
		names[n++] = trace_event_name(hdr->type);
	}
	return n;
}

/* ------------------------------------------------------------------- fields */

static const char *const media_words[] = { "direct", "image", NULL };
static const char *const message_words[] = { "missing", "minor", "wp", NULL };
static const char *const drop_words[] = {
	"changing", "unknown", "nothing", "busy", NULL
};
static const char *const map_words[] = {
	"pte", "pmd", "pte-zero", "pmd-zero", NULL
};
static const char *const wake_words[] = { "all", "next", NULL };
static const char *const reason_words[] = {
	"none", "colour", "private", "vma", "eof", "conflict", "oom", "extent", NULL
};

_Static_assert(DAX_FALLBACK_NR + 1 == sizeof(reason_words) / sizeof(char *),
	       "a word for each reason");
_Static_assert(WAKE_ALL == 0 && WAKE_NEXT == 1, "order of the words");
_Static_assert(DAX_MAP_PMD_ZERO == 3, "order of the words");

static const struct field {
	uint16_t type, offset, size;
	enum script_field_kind kind;
	const char *name;
	const char *const *words;
} fields[] = {
#define HEX FIELD_HEX, NULL
#define DEC FIELD_DEC, NULL
#define SIGNED FIELD_SIGNED, NULL
#define BOOL FIELD_BOOL, NULL
#define WORDS(table) FIELD_WORD, table
#define ROW(id, record, member, how, table) \
	{ UDAX_TRACE_##id, offsetof(struct udax_trace_##record, member), \
	  sizeof(((struct udax_trace_##record *)0)->member), how, #member, table },
#define EXPAND(macro, ...) macro(__VA_ARGS__)
#define F(id, record, member, how) EXPAND(ROW, id, record, member, how)
#include "cli/tbl/trace_fields.h"
#undef F
};

/* Where the fields of each type begin; they stand together. */
static unsigned int first_field(unsigned int type)
{
	const unsigned int nr = sizeof(fields) / sizeof(fields[0]);
	static unsigned int first[UDAX_TRACE_NR];

	if (!first[type]) {
		unsigned int i = 0;

		while (i < nr && fields[i].type != type)
			i++;
		first[type] = i + 1;
	}
	return first[type] - 1;
}

static uint64_t load(const void *p, unsigned int size, bool is_signed)
{
	uint64_t value = 0;

	if (is_signed && size == 4)
		return (int64_t)*(const int32_t *)p;
	memcpy(&value, p, size);	/* little-endian, as the format is here */
	return value;
}

bool script_field(const struct udax_trace_hdr *hdr, unsigned int i,
		  struct script_field *field)
{
	const unsigned int nr = sizeof(fields) / sizeof(fields[0]);
	const struct field *f;
	unsigned int words = 0;

	i += first_field(hdr->type);
	if (i >= nr || fields[i].type != hdr->type)
		return false;
	f = &fields[i];
	field->name = f->name;
	field->kind = f->kind;
	field->value = load((const char *)hdr + f->offset, f->size,
			    f->kind == FIELD_SIGNED);
	if (f->kind != FIELD_WORD)
		return true;
	while (f->words[words])
		words++;
	field->word = field->value < words ? f->words[field->value] : "?";
	return true;
}

/* -------------------------------------------------------------------- words */

char *script_flags(char *buf, unsigned int flags)
{
	static const struct {
		unsigned int bit;
		const char *name;
	} names[] = {
		{ DAX_FAULT_FLAG_WRITE, "WRITE" },
		{ DAX_FAULT_FLAG_MKWRITE, "MKWRITE" },
		{ DAX_FAULT_FLAG_USER, "USER" },
	};

	*buf = '\0';
	for (unsigned int i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!(flags & names[i].bit))
			continue;
		if (*buf)
			strcat(buf, "|");
		strcat(buf, names[i].name);
	}
	return buf;
}

char *script_result(char *buf, unsigned int result)
{
	*buf = '\0';
	return result ? log_result(buf, result) : buf;
}

char *script_word(char *buf, const char *name, unsigned int len)
{
	unsigned int i;

	for (i = 0; i < len && name[i]; i++) {
		unsigned char c = name[i];

		buf[i] = c > ' ' && c < 0x7f ? c : '_';
	}
	buf[i] = '\0';
	return buf;
}

char *script_comm(char buf[16], const struct udax_trace_session *session)
{
	return session ? script_word(buf, session->comm, 15) :
			 strcpy(buf, "<...>");
}
