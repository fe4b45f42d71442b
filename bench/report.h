/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The report: one text, written twice, as HTML and as Markdown. report.c says
 * what is in it, in order; a struct report_out says how each part is written.
 * Experiments are known by what they put into their JSON (results.h). One thread.
 */
#ifndef UDAX_BENCH_REPORT_H
#define UDAX_BENCH_REPORT_H

#include <stdio.h>

#include <jansson.h>

#include "bench.h"

struct report_out {
	void (*begin)(FILE *out, const char *title);
	void (*heading)(FILE *out, int level, const char *id, const char *text);
	void (*paragraph)(FILE *out, const char *text);
	void (*lead)(FILE *out, const char *text);	/* a sentence of the answer */
	void (*warning)(FILE *out, const char *text);
	void (*list)(FILE *out, const json_t *sentences);
	void (*code)(FILE *out, const char *text);
	void (*table)(FILE *out, const json_t *table);
	void (*plot)(FILE *out, const json_t *plot);
	void (*end)(FILE *out);
};

extern const struct report_out report_html, report_markdown;

/* Text in @out with < > & and quotes escaped. */
void html_text(FILE *out, const char *text);

/*
 * The plot as an SVG element, by gnuplot, to @out. 0, or -errno: then nothing was
 * written, and -ENOENT if there is no gnuplot.
 */
int plot_svg(FILE *out, const json_t *plot);

/* Makes "tables" of what an experiment of an older form has. */
void report_adapt(json_t *report);

#endif
