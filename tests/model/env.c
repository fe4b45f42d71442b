/* SPDX-License-Identifier: BSD-3-Clause */
#include "env.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

uint64_t env_random(struct env *e, uint64_t n)
{
	uint64_t z = e->seed += 0x9e3779b97f4a7c15UL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9UL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebUL;
	return (z ^ z >> 31) % n;
}

/* Two shared mappings of the right colour, one of a wrong one, one private. */
static void init_vma(struct env *e, int i)
{
	struct dax_vma *vma = &e->vma[i].vma;

	vma->vm_start = (uint64_t)(i + 1) << 40;
	if (i == 2)
		vma->vm_start += DAX_PAGE_SIZE;
	vma->vm_end = vma->vm_start + ENV_PAGES * DAX_PAGE_SIZE;
	vma->shared = i != 3;
	vma->sync = i == 1;
}

void env_init(struct env *e, uint64_t seed, const struct dax_protocol *proto)
{
	unsigned int bits = seed & 1;

	memset(e, 0, sizeof(*e));
	e->seed = seed;
	e->next_pfn = PG_PMD_NR;
	e->queues = aligned_alloc(64, dax_wait_table_size(bits));
	e->memory = aligned_alloc(64, ENV_MEMORY);
	memset(e->memory, 0, ENV_MEMORY);
	dax_wait_table_init(&e->waits, bits, e->queues);
	/* Now and then the table must ask for its memory. */
	dax_mapping_init(&e->m, proto, &e->waits, e->memory,
			 seed & 2 ? 64 : ENV_MEMORY);
	e->faulty = seed & 4;
	e->m.i_size = ENV_PAGES * DAX_PAGE_SIZE - env_random(e, 2 * DAX_PAGE_SIZE);
	for (int i = 0; i < ENV_VMAS; i++)
		init_vma(e, i);
}

void env_exit(struct env *e)
{
	dax_mapping_exit(&e->m);
	dax_wait_table_exit(&e->waits);
	free(e->queues);
	free(e->memory);
}

/* ---------------------------------------------------------- invalidate lock */

bool env_fs_trylock(struct env *e, bool excl)
{
	if (e->fs_excl || (excl && e->fs_shared))
		return false;
	e->fs_excl = excl;
	e->fs_shared += !excl;
	return true;
}

void env_fs_unlock(struct env *e, bool excl)
{
	if (excl)
		e->fs_excl = false;
	else
		e->fs_shared--;
}

/* ------------------------------------------------------------- page tables */

static unsigned int slot_nr(const struct env_vma *v, uint64_t address)
{
	return (address >> PMD_SHIFT) - (v->vma.vm_start >> PMD_SHIFT);
}

enum dax_pt_slot *env_slot(struct env_vma *v, uint64_t address)
{
	return &v->slot[slot_nr(v, address)];
}

struct env_pte *env_pte(struct env_vma *v, uint64_t address)
{
	return &v->pte[(address - (v->vma.vm_start & ~(DAX_PMD_SIZE - 1))) >>
		       PAGE_SHIFT];
}

bool env_access(struct env *e, struct env_vma *v, uint64_t address, bool write)
{
	const struct env_pte *pte = env_pte(v, address);

	if (!pte->present || (write && !pte->write))
		return false;
	if (write && !pte->anon)
		e->content[pte->pfn]++;
	return true;
}

static uint64_t address_of(const struct env_vma *v, uint64_t page)
{
	return v->vma.vm_start + ((page - v->vma.vm_pgoff) << PAGE_SHIFT);
}

/* A huge translation goes as a whole; a page-table page stays. */
static void zap(struct env_vma *v, uint64_t address, bool cows)
{
	enum dax_pt_slot *slot = env_slot(v, address);
	struct env_pte *pte = env_pte(v, address);

	if (*slot == DAX_PT_HUGE) {
		pte = env_pte(v, address & ~(DAX_PMD_SIZE - 1));
		memset(pte, 0, sizeof(*pte) * PG_PMD_NR);
		*slot = DAX_PT_NONE;
	} else if (!pte->anon || cows) {
		memset(pte, 0, sizeof(*pte));
	}
}

