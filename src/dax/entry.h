/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef UDAX_DAX_ENTRY_H
#define UDAX_DAX_ENTRY_H

#include <stdbool.h>
#include <stdint.h>

/* Build-time geometry; tests shrink it until collisions are certain. */
#ifndef PMD_ORDER
#define PMD_ORDER 9
#endif
#define PG_PMD_NR	(1UL << PMD_ORDER)	/* pages in a window */
#define PG_PMD_COLOUR	(PG_PMD_NR - 1)
#define PAGE_SHIFT	12
#define PMD_SHIFT	(PAGE_SHIFT + PMD_ORDER)
#define DAX_PAGE_SIZE	(1UL << PAGE_SHIFT)
#define DAX_PMD_SIZE	(1UL << PMD_SHIFT)

typedef uint64_t dax_entry_t;

#endif
