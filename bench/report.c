/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * udax-bench report DIR: what the JSON files of DIR say, as report.html and
 * report.md in DIR. Nothing is measured here, and nothing is concluded but by the
 * functions that the experiments themselves use.
 */
#include "report.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "results.h"
#include "verdict.h"

#define TITLE "udax: waiting for a 4K entry, measured"

static const struct { const char *name, *what; } known[] = {
#define X(name, function, what) { #name, what },
#include "tbl/experiments.h"
#undef X
};

#define NR_KNOWN (sizeof(known) / sizeof(known[0]))

struct report {
	const char *dir;
	json_t *of[NR_KNOWN];	/* NULL: there is no file */
};

static const json_t *member(const json_t *o, const char *a, const char *b)
{
	return json_object_get(json_object_get(o, a), b);
}

static const char *text_of(const json_t *value, char *buf, size_t size)
{
	return results_cell(value, buf, size);
}

static bool measured(const json_t *r)
{
	return r && json_integer_value(json_object_get(r, "exit")) == BENCH_OK &&
	       json_object_get(r, "exit");
}

static const json_t *named(const struct report *r, const char *name)
{
	size_t i;

	for (i = 0; i < NR_KNOWN; i++)
		if (!strcmp(known[i].name, name))
			return measured(r->of[i]) ? r->of[i] : NULL;
	return NULL;
}

