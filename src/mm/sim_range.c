/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The windows of the files. The load knows a constant number of slots; what a
 * slot names is a range, 2M of a file, which stands for a part of a file that
 * was made at some time and is deleted at another. When a slot is renewed it
 * names a range without entries; the old one is emptied when the last request
 * in it has ended (as a file is deleted when nobody has it mapped), and used
 * again.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mm/sim_int.h"

#define FIRST_TABLE	(64UL << 10)
#define FILE_SIZE	(1UL << 46)

/* ------------------------------------------------------------------ ranges */

static struct sim_range *range_new(struct sim *s, struct sim_file *f)
{
	struct sim_range *range;

	if (!list_empty(&f->idle)) {
		range = list_first(&f->idle, struct sim_range, link);
		list_del(&range->link);
		return range;
	}
	range = calloc(1, sizeof(*range));
	if (!range)
		return NULL;
	list_init(&range->link);
	list_init(&range->asleep);
	range->file = f;
	range->head = f->nr_ranges++ << PMD_ORDER;
	list_add_tail(&range->every, &f->all);
	return range;
}

/* Nobody is in it: no operation, so no lock, no sleeper. */
static void range_empty(struct sim *s, struct sim_range *range)
{
	struct dax_op op;

	dax_op_init_range(&op, DAX_OP_DELETE, &range->file->m, range->head,
			  range->head | PG_PMD_COLOUR);
	op.stats = &s->stats;
	while (dax_op_step(&op) != DAX_DONE)
		;
	memset(range->blocks, 0, sizeof(range->blocks));
	list_add(&range->link, &range->file->idle);
}

void sim_range_put(struct sim *s, struct sim_range *range)
{
	if (!--range->refs)
		range_empty(s, range);
}

/* ------------------------------------------------------------------- slots */

/* Random bits of a slot: the same whatever the protocol does. */
static uint64_t slot_bits(const struct sim *s, unsigned int slot, uint64_t n)
{
	return dist_bits(dist_bits(s->c->seed, 1UL << 48 | slot), n);
}

void sim_slot_renew(struct sim *s, unsigned int nr)
{
	struct sim_slot *slot = &s->slots[nr];
	struct sim_range *range = range_new(s, &s->files[nr % s->c->files]);

	if (!range) {
		s->nomem = true;
		return;
	}
	range->refs++;
	if (dist_unit(slot_bits(s, nr, ++slot->generation)) >= s->c->holes)
		memset(range->blocks, 0xff, sizeof(range->blocks));
	if (slot->range)
		sim_range_put(s, slot->range);
	slot->range = range;
	slot->requests = 0;
}

struct sim_range *sim_range_get(struct sim *s, unsigned int nr)
{
	struct sim_slot *slot = &s->slots[nr];

	if (s->c->renew && slot->requests >= s->c->renew)
		sim_slot_renew(s, nr);
	slot->requests++;
	slot->range->refs++;
	return slot->range;
}

/* Spread over the window, at places that differ from slot to slot. */
uint64_t sim_slot_page(const struct sim *s, unsigned int slot, unsigned int nr)
{
	uint64_t stride = PG_PMD_NR / s->c->pages;

	return nr * stride + dist_below(slot_bits(s, slot, 0), stride);
}

/* ------------------------------------------------------------------ medium */

static bool has_block(const struct sim_range *range, unsigned int page)
{
	return range->blocks[page / 64] >> page % 64 & 1;
}

/* Pages from the head on that have a block, or have none, as the head does. */
static unsigned int head_extent(const struct sim_range *range)
{
	unsigned int n = 1;

	while (n < PG_PMD_NR && has_block(range, n) == has_block(range, 0))
		n++;
	return n;
}

/* A write allocates what it has asked for, if none of it is there. */
enum hold_kind sim_iomap(struct sim_range *range, struct dax_op *op)
{
	struct dax_iomap *iomap = &op->ans.iomap;
	uint64_t start = op->ask.pos >> PAGE_SHIFT;
	unsigned int page = start & PG_PMD_COLOUR;
	unsigned int nr = op->order ? head_extent(range) : 1;

	*iomap = (struct dax_iomap){
		.type = DAX_IOMAP_MAPPED,
		.length = (uint64_t)nr << PAGE_SHIFT,
		.pfn = start,
	};
	if (has_block(range, page))
		return HOLD_READ;
	if (!op->ask.write || iomap->length < op->ask.len) {
		iomap->type = DAX_IOMAP_HOLE;
		iomap->pfn = 0;
		return HOLD_READ;
	}
	iomap->flags = DAX_IOMAP_F_NEW;
	if (op->order)
		memset(range->blocks, 0xff, sizeof(range->blocks));
	else
		range->blocks[page / 64] |= 1UL << page % 64;
	return HOLD_ALLOC;
}

/* ------------------------------------------------------------------- files */

bool sim_grow_table(struct sim_file *f)
{
	uint64_t size = f->size ? f->size * 2 : FIRST_TABLE;
	char *memory = aligned_alloc(64, size);

	if (!memory)
		return false;
	if (f->size)
		memcpy(memory, f->memory, f->size);
	memset(memory + f->size, 0, size - f->size);
	free(f->memory);
	f->memory = memory;
	f->size = size;
	dax_table_set_memory(&f->m.table, memory, size);
	return true;
}

/* The queues that files hash to: as if they lay where the kernel's do. */
static uint64_t file_hash(const struct sim *s, unsigned int nr)
{
	return 0xffff888000000000UL |
	       (dist_bits(dist_bits(s->c->seed, 1UL << 49), nr) & 0x3fffffff80UL);
}

int sim_ranges_init(struct sim *s)
{
	const struct sim_config *c = s->c;

	s->files = calloc(c->files, sizeof(*s->files));
	s->slots = calloc(c->windows, sizeof(*s->slots));
	for (unsigned int i = 0; s->files && i < c->files; i++) {
		struct sim_file *f = &s->files[i];

		dax_mapping_init(&f->m, s->proto, &s->waits, NULL, 0);
		f->m.i_size = FILE_SIZE;
		f->m.hash = file_hash(s, i);
		list_init(&f->spinners);
		list_init(&f->inval_waiters);
		list_init(&f->idle);
		list_init(&f->all);
	}
	if (!s->files || !s->slots)
		return -ENOMEM;
	for (unsigned int i = 0; i < c->files; i++)
		if (!sim_grow_table(&s->files[i]))
			return -ENOMEM;
	for (unsigned int i = 0; i < c->windows && !s->nomem; i++)
		sim_slot_renew(s, i);
	return s->nomem ? -ENOMEM : 0;
}

void sim_ranges_exit(struct sim *s)
{
	struct sim_range *range, *next;

	for (unsigned int i = 0; s->files && i < s->c->files; i++) {
		struct sim_file *f = &s->files[i];

		if (!s->nomem)
			dax_mapping_exit(&f->m);
		list_for_each_safe(range, next, &f->all, every)
			free(range);
		free(f->memory);
	}
	free(s->files);
	free(s->slots);
}
