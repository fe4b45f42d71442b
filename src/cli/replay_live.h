/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * udax replay --driver live: each run has a process and a udaxd of its own, so
 * that none finds anything of another, and a run that goes wrong ends alone.
 */
#ifndef UDAX_CLI_REPLAY_LIVE_H
#define UDAX_CLI_REPLAY_LIVE_H

#include "mm/replay.h"

/*
 * Runs the script at @path, which has been parsed, and prints its log to
 * @o->out; with @runs > 1 the set of outcomes of so many runs. The exit status
 * of udax, what there was to say has been said.
 */
int replay_live(const char *path, const struct script *script,
		const struct replay_options *o, unsigned int runs);

#endif
