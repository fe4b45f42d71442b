/* SPDX-License-Identifier: BSD-3-Clause */
#include "live.h"

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

#include "asleep.h"
#include "cli/rpc.h"
#include "live_count.h"
#include "results.h"
#include "stats.h"

#define TMPFS_MAGIC_NUMBER 0x01021994
/* No round takes as long, unless somebody sleeps for ever. */
#define ROUND_MS 20000

struct contestant {
	const struct live_variant *v;
	struct udax_daemon daemon;
	struct rpc rpc;
	struct child child[FAULTERS_MAX_PROCESSES];
	int shared;
	struct faulters *f;
	char hold[96];
	bool hung, asleep;
	json_t *before;		/* counters when the round began */
	json_t *rounds;
	struct sample_pool pool;
};

static int make_huge(const char *path, uint64_t size)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600), ret = 0;
	void *p;

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, size) || fallocate(fd, 0, 0, size))
		ret = -errno;
	if (!ret) {
		p = map_aligned(fd, size);
		ret = p == MAP_FAILED ? -errno : collapse_range(p, size);
		if (p != MAP_FAILED)
			munmap(p, size);
	}
	close(fd);
	return ret;
}

int live_open(struct live *l, const struct bench_opts *opts, uint32_t windows)
{
	struct statfs sf;
	int ret = 0;

	memset(l, 0, sizeof(*l));
	l->opts = opts;
	l->windows = windows;
	l->nr_cpus = cpus_allowed(l->cpus, 64);
	if (udax_find(&l->tree))
		return BENCH_CANNOT;
	if (access("/dev/userfaultfd", F_OK) && geteuid()) {
		fputs("udax-bench: userfaultfd needs root here\n", stderr);
		return BENCH_CANNOT;
	}
	if (statfs(opts->dir, &sf) || sf.f_type != TMPFS_MAGIC_NUMBER) {
		fprintf(stderr, "udax-bench: %s is not a tmpfs directory\n", opts->dir);
		return BENCH_CANNOT;
	}
	snprintf(l->dir, sizeof(l->dir), "%.200s/udax-bench.XXXXXX", opts->dir);
	if (!mkdtemp(l->dir)) {
		ret = -errno;
		l->dir[0] = '\0';
	} else if (windows) {
		snprintf(l->file, sizeof(l->file), "%s/file", l->dir);
		ret = make_huge(l->file, windows * HUGE_UNIT);
	}
	if (!ret)
		return BENCH_OK;
	fprintf(stderr, "udax-bench: files in %s: %s\n", opts->dir, strerror(-ret));
	live_close(l);
	return BENCH_CANNOT;
}

void live_close(struct live *l)
{
	if (l->file[0])
		unlink(l->file);
	if (l->dir[0])
		rmdir(l->dir);
	l->dir[0] = l->file[0] = '\0';
}

static int start_daemon(struct live *l, struct contestant *c,
			const struct live_cell *cell)
{
	const char *more[UDAX_MORE + 1] = { NULL };
	unsigned int n = 0, i;
	int ret;

	if (c->v->protocol) {
		more[n++] = "--protocol";
		more[n++] = c->v->protocol;
	}
	if (cell->hold || cell->cfg.hold_ns) {
		snprintf(c->hold, sizeof(c->hold), "alloc=%lluns,read=%lluns",
			 (unsigned long long)cell->cfg.hold_ns,
			 (unsigned long long)cell->cfg.hold_ns);
		more[n++] = "--hold";
		more[n++] = cell->hold ? cell->hold : c->hold;
	}
	if (cell->exact) {
		more[n++] = "--track";
		more[n++] = "exact";
	}
	for (i = 0; c->v->more[i] && n < UDAX_MORE; i++)
		more[n++] = c->v->more[i];
	c->daemon.log = cell->log;
	ret = udax_start_with(&c->daemon, &l->tree, l->dir, l->cpus, l->nr_cpus, more);
	if (!ret && c->v->env)
		ret = udax_env(&c->daemon, c->v->env);
	if (!ret && rpc_open(&c->rpc, c->daemon.sock))
		ret = -ECONNREFUSED;
	return ret;
}