void env_unmap(struct env *e, uint64_t start, uint64_t nr, bool cows)
{
	for (int i = 0; i < ENV_VMAS; i++)
		for (uint64_t p = start; p < start + nr && p < ENV_PAGES; p++)
			zap(&e->vma[i], address_of(&e->vma[i], p), cows);
}

static void wrprotect(struct env *e, uint64_t start, uint64_t nr)
{
	for (int i = 0; i < ENV_VMAS; i++)
		for (uint64_t p = start; p < start + nr && p < ENV_PAGES; p++) {
			uint64_t address = address_of(&e->vma[i], p);
			bool huge = *env_slot(&e->vma[i], address) == DAX_PT_HUGE;
			struct env_pte *pte = env_pte(&e->vma[i], address);

			if (huge ? e->wrprotect_no_2m :
			    e->wrprotect_first && p != start)
				continue;
			pte->write &= pte->anon;
		}
}

static int install(struct env *e, struct env_vma *v, const struct dax_op *op)
{
	bool huge = op->ask.map == DAX_MAP_PMD || op->ask.map == DAX_MAP_PMD_ZERO;
	bool zero = op->ask.map == DAX_MAP_PTE_ZERO || op->ask.map == DAX_MAP_PMD_ZERO;
	enum dax_pt_slot *slot = env_slot(v, op->address);
	struct env_pte *pte;

	if (e->faulty && !env_random(e, 16))
		return env_random(e, 2) ? -EAGAIN : -ENOSPC;
	if (huge ? *slot == DAX_PT_TABLE : *slot == DAX_PT_HUGE)
		return -EAGAIN;
	pte = env_pte(v, huge ? op->address & ~(DAX_PMD_SIZE - 1) : op->address);
	*slot = huge ? DAX_PT_HUGE : DAX_PT_TABLE;
	for (uint64_t i = 0; i < op->ask.nr; i++)
		if (!pte[i].anon)
			pte[i] = (struct env_pte){
				.present = true, .write = op->ask.write,
				.zero = zero, .pfn = zero ? 0 : op->ask.pfn + i,
			};
	return 0;
}

static int copy(struct env *e, struct env_vma *v, const struct dax_op *op)
{
	if (e->faulty && !env_random(e, 8))
		return -ENOMEM;
	*env_slot(v, op->address) = DAX_PT_TABLE;
	*env_pte(v, op->address) = (struct env_pte){
		.present = true, .write = true, .anon = true,
	};
	return 0;
}

/* ------------------------------------------------------------------ medium */

bool env_alloc_page(struct env *e, uint64_t page)
{
	if (e->page[page].mapped)
		return false;
	e->page[page] = (struct env_page){ true, e->next_pfn++ };
	return true;
}

/* A window that is all hole may get an aligned extent, or its first page. */
static bool alloc_window(struct env *e, uint64_t first)
{
	for (uint64_t i = 0; i < PG_PMD_NR; i++)
		if (e->page[first + i].mapped)
			return env_alloc_page(e, first);
	if (env_random(e, 2))
		return env_alloc_page(e, first);
	e->next_pfn = (e->next_pfn + PG_PMD_COLOUR) & ~PG_PMD_COLOUR;
	for (uint64_t i = 0; i < PG_PMD_NR; i++)
		env_alloc_page(e, first + i);
	return true;
}

void env_free(struct env *e, uint64_t start, uint64_t end)
{
	for (uint64_t p = start; p <= end && p < ENV_PAGES; p++)
		e->page[p].mapped = false;
}

static struct dax_iomap iomap(struct env *e, const struct dax_op *op)
{
	uint64_t first = op->ask.pos >> PAGE_SHIFT, n = 1;
	struct dax_iomap answer = { 0 };
	const struct env_page *p = &e->page[first];

