/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The report as one HTML file that needs nothing else: style and plots are inside,
 * there is no script, and its policy forbids the browser to fetch anything.
 */
#include "report.h"

#include <string.h>

#include "results.h"

static const char style[] =
":root{--text:#1b1f24;--dim:#57606a;--back:#fff;--soft:#f5f7f9;--line:#d8dee4;"
"--mark:#0b5cad;--warn:#8a4b00;--warn-back:#fff6e5;--axis:#6b747d;--grid:#e3e7eb}\n"
"@media(prefers-color-scheme:dark){:root{--text:#e4e8ec;--dim:#9aa5b1;--back:#15191e;"
"--soft:#1d2329;--line:#343c45;--mark:#6db3f8;--warn:#ffc66d;--warn-back:#2d2412;"
"--axis:#8a939c;--grid:#2b323a}}\n"
"*{box-sizing:border-box}\n"
"body{margin:0;background:var(--back);color:var(--text);"
"font:16px/1.55 system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif}\n"
"main{max-width:62rem;margin:0 auto;padding:2.5rem 1.25rem 5rem}\n"
"h1{font-size:2rem;line-height:1.2;margin:0 0 1.5rem;letter-spacing:-.01em}\n"
"h2{font-size:1.3rem;line-height:1.3;margin:3rem 0 .75rem;padding-top:1rem;"
"border-top:1px solid var(--line)}\n"
"h3{font-size:1rem;margin:1.5rem 0 .4rem;color:var(--dim)}\n"
"p,ul{max-width:46rem;margin:.75rem 0}li{margin:.3rem 0}\n"
".lead{font-size:1.12rem;border-left:3px solid var(--mark);padding-left:1rem;margin:1rem 0}\n"
".warning{color:var(--warn);background:var(--warn-back);padding:.6rem 1rem;border-radius:6px}\n"
"pre{background:var(--soft);border:1px solid var(--line);border-radius:6px;"
"padding:.6rem .9rem;overflow-x:auto;font:13px/1.5 ui-monospace,'DejaVu Sans Mono',monospace}\n"
".wide{overflow-x:auto;margin:1.25rem 0}\n"
"table{border-collapse:collapse;font-size:.84rem;font-variant-numeric:tabular-nums}\n"
"caption{text-align:left;font-weight:600;padding:0 0 .5rem;font-size:.95rem}\n"
/* It stays in view while a wide table is scrolled, and is as wide as the page. */
"caption span{display:inline-block;position:sticky;left:0;"
"max-width:min(59rem,calc(100vw - 2.5rem))}\n"
"th,td{padding:.32rem .7rem;text-align:right;vertical-align:bottom;"
"border-bottom:1px solid var(--line)}\n"
"td{white-space:nowrap}th{font-weight:600;color:var(--dim);max-width:11rem}\n"
"th:first-child,td:first-child,.text{text-align:left}\n"
"td.long{white-space:normal;min-width:16rem}\n"
"tbody tr:hover{background:var(--soft)}\n"
"td .range{color:var(--dim);font-size:.92em}\n"
"figure{margin:1.5rem 0;border:1px solid var(--line);border-radius:8px;padding:1rem;"
"overflow-x:auto}\n"
"figure svg{display:block;width:100%;min-width:34rem;height:auto}\n"
/* gnuplot's own colours, but for those of the lines, are for white paper. */
"figure svg text{fill:var(--text)}figure svg [color=black]{color:var(--axis)}\n"
"figure svg .gridline{stroke:var(--grid)}"
"figure svg [stroke='rgb(138, 147, 156)']{stroke:var(--axis)}\n"
"figcaption{font-weight:600;font-size:.95rem;margin-bottom:.5rem}\n"
"nav{font-size:.9rem;display:flex;flex-wrap:wrap;gap:.35rem .9rem}\n"
"a{color:var(--mark);text-decoration:none}a:hover{text-decoration:underline}\n"
"@media print{body{font-size:12px}h2{break-after:avoid}figure,tr{break-inside:avoid}}\n";

void html_text(FILE *out, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '<':
			fputs("&lt;", out);
			break;
		case '>':
			fputs("&gt;", out);
			break;
		case '&':
			fputs("&amp;", out);
			break;
		case '"':
			fputs("&quot;", out);
			break;
		default:
			fputc(*text, out);
		}
	}
}

