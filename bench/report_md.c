/* SPDX-License-Identifier: BSD-3-Clause */
/* The report as Markdown: the same text and tables; plots are in the HTML. */
#include "report.h"

#include <string.h>

#include "results.h"

static void begin(FILE *out, const char *title)
{
	fprintf(out, "# %s\n", title);
}

static void heading(FILE *out, int level, const char *id, const char *text)
{
	(void)id;
	fprintf(out, "\n%.*s %s\n", level, "####", text);
}

static void paragraph(FILE *out, const char *text)
{
	fprintf(out, "\n%s\n", text);
}

static void lead(FILE *out, const char *text)
{
	fprintf(out, "\n**%s**\n", text);
}

static void warning(FILE *out, const char *text)
{
	fprintf(out, "\n> %s\n", text);
}

static void list(FILE *out, const json_t *sentences)
{
	json_t *s;
	size_t i;

	fputc('\n', out);
	json_array_foreach((json_t *)(uintptr_t)sentences, i, s)
		fprintf(out, "- %s\n", json_string_value(s));
}

static void code(FILE *out, const char *text)
{
	fputs("\n    ", out);
	for (; *text; text++) {
		fputc(*text, out);
		if (*text == '\n')
			fputs("    ", out);
	}
	fputc('\n', out);
}

static void cell(FILE *out, const char *text)
{
	fputs(" ", out);
	for (; *text; text++)
		fprintf(out, *text == '|' ? "\\|" : "%c", *text);
	fputs(" |", out);
}

static void table(FILE *out, const json_t *t)
{
	const json_t *columns = json_object_get(t, "columns"), *row, *c;
	char buf[1100];
	size_t i, k;

	fprintf(out, "\n%s:\n\n|", json_string_value(json_object_get(t, "title")));
	json_array_foreach((json_t *)(uintptr_t)columns, i, c)
		cell(out, json_string_value(c));
	fputs("\n|", out);
	for (i = 0; i < json_array_size(columns); i++)
		fputs(i ? "---:|" : "---|", out);
	fputc('\n', out);
	json_array_foreach(json_object_get(t, "rows"), i, row) {
		fputc('|', out);
		json_array_foreach((json_t *)(uintptr_t)row, k, c)
			cell(out, results_cell(c, buf, sizeof(buf)));
		fputc('\n', out);
	}
}

static void plot(FILE *out, const json_t *p)
{
	fprintf(out, "\n*Plot in report.html: %s.*\n",
		json_string_value(json_object_get(p, "title")));
}

static void end(FILE *out)
{
	(void)out;
}

const struct report_out report_markdown = {
	begin, heading, paragraph, lead, warning, list, code, table, plot, end,
};
