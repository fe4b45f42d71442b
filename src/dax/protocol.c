/* SPDX-License-Identifier: BSD-3-Clause */
#include "dax/protocol.h"

#include <stddef.h>
#include <string.h>

/* Newest first: the first row is the default. */
static const struct dax_protocol protocols[] = {
	{
		.name = "616",
		.kernels = "6.16 and later",
		.pmd_lookup = PMD_LOOKUP_FIRST,
		.pmd_on_pte = PMD_ON_PTE_CONFLICT,
		.keymode = KEY_ENTRY,
		.inval_wake = WAKE_ALL,
		.scan_wait = SCAN_RESET,
	},
};

const struct dax_protocol *dax_protocol_find(const char *name)
{
	const struct dax_protocol *p;

	for (unsigned int i = 0; (p = dax_protocol_nth(i)); i++)
		if (!strcmp(p->name, name))
			return p;
	return NULL;
}

const struct dax_protocol *dax_protocol_nth(unsigned int i)
{
	return i < sizeof(protocols) / sizeof(protocols[0]) ? &protocols[i] :
	       NULL;
}
