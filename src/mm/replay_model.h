/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The model's driver of a replay: a simulated process, whose page tables, bytes
 * and threads are data structures. Deterministic: operations run one after the
 * other; threads released together run in the order in which they were armed.
 */
#ifndef UDAX_MM_REPLAY_MODEL_H
#define UDAX_MM_REPLAY_MODEL_H

#include "mm/replay.h"

/* As replay_script(), with the model as the driver. */
int replay_model(const struct script *script, const struct replay_options *o,
		 char *msg, size_t len);

#endif
