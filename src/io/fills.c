/* SPDX-License-Identifier: BSD-3-Clause */
#include "io/fills.h"

#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>

#define BYTES (FILLS_PAGES / 8)
/* Words that a page of them holds: a range as long is given back to the kernel. */
#define PAGE_WORDS 512ull

int fills_init(struct fills *f)
{
	void *mem = mmap(NULL, BYTES, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	f->words = mem == MAP_FAILED ? NULL : mem;
	return f->words ? 0 : -ENOMEM;
}

void fills_exit(struct fills *f)
{
	if (f->words)
		munmap(f->words, BYTES);
	f->words = NULL;
}

bool fills_test(const struct fills *f, uint64_t page)
{
	return f->words && page < FILLS_PAGES &&
	       atomic_load(&f->words[page / 64]) >> (page % 64) & 1;
}

void fills_set(struct fills *f, uint64_t page)
{
	if (f->words && page < FILLS_PAGES)
		atomic_fetch_or(&f->words[page / 64], 1ull << (page % 64));
}

static uint64_t mask_of(uint64_t word, uint64_t first, uint64_t last)
{
	uint64_t mask = ~0ull;

	if (word == first / 64)
		mask &= ~0ull << (first % 64);
	if (word == last / 64)
		mask &= ~0ull >> (63 - last % 64);
	return mask;
}

/*
 * MADV_DONTNEED makes whole pages of words zero. A bit set meanwhile may be lost:
 * its page then counts as a block, which only the protocol's words show.
 */
static uint64_t clear_many(struct fills *f, uint64_t word, uint64_t end)
{
	uint64_t pages = (end - word) / PAGE_WORDS;

	if (word % PAGE_WORDS || !pages)
		return word;
	madvise((void *)&f->words[word], pages * PAGE_WORDS * 8, MADV_DONTNEED);
	return word + pages * PAGE_WORDS;
}

void fills_clear(struct fills *f, uint64_t first, uint64_t last)
{
	uint64_t word, end;

	if (!f->words || first >= FILLS_PAGES)
		return;
	if (last >= FILLS_PAGES)
		last = FILLS_PAGES - 1;
	end = last / 64 + 1;
	for (word = first / 64; word < end; ) {
		uint64_t mask = mask_of(word, first, last);
		uint64_t next = mask == ~0ull ? clear_many(f, word, end - 1) :
						word;

		if (next == word)
			atomic_fetch_and(&f->words[next++], ~mask);
		word = next;
	}
}

uint64_t fills_count(const struct fills *f, uint64_t first, uint64_t nr)
{
	uint64_t last = first + nr - 1, sum = 0, word;

	if (!f->words || !nr || last >= FILLS_PAGES)
		return 0;
	for (word = first / 64; word <= last / 64; word++)
		sum += __builtin_popcountll(atomic_load(&f->words[word]) &
					    mask_of(word, first, last));
	return sum;
}
