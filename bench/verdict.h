/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the data of e3 say. The rule is fixed before any number; what it concludes
 * is computed from the cells of the report, by the run that made them and by
 * `udax-bench report` alike. doc/experiments.md, "e3". One thread.
 *
 * Two positions are judged, each by itself, on the load cells (group "load"):
 *	converging	dan-all costs no more than 616: rate and p99 of a fault
 *	early		falling back at once pays: under dan-all more than
 *			VERDICT_SHARE of all fault time goes into 2M faults that
 *			wait for 4K entries, and fewer than VERDICT_USEFUL of these
 *			waits end in a 2M mapping
 */
#ifndef UDAX_BENCH_VERDICT_H
#define UDAX_BENCH_VERDICT_H

#include <stdio.h>

#include <jansson.h>

#define VERDICT_MARGIN 0.02	/* equal: the interval lies within 2 % of 1 */
#define VERDICT_SHARE 0.01
#define VERDICT_USEFUL 0.01
#define VERDICT_ROUNDS 5	/* fewer decide nothing */

enum judgement {
	JUDGED_UNKNOWN,		/* no data */
	JUDGED_OPEN,		/* data, but the intervals do not decide */
	JUDGED_NO,
	JUDGED_YES,
};

struct verdict {
	enum judgement converging, early;
	char answer[3][600];	/* sentences: what waiting costs, how often it
				   happens, what follows by the rule */
};

/* Adds "rule" to @report. */
void verdict_rule(json_t *report);
/* From "cells" and "seed" of @report, which may lack anything. */
void verdict_of(const json_t *report, struct verdict *v);
/* Replaces "tables" and "plots" of @report by those of its cells. */
void verdict_tables(json_t *report);
/* The answer for people; puts it into @report as "answer" and "verdict". */
void verdict_print(json_t *report, FILE *out);
const char *judgement_name(enum judgement j);

#endif