static void paragraph(const struct report_out *w, FILE *out, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void paragraph(const struct report_out *w, FILE *out, const char *fmt, ...)
{
	char text[2000];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	w->paragraph(out, text);
}

static bool is_debug(const json_t *r)
{
	const char *debug = json_string_value(member(r, "udaxd", "debug"));

	return debug && !strcmp(debug, "yes");
}

static void warnings(const struct report *r, const struct report_out *w, FILE *out)
{
	bool debug = false, quick = false;
	size_t i;

	for (i = 0; i < NR_KNOWN; i++) {
		debug |= is_debug(r->of[i]);
		quick |= json_is_true(json_object_get(r->of[i], "quick"));
	}
	if (debug)
		w->warning(out, "Made with a udaxd that checks itself at every step "
			   "(--enable-debug): the figures stand for nothing.");
	if (quick)
		w->warning(out, "Made by quick runs: good for a first look only.");
}

static void answer(const struct report *r, const struct report_out *w, FILE *out)
{
	const json_t *e3 = named(r, "e3");
	struct verdict v;
	int i;

	w->heading(out, 2, "answer", "The answer");
	if (!e3) {
		w->warning(out, "e3 was not measured: there is no answer.");
		return;
	}
	verdict_of(e3, &v);
	for (i = 0; i < 3; i++)
		w->lead(out, v.answer[i]);
	paragraph(w, out, "Converging would have been right: %s. Falling back at once is "
		  "right: %s. Both are computed from the rounds of e3 by the rule below.",
		  judgement_name(v.converging), judgement_name(v.early));
}

static void question(const struct report *r, const struct report_out *w, FILE *out)
{
	const json_t *e3 = named(r, "e3");

	w->heading(out, 2, "question", "The question");
	w->paragraph(out, "In July 2019 a 2M DAX page fault could sleep on the wrong wait queue "
		"and hang for ever. Two repairs were proposed. One converged the queues: "
		"entries of 4K and of 2M sleep on one queue a 2M window, and a 2M fault that "
		"meets a locked 4K entry waits for it, to fall back to 4K afterwards "
		"(dan-all here). The other let such a fault fall back at once, and kept a "
		"queue for each entry (616, what Linux has). \"Can you describe, or even "
		"better demonstrate with numbers, why it's better to carry this complication "
		"than just converging the waitqueues between the types?\" was never "
		"answered with numbers.");
	w->heading(out, 2, "rule", "The rule, stated before the results");
	if (e3 && json_object_get(e3, "rule"))
		w->list(out, json_object_get(e3, "rule"));
	else
		w->paragraph(out, "(e3 states it; it was not measured.)");
}

static void method(const struct report_out *w, FILE *out)
{
	w->heading(out, 2, "method", "Method");
	w->paragraph(out, "Real threads touch real memory. Their page faults are delivered by "
		"userfaultfd to udaxd, which runs the fault protocol of the kernel's fs/dax.c "
		"with the switches of the protocol under test; the thread stays asleep "
		"exactly as long as the protocol lets it wait. While an entry is locked the "
		"medium takes the hold time that the experiment says. Where this machine "
		"has too few CPUs, the same protocol code runs in a discrete-event simulator; "
		"its figures are marked as simulated.");
	w->paragraph(out, "Protocols are interleaved, a round of each in turn, A B A B; the "
		"first round is dropped. Figures are medians with the least and the greatest "
		"of the rounds. Ratios are of neighbouring rounds, with the interval that "
		"holds their median with 95 % confidence (percentile bootstrap over rounds). "
		"Two figures are equal when that whole interval lies within 2 % of 1. Every "
		"random choice comes from the seed, so each protocol met the same faults.");
}

/* Lines that a program printed, as it printed them. */
static void dump(const json_t *lines, const struct report_out *w, FILE *out)
{
	char text[4000] = "";
	json_t *line;
	size_t i, used = 0;

	if (!json_array_size(lines))
		return;
	w->heading(out, 3, NULL, "What the daemon says of the first one lost");
	json_array_foreach((json_t *)(uintptr_t)lines, i, line)
		if (used < sizeof(text))
			used += snprintf(text + used, sizeof(text) - used, "%s%s",
					 i ? "\n" : "", json_string_value(line));
	w->code(out, text);
}

static void experiment(const json_t *r, size_t nr, const struct report_out *w, FILE *out)
{
	char title[300], reason[400];
	const json_t *part;
	size_t i;

	snprintf(title, sizeof(title), "%s: %s", known[nr].name, known[nr].what);
	w->heading(out, 2, known[nr].name, title);
	if (!measured(r)) {
		const char *why = json_string_value(json_object_get(r, "reason"));

		snprintf(reason, sizeof(reason), "Missing: %.300s",
			 !r ? "there is no file of it in this directory." :
			 why ? why : "the run failed, or could not be made on this "
			 "machine.");
		w->warning(out, reason);
		return;
	}
	if (json_string_value(json_object_get(r, "command")))
		w->code(out, json_string_value(json_object_get(r, "command")));
	json_array_foreach(json_object_get(r, "answer"), i, part)
		if (strcmp(known[nr].name, "e3"))	/* e3's is at the top */
			w->lead(out, json_string_value(part));
	json_array_foreach(json_object_get(r, "plots"), i, part)
		w->plot(out, part);
	json_array_foreach(json_object_get(r, "tables"), i, part)
		w->table(out, part);
	dump(json_object_get(r, "dump"), w, out);
	if (json_array_size(json_object_get(r, "read"))) {
		w->heading(out, 3, NULL, "How to read this");
		w->list(out, json_object_get(r, "read"));
	}
	if (json_array_size(json_object_get(r, "not"))) {
		w->heading(out, 3, NULL, "What not to conclude");
		w->list(out, json_object_get(r, "not"));
	}
}

static void limits(const struct report_out *w, FILE *out)
{
	json_t *a = json_pack("[s,s,s,s,s]",
		"A userfaultfd round trip takes several microseconds; effects smaller than "
		"that are in the simulator only.",
		"userfaultfd drops the mmap lock before it sleeps; the kernel's DAX wait does "
		"not. Pile-ups behind the mmap lock appear only where an experiment says that "
		"it emulates the lock.",
		"One resolve wakes every thread on the page: the kernel wakes by address.",
		"Hold times are injected, constant or as measured on this machine's disk file "
		"system; nobody has published those of a DAX file system on persistent "
		"memory.",
		"Absolute times of a virtual machine say nothing of bare metal; ratios of "
		"interleaved rounds do better, and the simulator does not depend on the "
		"machine.");

	w->heading(out, 2, "limits", "Limits");
	w->list(out, a);
	json_decref(a);
}

static void machine(const struct report *r, const struct report_out *w, FILE *out)
{
	json_t *holder = json_object(), *host, *runs;
	char a[200], b[200];
	const json_t *any = NULL;
	size_t i;

	for (i = 0; i < NR_KNOWN && !any; i++)
		any = r->of[i];
	w->heading(out, 2, "machine", "The machine, and the runs");
	if (any) {
		static const char *const members[] = {
			"kernel", "build", "machine", "cpu", "cpus", "date",
		};

		host = results_table(holder, "host", "Machine", "what|is");
		for (i = 0; i < sizeof(members) / sizeof(members[0]); i++)
			results_row(host, json_pack("[s,s]", members[i], text_of(
				member(any, "host", members[i]), a, sizeof(a))));
		results_row(host, json_pack("[s,s]", "udaxd", text_of(
			member(any, "udaxd", "version"), a, sizeof(a))));
		results_row(host, json_pack("[s,s]", "compiler", text_of(
			member(any, "udaxd", "compiler"), b, sizeof(b))));
		w->table(out, host);
	}
	runs = results_table(holder, "runs", "Runs", "experiment|made|seconds|load|seed|command");
	for (i = 0; i < NR_KNOWN; i++) {
		if (!r->of[i])
			continue;
		results_row(runs, json_pack("[s,s,f,O?,O?,s]", known[i].name,
			text_of(member(r->of[i], "host", "date"), a, sizeof(a)),
			json_number_value(json_object_get(r->of[i], "elapsed_ns")) / 1e9,
			member(r->of[i], "host", "load1"), json_object_get(r->of[i], "seed"),
			text_of(json_object_get(r->of[i], "command"), b, sizeof(b))));
	}
	w->table(out, runs);
	json_decref(holder);
}

static void write_all(const struct report *r, const struct report_out *w, FILE *out)
{
	size_t i;

	w->begin(out, TITLE);
	warnings(r, w, out);
	answer(r, w, out);
	question(r, w, out);
	method(w, out);
	for (i = 0; i < NR_KNOWN; i++)
		experiment(r->of[i], i, w, out);
	limits(w, out);
	machine(r, w, out);
	w->end(out);
}

static int write_file(const struct report *r, const struct report_out *w,
		      const char *name)
{
	char path[4096], tmp[4200];
	FILE *out;
	int err;

	snprintf(path, sizeof(path), "%s/%s", r->dir, name);
	snprintf(tmp, sizeof(tmp), "%s.tmp", path);
	out = fopen(tmp, "we");
	if (!out) {
		fprintf(stderr, "udax-bench: %s: %s\n", tmp, strerror(errno));
		return BENCH_FAIL;
	}
	write_all(r, w, out);
	err = ferror(out);
	if (fclose(out) || err || rename(tmp, path)) {
		fprintf(stderr, "udax-bench: %s: %s\n", path, strerror(errno));
		return BENCH_FAIL;
	}
	puts(path);
	return BENCH_OK;
}

/* BENCH_OK, also when there is no such file. */
static int load(struct report *r, size_t nr)
{
	json_error_t e;
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s.json", r->dir, known[nr].name);
	f = fopen(path, "re");
	if (!f && errno == ENOENT)
		return BENCH_OK;
	if (!f) {
		fprintf(stderr, "udax-bench: %s: %s\n", path, strerror(errno));
		return BENCH_FAIL;
	}
	r->of[nr] = json_loadf(f, 0, &e);
	fclose(f);
	if (!json_is_object(r->of[nr])) {
		fprintf(stderr, "udax-bench: %s: line %d: %s\n", path, e.line, e.text);
		return BENCH_FAIL;
	}
	/* What is shown follows from the figures, not from what the run said. */
	if (!strcmp(known[nr].name, "e3"))
		verdict_tables(r->of[nr]);
	report_adapt(r->of[nr]);
	return BENCH_OK;
}

int report_main(int argc, char **argv)
{
	struct report r = { 0 };
	size_t i, found = 0;
	int ret = BENCH_OK;

	if (argc != 2 || argv[1][0] == '-') {
		fputs("usage: udax-bench report DIR\n", stderr);
		return BENCH_USAGE;
	}
	r.dir = argv[1];
	for (i = 0; i < NR_KNOWN && ret == BENCH_OK; i++) {
		ret = load(&r, i);
		found += r.of[i] != NULL;
	}
	if (ret == BENCH_OK && !found) {
		fprintf(stderr, "udax-bench: %s: no file of any experiment (see udax-bench "
			"run all --json-dir)\n", r.dir);
		ret = BENCH_FAIL;
	}
	if (ret == BENCH_OK)
		ret = write_file(&r, &report_html, "report.html");
	if (ret == BENCH_OK)
		ret = write_file(&r, &report_markdown, "report.md");
	for (i = 0; i < NR_KNOWN; i++)
		json_decref(r.of[i]);
	return ret;
}
