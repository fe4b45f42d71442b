/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * floor: how far from the raw userfaultfd loop is udaxd? The same program
 * touches the same file native, over the raw loop in its two forms, and under
 * udaxd, a round of each in turn, so that a change of the machine's speed hits
 * all alike. Ratios are taken round by round.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "floor.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

#define TMPFS_MAGIC_NUMBER 0x01021994
#define ANSWER_MS 60000
#define MAX_VARIANTS 8
#define MAX_ROUNDS 100000

enum kind { NATIVE, RAW, UDAX };
/* Where the servers run: on the toucher's CPU, one a CPU, one anywhere. */
enum place { ON_ONE, PER_CPU, ANYWHERE };

struct variant {
	const char *name;
	enum kind kind;
	enum serve_form form;
	enum place place;
};

/* Where the toucher's threads run. */
enum pinning { ALL_ON_ONE, ONE_EACH, NOBODY };

enum figure { RATE, P50 };

struct goal {
	const char *variant, *against;
	enum figure figure;
	double bound;		/* 0: for information */
};

struct group {
	const char *name, *what;
	uint64_t unit, size, passes;
	unsigned int threads;
	enum pinning pinning;
	struct variant variants[MAX_VARIANTS];
	struct goal goals[MAX_VARIANTS];
};

#define SMALL_SIZE (128 << 20)
#define HUGE_SIZE (256 << 20)

#define TWO_CPU_VARIANTS \
	{ { "native", NATIVE, 0, ANYWHERE }, \
	  { "raw-single", RAW, SERVE_BLOCK, ANYWHERE }, \
	  { "raw-percpu", RAW, SERVE_BLOCK, PER_CPU }, \
	  { "raw-percpu-uring", RAW, SERVE_URING, PER_CPU }, \
	  { "udax", UDAX, 0, PER_CPU } }

static const struct group groups[] = {
	{ "4k", "4K pages, one thread and its server on one CPU",
	  SMALL_UNIT, 32 << 20, 1, 1, ALL_ON_ONE,
	  { { "native", NATIVE, 0, ON_ONE },
	    { "raw-block", RAW, SERVE_BLOCK, ON_ONE },
	    { "raw-uring", RAW, SERVE_URING, ON_ONE },
	    { "udax", UDAX, 0, ON_ONE } },
	  { { "udax", "raw-block", RATE, 0.85 },
	    { "udax", "raw-uring", RATE, 0.85 },
	    { "native", "raw-block", RATE, 0 } } },
	{ "2m", "2M of huge folios, one thread and its server on one CPU",
	  HUGE_UNIT, HUGE_SIZE, 8, 1, ALL_ON_ONE,
	  { { "native", NATIVE, 0, ON_ONE },
	    { "raw-block", RAW, SERVE_BLOCK, ON_ONE },
	    { "raw-uring", RAW, SERVE_URING, ON_ONE },
	    { "udax", UDAX, 0, ON_ONE } },
	  { { "udax", "raw-block", P50, 1.25 },
	    { "udax", "raw-uring", P50, 1.25 },
	    { "native", "raw-block", P50, 0 } } },
	{ "2cpu", "4K pages, two threads on two CPUs, pinned by nobody",
	  SMALL_UNIT, SMALL_SIZE, 1, 2, NOBODY,
	  TWO_CPU_VARIANTS,
	  { { "udax", "raw-single", RATE, 4.0 },
	    { "udax", "raw-percpu", RATE, 0 },
	    { "udax", "raw-percpu-uring", RATE, 0 } } },
	{ "2cpu-pinned", "4K pages, two threads, each pinned to a CPU of its own",
	  SMALL_UNIT, SMALL_SIZE, 1, 2, ONE_EACH,
	  TWO_CPU_VARIANTS,
	  { { "udax", "raw-single", RATE, 0 },
	    { "udax", "raw-percpu", RATE, 0 },
	    { "udax", "raw-percpu-uring", RATE, 0 } } },
};

#define NR_GROUPS (sizeof(groups) / sizeof(groups[0]))