static int start_process(struct contestant *c, unsigned int nr)
{
	char a_ctl[16], a_shared[16], a_nr[16];
	char *argv[] = { (char *)"/proc/self/exe", (char *)"faulters", a_ctl, a_shared,
			 a_nr, NULL };
	struct spawn how = { .argv = argv, .envp = c->daemon.env };
	int ctl[2], ret;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ctl))
		return -errno;
	c->child[nr].ctl = ctl[0];
	how.keep[0] = ctl[1];
	how.keep[1] = c->shared;
	snprintf(a_ctl, sizeof(a_ctl), "%d", ctl[1]);
	snprintf(a_shared, sizeof(a_shared), "%d", c->shared);
	snprintf(a_nr, sizeof(a_nr), "%u", nr);
	ret = child_spawn(&c->child[nr], &how);
	close(ctl[1]);
	return ret;
}

/* 0, or -errno: -ETIMEDOUT when it says nothing for ROUND_MS. */
static int answer(struct contestant *c, unsigned int nr)
{
	struct pollfd p = { .fd = c->child[nr].ctl, .events = POLLIN };
	int32_t status;
	int ret;

	ret = poll(&p, 1, ROUND_MS);
	if (ret <= 0)
		return ret ? -errno : -ETIMEDOUT;
	if (recv(p.fd, &status, sizeof(status), 0) != sizeof(status))
		return -EPIPE;
	return status;
}

static void shared_barrier(pthread_barrier_t *barrier, unsigned int threads)
{
	pthread_barrierattr_t attr;

	pthread_barrierattr_init(&attr);
	pthread_barrierattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_barrier_init(barrier, &attr, threads);
	pthread_barrierattr_destroy(&attr);
}

static int contestant_start(struct live *l, struct contestant *c,
			    const struct live_cell *cell)
{
	unsigned int i;
	int ret;

	c->shared = memfd_create("udax-bench", MFD_CLOEXEC);
	if (c->shared < 0 || ftruncate(c->shared, sizeof(*c->f)))
		return -errno;
	c->f = mmap(NULL, sizeof(*c->f), PROT_READ | PROT_WRITE, MAP_SHARED,
		    c->shared, 0);
	if (c->f == MAP_FAILED) {
		c->f = NULL;
		return -errno;
	}
	c->f->cfg = cell->cfg;
	c->f->cfg.seed = l->opts->seed;
	snprintf(c->f->path, sizeof(c->f->path), "%s",
		 cell->path ? cell->path : faulters_own_files(cell->cfg.load) ? l->dir : l->file);
	if (cell->cfg.load == LOAD_HERD)
		shared_barrier(&c->f->step, cell->cfg.threads);
	c->f->nr_cpus = l->nr_cpus;
	memcpy(c->f->cpus, l->cpus, sizeof(c->f->cpus));
	ret = start_daemon(l, c, cell);
	for (i = 0; i < cell->cfg.processes && !ret; i++)
		ret = start_process(c, i);
	for (i = 0; i < cell->cfg.processes && !ret; i++)
		ret = answer(c, i);
	return ret;
}

/*
 * Ends its processes. Threads that sleep in a fault are let go by the daemon's
 * end, so it goes first when somebody hung.
 */
static void contestant_end(struct contestant *c)
{
	unsigned int i;

	if (c->f)
		atomic_store(&c->f->quit, 1);
	if (c->hung && c->daemon.child.pid > 0) {
		rpc_close(&c->rpc);
		udax_stop(&c->daemon);
	}
	for (i = 0; i < FAULTERS_MAX_PROCESSES; i++)
		child_end(&c->child[i]);
	rpc_close(&c->rpc);
	udax_stop(&c->daemon);
	if (c->f)
		munmap(c->f, sizeof(*c->f));
	if (c->shared >= 0)
		close(c->shared);
	json_decref(c->before);
	pool_free(&c->pool);
}

static int counters(struct contestant *c, json_t **out)
{
	json_t *status;
	int ret = rpc_call(&c->rpc, "get_status", NULL, &status);

	if (ret) {
		fprintf(stderr, "udax-bench: %s: %s\n", c->v->name, c->rpc.error);
		return ret;
	}
	*out = json_incref(json_object_get(status, "counters"));
	json_decref(status);
	return *out ? 0 : -EPROTO;
}

/*
 * What the last round mapped is gone: entries of a file live as long as a mapping
 * of it, and udaxd drops it a moment after munmap() has returned.
 */
static int wait_unmapped(struct contestant *c)
{
	struct timespec pause = { .tv_nsec = 1000000 };
	json_t *status;
	json_int_t files;

	for (int i = 0; i < 5000; i++) {
		if (rpc_call(&c->rpc, "get_status", NULL, &status))
			return -EPIPE;
		files = json_integer_value(json_object_get(status, "files"));
		json_decref(status);
		if (!files)
			return 0;
		nanosleep(&pause, NULL);
	}
	return -EBUSY;
}