	if (e->faulty && !env_random(e, 16)) {
		answer.error = env_random(e, 2) ? -EIO : -ENOMEM;
		return answer;
	}
	if (op->ask.write &&
	    (op->order ? alloc_window(e, first) : env_alloc_page(e, first)))
		answer.flags = DAX_IOMAP_F_NEW | DAX_IOMAP_F_DIRTY;
	while (first + n < ENV_PAGES && p[n].mapped == p[0].mapped &&
	       (!p[0].mapped || p[n].pfn == p[0].pfn + n))
		n++;
	answer.type = p[0].mapped ? DAX_IOMAP_MAPPED : DAX_IOMAP_HOLE;
	answer.length = n << PAGE_SHIFT;
	answer.pfn = p[0].pfn;
	return answer;
}

static int flush(struct env *e, const struct dax_op *op)
{
	if (e->faulty && !env_random(e, 4))
		return -EIO;
	for (uint64_t p = op->ask.start; p < op->ask.start + op->ask.nr; p++)
		if (p < ENV_PAGES && e->page[p].mapped)
			e->durable[e->page[p].pfn] = e->content[e->page[p].pfn];
	return 0;
}

static int alloc(struct env *e)
{
	if (e->faulty && !env_random(e, 4))
		return -ENOMEM;
	if (e->m.table.size < ENV_MEMORY)
		dax_table_set_memory(&e->m.table, e->memory, e->m.table.size + 64);
	return 0;
}

void env_answer(struct env *e, struct env_vma *v, struct dax_op *op,
		enum dax_verb verb)
{
	op->ans.error = 0;
	switch (verb) {
	case DAX_PT_CHECK:
		op->ans.slot = *env_slot(v, op->address);
		break;
	case DAX_IOMAP:
		op->ans.iomap = iomap(e, op);
		break;
	case DAX_ALLOC:
		op->ans.error = alloc(e);
		break;
	case DAX_UNMAP:
		env_unmap(e, op->ask.start, op->ask.nr, op->ask.cows);
		break;
	case DAX_WRPROTECT:
		wrprotect(e, op->ask.start, op->ask.nr);
		break;
	case DAX_FLUSH:
		op->ans.error = flush(e, op);
		break;
	case DAX_SPLIT_PMD:
		if (*env_slot(v, op->address) == DAX_PT_HUGE)
			zap(v, op->address, false);
		break;
	case DAX_COPY:
		op->ans.error = copy(e, v, op);
		break;
	case DAX_PAGE_BUSY:
		op->ans.busy = !env_random(e, 8);
		break;
	case DAX_MAP:
		op->ans.error = install(e, v, op);
		break;
	case DAX_FSUNLOCK:
		env_fs_unlock(e, op->ask.excl);
		break;
	case DAX_FSYNC:
		op->ans.error = e->faulty && !env_random(e, 8) ? -EIO : 0;
		break;
	case DAX_MORE:
	case DAX_PARK:
	case DAX_FSLOCK:
	case DAX_DONE:
		break;
	}
}

/* ------------------------------------------------------------------- check */

static const char *check_pte(struct env *e, const struct env_pte *pte, uint64_t page)
{
	const struct env_page *p = &e->page[page];

	if (!pte->present || pte->anon)
		return NULL;
	if (pte->zero && pte->write)
		return "the zero page is writable";
	if (pte->zero && p->mapped && e->content[p->pfn])
		return "the zero page hides data";
	if (!pte->zero && (!p->mapped || p->pfn != pte->pfn))
		return "a translation to a block that is not the file's";
	if (pte->write && !dax_table_get_mark(&e->m.table, page, DAX_MARK_DIRTY))
		return "a writable page whose entry is clean";
	return NULL;
}

const char *env_check(struct env *e)
{
	const char *bad;

	for (int i = 0; i < ENV_VMAS; i++)
		for (uint64_t p = 0; p < ENV_PAGES; p++) {
			bad = check_pte(e, env_pte(&e->vma[i],
						   address_of(&e->vma[i], p)), p);
			if (bad)
				return bad;
		}
	for (uint64_t p = 0; p < ENV_PAGES; p++) {
		uint64_t pfn = e->page[p].pfn;

		if (e->page[p].mapped && e->content[pfn] != e->durable[pfn] &&
		    !dax_table_get_mark(&e->m.table, p, DAX_MARK_DIRTY))
			return "a store that no writeback would find";
	}
	return NULL;
}
