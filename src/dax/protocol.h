/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef UDAX_DAX_PROTOCOL_H
#define UDAX_DAX_PROTOCOL_H

#include <stdbool.h>

#include "dax/wait.h"

/* A row of switches; one a protocol that some kernel had, or was offered. */
struct dax_protocol {
	const char *name;
	enum dax_wake_mode inval_wake;
};

/* NULL when there is no protocol of that name. */
const struct dax_protocol *dax_protocol_find(const char *name);
/* i = 0, 1, ... ; NULL past the last. */
const struct dax_protocol *dax_protocol_nth(unsigned int i);

#endif