/* A variant at work: its processes and what they measured. */
struct runner {
	const struct variant *v;
	struct child touch, serve;
	struct udax_daemon daemon;
	struct touch_hello hello;
	struct touch_round *rounds;
};

struct floor {
	const struct bench_opts *opts;
	const struct group *g;
	struct udax_tree tree;
	bool have_udax;
	char dir[300], small[320], huge[320];
	int cpus[64];
	unsigned int nr_cpus;
	unsigned int rounds;
	unsigned int broken;	/* goals that do not hold */
	struct runner runners[MAX_VARIANTS];
	unsigned int nr;
};

/* A packet of exactly @size bytes within ANSWER_MS; 0 or -errno. */
static int answer(int sock, void *data, size_t size)
{
	struct pollfd p = { .fd = sock, .events = POLLIN };
	int ret = poll(&p, 1, ANSWER_MS);
	ssize_t n;

	if (ret <= 0)
		return ret ? -errno : -ETIMEDOUT;
	n = recv(sock, data, size, 0);
	if (n < 0)
		return -errno;
	return (size_t)n == size ? 0 : -EPIPE;
}

static const char *file_of(const struct floor *f)
{
	return f->g->unit == HUGE_UNIT ? f->huge : f->small;
}

static unsigned int server_cpus(const struct floor *f, const struct variant *v)
{
	return v->place == PER_CPU ? f->nr_cpus : 1;
}

/* The first @nr of our CPUs as "0,1". */
static void cpu_list(const struct floor *f, unsigned int nr, char *buf, size_t size)
{
	unsigned int i, len = 0;

	for (i = 0; i < nr && len < size; i++)
		len += snprintf(buf + len, size - len, "%s%d", i ? "," : "",
				f->cpus[i]);
}

/* The raw loop as a process; @sock: the end that the userfaultfd comes from. */
static int start_server(struct floor *f, struct runner *r, int sock)
{
	char fd[16], unit[24], cpus[256] = "any";
	char *argv[] = { (char *)"/proc/self/exe", (char *)"serve",
			 (char *)"--form", (char *)(r->v->form == SERVE_URING ?
						    "uring" : "block"),
			 (char *)"--sock", fd, (char *)"--unit", unit,
			 (char *)"--cpus", cpus, NULL };
	struct spawn how = { .argv = argv, .keep = { sock, -1 } };

	snprintf(fd, sizeof(fd), "%d", sock);
	snprintf(unit, sizeof(unit), "%llu", (unsigned long long)f->g->unit);
	if (r->v->place != ANYWHERE)
		cpu_list(f, server_cpus(f, r->v), cpus, sizeof(cpus));
	return child_spawn(&r->serve, &how);
}

/* @ctl: its end of the control pair; @uffd_sock: its end to the server, or -1. */
static int start_toucher(struct floor *f, struct runner *r, int ctl, int uffd_sock)
{
	char a_ctl[16], a_sock[16], a_cpus[256], a_server[16];
	char a_size[24], a_unit[24], a_passes[24], a_threads[16];
	pid_t server = r->v->kind == RAW ? r->serve.pid : r->daemon.child.pid;
	char *argv[24] = { (char *)"/proc/self/exe", (char *)"touch",
		(char *)"--file", (char *)(uintptr_t)file_of(f),
		(char *)"--ctl", a_ctl, (char *)"--size", a_size,
		(char *)"--unit", a_unit, (char *)"--passes", a_passes,
		(char *)"--threads", a_threads };
	struct spawn how = { .argv = argv, .keep = { ctl, uffd_sock } };
	unsigned int n = 14;

	snprintf(a_ctl, sizeof(a_ctl), "%d", ctl);
	snprintf(a_size, sizeof(a_size), "%llu", (unsigned long long)f->g->size);
	snprintf(a_unit, sizeof(a_unit), "%llu", (unsigned long long)f->g->unit);
	snprintf(a_passes, sizeof(a_passes), "%llu", (unsigned long long)f->g->passes);
	snprintf(a_threads, sizeof(a_threads), "%u", f->g->threads);
	if (f->g->unit == SMALL_UNIT)
		argv[n++] = (char *)"--nohuge";
	if (f->g->pinning != NOBODY) {
		cpu_list(f, f->g->pinning == ONE_EACH ? f->g->threads : 1,
			 a_cpus, sizeof(a_cpus));
		argv[n++] = (char *)"--cpus";
		argv[n++] = a_cpus;
	}
	if (server) {
		snprintf(a_server, sizeof(a_server), "%d", server);
		argv[n++] = (char *)"--server";
		argv[n++] = a_server;
	}
	if (uffd_sock >= 0) {
		snprintf(a_sock, sizeof(a_sock), "%d", uffd_sock);
		argv[n++] = (char *)"--uffd-sock";
		argv[n++] = a_sock;
	}
	if (r->v->kind == UDAX)
		how.envp = r->daemon.env;
	return child_spawn(&r->touch, &how);
}

