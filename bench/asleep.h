/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rounds in which lost sleepers are left asleep for as long as anybody may rescue
 * them: how long does that take? One thread; @rpc is a udaxd's of its own.
 */
#ifndef UDAX_BENCH_ASLEEP_H
#define UDAX_BENCH_ASLEEP_H

#include "cli/rpc.h"

/*
 * Waits until @fd is readable. Each time that no fault ends any more and somebody is
 * lost, all such are kicked. Gives up, with 0 too, when nobody is. 0 or -errno.
 */
int asleep_wait(struct rpc *rpc, int fd);

#endif
