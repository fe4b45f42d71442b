/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What an experiment found, in the form that its run prints and `udax-bench
 * report` shows: tables, plots and sentences, inside its JSON report. Functions
 * give borrowed references into the report; none fails but by want of memory,
 * which ends the program. One thread.
 *
 *	"tables": [{"name", "title", "columns": [..], "rows": [[cell..]..]}]
 *	"plots":  [{"name", "title", "x", "y", "log_x", "log_y", "part_y",
 *		    "series": [{"name", "points": [[x, y] or [x, y, low, high]]}]}]
 *	"rule", "read", "not", "answer": [sentence..]
 *
 * A cell is a string, a number, null (nothing measured) or an object with
 * "median" (a spread) or "value" (an interval).
 */
#ifndef UDAX_BENCH_RESULTS_H
#define UDAX_BENCH_RESULTS_H

#include <stdbool.h>
#include <stdio.h>

#include <jansson.h>

/* @columns: names, '|' between. */
json_t *results_table(json_t *report, const char *name, const char *title,
		      const char *columns);
/* Takes the reference @cells, an array of one cell a column. */
void results_row(json_t *table, json_t *cells);

/* PLOT_PART_Y: y is a part of a whole, from 0 to 1. */
enum plot_flags { PLOT_LOG_X = 1, PLOT_LOG_Y = 2, PLOT_PART_Y = 4 };

json_t *results_plot(json_t *report, const char *name, const char *title,
		     const char *x, const char *y, unsigned int flags);
json_t *results_series(json_t *plot, const char *name);
void results_point(json_t *series, double x, double y);
/* With a range to draw; @low <= @y <= @high. */
void results_point_range(json_t *series, double x, double y, double low,
			 double high);

/* A sentence for "rule" (stated before any result), "read" or "not". */
void results_say(json_t *report, const char *where, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The text of a cell, short enough for a column. Returns @buf. */
char *results_cell(const json_t *cell, char *buf, size_t size);
/* The median, the value or the number itself; @none if there is none. */
double results_number(const json_t *cell, double none);

void results_print_table(const json_t *table, FILE *out);
/* Every table, then how to read it and what not to conclude. */
void results_print(const json_t *report, FILE *out);
/* One sentence, wrapped. */
void results_print_sentence(const char *text, FILE *out);
/* "answer", at the end. */
void results_print_answer(const json_t *report, FILE *out);
/* "rule", as a run prints it before it begins. */
void results_print_rule(const json_t *report, FILE *out);

#endif