/* 0 or -errno; whatever was started is ended by runner_stop(). */
static int runner_processes(struct floor *f, struct runner *r)
{
	int ctl[2] = { -1, -1 }, pass[2] = { -1, -1 }, ret;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ctl))
		return -errno;
	r->touch.ctl = ctl[0];
	if (r->v->kind == RAW) {
		ret = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pass) ?
			-errno : start_server(f, r, pass[1]);
	} else if (r->v->kind == UDAX) {
		ret = udax_start(&r->daemon, &f->tree, f->dir, f->cpus,
				 server_cpus(f, r->v));
	} else {
		ret = 0;
	}
	if (!ret)
		ret = start_toucher(f, r, ctl[1], pass[0]);
	close(ctl[1]);
	if (pass[0] >= 0) {
		close(pass[0]);
		close(pass[1]);
	}
	return ret;
}

static int runner_start(struct floor *f, struct runner *r, const struct variant *v)
{
	int ret;

	memset(r, 0, sizeof(*r));
	r->v = v;
	r->touch.ctl = r->serve.ctl = r->daemon.child.ctl = -1;
	r->rounds = calloc(f->rounds, sizeof(*r->rounds));
	if (!r->rounds)
		return -ENOMEM;
	ret = runner_processes(f, r);
	if (!ret)
		ret = answer(r->touch.ctl, &r->hello, sizeof(r->hello));
	if (!ret)
		ret = -r->hello.error;
	if (!ret && !!r->hello.armed != (v->kind != NATIVE)) {
		fprintf(stderr, "udax-bench: %s: the mapping is %sarmed\n",
			v->name, r->hello.armed ? "" : "not ");
		ret = -EINVAL;
	}
	return ret;
}

static void runner_stop(struct runner *r)
{
	child_end(&r->touch);
	child_end(&r->serve);
	udax_stop(&r->daemon);
	free(r->rounds);
	r->rounds = NULL;
}

/* Runs a round of @r; it is kept when @round is not negative. 0 or -errno. */
static int runner_round(struct runner *r, int round)
{
	uint8_t command = TOUCH_ROUND;
	struct touch_round t;
	int ret;

	if (send(r->touch.ctl, &command, 1, MSG_NOSIGNAL) < 0)
		return -errno;
	ret = answer(r->touch.ctl, &t, sizeof(t));
	if (ret)
		return ret;
	if (t.wrong) {
		fprintf(stderr, "udax-bench: %s: %llu units do not hold what was "
			"stored\n", r->v->name, (unsigned long long)t.wrong);
		return -EIO;
	}
	if (round >= 0)
		r->rounds[round] = t;
	return 0;
}

static double figure_of(const struct touch_round *t, enum figure figure)
{
	return figure == RATE ? t->touches * 1e6 / t->ns : t->p50 / 1e3;
}

enum column { COL_RATE, COL_P50, COL_P99, COL_CPU, NR_COLUMNS };

static const char *const column_names[NR_COLUMNS] = {
	"ktouch_per_s", "p50_us", "p99_us", "cpu_us_per_touch",
};

