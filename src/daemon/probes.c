/* SPDX-License-Identifier: BSD-3-Clause */
#include "daemon/probes.h"

#ifdef HAVE_USDT
/*
 * Tracers find a semaphore by its place in the file: it must not be in .bss. The
 * name of a probe's is sys/sdt.h's; here all of a kind are one.
 */
#define COUNTER __attribute__((section(".probes")))

static unsigned short probes_always COUNTER __attribute__((used));
unsigned short probes_step COUNTER;

#define X(name, where) \
	extern __typeof__(probes_##where) udax_##name##_semaphore \
		__attribute__((alias("probes_" #where)));
#include "daemon/tbl/probes.h"
#undef X
#endif
