/* SPDX-License-Identifier: BSD-3-Clause */
#include "results.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define MAX_COLUMNS 16
#define CELL 64

static json_t *member(json_t *o, const char *name, json_t *(*make)(void))
{
	json_t *m = json_object_get(o, name);

	if (m)
		return m;
	m = make();
	if (!m || json_object_set_new(o, name, m))
		abort();
	return m;
}

static json_t *append(json_t *array, json_t *value)
{
	if (!value || json_array_append_new(array, value))
		abort();
	return value;
}

json_t *results_table(json_t *report, const char *name, const char *title,
		      const char *columns)
{
	json_t *names = json_array(), *table;
	const char *p = columns;
	size_t len;

	for (;;) {
		len = strcspn(p, "|");
		append(names, json_stringn(p, len));
		if (!p[len])
			break;
		p += len + 1;
	}
	table = json_pack("{s:s,s:s,s:o,s:[]}", "name", name, "title", title,
			  "columns", names, "rows");
	return append(member(report, "tables", json_array), table);
}

void results_row(json_t *table, json_t *cells)
{
	append(json_object_get(table, "rows"), cells);
}

json_t *results_plot(json_t *report, const char *name, const char *title,
		     const char *x, const char *y, unsigned int flags)
{
	json_t *plot = json_pack("{s:s,s:s,s:s,s:s,s:b,s:b,s:b,s:[]}",
				 "name", name, "title", title, "x", x, "y", y,
				 "log_x", !!(flags & PLOT_LOG_X),
				 "log_y", !!(flags & PLOT_LOG_Y),
				 "part_y", !!(flags & PLOT_PART_Y), "series");

	return append(member(report, "plots", json_array), plot);
}

json_t *results_series(json_t *plot, const char *name)
{
	return append(json_object_get(plot, "series"),
		      json_pack("{s:s,s:[]}", "name", name, "points"));
}

void results_point(json_t *series, double x, double y)
{
	append(json_object_get(series, "points"), json_pack("[f,f]", x, y));
}

void results_point_range(json_t *series, double x, double y, double low, double high)
{
	append(json_object_get(series, "points"),
	       json_pack("[f,f,f,f]", x, y, low, high));
}

void results_say(json_t *report, const char *where, const char *fmt, ...)
{
	char text[1000];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	append(member(report, where, json_array), json_string(text));
}

/* Four significant digits, no exponent for what people call a number. */
static int number_text(char *buf, size_t size, double v)
{
	double a = fabs(v);

	if (a != 0 && (a < 1e-4 || a >= 1e15))
		return snprintf(buf, size, "%.3g", v);
	if (a >= 1000)
		return snprintf(buf, size, "%.0f", v);
	if (a >= 100)
		return snprintf(buf, size, "%.1f", v);
	if (a >= 1)
		return snprintf(buf, size, "%.2f", v);
	return snprintf(buf, size, v == 0 ? "0" : "%.4f", v);
}

/* "1.02 (0.99-1.05)": a figure and its range, unless the range is a point. */
static char *range_text(char *buf, size_t size, const json_t *o, const char *figure,
			const char *low, const char *high)
{
	double v = json_number_value(json_object_get(o, figure));
	double l = json_number_value(json_object_get(o, low));
	double h = json_number_value(json_object_get(o, high));
	char a[24], b[24], c[24];

	number_text(a, sizeof(a), v);
	number_text(b, sizeof(b), l);
	number_text(c, sizeof(c), h);
	if (l == h)
		snprintf(buf, size, "%s", a);
	else
		snprintf(buf, size, "%s (%s-%s)", a, b, c);
	return buf;
}

char *results_cell(const json_t *cell, char *buf, size_t size)
{
	if (json_is_string(cell))
		snprintf(buf, size, "%s", json_string_value(cell));
	else if (json_is_integer(cell))
		snprintf(buf, size, "%" JSON_INTEGER_FORMAT,
			 json_integer_value(cell));
	else if (json_is_real(cell))
		number_text(buf, size, json_real_value(cell));
	else if (json_is_boolean(cell))
		snprintf(buf, size, "%s", json_is_true(cell) ? "yes" : "no");
	else if (json_object_get(cell, "median"))
		range_text(buf, size, cell, "median", "min", "max");
	else if (json_object_get(cell, "value"))
		range_text(buf, size, cell, "value", "low", "high");
	else
		snprintf(buf, size, "-");
	return buf;
}

double results_number(const json_t *cell, double none)
{
	if (json_is_number(cell))
		return json_number_value(cell);
	if (json_object_get(cell, "median"))
		return json_number_value(json_object_get(cell, "median"));
	if (json_object_get(cell, "value"))
		return json_number_value(json_object_get(cell, "value"));
	return none;
}

/* The widest text of a column, its name included. */
static size_t column_width(const json_t *table, size_t column)
{
	const json_t *name = json_array_get(json_object_get(table, "columns"), column);
	size_t width = strlen(json_string_value(name)), i, len;
	json_t *row;
	char buf[CELL];

	json_array_foreach(json_object_get(table, "rows"), i, row) {
		len = strlen(results_cell(json_array_get(row, column), buf,
					  sizeof(buf)));
		width = len > width ? len : width;
	}
	return width;
}

void results_print_table(const json_t *table, FILE *out)
{
	const json_t *columns = json_object_get(table, "columns");
	size_t nr = json_array_size(columns), width[MAX_COLUMNS], i, c;
	char buf[CELL];
	json_t *row;

	if (nr > MAX_COLUMNS)
		nr = MAX_COLUMNS;
	fprintf(out, "%s\n", json_string_value(json_object_get(table, "title")));
	for (c = 0; c < nr; c++)
		width[c] = column_width(table, c);
	for (c = 0; c < nr; c++)
		fprintf(out, c ? "  %*s" : "  %-*s", (int)width[c],
			json_string_value(json_array_get(columns, c)));
	fputc('\n', out);
	json_array_foreach(json_object_get(table, "rows"), i, row) {
		for (c = 0; c < nr; c++)
			fprintf(out, c ? "  %*s" : "  %-*s", (int)width[c],
				results_cell(json_array_get(row, c), buf,
					     sizeof(buf)));
		fputc('\n', out);
	}
	fputc('\n', out);
}

/* A sentence in lines of at most 78 columns. */
void results_print_sentence(const char *text, FILE *out)
{
	int column = 0, len;

	while (*text) {
		len = strcspn(text, " ");
		if (column && column + 1 + len > 76) {
			fputc('\n', out);
			column = 0;
		}
		column += fprintf(out, "%s%.*s", column ? " " : "  ", len, text);
		text += len;
		text += strspn(text, " ");
	}
	fputc('\n', out);
}

static void print_sentences(const json_t *report, const char *where,
			    const char *title, FILE *out)
{
	const json_t *a = json_object_get(report, where);
	json_t *text;
	size_t i;

	if (!json_array_size(a))
		return;
	fprintf(out, "%s\n", title);
	json_array_foreach(a, i, text)
		results_print_sentence(json_string_value(text), out);
}

void results_print_rule(const json_t *report, FILE *out)
{
	print_sentences(report, "rule", "The rule, before any number", out);
	fputc('\n', out);
}

void results_print_answer(const json_t *report, FILE *out)
{
	print_sentences(report, "answer", "The answer, from these data", out);
}

void results_print(const json_t *report, FILE *out)
{
	json_t *table;
	size_t i;

	json_array_foreach(json_object_get(report, "tables"), i, table)
		results_print_table(table, out);
	print_sentences(report, "read", "How to read this", out);
	print_sentences(report, "not", "What not to conclude", out);
}
