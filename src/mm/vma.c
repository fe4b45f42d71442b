/* SPDX-License-Identifier: BSD-3-Clause */
/* The VMAs of a simulated process, and the system calls that change them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mm/mmu.h"

static uint64_t pages_up(uint64_t len)
{
	return (len + DAX_PAGE_SIZE - 1) & ~(DAX_PAGE_SIZE - 1);
}

static bool misaligned(uint64_t addr)
{
	return addr & (DAX_PAGE_SIZE - 1);
}

/* The first VMA that ends behind @addr; nr_vmas when there is none. */
static unsigned int vma_index(const struct mm *mm, uint64_t addr)
{
	unsigned int i;

	for (i = 0; i < mm->nr_vmas && mm->vmas[i].end <= addr; i++)
		;
	return i;
}

struct vma *mm_find_vma(struct mm *mm, uint64_t addr)
{
	unsigned int i = vma_index(mm, addr);

	return i < mm->nr_vmas && mm->vmas[i].start <= addr ? &mm->vmas[i] :
							      NULL;
}

static int vma_insert(struct mm *mm, unsigned int i, const struct vma *vma)
{
	if (mm->nr_vmas == mm->room_vmas) {
		unsigned int room = mm->room_vmas ? 2 * mm->room_vmas : 16;
		struct vma *v = realloc(mm->vmas, room * sizeof(*v));

		if (!v)
			return -ENOMEM;
		mm->vmas = v;
		mm->room_vmas = room;
	}
	memmove(&mm->vmas[i + 1], &mm->vmas[i],
		(mm->nr_vmas - i) * sizeof(mm->vmas[0]));
	mm->vmas[i] = *vma;
	mm->nr_vmas++;
	return 0;
}

static void vma_remove(struct mm *mm, unsigned int i)
{
	mm->nr_vmas--;
	memmove(&mm->vmas[i], &mm->vmas[i + 1],
		(mm->nr_vmas - i) * sizeof(mm->vmas[0]));
}

/* No VMA reaches across @addr afterwards. */
static int vma_split(struct mm *mm, uint64_t addr)
{
	unsigned int i = vma_index(mm, addr);
	struct vma right;
	int rc;

	if (i == mm->nr_vmas || mm->vmas[i].start >= addr)
		return 0;
	right = mm->vmas[i];
	right.pgoff += (addr - right.start) >> PAGE_SHIFT;
	right.start = addr;
	rc = vma_insert(mm, i + 1, &right);
	if (!rc) {
		mm->vmas[i].end = addr;
		/* A huge pmd does not reach across VMAs. */
		mm_split_pmd(mm, addr);
	}
	return rc;
}

static bool vma_mergeable(const struct vma *a, const struct vma *b)
{
	return a->end == b->start && a->file == b->file &&
	       !((a->flags ^ b->flags) & ~VMA_ANON) &&
	       a->pgoff + ((a->end - a->start) >> PAGE_SHIFT) == b->pgoff;
}

static void vma_merge(struct mm *mm, uint64_t start, uint64_t end)
{
	unsigned int i;

	for (i = 0; i + 1 < mm->nr_vmas;) {
		struct vma *a = &mm->vmas[i], *b = a + 1;

		if (a->end < start || b->start > end || !vma_mergeable(a, b)) {
			i++;
			continue;
		}
		a->end = b->end;
		a->flags |= b->flags & VMA_ANON;
		vma_remove(mm, i + 1);
	}
}

int mm_for_each(struct mm *mm, uint64_t start, uint64_t len,
		int (*fn)(void *arg, struct vma *vma, uint64_t from,
			  uint64_t to),
		void *arg)
{
	uint64_t end = start + pages_up(len), at = start;
	bool hole = false;
	unsigned int i;

	if (misaligned(start))
		return -EINVAL;
	for (i = vma_index(mm, start); i < mm->nr_vmas && at < end; i++) {
		struct vma *vma = &mm->vmas[i];
		uint64_t from = vma->start > start ? vma->start : start;
		uint64_t to = vma->end < end ? vma->end : end;
		int rc;

		if (from >= end)
			break;
		hole |= from > at;
		rc = fn(arg, vma, from, to);
		if (rc)
			return rc;
		at = to;
	}
	return hole || at < end ? -ENOMEM : 0;
}

static void unmap_range(struct mm *mm, uint64_t start, uint64_t end)
{
	unsigned int i = vma_index(mm, start);

	mm_zap(mm, start, end, true);
	while (i < mm->nr_vmas && mm->vmas[i].start < end)
		vma_remove(mm, i);
	mm_free_tables(mm, start, end);
}

int mm_munmap(struct mm *mm, uint64_t start, uint64_t len)
{
	uint64_t end = start + pages_up(len);
	int rc;

	if (misaligned(start) || !len)
		return -EINVAL;
	rc = vma_split(mm, start);
	if (!rc)
		rc = vma_split(mm, end);
	if (!rc)
		unmap_range(mm, start, end);
	return rc;
}

int mm_mmap(struct mm *mm, const struct vma *vma)
{
	int rc = mm_munmap(mm, vma->start, vma->end - vma->start);

	if (!rc)
		rc = vma_insert(mm, vma_index(mm, vma->start), vma);
	if (!rc)
		vma_merge(mm, vma->start, vma->end);
	return rc;
}

