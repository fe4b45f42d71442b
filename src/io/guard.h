/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Runs a function that touches a mapped file which another process may cut
 * short meanwhile: the SIGBUS of the touch ends the function, not the process.
 */
#ifndef UDAX_IO_GUARD_H
#define UDAX_IO_GUARD_H

#include <stdbool.h>

/*
 * 0, or when @fn(@arg) raised SIGBUS and was left there (it must hold no lock and
 * own nothing): -EFAULT: there is no such page (any more); -EIO: the memory is
 * bad. Any thread; does not nest. The first call installs the process's SIGBUS
 * handler; a SIGBUS outside goes to the one that was before.
 */
int guard_run(void (*fn)(void *arg), void *arg);

/*
 * Reads a byte; false if that raised SIGBUS. For paths that cannot afford a system
 * call: SIGBUS stays unblocked in a thread that has called it. Does not nest.
 */
bool guard_peek(const char *byte);

#endif