static void remove_files(const struct live *l, const struct faulters *f)
{
	char path[400];
	uint32_t i;

	for (i = 0; faulters_own_files(f->cfg.load) && i < f->cfg.files; i++) {
		snprintf(path, sizeof(path), "%s/%u.%u", l->dir, f->round, i);
		unlink(path);
	}
}

static uint64_t daemon_cpu(const struct contestant *c)
{
	clockid_t clock;

	return clock_getcpuclockid(c->daemon.child.pid, &clock) ? 0 : clock_ns(clock);
}

/* @round 0 is dropped. 0 or -errno; -ETIMEDOUT: somebody sleeps for ever. */
static int contestant_round(struct live *l, struct contestant *c, unsigned int round,
			    bool exact)
{
	json_t *after, *figures;
	uint64_t cpu;
	unsigned int i;
	int ret;

	atomic_store(&c->f->ready, 0);
	atomic_store(&c->f->round, round);
	for (i = 0; i < c->f->cfg.threads; i++) {
		c->f->thread[i].nr = 0;
		c->f->thread[i].touches = 0;
		atomic_store(&c->f->thread[i].go, 0);
		atomic_store(&c->f->thread[i].done, 0);
	}
	json_decref(c->before);
	c->before = NULL;
	ret = exact ? 0 : wait_unmapped(c);
	if (!ret)
		ret = counters(c, &c->before);
	cpu = daemon_cpu(c);
	for (i = 0; i < c->f->cfg.processes && !ret; i++)
		if (send(c->child[i].ctl, "", 1, MSG_NOSIGNAL) < 0)
			ret = -errno;
	for (i = 0; i < c->f->cfg.processes && !ret && c->asleep; i++)
		ret = asleep_wait(&c->rpc, c->child[i].ctl);
	for (i = 0; i < c->f->cfg.processes && !ret; i++)
		ret = answer(c, i);
	if (!ret)
		ret = counters(c, &after);
	if (ret)
		return ret;
	cpu = daemon_cpu(c) - cpu;
	if (round) {
		figures = count_round(c->f, c->before, after, &c->pool);
		json_object_set_new(figures, "daemon_cpu_ns", json_integer((json_int_t)cpu));
		json_array_append_new(c->rounds, figures);
	}
	json_decref(after);
	remove_files(l, c->f);
	return 0;
}

static int run_rounds(struct live *l, struct contestant *c, const struct live_cell *cell)
{
	unsigned int round, i, nr;
	int ret;

	for (round = 0; round <= cell->rounds; round++) {
		for (i = 0; i < cell->nr; i++) {
			nr = (i + round) % cell->nr;
			if (bench_interrupted)
				return -EINTR;
			if (c[nr].hung)
				continue;
			progress("%s %s: round %u/%u %s", cell->group, cell->name,
				 round, cell->rounds, c[nr].v->name);
			ret = contestant_round(l, &c[nr], round, cell->exact);
			if (ret == -ETIMEDOUT) {
				c[nr].hung = true;
				remove_files(l, c[nr].f);
			} else if (ret) {
				progress("%s", "");
				fprintf(stderr, "udax-bench: %s %s, %s: %s\n",
					cell->group, cell->name, c[nr].v->name,
					strerror(-ret));
				return ret;
			}
		}
	}
	return 0;
}

static json_t *variant_json(struct contestant *c)
{
	json_t *o = json_pack("{s:s,s:s,s:b,s:O}", "name", c->v->name,
			      "protocol", c->v->protocol ? c->v->protocol : "616",
			      "hung", c->hung, "rounds", c->rounds), *all = NULL;

	if (!c->hung && !counters(c, &all)) {
		json_object_set(o, "counters", all);
		json_decref(all);
	}
	json_object_set_new(o, "cdf", pool_cdf(&c->pool));
	return o;
}

static const char *load_name(enum faulters_load load)
{
	static const char *const names[] = {
		"pairs", "pages", "append", "sweep", "litmus", "herd", "torture"
	};

	return names[load];
}

static json_t *cell_json(const struct live_cell *cell, json_t *variants)
{
	const struct faulters_config *c = &cell->cfg;

	return json_pack("{s:s,s:s,s:s,s:s,s:I,s:f,s:i,s:i,s:i,s:i,s:s?,s:b,s:o}",
			 "driver", "live", "group", cell->group, "name", cell->name,
			 "load", load_name(c->load),
			 "hold_ns", (json_int_t)c->hold_ns, "p", c->p,
			 "threads", (int)c->threads, "processes", (int)c->processes,
			 "pages", (int)c->pages, "steps", (int)c->steps,
			 "hold", cell->hold, "decides", cell->decides,
			 "variants", variants);
}