static void element(FILE *out, const char *tag, const char *class, const char *text)
{
	fprintf(out, "<%s", tag);
	if (class)
		fprintf(out, " class=\"%s\"", class);
	fputc('>', out);
	html_text(out, text);
	fprintf(out, "</%s>\n", tag);
}

static void begin(FILE *out, const char *title)
{
	fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	      "<meta http-equiv=\"Content-Security-Policy\" "
	      "content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">\n"
	      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
	      "<meta name=\"color-scheme\" content=\"light dark\">\n", out);
	/* Without one a browser asks for favicon.ico where it can. */
	fputs("<link rel=\"icon\" href=\"data:,\">\n", out);
	element(out, "title", NULL, title);
	fprintf(out, "<style>\n%s</style>\n</head>\n<body>\n<main>\n", style);
	element(out, "h1", NULL, title);
	fputs("<nav><a href=\"#answer\">answer</a><a href=\"#question\">question</a>"
	      "<a href=\"#rule\">rule</a><a href=\"#method\">method</a>", out);
#define X(name, function, what) fputs("<a href=\"#" #name "\">" #name "</a>", out);
#include "tbl/experiments.h"
#undef X
	fputs("<a href=\"#limits\">limits</a><a href=\"#machine\">machine</a></nav>\n", out);
}

static void heading(FILE *out, int level, const char *id, const char *text)
{
	fprintf(out, "<h%d", level);
	if (id)
		fprintf(out, " id=\"%s\"", id);
	fputc('>', out);
	html_text(out, text);
	fprintf(out, "</h%d>\n", level);
}

static void paragraph(FILE *out, const char *text)
{
	element(out, "p", NULL, text);
}

static void lead(FILE *out, const char *text)
{
	element(out, "p", "lead", text);
}

static void warning(FILE *out, const char *text)
{
	element(out, "p", "warning", text);
}

static void list(FILE *out, const json_t *sentences)
{
	json_t *s;
	size_t i;

	fputs("<ul>\n", out);
	json_array_foreach((json_t *)(uintptr_t)sentences, i, s)
		element(out, "li", NULL, json_string_value(s));
	fputs("</ul>\n", out);
}

static void code(FILE *out, const char *text)
{
	element(out, "pre", NULL, text);
}

/* "1.02 (0.99-1.05)": the range is there for a second look. */
static void cell(FILE *out, const json_t *value)
{
	char buf[1100], *range;

	results_cell(value, buf, sizeof(buf));
	if (json_is_string(value)) {
		element(out, "td", strlen(buf) > 40 ? "text long" : "text", buf);
		return;
	}
	range = json_is_object(value) ? strchr(buf, '(') : NULL;
	fputs("<td>", out);
	if (range)
		range[-1] = '\0';
	html_text(out, buf);
	if (range)
		fprintf(out, " <span class=\"range\">%s</span>", range);
	fputs("</td>", out);
}

static void table(FILE *out, const json_t *t)
{
	const json_t *first = json_array_get(json_object_get(t, "rows"), 0);
	json_t *row, *c;
	size_t i, k;

	fputs("<div class=\"wide\"><table>\n", out);
	fputs("<caption>", out);
	element(out, "span", NULL, json_string_value(json_object_get(t, "title")));
	fputs("</caption>\n", out);
	fputs("<thead><tr>", out);
	json_array_foreach(json_object_get(t, "columns"), i, c)
		element(out, "th", json_is_string(json_array_get(first, i)) ? "text" :
			NULL, json_string_value(c));
	fputs("</tr></thead>\n<tbody>\n", out);
	json_array_foreach(json_object_get(t, "rows"), i, row) {
		fputs("<tr>", out);
		json_array_foreach(row, k, c)
			cell(out, c);
		fputs("</tr>\n", out);
	}
	fputs("</tbody></table></div>\n", out);
}

static void plot(FILE *out, const json_t *p)
{
	fputs("<figure>\n", out);
	element(out, "figcaption", NULL, json_string_value(json_object_get(p, "title")));
	if (plot_svg(out, p))
		element(out, "p", "warning",
			"Not drawn: gnuplot is not installed, or failed.");
	fputs("</figure>\n", out);
}

static void end(FILE *out)
{
	fputs("</main>\n</body>\n</html>\n", out);
}

const struct report_out report_html = {
	begin, heading, paragraph, lead, warning, list, code, table, plot, end,
};
