/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The shim's own memory. Its place is taken before the program has mapped
 * anything: a program may unmap for a second time a range that it has had, in
 * which nothing should be but holes; memory taken later may lie in such a hole.
 */
#include "preload/shim.h"

/* Room for a table of as many mappings as vm.max_map_count lets be, half empty. */
#define MEMORY_SIZE (9ul << 20)

static uint64_t base, used;	/* used: bytes from base that are given out */

void memory_start(void)
{
	long mem = sys_mmap(0, MEMORY_SIZE, PROT_NONE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	base = sys_failed(mem) ? 0 : (uint64_t)mem;
}

void *memory_get(uint64_t size)
{
	uint64_t addr = base + used;
	long mem;

	size = round_up(size, SHIM_PAGE);
	if (base && used + size <= MEMORY_SIZE &&
	    !sys_mprotect(addr, size, PROT_READ | PROT_WRITE)) {
		used += size;
		return (void *)addr;
	}
	mem = sys_mmap(0, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return sys_failed(mem) ? NULL : (void *)mem;
}

void *memory_grow(void *old, uint64_t old_size, uint64_t size)
{
	uint64_t addr = (uint64_t)old;
	long mem;

	old_size = round_up(old_size, SHIM_PAGE);
	size = round_up(size, SHIM_PAGE);
	if (base && addr + old_size == base + used &&
	    addr + size <= base + MEMORY_SIZE) {
		if (sys_mprotect(addr, size, PROT_READ | PROT_WRITE))
			return NULL;
		used = addr + size - base;
		return old;
	}
	mem = sys_mremap(addr, old_size, size, MREMAP_MAYMOVE, 0);
	return sys_failed(mem) ? NULL : (void *)mem;
}