static double column_of(const struct touch_round *t, enum column c)
{
	switch (c) {
	case COL_RATE:
		return figure_of(t, RATE);
	case COL_P50:
		return figure_of(t, P50);
	case COL_P99:
		return t->p99 / 1e3;
	default:
		return t->cpu_ns / 1e3 / t->touches;
	}
}

static json_t *rounds_json(const struct floor *f, const struct runner *r)
{
	json_t *a = json_array();
	unsigned int i;

	for (i = 0; i < f->rounds; i++) {
		const struct touch_round *t = &r->rounds[i];

		json_array_append_new(a, json_pack(
			"{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I}",
			"touches", (json_int_t)t->touches,
			"ns", (json_int_t)t->ns,
			"cpu_ns", (json_int_t)t->cpu_ns,
			"min_ns", (json_int_t)t->min,
			"p50_ns", (json_int_t)t->p50,
			"p99_ns", (json_int_t)t->p99,
			"max_ns", (json_int_t)t->max,
			"huge_bytes", (json_int_t)t->huge_bytes));
	}
	return a;
}

static json_t *report_variant(const struct floor *f, const struct runner *r,
			      double *scratch)
{
	json_t *o = json_pack("{s:s,s:o}", "name", r->v->name,
			      "rounds", rounds_json(f, r));
	struct spread s;
	unsigned int i, c;

	printf("  %-17s", r->v->name);
	for (c = 0; c < NR_COLUMNS; c++) {
		for (i = 0; i < f->rounds; i++)
			scratch[i] = column_of(&r->rounds[i], c);
		s = spread_of(scratch, f->rounds);
		printf(c == COL_RATE ? " %8.1f (%.1f-%.1f)" : " %7.2f (%.2f-%.2f)",
		       s.median, s.min, s.max);
		json_object_set_new(o, column_names[c], spread_json(&s));
	}
	if (f->g->unit == HUGE_UNIT)
		printf(" %lluM huge", (unsigned long long)
		       r->rounds[f->rounds - 1].huge_bytes >> 20);
	putchar('\n');
	return o;
}

static const struct runner *runner_named(const struct floor *f, const char *name)
{
	unsigned int i;

	for (i = 0; name && i < f->nr; i++)
		if (!strcmp(f->runners[i].v->name, name))
			return &f->runners[i];
	return NULL;
}

static void report_goal(struct floor *f, const struct goal *goal, double *scratch,
			json_t *ratios)
{
	const struct runner *a = runner_named(f, goal->variant);
	const struct runner *b = runner_named(f, goal->against);
	const char *figure = goal->figure == RATE ? "rate" : "p50";
	bool holds;
	struct spread s;
	unsigned int i;
	json_t *o;

	if (!a || !b)
		return;
	for (i = 0; i < f->rounds; i++)
		scratch[i] = figure_of(&a->rounds[i], goal->figure) /
			figure_of(&b->rounds[i], goal->figure);
	s = spread_of(scratch, f->rounds);
	holds = goal->figure == RATE ? s.median >= goal->bound :
		s.median <= goal->bound;
	printf("  %s / %s, %s: %.3f (%.3f-%.3f)", goal->variant, goal->against,
	       figure, s.median, s.min, s.max);
	o = json_pack("{s:s,s:s,s:s,s:o}", "variant", goal->variant,
		      "against", goal->against, "figure", figure,
		      "ratio", spread_json(&s));
	if (goal->bound) {
		printf("  wanted %s %.2f: %s", goal->figure == RATE ? ">=" : "<=",
		       goal->bound, holds ? "holds" : "DOES NOT HOLD");
		json_object_set_new(o, "bound", json_real(goal->bound));
		json_object_set_new(o, "holds", json_boolean(holds));
		f->broken += !holds;
	}
	putchar('\n');
	json_array_append_new(ratios, o);
}

static json_t *placement_json(const struct floor *f)
{
	json_t *a = json_array();
	static const char *const names[] = { "all on one", "one each", "nobody" };
	unsigned int i, n = f->g->pinning == ALL_ON_ONE ? 1 : f->nr_cpus;

	for (i = 0; i < n; i++)
		json_array_append_new(a, json_integer(f->cpus[i]));
	return json_pack("{s:s,s:o}", "pinned", names[f->g->pinning], "cpus", a);
}

