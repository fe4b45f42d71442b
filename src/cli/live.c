/* SPDX-License-Identifier: BSD-3-Clause */
#include "cli/live.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void live_settle(struct replay *r)
{
	const struct udax_fs_msg quiet = { .what = UDAX_FS_QUIET };
	int err;

	if (r->error)
		return;
	err = live_fs_call(live_of(r), &quiet, -1);
	if (err)
		replay_fail(r, err, "udaxd has gone");
	else
		live_log_drain(r);
}

/* An operation on a file's entries, mappings or lock. */
static void file_call(struct replay *r, struct replay_file *file,
		      const struct udax_fs_msg *fs)
{
	int err = r->error ? 0 :
		  live_fs_call(live_of(r), fs, live_file(file)->fd);

	if (err)
		replay_fail(r, err, "udaxd refuses an operation on a file");
}

static void live_inval_lock(struct replay *r, struct replay_file *file)
{
	file_call(r, file, &(struct udax_fs_msg){ .what = UDAX_FS_LOCK });
}

static void live_inval_unlock(struct replay *r, struct replay_file *file)
{
	file_call(r, file, &(struct udax_fs_msg){ .what = UDAX_FS_UNLOCK });
	live_settle(r);
}

static void live_fs_begin(struct replay *r)
{
	pthread_mutex_lock(&live_of(r)->fs_lock);
}

static void live_fs_end(struct replay *r)
{
	pthread_mutex_unlock(&live_of(r)->fs_lock);
}

static void live_unmap(struct replay *r, struct replay_file *file,
		       uint64_t start, uint64_t nr, bool cows)
{
	struct udax_fs_msg fs = {
		.what = UDAX_FS_UNMAP,
		.first = start,
		.last = nr > REPLAY_LAST - start ? REPLAY_LAST : start + nr - 1,
	};

	file_call(r, file, &fs);
	if (cows)
		live_drop_copies(r, file, start, nr);
}

static void live_range(struct replay *r, struct replay_file *file,
		       enum dax_op_kind kind, uint64_t first, uint64_t last)
{
	struct udax_fs_msg fs = {
		.what = UDAX_FS_RANGE, .kind = kind, .first = first, .last = last,
	};

	file_call(r, file, &fs);
	/* Page tables once, after the entries. */
	if (kind == DAX_OP_INVALIDATE)
		live_unmap(r, file, first, last - first + 1, false);
}

static const struct replay_driver driver = {
	.create = live_create,
	.destroy = live_destroy,
	.range = live_range,
	.unmap = live_unmap,
	.inval_lock = live_inval_lock,
	.inval_unlock = live_inval_unlock,
	.fs_begin = live_fs_begin,
	.fs_end = live_fs_end,
	.resize = live_resize,
	.zero = live_zero,
	.collapse = live_collapse,
	.fill = live_fill,
	.read = live_read,
	.write_from = live_write_from,
	.read_into = live_read_into,
	.mmap = live_mmap,
	.munmap = live_munmap,
	.mprotect = live_mprotect,
	.mremap = live_mremap,
	.madvise = live_madvise,
	.touch = live_touch,
	.child = live_child,
	.start = live_start,
	.arm = live_arm,
	.go = live_go,
	.join = live_join,
};

static int run(struct live *l, const char *socket, const struct script *script,
	       const struct replay_options *o, char *msg, size_t len)
{
	int rc = live_agent_start(l, socket, msg, len);

	if (!rc) {
		rc = replay_script(script, o, &driver, l, msg, len);
		live_threads_stop(l);
		live_agent_stop(l);
	}
	live_disconnect(l);
	return rc;
}

int live_replay(const char *socket, const char *trace,
		const struct script *script, const struct replay_options *o,
		char *msg, size_t len)
{
	struct live l = { .sock = -1 };
	int rc = live_log_new(&l);

	if (!rc)
		rc = live_catch_signals();
	if (rc) {
		snprintf(msg, len, "%s", strerror(-rc));
		goto out;
	}
	pthread_mutex_init(&l.fs_lock, NULL);
	rc = trace_open(&l.trace, trace, TRACE_OPEN_CONSUME, msg, len);
	if (!rc)
		rc = live_connect(&l, socket, msg, len);
	if (!rc)
		rc = run(&l, socket, script, o, msg, len);
	trace_reader_free(l.trace);
out:
	live_log_free(&l);
	return rc;
}
