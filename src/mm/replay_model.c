/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "mm/replay_int.h"

int replay_fail(struct replay *r, int error, const char *why)
{
	if (!r->error) {
		r->error = error;
		r->why = why;
	}
	return error;
}

struct log_place replay_place(struct replay *r, uint64_t addr)
{
	unsigned int map = (addr >> SCRIPT_SLOT_SHIFT) - 1;

	return (struct log_place){
		.map = map,
		.page = (addr - r->map[map].start) >> PAGE_SHIFT,
	};
}

void replay_split(void *arg, uint64_t addr)
{
	struct replay *r = arg;
	struct log_place place = replay_place(r, addr);

	log_event(&r->log, "splitpmd(%c+%" PRIu64 "P)", 'A' + place.map,
		  place.page);
}

/* What the operation allocates goes where the recording has it. */
static void set_hints(struct replay *r)
{
	unsigned int i = r->op - r->script->ops, n;

	for (n = 0; n < REPLAY_NAMES; n++) {
		struct replay_file *file = r->name[n].file;
		const struct extlog_result *res;

		if (!file)
			continue;
		res = extlog_next(r->o->extents, r->script, i, n);
		file->fs.hint = res ? res->ext : NULL;
		file->fs.nr_hint = res ? res->nr : 0;
	}
}

static void run_op(struct replay *r)
{
	if (r->o->extents)
		set_hints(r);
	log_op(&r->log, r->op->nr, r->op->text);
	switch (r->op->kind) {
	case SCRIPT_DROPCACHES:		/* entries belong to the inode, in use */
		replay_ret(r, 0);
		break;
	case SCRIPT_MAP:
	case SCRIPT_MUNMAP:
	case SCRIPT_MSYNC:
	case SCRIPT_MPROTECT:
	case SCRIPT_MADVISE:
	case SCRIPT_MREMAP:
	case SCRIPT_TOUCH:
	case SCRIPT_ATOUCH:
	case SCRIPT_ARM:
	case SCRIPT_GO:
	case SCRIPT_JOIN:
	case SCRIPT_CHILD:
		replay_map_op(r);
		break;
	default:
		replay_file_op(r);
		break;
	}
}

static int replay_init(struct replay *r, const struct script *script,
		       const struct replay_options *o)
{
	uint64_t size = dax_wait_table_size(DAX_WAIT_TABLE_BITS);
	void *queues = aligned_alloc(64, (size + 63) & ~63ULL);

	memset(r, 0, sizeof(*r));
	if (!queues)
		return -ENOMEM;
	r->o = o;
	r->script = script;
	log_init(&r->log, o->out);
	simfs_init(&r->fs, &o->variant->simfs);
	dax_wait_table_init(&r->waits, DAX_WAIT_TABLE_BITS, queues);
	mm_init(&r->main_mm, &o->variant->mm);
	r->main_mm.split = replay_split;
	r->main_mm.arg = r;
	r->mm[0] = &r->main_mm;
	return 0;
}

static void replay_exit(struct replay *r)
{
	struct replay_file *file;

	mm_exit(&r->main_mm);
	while ((file = r->files)) {
		r->files = file->next;
		replay_file_free(file);
	}
	dax_wait_table_exit(&r->waits);
	free(r->waits.queues);
}

int replay_model(const struct script *script, const struct replay_options *o,
		 char *msg, size_t len)
{
	struct replay r;
	unsigned int i;
	int rc = replay_init(&r, script, o);

	if (rc) {
		snprintf(msg, len, "no memory");
		return rc;
	}
	log_header(&r.log, o->variant->kernel, o->variant->fs, o->scenario);
	for (i = 0; i < script->nr && !r.error; i++) {
		r.op = &script->ops[i];
		run_op(&r);
	}
	rc = r.error;
	if (rc)
		snprintf(msg, len, "line %u: %s", r.op->line, r.why);
	replay_exit(&r);
	return rc;
}
