/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * USDT probes of provider "udax" (--enable-usdt), for perf, bpftrace, systemtap
 * and gdb; udaxd(8), PROBES, is for those who use them. A probe is a nop and a
 * note that says where its arguments are at that place: in registers and in
 * memory, so give it what is at hand. What would have to be computed belongs into
 * code that runs only while somebody traces it: the probes of steps, whose
 * semaphores, which tracers count up, are one and the same counter.
 *
 * All numbers are unsigned unless said. In every probe:
 *	@address  of the page that faulted, in the program; bytes
 *	@tid      the thread that faulted, of the program; 0: work for no thread
 *	@file     the file's id, as in `udax list --files`
 *	@index    first page of an entry, in 4K pages of the file
 *	@order    0 for 4K, 9 for 2M
 * A fault may change threads of udaxd while it waits, and @tid runs before the end
 * of the install: both numbers together name a fault.
 */
#ifndef UDAX_DAEMON_PROBES_H
#define UDAX_DAEMON_PROBES_H

#include <stdbool.h>

#ifdef HAVE_USDT
#define _SDT_HAS_SEMAPHORES 1
#include <sys/sdt.h>

#define X(name, where) extern unsigned short udax_##name##_semaphore;
#include "daemon/tbl/probes.h"
#undef X

/* Tracers of the probes of steps. */
extern unsigned short probes_step;

#define PROBE(n, name, ...) STAP_PROBE##n(udax, name, __VA_ARGS__)

static inline bool probing_steps(void)
{
	return __builtin_expect(__atomic_load_n(&probes_step, __ATOMIC_RELAXED), 0);
}
#else
#define PROBE(n, name, ...) do { } while (0)

static inline bool probing_steps(void)
{
	return false;
}
#endif

/*
 * A message has become a fault. No lock. @refill: the emulated page table has the
 * slot, the protocol is not asked: no attempt follows, only an install.
 */
#define PROBE_FAULT_BEGIN(address, tid, write, refill) \
	PROBE(4, fault_begin, address, tid, write, refill)

/*
 * One order of the fault handler is over, its entry unlocked; on FALLBACK the 4K
 * attempt follows. No lock. @result: enum dax_vm_fault, VM_FAULT_* of the kernel.
 * @reason: enum dax_fallback, of results with FALLBACK only.
 */
#define PROBE_ATTEMPT_DONE(address, tid, order, result, reason) \
	PROBE(5, attempt_done, address, tid, order, result, reason)

/* Locked, in this step. i_pages held. */
#define PROBE_ENTRY_LOCK(file, tid, index, order) \
	PROBE(4, entry_lock, file, tid, index, order)

/* Unlocked, in this step; who waits for it is woken in one that follows. i_pages held. */
#define PROBE_ENTRY_UNLOCK(file, tid, index, order) \
	PROBE(4, entry_unlock, file, tid, index, order)

/*
 * Falls asleep. i_pages held. @key: a page, that of the lookup or of the entry in
 * the way as the protocol has it. @blocker, @blocker_order: that entry.
 */
#define PROBE_WAIT_BEGIN(file, tid, key, order, blocker, blocker_order) \
	PROBE(6, wait_begin, file, tid, key, order, blocker, blocker_order)

/*
 * Is about to look up again. i_pages held. @stranded: it had been found asleep
 * with nobody left to wake it. @kicked: 1, by --on-lost-wakeup kick.
 */
#define PROBE_WAIT_END(file, tid, key, stranded, kicked) \
	PROBE(5, wait_end, file, tid, key, stranded, kicked)

/*
 * A key of a file in which somebody sleeps is woken. i_pages held. @tid: who wakes.
 * @mode: 0 all, 1 next. @scanned, @woken: nodes of the queue; operations.
 */
#define PROBE_WAKE(file, tid, key, mode, scanned, woken) \
	PROBE(6, wake, file, tid, key, mode, scanned, woken)

/* A sleeper has been found without anybody left to wake it: lost. i_pages held. */
#define PROBE_STRANDED(file, tid, key, order, blocker, blocker_order) \
	PROBE(6, stranded, file, tid, key, order, blocker, blocker_order)

/*
 * Real memory is about to be mapped; the thread runs at some moment before the
 * end. The entry is locked, but of a refill. @huge: 2M. @error, signed: 0, or
 * -errno, then it faults again.
 */
#define PROBE_INSTALL_BEGIN(address, tid, huge) \
	PROBE(3, install_begin, address, tid, huge)
#define PROBE_INSTALL_END(address, tid, huge, error) \
	PROBE(4, install_end, address, tid, huge, error)

#endif