/* Sets @flags of @mask in [start, end), where VMAs are; splits and merges. */
static int change_flags(struct mm *mm, uint64_t start, uint64_t end,
			unsigned int mask, unsigned int flags, bool protect)
{
	unsigned int i;
	int rc = 0;

	for (i = vma_index(mm, start);
	     !rc && i < mm->nr_vmas && mm->vmas[i].start < end; i++) {
		struct vma *vma = &mm->vmas[i];

		if ((vma->flags & mask) == flags)
			continue;
		if (vma->start < start) {
			rc = vma_split(mm, start);	/* its right part is next */
			continue;
		}
		rc = vma_split(mm, end);
		vma = &mm->vmas[i];
		vma->flags = (vma->flags & ~mask) | flags;
		if (protect)
			mm_protect_range(mm, vma);
	}
	vma_merge(mm, start, end);
	return rc;
}

static int nothing(void *arg, struct vma *vma, uint64_t from, uint64_t to)
{
	return 0;
}

struct first_hole {
	uint64_t at;
};

static int find_hole(void *arg, struct vma *vma, uint64_t from, uint64_t to)
{
	struct first_hole *hole = arg;

	if (from > hole->at)
		return -ENOMEM;
	hole->at = to;
	return 0;
}

int mm_mprotect(struct mm *mm, uint64_t start, uint64_t len, unsigned int prot)
{
	struct first_hole hole = { .at = start };
	int covered, rc;

	if (misaligned(start))
		return -EINVAL;
	if (!len)
		return 0;
	covered = mm_for_each(mm, start, len, find_hole, &hole);
	if (hole.at == start)
		return covered;
	rc = change_flags(mm, start, hole.at, VMA_ACCESS, prot, true);
	return rc ? rc : covered;
}

int mm_set_nohuge(struct mm *mm, uint64_t start, uint64_t len, bool nohuge)
{
	int covered, rc;

	covered = mm_for_each(mm, start, len, nothing, NULL);
	if (covered == -EINVAL)
		return covered;
	rc = change_flags(mm, start, start + pages_up(len),
			  VMA_NOHUGE | VMA_HUGE,
			  nohuge ? VMA_NOHUGE : VMA_HUGE, false);
	return rc ? rc : covered;
}

/* The tables of whole windows inside the range go, if nothing is in them. */
static int dontneed_vma(void *arg, struct vma *vma, uint64_t from, uint64_t to)
{
	struct mm *mm = arg;
	uint64_t addr;

	mm_zap(mm, from, to, true);
	if (!mm->rules->dontneed_frees_table)
		return 0;
	addr = (from + DAX_PMD_SIZE - 1) & ~(DAX_PMD_SIZE - 1);
	for (; addr + DAX_PMD_SIZE <= to; addr += DAX_PMD_SIZE) {
		struct pmd *pmd = mm_find_pmd(mm, addr);

		if (pmd && pmd->slot == DAX_PT_TABLE)
			mm_drop_pmd(mm, addr);
	}
	return 0;
}

int mm_dontneed(struct mm *mm, uint64_t start, uint64_t len)
{
	return mm_for_each(mm, start, len, dontneed_vma, mm);
}

static int move_vma(struct mm *mm, const struct vma *vma, uint64_t from,
		    uint64_t len, uint64_t to)
{
	struct vma moved = *vma;
	int rc;

	moved.pgoff += (from - vma->start) >> PAGE_SHIFT;
	moved.start = to;
	moved.end = to + len;
	rc = vma_insert(mm, vma_index(mm, to), &moved);
	if (!rc)
		rc = mm_move_tables(mm, from, len, to);
	if (!rc)
		rc = mm_munmap(mm, from, len);
	if (!rc)
		vma_merge(mm, to, to + len);
	return rc;
}

/* One VMA, whose place was made before it was looked at. */
static int mremap_one(struct mm *mm, uint64_t from, uint64_t len, uint64_t to)
{
	struct vma part;
	int rc = mm_munmap(mm, to, len);

	if (rc)
		return rc;
	part = *mm_find_vma(mm, from);
	return part.end < from + len ? -EFAULT :
				       move_vma(mm, &part, from, len, to);
}

/* remap_move(): what lies over a hole stays. */
static int mremap_each(struct mm *mm, uint64_t from, uint64_t end, uint64_t to)
{
	uint64_t at = from;
	int rc = 0;

	while (!rc && at < end) {
		unsigned int i = vma_index(mm, at);
		struct vma part;

		if (i == mm->nr_vmas || mm->vmas[i].start >= end)
			break;
		part = mm->vmas[i];
		if (part.start > at)
			at = part.start;
		if (part.end > end)
			part.end = end;
		rc = mm_munmap(mm, to + (at - from), part.end - at);
		if (!rc)
			rc = move_vma(mm, &part, at, part.end - at,
				      to + (at - from));
		at = part.end;
	}
	return rc;
}

int mm_mremap(struct mm *mm, uint64_t from, uint64_t len, uint64_t to)
{
	uint64_t end = from + pages_up(len);

	if (misaligned(from) || misaligned(to) || !len ||
	    (from < to + (end - from) && to < end))
		return -EINVAL;
	if (!mm_find_vma(mm, from))
		return -EFAULT;
	return mm->rules->mremap_many ? mremap_each(mm, from, end, to) :
					mremap_one(mm, from, end - from, to);
}
