/* SPDX-License-Identifier: BSD-3-Clause */
/* udax sim: what its files share. */
#ifndef UDAX_CLI_SIM_H
#define UDAX_CLI_SIM_H

#include <jansson.h>

#include "mm/sim.h"

struct sim_row {
	const struct dax_protocol *proto;
	struct sim_result r;
	uint64_t wall_ns;
};

struct sim_options {
	struct sim_config c;
	const char *protocols;	/* a list with commas, or "all" */
	bool json, cdf;
	struct sim_samples holds[HOLD_NR];	/* recorded ones */
};

/* -1 to go on, else the exit status; sim_options_free() in any case. */
int sim_parse(struct sim_options *o, int argc, char **argv);
void sim_options_free(struct sim_options *o);

/*
 * "trace:FILE" or "file:FILE": what is recorded there, by kind, into @holds, of
 * which *@hold draws then. 0 or -errno with a sentence in @msg, if there is more
 * to say.
 */
int sim_hold_recorded(const char *arg, struct hold *hold,
		      struct sim_samples *holds, char *msg, size_t len);

/* For people: a line a figure, a column a protocol. */
void sim_print(const struct sim_config *c, const struct sim_row *rows,
	       unsigned int nr);
/* New reference. @cdf: every per cent of each set of times too. */
json_t *sim_json(const struct sim_config *c, const struct sim_row *rows,
		 unsigned int nr, bool cdf);

#endif
