/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Hold times: how long a medium takes while an entry is locked, as options write
 * it (udaxd(8), "HOLD TIMES"):
 *
 *	[GLOB:]KIND=TIME[,KIND=TIME]...[,seed=N]
 *	KIND	alloc, read or flush
 *	TIME	a distribution, lib/dist.h: 50us, 10us-50us, exp:50us, ...
 *		or "gate": until somebody opens it
 *
 * Constant once parsed; no lock. Times are nanoseconds.
 */
#ifndef UDAX_LIB_HOLD_H
#define UDAX_LIB_HOLD_H

#include <stddef.h>
#include <stdint.h>

#include "lib/dist.h"

enum hold_kind {
	HOLD_ALLOC,	/* an extent is allocated */
	HOLD_READ,	/* an extent is looked up, or loaded */
	HOLD_FLUSH,	/* a range is written back */
	HOLD_NR
};

struct hold {
	char *glob;	/* files that it is for, path_matches(); NULL: all */
	char *text;	/* as it was written, for people */
	uint64_t seed;
	unsigned int gates;	/* 1 << kind: its time is 0, and means nothing */
	struct dist time[HOLD_NR];	/* a kind that was not named is 0 */
};

/*
 * 0, or -EINVAL or -ENOMEM with a sentence in @why (@why_len bytes). What *@hold
 * owns is freed by hold_free().
 */
int hold_parse(const char *text, struct hold *hold, char *why, size_t why_len);
void hold_free(struct hold *hold);

/*
 * The time of the @n'th hold of @kind: the same for the same seed, @kind and @n,
 * and of no relation to any other.
 */
uint64_t hold_draw(const struct hold *hold, enum hold_kind kind, uint64_t n);

const char *hold_kind_name(enum hold_kind kind);

#endif
