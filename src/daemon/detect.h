/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lost wakeups, found when they happen: after every step that can leave a sleeper
 * behind the model is asked whether it did (dax_find_stranded()). It is counted,
 * told, and dealt with as --on-lost-wakeup says. No clock decides anything.
 */
#ifndef UDAX_DAEMON_DETECT_H
#define UDAX_DAEMON_DETECT_H

#include "daemon/exec.h"

/*
 * After a step that has left the mapping of @f unsettled, i_pages held. True:
 * detect_report() is to be called, without the lock.
 */
bool detect(struct exec *x, struct file *f);
void detect_report(struct exec *x);

/* A sleeper that was stranded has been woken, and is about to run. No lock. */
void detect_woken(struct exec *x, struct task *t);

/*
 * Some stranded sleepers may not be left asleep any more: their program has ended,
 * the daemon ends, or it was told to kick them. Any thread.
 */
void detect_release(struct udaxd *d);

/* For exec_new() and exec_free(). 0 or -ENOMEM. */
int detect_init(struct exec *x);
void detect_exit(struct exec *x);

#endif
