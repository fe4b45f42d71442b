/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libpmem2, loaded when the first image is opened: it brings libndctl, libkmod and
 * libcrypto along, which took a fifth of all that `udax run -- true` does, and
 * most runs map files in memory.
 */
#ifndef UDAX_IO_PMEM2_H
#define UDAX_IO_PMEM2_H

#include <libpmem2.h>

struct pmem2_api {
#define X(name) __typeof__(pmem2_##name) *name;
#include "io/tbl/pmem2.h"
#undef X
};

/* The library's functions; NULL: it cannot be loaded, and @why says why. */
const struct pmem2_api *pmem2_load(const char **why);

#endif
