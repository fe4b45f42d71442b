/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fault-around (--fault-around N): a 4K fault on a page that is in the file's memory
 * maps those of its neighbours too that could be mapped without a wait. Each of them
 * goes through the model as a read fault of its own: its entry is locked, inserted
 * and unlocked, nobody else can see a difference. Left out is a page
 *
 *	- that the emulated page table has, or that lies outside the mapping or file
 *	- whose entry is locked, or is anything but a page that is there already
 *	- that the memory does not hold: nothing is allocated, loaded or waited for
 *
 * The pages of N, a power of two, lie in one aligned window of addresses, as in the
 * kernel's do_fault_around(); so they are of one page-table page, and of one leaf of
 * the model's table where address and offset are congruent. They are counted as
 * `around`, outside the faults.
 */
#ifndef UDAX_DAEMON_AROUND_H
#define UDAX_DAEMON_AROUND_H

#include "daemon/exec.h"

/* The state of an executor; NULL where N is 1. */
struct around;
/* 0 or -ENOMEM. */
int around_init(struct exec *x, unsigned int pages);
void around_exit(struct exec *x);

/*
 * Maps the page of @t, whose entry is locked, and its neighbours; between
 * install_begin() and install_end(). False: the page of @t is not mapped (its
 * neighbours may be), install it as without fault-around.
 */
bool around_map(struct exec *x, struct task *t);

#endif
