/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Runs a script on the simulated process and file system, with the model in
 * between, and prints its log. Deterministic: operations run one after the
 * other; threads released together run in the order in which they were armed.
 */
#ifndef UDAX_MM_REPLAY_MODEL_H
#define UDAX_MM_REPLAY_MODEL_H

#include <stdio.h>

#include "mm/extlog.h"
#include "mm/script.h"
#include "mm/variant.h"

struct replay_options {
	const struct mm_variant *variant;
	const struct extlog *extents;	/* placements to take over; may be NULL */
	const char *scenario;		/* its name, for the log's first line */
	FILE *out;
};

/*
 * 0, or -errno with a sentence in @msg: the replay could not go on. What the
 * operations of the script answer is in the log.
 */
int replay_model(const struct script *script, const struct replay_options *o,
		 char *msg, size_t len);

#endif