static void report_group(struct floor *f, json_t *report)
{
	double *scratch = calloc(f->rounds, sizeof(*scratch));
	json_t *variants = json_array(), *ratios = json_array();
	const struct group *g = f->g;
	unsigned int i;

	if (!scratch)
		abort();
	progress("%s", "");
	printf("%s: %s; %llu touches a round, %u rounds\n", g->name, g->what,
	       (unsigned long long)(g->size / g->unit * g->passes), f->rounds);
	puts("  median (min-max) of the rounds: thousand touches/s, p50 us, p99 us,"
	     " CPU us a touch");
	for (i = 0; i < f->nr; i++)
		json_array_append_new(variants,
				      report_variant(f, &f->runners[i], scratch));
	for (i = 0; i < MAX_VARIANTS && g->goals[i].variant; i++)
		report_goal(f, &g->goals[i], scratch, ratios);
	json_array_append_new(report, json_pack(
		"{s:s,s:I,s:I,s:I,s:i,s:o,s:o,s:o}",
		"name", g->name, "unit", (json_int_t)g->unit,
		"size", (json_int_t)g->size, "passes", (json_int_t)g->passes,
		"threads", (int)g->threads, "placement", placement_json(f),
		"variants", variants, "ratios", ratios));
	free(scratch);
}

/* All rounds of all variants in turn; each round starts with another one. */
static int run_rounds(struct floor *f)
{
	struct runner *r;
	unsigned int i;
	int round, ret;

	for (round = -1; round < (int)f->rounds; round++) {
		for (i = 0; i < f->nr; i++) {
			r = &f->runners[(i + round + 1) % f->nr];
			progress("%s: round %d/%u %s", f->g->name, round + 1,
				 f->rounds, r->v->name);
			ret = bench_interrupted ? -EINTR : runner_round(r, round);
			if (ret) {
				progress("%s", "");
				fprintf(stderr, "udax-bench: %s, %s: %s\n",
					f->g->name, r->v->name, strerror(-ret));
				return ret;
			}
		}
	}
	return 0;
}

static bool wanted(const struct floor *f, const struct variant *v)
{
	const char *only = f->opts->only;
	unsigned int i, j;
	bool by_variant = false;

	/* Without a variant's name the list chooses groups alone. */
	for (i = 0; i < NR_GROUPS; i++)
		for (j = 0; j < MAX_VARIANTS && groups[i].variants[j].name; j++)
			if (only && name_listed(only, groups[i].variants[j].name))
				by_variant = true;
	return !by_variant || name_listed(only, v->name);
}

static bool group_wanted(const struct floor *f, const struct group *g)
{
	const char *only = f->opts->only;
	bool by_group = false;
	unsigned int i;

	for (i = 0; i < NR_GROUPS; i++)
		if (only && name_listed(only, groups[i].name))
			by_group = true;
	return !by_group || name_listed(only, g->name);
}

static int run_group(struct floor *f, json_t *report)
{
	const struct group *g = f->g;
	unsigned int i;
	int ret = 0;

	f->nr = 0;
	for (i = 0; i < MAX_VARIANTS && g->variants[i].name && !ret; i++) {
		const struct variant *v = &g->variants[i];

		if (!wanted(f, v) || (v->kind == UDAX && !f->have_udax))
			continue;
		progress("%s: starting %s", g->name, v->name);
		ret = runner_start(f, &f->runners[f->nr++], v);
		if (ret) {
			progress("%s", "");
			fprintf(stderr, "udax-bench: %s: %s: %s\n", g->name,
				v->name, strerror(-ret));
		}
	}
	if (!ret)
		ret = run_rounds(f);
	if (!ret)
		report_group(f, report);
	for (i = 0; i < f->nr; i++)
		runner_stop(&f->runners[i]);
	return ret;
}

