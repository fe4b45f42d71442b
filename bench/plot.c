/* SPDX-License-Identifier: BSD-3-Clause */
/* A plot of a report as SVG, drawn by gnuplot. */
#include "report.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * A protocol has one colour in all plots; others take theirs in turn. All are seen on
 * white and on the dark page: a contrast of 3 or more.
 */
static const struct { const char *name, *colour; } colours[] = {
	{ "616", "#0072b2" }, { "dan-conflict", "#00966c" },
	{ "jan-nx-all", "#bf8300" }, { "dan-all", "#d55e00" },
	{ "buggy", "#7f7f7f" }, { "513", "#8a7fd6" }, { "6370", "#c8709f" },
	{ "61c3", "#8c6d46" },
};

static const char *colour_of(const char *name, size_t nr)
{
	static const char *const others[] = {
		"#0072b2", "#d55e00", "#00966c", "#c8709f", "#bf8300", "#8a7fd6",
		"#7f7f7f", "#8c6d46",
	};
	size_t i;

	for (i = 0; i < sizeof(colours) / sizeof(colours[0]); i++)
		if (!strcmp(colours[i].name, name))
			return colours[i].colour;
	return others[nr % 8];
}

/* Between double quotes of gnuplot. */
static void quoted(FILE *g, const char *text)
{
	fputc('"', g);
	for (; *text; text++)
		if (*text >= ' ' && *text != '"' && *text != '\\' && *text != '`')
			fputc(*text, g);
	fputc('"', g);
}

static const char *string_of(const json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));

	return s ? s : "";
}

/* x, y, low, high of each point; where there is no range it is the point. */
static void data(FILE *g, const json_t *series, size_t nr)
{
	json_t *p;
	size_t i;

	fprintf(g, "$d%zu << EOD\n", nr);
	json_array_foreach(json_object_get(series, "points"), i, p) {
		double y = json_number_value(json_array_get(p, 1));
		bool range = json_array_size(p) == 4;

		fprintf(g, "%.12g %.12g %.12g %.12g\n",
			json_number_value(json_array_get(p, 0)), y,
			range ? json_number_value(json_array_get(p, 2)) : y,
			range ? json_number_value(json_array_get(p, 3)) : y);
	}
	fputs("EOD\n", g);
}

/* A logarithm of 0 is nowhere: gnuplot leaves such points out. */
static void draw(FILE *g, const json_t *plot)
{
	const json_t *all = json_object_get(plot, "series"), *series;
	bool range, first = true;
	size_t i;

	fputs("set terminal svg size 860,420 dynamic noenhanced font 'sans,13' name \"", g);
	/* It begins every id of the SVG: letters, digits and _ alone. */
	for (const char *p = string_of(plot, "name"); *p; p++)
		fputc(isalnum((unsigned char)*p) ? *p : '_', g);
	fputs("\"\nset border 3 lc rgb '#8a939c'\nset tics nomirror textcolor rgb '#333b44'\n"
	      "set grid lc rgb '#e3e7eb' lt 1\nset key outside right top samplen 2\n"
	      "set offsets graph 0.02, graph 0.02, graph 0, 0\nset xlabel ", g);
	quoted(g, string_of(plot, "x"));
	fputs("\nset ylabel ", g);
	quoted(g, string_of(plot, "y"));
	fputc('\n', g);
	if (json_is_true(json_object_get(plot, "log_x")))
		fputs("set logscale x\n", g);
	if (json_is_true(json_object_get(plot, "log_y")))
		fputs("set logscale y\n", g);
	else if (json_is_true(json_object_get(plot, "part_y")))
		fputs("set yrange [0:1]\n", g);
	else
		fputs("set yrange [0:*]\n", g);
	json_array_foreach((json_t *)(uintptr_t)all, i, series)
		if (json_array_size(json_object_get(series, "points")))
			data(g, series, i);
	json_array_foreach((json_t *)(uintptr_t)all, i, series) {
		const json_t *points = json_object_get(series, "points");
		const char *name = string_of(series, "name");

		if (!json_array_size(points))
			continue;
		range = json_array_size(json_array_get(points, 0)) == 4;
		fprintf(g, "%s $d%zu using 1:2 with %s lc rgb '%s' lw 2 pt %zu ps 0.6 title ",
			first ? "plot" : ",", i, range ? "linespoints" : "lines",
			colour_of(name, i), 4 + i);
		quoted(g, name);
		if (range)
			/* Not yerrorbars: a white disc of theirs hides the point. */
			fprintf(g, ", $d%zu using 1:3:(0):($4-$3) with vectors nohead "
				"lc rgb '%s' lw 1 notitle", i, colour_of(name, i));
		first = false;
	}
	fputc('\n', g);
}

/* From the <svg> on: what stands before it is for files of their own. */
static int copy_svg(FILE *out, FILE *in)
{
	char line[4096];
	bool inside = false;

	while (fgets(line, sizeof(line), in)) {
		if (!inside && strncmp(line, "<svg", 4))
			continue;
		inside = true;
		fputs(line, out);
	}
	return inside ? 0 : -ENOENT;
}

int plot_svg(FILE *out, const json_t *plot)
{
	char path[] = "/tmp/udax-bench-plot.XXXXXX", command[100];
	int fd = mkstemp(path), ret = -ENOENT;
	FILE *g, *in;

	if (fd < 0)
		return -errno;
	snprintf(command, sizeof(command), "gnuplot >%s 2>/dev/null", path);
	g = popen(command, "we");
	if (g) {
		draw(g, plot);
		if (!pclose(g)) {
			in = fdopen(fd, "r");
			ret = copy_svg(out, in);
			fclose(in);
			fd = -1;
		}
	}
	if (fd >= 0)
		close(fd);
	unlink(path);
	return ret;
}
