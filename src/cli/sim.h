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

/*
 * Takes options into @c, checks them, and leaves the protocols' list in
 * *@protocols. -1 to go on, else the exit status.
 */
struct sim_options {
	struct sim_config c;
	const char *protocols;
	bool json, cdf;
};

int sim_parse(struct sim_options *o, int argc, char **argv);

/* For people: a line a figure, a column a protocol. */
void sim_print(const struct sim_config *c, const struct sim_row *rows,
	       unsigned int nr);
/* New reference. @cdf: every per cent of each set of times too. */
json_t *sim_json(const struct sim_config *c, const struct sim_row *rows,
		 unsigned int nr, bool cdf);

#endif
