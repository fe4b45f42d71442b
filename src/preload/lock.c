/* SPDX-License-Identifier: BSD-3-Clause */
/* The shim's lock, and whose state it guards. */
#include "preload/fork.h"
#include "preload/shim.h"

/* 0: free, 1: held, 2: held and somebody may sleep on it. */
static uint32_t word;

/*
 * The process whose memory the state describes. It lies in a page that fork
 * wipes (MADV_WIPEONFORK), so that zero means: a forked copy in which no fork
 * handler ran. Another process's pid means a child that shares the memory.
 */
static uint32_t *owner;

static uint32_t waiting;	/* atomic */

static bool whole;	/* lock held: by a thread that is about to fork */

static void take(void)
{
	uint32_t old = 0;

	if (__atomic_compare_exchange_n(&word, &old, 1, false, __ATOMIC_ACQUIRE,
					__ATOMIC_RELAXED))
		return;
	__atomic_fetch_add(&waiting, 1, __ATOMIC_RELAXED);
	while (__atomic_exchange_n(&word, 2, __ATOMIC_ACQUIRE))
		sys4(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 2, NULL);
	__atomic_fetch_sub(&waiting, 1, __ATOMIC_RELAXED);
}

uint32_t shim_waiting(void)
{
	return __atomic_load_n(&waiting, __ATOMIC_RELAXED);
}

static void drop(void)
{
	if (__atomic_exchange_n(&word, 0, __ATOMIC_RELEASE) == 2)
		sys3(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1);
}

static void block_signals(struct guard *g)
{
	static const uint64_t all = ~0ull;

	sys_sigmask(SIG_SETMASK, &all, &g->mask);
}

static void restore_signals(const struct guard *g)
{
	sys_sigmask(SIG_SETMASK, &g->mask, NULL);
}

bool lock_start(void)
{
	owner = memory_get(SHIM_PAGE);
	if (!owner)
		return false;
	sys_madvise((uint64_t)owner, SHIM_PAGE, MADV_WIPEONFORK);
	*owner = (uint32_t)sys_getpid();
	return true;
}

bool shim_own(void)
{
	uint32_t pid = (uint32_t)sys_getpid();

	if (*owner == pid)
		return false;
	*owner = pid;
	__atomic_store_n(&waiting, 0, __ATOMIC_RELAXED);
	return true;
}

void shim_consistent(bool consistent)
{
	whole = consistent;
}

/*
 * A fork that ran no handlers, or not ours yet: a raw clone, _Fork(). Only this
 * thread is left. When another one held the lock its changes were half done.
 */
static void adopt(void)
{
	bool torn = __atomic_exchange_n(&word, 1, __ATOMIC_ACQUIRE) && !whole;

	whole = false;
	shim_own();
	if (torn)
		ranges_forget();
	fork_join();
}

bool shim_enter(struct guard *g)
{
	if (!shim_on())
		return false;
	block_signals(g);
	if (*owner == 0) {
		adopt();
		return true;
	}
	if (*owner != (uint32_t)sys_getpid()) {
		restore_signals(g);
		return false;
	}
	take();
	return true;
}

void shim_leave(struct guard *g)
{
	drop();
	restore_signals(g);
}
