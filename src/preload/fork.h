/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef UDAX_PRELOAD_FORK_H
#define UDAX_PRELOAD_FORK_H

/*
 * Makes the state inherited from the parent this process's own: a connection of
 * its own, and the ranges served again. Lock held; the only thread.
 */
void fork_join(void);

#endif