int live_cell(struct live *l, const struct live_cell *cell, json_t *cells)
{
	struct contestant *c = calloc(LIVE_MAX, sizeof(*c));
	json_t *variants = json_array();
	unsigned int i, p;
	int ret = 0;

	if (!c || cell->nr > LIVE_MAX)
		abort();
	for (i = 0; i < cell->nr; i++) {
		c[i].v = &cell->variants[i];
		c[i].asleep = cell->asleep;
		c[i].shared = c[i].daemon.child.ctl = c[i].rpc.fd = -1;
		for (p = 0; p < FAULTERS_MAX_PROCESSES; p++)
			c[i].child[p].ctl = -1;
		c[i].rounds = json_array();
	}
	for (i = 0; i < cell->nr && !ret; i++) {
		progress("%s %s: starting %s", cell->group, cell->name, c[i].v->name);
		ret = contestant_start(l, &c[i], cell);
		if (ret) {
			progress("%s", "");
			fprintf(stderr, "udax-bench: %s: starting: %s\n",
				c[i].v->name, strerror(-ret));
		}
	}
	if (!ret)
		ret = run_rounds(l, c, cell);
	for (i = 0; i < cell->nr; i++) {
		if (!ret)
			json_array_append_new(variants, variant_json(&c[i]));
		contestant_end(&c[i]);
		json_decref(c[i].rounds);
	}
	json_array_append_new(cells, cell_json(cell, variants));
	free(c);
	return ret;
}

unsigned int live_protocols(const struct bench_opts *opts, const char *defaults,
			    struct live_variant *variants, char names[][32])
{
	const char *list = opts->protocols ? opts->protocols : defaults;
	unsigned int n = 0;
	size_t len;

	for (; *list && n < LIVE_MAX; list += len + (list[len] == ',')) {
		len = strcspn(list, ",");
		snprintf(names[n], 32, "%.*s", (int)len, list);
		variants[n] = (struct live_variant){ .name = names[n],
						     .protocol = names[n] };
		n++;
	}
	return n;
}

int live_cells(const struct bench_opts *opts, json_t *cells, uint32_t windows,
	       int (*body)(struct live *l, json_t *cells))
{
	struct live l;
	int ret = live_open(&l, opts, windows);

	if (ret)
		return ret;
	ret = body(&l, cells);
	live_close(&l);
	progress("%s", "");
	return ret < 0 ? BENCH_FAIL : ret;
}

int live_experiment(const struct bench_opts *opts, json_t *report, uint32_t windows,
		    int (*body)(struct live *l, json_t *cells),
		    void (*show)(json_t *report))
{
	json_t *cells = json_array();
	int ret;

	json_object_set_new(report, "cells", cells);
	ret = live_cells(opts, cells, windows, body);
	if (ret)
		return ret;
	show(report);
	results_print(report, stdout);
	results_print_answer(report, stdout);
	return BENCH_OK;
}

int live_kick(const struct live *l, struct live_variant *variants, unsigned int nr)
{
	unsigned int i;

	if (!udax_has(&l->tree, "on-lost-wakeup")) {
		fputs("udax-bench: this udaxd cannot wake sleepers that are lost\n", stderr);
		return -ENOTSUP;
	}
	for (i = 0; i < nr; i++) {
		variants[i].more[0] = "--on-lost-wakeup";
		variants[i].more[1] = "kick";
	}
	return 0;
}

int live_and_sim(const struct bench_opts *opts, json_t *report, uint32_t windows,
		 int (*body)(struct live *l, json_t *cells),
		 int (*sim_body)(const struct bench_opts *opts, json_t *cells),
		 void (*show)(json_t *report, bool live, bool sim))
{
	bool live = name_listed(opts->only, "live"), sim = name_listed(opts->only, "sim");
	json_t *cells = json_array();
	int ret = BENCH_OK;

	json_object_set_new(report, "cells", cells);
	if (live)
		ret = live_cells(opts, cells, windows, body);
	if (ret == BENCH_CANNOT && sim) {
		puts("Simulated only.");
		live = false;
		ret = BENCH_OK;
	}
	if (!ret && sim && sim_body(opts, cells))
		ret = BENCH_FAIL;
	if (ret)
		return ret;
	show(report, live, sim);
	results_print(report, stdout);
	results_print_answer(report, stdout);
	return BENCH_OK;
}
