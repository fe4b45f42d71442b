/* SPDX-License-Identifier: BSD-3-Clause */
/* Scripts and what goes with them, read from files: for replay and check. */
#ifndef UDAX_CLI_SCENARIO_H
#define UDAX_CLI_SCENARIO_H

#include "mm/extlog.h"
#include "mm/outcomes.h"
#include "mm/script.h"

/* 0, or the exit status after a complaint that names file and line. */
int load_script(const char *path, struct script *s);
int load_extents(const char *path, struct extlog *e);
int load_outcomes(const char *path, struct outcomes *set);
/* "dir/name.script" is scenario "name": the caller frees it; NULL: no memory. */
char *scenario_name(const char *path);

#endif
