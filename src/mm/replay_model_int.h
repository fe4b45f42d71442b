/* SPDX-License-Identifier: BSD-3-Clause */
/* Shared by the parts of the model's driver, and by nobody else. */
#ifndef UDAX_MM_REPLAY_MODEL_INT_H
#define UDAX_MM_REPLAY_MODEL_INT_H

#include "mm/replay_model.h"

/* A file's part: replay_file.driver. */
struct model_file {
	struct dax_mapping mapping;
	void *table;			/* the mapping's memory */
};

/* A thread between its release and its join, or before. */
struct model_thread {
	const struct script_op *armed;	/* waits for `go`, at: */
	uint64_t addr;
	bool finished;			/* @access waits for `join` */
	struct replay_access access;
};

/* The run's part: replay.arg. */
struct model {
	struct dax_wait_table waits;
	struct dax_stats stats;
	struct mm *child;		/* or NULL */
	struct model_thread thread[SCRIPT_THREADS];
	unsigned int armed[SCRIPT_THREADS], nr_armed;	/* in order */
};

static inline struct model_file *model_file(const struct replay_file *file)
{
	return file->driver;
}

/* Tells the log of a huge pmd that a zap of a part of it drops. */
void model_split(void *arg, uint64_t addr);

/* replay_dax.c: operations of the model, run to their end. */

int model_create(struct replay *r, struct replay_file *file);
void model_destroy(struct replay *r, struct replay_file *file);
/* An operation; @mm, @vma and @addr of a fault, else NULL and 0. */
void model_run(struct replay *r, struct replay_file *file, struct dax_op *op,
	       struct mm *mm, const struct vma *vma, uint64_t addr);
void model_range(struct replay *r, struct replay_file *file,
		 enum dax_op_kind kind, uint64_t first, uint64_t last);
void model_unmap(struct replay *r, struct replay_file *file, uint64_t start,
		 uint64_t nr, bool cows);

/* replay_fault.c: accesses. @page_fault: the log gets a p line. */

enum replay_outcome model_access(struct replay *r, struct mm *mm, uint64_t addr,
				 bool write, bool user, bool page_fault);
/* After an access that was REPLAY_OK. */
uint8_t model_load(struct mm *mm, uint64_t addr);
void model_store(struct replay *r, struct mm *mm, uint64_t addr, uint8_t byte);
void model_copy_page(struct mm *mm, uint64_t addr, uint8_t *bytes);

#endif
