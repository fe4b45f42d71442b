/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "mm/log.h"

#define NAME_LEN 100

static const struct {
	unsigned int bit;
	const char *name;
} results[] = {
	{ DAX_FAULT_OOM, "OOM" },
	{ DAX_FAULT_SIGBUS, "SIGBUS" },
	{ DAX_FAULT_MAJOR, "MAJOR" },
	{ DAX_FAULT_NOPAGE, "NOPAGE" },
	{ DAX_FAULT_LOCKED, "LOCKED" },
	{ DAX_FAULT_RETRY, "RETRY" },
	{ DAX_FAULT_FALLBACK, "FALLBACK" },
	{ DAX_FAULT_DONE_COW, "DONE_COW" },
	{ DAX_FAULT_NEEDDSYNC, "NEEDDSYNC" },
};

static const struct {
	int error;
	const char *name;
} errors[] = {
	{ EACCES, "EACCES" }, { EAGAIN, "EAGAIN" }, { EBADF, "EBADF" },
	{ EBUSY, "EBUSY" }, { EEXIST, "EEXIST" }, { EFAULT, "EFAULT" },
	{ EFBIG, "EFBIG" }, { EINVAL, "EINVAL" }, { EIO, "EIO" },
	{ ENODEV, "ENODEV" }, { ENOENT, "ENOENT" }, { ENOMEM, "ENOMEM" },
	{ ENOSPC, "ENOSPC" }, { EOPNOTSUPP, "EOPNOTSUPP" },
	{ EOVERFLOW, "EOVERFLOW" }, { EPERM, "EPERM" },
};

void log_init(struct log *log, FILE *out)
{
	memset(log, 0, sizeof(*log));
	log->out = out;
	strcpy(log->who, "main");
}

void log_header(struct log *log, const char *kernel, const char *fs,
		const char *scenario)
{
	fprintf(log->out, "# kernel %s fs %s scenario %s\n", kernel, fs,
		scenario);
}

void log_op(struct log *log, unsigned int nr, const char *text)
{
	fprintf(log->out, "op %u %s\n", nr, text);
}

void log_ret(struct log *log, unsigned int nr, const char *fmt, ...)
{
	va_list ap;

	fprintf(log->out, "ret %u ", nr);
	va_start(ap, fmt);
	vfprintf(log->out, fmt, ap);
	va_end(ap);
	fputc('\n', log->out);
}

void log_page_fault(struct log *log, struct log_place place, bool user,
		    bool write, bool present)
{
	fprintf(log->out, "  p %s %c+%" PRIu64 "P %s %s %s\n", log->who,
		'A' + place.map, place.page, user ? "user" : "kernel",
		write ? "w" : "r", present ? "prot" : "np");
}

void log_event(struct log *log, const char *fmt, ...)
{
	size_t used = strlen(log->ev), room = sizeof(log->ev) - used;
	va_list ap;

	va_start(ap, fmt);
	if (log->collecting) {
		if (used && room > 1) {
			log->ev[used++] = ',';
			room--;
		}
		vsnprintf(log->ev + used, room, fmt, ap);
	} else {
		fprintf(log->out, "  s %s ", log->who);
		vfprintf(log->out, fmt, ap);
		fputc('\n', log->out);
	}
	va_end(ap);
}

void log_attempt_begin(struct log *log)
{
	log->collecting = true;
	log->ev[0] = '\0';
}

void log_attempt_end(struct log *log, const struct log_attempt *a)
{
	char grab[NAME_LEN], ins[NAME_LEN], unl[NAME_LEN], res[NAME_LEN];
	const char *acc = a->flags & DAX_FAULT_FLAG_MKWRITE ? "w+mk" :
			  a->flags & DAX_FAULT_FLAG_WRITE ? "w" : "r";

	fprintf(log->out,
		"  f %s %c+%" PRIu64 "P pg=%" PRIu64 " try=%s acc=%s lk=%s"
		" grab=%s ins=%s unl=%s res=%s%s%s\n",
		log->who, 'A' + a->place.map, a->place.page, a->pgoff,
		a->order ? "PMD" : "PTE", acc, a->vma_lock ? "vma" : "mm",
		log_entry(grab, a->grabbed, a->pgoff),
		log_entry(ins, a->inserted, a->pgoff),
		log_entry(unl, a->unlocked, a->pgoff),
		log_result(res, a->result), log->ev[0] ? " ev=" : "", log->ev);
	log->collecting = false;
	log->ev[0] = '\0';
}

char *log_result(char *buf, unsigned int result)
{
	unsigned int i;

	buf[0] = '\0';
	for (i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
		if (!(result & results[i].bit))
			continue;
		if (buf[0])
			strcat(buf, "|");
		strcat(buf, results[i].name);
	}
	if (!buf[0])
		strcpy(buf, "0");
	return buf;
}

/* Is the page of the medium not congruent with the file's, modulo 2M? */
static bool off_colour(dax_entry_t entry, uint64_t pgoff)
{
	if (dax_is_zero_entry(entry) || dax_is_empty_entry(entry))
		return false;
	pgoff = dax_entry_first(entry, pgoff);
	return (dax_to_pfn(entry) ^ pgoff) & PG_PMD_COLOUR;
}

char *log_entry(char *buf, dax_entry_t entry, uint64_t pgoff)
{
	if (!entry)
		return strcpy(buf, "-");
	if (dax_is_internal(entry)) {
		strcpy(buf, "FAULT:");
		log_result(buf + strlen(buf), dax_to_fault(entry));
		return buf;
	}
	strcpy(buf, dax_is_pmd_entry(entry) ? "PMD" : "PTE");
	if (dax_is_zero_entry(entry))
		strcat(buf, ".ZERO");
	if (dax_is_empty_entry(entry))
		strcat(buf, ".EMPTY");
	if (off_colour(entry, pgoff))
		strcat(buf, ".offcolour");
	if (dax_is_locked(entry))
		strcat(buf, ".LOCKED");
	return buf;
}

const char *log_errno(int error)
{
	static char number[16];
	unsigned int i;

	for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (errors[i].error == error)
			return errors[i].name;
	snprintf(number, sizeof(number), "E%d", error);
	return number;
}
