/* SPDX-License-Identifier: BSD-3-Clause */
#include "mm/replay.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

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

bool replay_named(struct replay *r, uint64_t addr)
{
	uint64_t map = (addr >> SCRIPT_SLOT_SHIFT) - 1;
	const struct replay_map *m;

	if (map >= REPLAY_NAMES)
		return false;
	m = &r->map[map];
	return m->known && addr >= m->start && addr - m->start < m->len;
}

void replay_ret(struct replay *r, int error)
{
	log_ret(&r->log, r->op->nr, "%s", error ? log_errno(-error) : "ok");
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

static void file_free(struct replay *r, struct replay_file *file)
{
	r->driver->destroy(r, file);
	simfs_file_exit(&file->fs);
	free(file);
}

void replay_init(struct replay *r, const struct script *script,
		 const struct replay_options *o,
		 const struct replay_driver *driver, void *arg)
{
	memset(r, 0, sizeof(*r));
	r->o = o;
	r->driver = driver;
	r->arg = arg;
	r->script = script;
	log_init(&r->log, o->out);
	simfs_init(&r->fs, &o->variant->simfs);
	mm_init(&r->mm, &o->variant->mm);
	r->mm.split = driver->split;
	r->mm.arg = r;
}

void replay_run(struct replay *r)
{
	const struct mm_variant *v = r->o->variant;
	unsigned int i;

	log_header(&r->log, v->kernel, v->fs, r->o->scenario);
	for (i = 0; i < r->script->nr && !r->error; i++) {
		r->op = &r->script->ops[i];
		run_op(r);
	}
}

void replay_exit(struct replay *r)
{
	struct replay_file *file;

	mm_exit(&r->mm);
	while ((file = r->files)) {
		r->files = file->next;
		file_free(r, file);
	}
}

int replay_script(const struct script *script, const struct replay_options *o,
		  const struct replay_driver *driver, void *arg, char *msg,
		  size_t len)
{
	struct replay r;

	replay_init(&r, script, o, driver, arg);
	replay_run(&r);
	if (r.error)
		snprintf(msg, len, "line %u: %s", r.op->line, r.why);
	replay_exit(&r);
	return r.error;
}