/* A file whose pages are all there; @huge: every 2M of it one folio. */
static int make_file(const char *path, uint64_t size, bool huge)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600), ret = 0;
	char *p;

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, size) || fallocate(fd, 0, 0, size))
		ret = -errno;
	if (!ret && huge) {
		p = map_aligned(fd, size);
		if (p == MAP_FAILED)
			ret = -errno;
		else if (madvise(p, size, MADV_COLLAPSE))
			ret = -errno;
		if (p != MAP_FAILED)
			munmap(p, size);
	}
	close(fd);
	return ret;
}

static int make_files(struct floor *f)
{
	struct statfs sf;
	int ret;

	if (statfs(f->opts->dir, &sf) || sf.f_type != TMPFS_MAGIC_NUMBER) {
		fprintf(stderr, "udax-bench: %s is not a tmpfs directory\n",
			f->opts->dir);
		return -ENOTDIR;
	}
	snprintf(f->dir, sizeof(f->dir), "%.200s/udax-bench.XXXXXX", f->opts->dir);
	if (!mkdtemp(f->dir)) {
		ret = -errno;
		f->dir[0] = '\0';
	} else {
		snprintf(f->small, sizeof(f->small), "%s/small", f->dir);
		snprintf(f->huge, sizeof(f->huge), "%s/huge", f->dir);
		ret = make_file(f->small, SMALL_SIZE, false);
		if (!ret)
			ret = make_file(f->huge, HUGE_SIZE, true);
	}
	if (ret)
		fprintf(stderr, "udax-bench: files in %s: %s\n", f->opts->dir,
			strerror(-ret));
	return ret;
}

static void remove_files(const struct floor *f)
{
	if (!f->dir[0])
		return;
	unlink(f->small);
	unlink(f->huge);
	rmdir(f->dir);
}

static void how_to_read(void)
{
	puts("\nHow to read this\n"
	"  A touch stores one word into a unit whose page table entry is gone: one fault.\n"
	"  raw-* are loops that read a fault and resolve it, nothing else: what any\n"
	"  server in another process must pay on this machine. Ratios are medians of\n"
	"  ratios of neighbouring rounds; they hold when the machine's speed drifts.\n"
	"What not to conclude\n"
	"  Absolute times of a virtual machine say nothing of bare metal: waking another\n"
	"  CPU costs tens of microseconds here and a few there. native is no bound for a\n"
	"  server; it shows what leaving the kernel costs. Touches of neighbouring pages\n"
	"  are the best case of every variant. Load on the machine shows first in p99.");
}

/* userfaultfd with the features that the raw loop needs; else why not. */
static bool can_run(void)
{
	if (access("/dev/userfaultfd", F_OK) && geteuid()) {
		fputs("udax-bench: userfaultfd needs root here\n", stderr);
		return false;
	}
	return true;
}

int floor_run(const struct bench_opts *opts, json_t *report)
{
	struct floor *f = calloc(1, sizeof(*f));
	json_t *out = json_array();
	unsigned int i;
	int ret = 0;

	json_object_set_new(report, "groups", out);
	if (!f || !can_run()) {
		free(f);
		return BENCH_CANNOT;
	}
	f->opts = opts;
	f->rounds = opts->repeat ? opts->repeat : opts->quick ? 5 : 21;
	f->nr_cpus = cpus_allowed(f->cpus, 64);
	ret = make_files(f);
	f->have_udax = !ret && !udax_find(&f->tree);
	if (!ret && !f->have_udax)
		puts("The udax variants are left out.");
	for (i = 0; i < NR_GROUPS && !ret; i++) {
		f->g = &groups[i];
		if (!group_wanted(f, f->g))
			continue;
		if (f->nr_cpus < f->g->threads) {
			printf("%s: left out, it needs %u CPUs\n", f->g->name,
			       f->g->threads);
			continue;
		}
		ret = run_group(f, out);
	}
	remove_files(f);
	if (!ret)
		how_to_read();
	if (f->broken)
		printf("\n%u of the wanted ratios do not hold.\n", f->broken);
	free(f);
	return ret == -ENOTDIR || ret == -EPERM ? BENCH_CANNOT :
		ret ? BENCH_FAIL : BENCH_OK;
}
