/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A world small enough to collide in: one file of three windows, a few mappings
 * of it with page tables, a medium that allocates, and its invalidate lock. It
 * answers the model's verbs and knows what must hold at every moment.
 */
#ifndef UDAX_TESTS_MODEL_ENV_H
#define UDAX_TESTS_MODEL_ENV_H

#include <stdbool.h>
#include <stdint.h>

#include "dax/dax.h"

#define ENV_WINDOWS	3
#define ENV_PAGES	(ENV_WINDOWS * PG_PMD_NR)
#define ENV_VMAS	4
#define ENV_SLOTS	(ENV_WINDOWS + 1)	/* page-table slots of a mapping */
#define ENV_BLOCKS	4096
#define ENV_MEMORY	8192

struct env_pte {
	bool present, write, zero, anon;
	uint64_t pfn;
};

struct env_vma {
	struct dax_vma vma;
	enum dax_pt_slot slot[ENV_SLOTS];
	struct env_pte pte[ENV_SLOTS * PG_PMD_NR];	/* HUGE: all of them */
};

struct env_page {
	bool mapped;
	uint64_t pfn;
};

struct env {
	struct dax_mapping m;
	struct dax_wait_table waits;
	struct dax_stats stats;
	struct env_vma vma[ENV_VMAS];
	struct env_page page[ENV_PAGES];
	/* By block: what was stored there last, and what is durable of it. */
	uint32_t content[ENV_BLOCKS], durable[ENV_BLOCKS];
	uint64_t next_pfn, seed;
	unsigned int fs_shared;
	bool fs_excl, faulty;		/* @faulty: answers may be errors */
	/* Kernels of old: WRPROTECT leaves out 2M translations; or all but that
	   of the first page, one a mapping. */
	bool wrprotect_no_2m, wrprotect_first;
	void *memory, *queues;
};

void env_init(struct env *e, uint64_t seed, const struct dax_protocol *proto);
void env_exit(struct env *e);
/* [0, n) */
uint64_t env_random(struct env *e, uint64_t n);

/* Answers @verb of @op, a fault through @v or (NULL) another operation. */
void env_answer(struct env *e, struct env_vma *v, struct dax_op *op,
		enum dax_verb verb);
bool env_fs_trylock(struct env *e, bool excl);
void env_fs_unlock(struct env *e, bool excl);

/* The MMU: does the translation of @address allow the access? */
bool env_access(struct env *e, struct env_vma *v, uint64_t address, bool write);
enum dax_pt_slot *env_slot(struct env_vma *v, uint64_t address);
struct env_pte *env_pte(struct env_vma *v, uint64_t address);
void env_unmap(struct env *e, uint64_t start, uint64_t nr, bool cows);
/* write(2): the block of @page, allocated if need be; true if it was. */
bool env_alloc_page(struct env *e, uint64_t page);
/* Frees the blocks of a range, as a punch or a truncate does. */
void env_free(struct env *e, uint64_t start, uint64_t end);

/* NULL, or what does not hold. */
const char *env_check(struct env *e);

#endif
