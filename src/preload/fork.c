/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fork. The child inherits the mappings; whether udaxd already serves them (it
 * saw the fork event) is what its first message asks. vfork, posix_spawn and
 * CLONE_VM run no handlers and must not: shim_enter() keeps them out.
 */
#include <pthread.h>

#include "preload/shim.h"
#include "preload/fork.h"

static struct guard fork_guard;	/* under the lock */
/* Static TLS of one byte: prepare may find that it must stay out. */
static __thread bool holding __attribute__((tls_model("initial-exec")));

/*
 * Where stores are tracked, write protection makes the kernel copy the page tables
 * of shared mappings (mm/memory.c, vma_needs_copy()); without it a child's pages
 * fault again. They must: what a write-back protects while udaxd does not know the
 * child yet, the child could store to with nobody told.
 */
static void zap_inherited(void)
{
	bool exact = net_exact();
	size_t i;

	for (i = 0; i < ranges_nr(); i++) {
		const struct range *r = ranges_get(i);

		if ((exact || r->media == UDAX_MEDIA_IMAGE) &&
		    !(r->flags & (RANGE_PRIVATE | RANGE_RDONLY)))
			sys_madvise(r->start, r->end - r->start, MADV_DONTNEED);
	}
}

/* Lock held, the only thread. */
void fork_join(void)
{
	bool claimed;
	size_t i;

	for (i = 0; i < ranges_nr(); ) {
		struct range r = *ranges_get(i);

		if (r.flags & RANGE_DONTFORK)
			ranges_cut(r.start, r.end);
		else
			i++;
	}
	if (net_alive())
		zap_inherited();
	if (net_forked(ranges_nr() != 0, &claimed) || claimed || !ranges_nr() ||
	    net_ready())
		return;
	for (i = 0; i < ranges_nr(); ) {
		struct range r = *ranges_get(i);

		if (map_again(&r))
			ranges_cut(r.start, r.end);
		else
			*ranges_get(i++) = r;
	}
}

static void prepare(void)
{
	struct guard g;

	holding = shim_enter(&g);
	if (!holding)
		return;
	shim_consistent(true);
	fork_guard = g;
}

static void in_parent(void)
{
	struct guard g = fork_guard;

	if (!holding)
		return;
	holding = false;
	shim_consistent(false);
	shim_leave(&g);
}

static void in_child(void)
{
	if (!holding)
		return;
	holding = false;
	shim_consistent(false);
	/* Another library's handler may have called a hook before this one. */
	if (shim_own())
		fork_join();
	shim_leave(&fork_guard);
}

__attribute__((constructor(102))) static void fork_start(void)
{
	if (shim_on())
		pthread_atfork(prepare, in_parent, in_child);
}
