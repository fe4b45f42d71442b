/* SPDX-License-Identifier: BSD-3-Clause */
/* Scripts and what goes with them, read from files: for replay and check. */
#ifndef UDAX_CLI_REPLAY_H
#define UDAX_CLI_REPLAY_H

#include "mm/extlog.h"
#include "mm/script.h"

/* All of @path; *@len bytes, freed by the caller. NULL with a complaint. */
char *read_file(const char *path, size_t *len);
/* Says what @rc and @err are about; the exit status. */
int complain_script(const char *path, const struct script_error *err, int rc);
/* 0, or the exit status after a complaint. */
int load_script(const char *path, struct script *s);
int load_extents(const char *path, struct extlog *e);
/* "dir/name.script" is scenario "name": the caller frees it; NULL: no memory. */
char *scenario_name(const char *path);

#endif
