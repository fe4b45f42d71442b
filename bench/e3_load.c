/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * e3's loads: how often does a 2M fault meet a locked 4K entry, when nobody
 * arranges it? db_bench is the program that hung in 2019, with the options that
 * were told (mapped reads, writes by write(2)); "growing files" does the same
 * with nothing else around it, and many short mappings. Entries are held as long
 * as this machine's file system takes for an allocation.
 */
#include "e3.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "medium.h"

static int run_shell(const char *command)
{
	char *argv[] = { (char *)"/bin/sh", (char *)"-c", (char *)(uintptr_t)command,
			 NULL };
	struct spawn how = { .argv = argv, .keep = { -1, -1 } };
	struct child c = { .ctl = -1 };
	int ret = child_spawn(&c, &how), status;

	if (ret)
		return ret;
	while (waitpid(c.pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -EINTR;
}

/* "readwhilewriting : 446.180 micros/op 8553 ops/sec", among much else. */
static double ops_per_second(const char *path)
{
	FILE *f = fopen(path, "re");
	char word[64];
	double value = 0, last = 0;
	bool found = false;

	while (f && fscanf(f, "%63s", word) == 1) {
		if (!strcmp(word, "readwhilewriting"))
			found = true;
		else if (found && !strcmp(word, "ops/sec"))
			value = last;
		else
			last = atof(word);
	}
	if (f)
		fclose(f);
	return value;
}

static json_t *db_round(struct e3 *e, const char *protocol, const char *hold)
{
	unsigned int num = e->opts->quick ? 2000 : 10000;
	char command[6000], path[400];
	json_t *summary, *round = NULL;
	uint64_t start;
	double ops, p99;

	snprintf(command, sizeof(command),
		"cd '%s' && exec timeout 100 '%s' run --pmem db -q --json summary "
		"--protocol %s --hold '%s' -- db_bench --db=db/d "
		"--benchmarks=fillrandom,readwhilewriting --num=%u --reads=%u --threads=2 "
		"--value_size=400 --compression_type=none --seed=%llu "
		"--write_buffer_size=1048576 --mmap_read=1 --mmap_write=0 >out 2>&1",
		e->live.dir, e->live.tree.cli, protocol, hold, num, num,
		(unsigned long long)e->opts->seed);
	start = clock_ns(CLOCK_MONOTONIC);
	if (run_shell(command))
		return NULL;
	start = clock_ns(CLOCK_MONOTONIC) - start;
	snprintf(path, sizeof(path), "%s/out", e->live.dir);
	ops = ops_per_second(path);
	snprintf(path, sizeof(path), "%s/summary", e->live.dir);
	summary = json_load_file(path, 0, NULL);
	p99 = json_number_value(json_object_get(json_object_get(
		json_object_get(summary, "latency_ns"), "all"), "p99"));
	if (ops > 0 && summary)
		/* "rate" is operations a second of the part that reads. */
		round = json_pack("{s:I,s:f,s:I,s:f,s:O}", "elapsed_ns", (json_int_t)start,
				  "touches", ops, "ns", (json_int_t)1000000000,
				  "p99_ns", p99, "counters", summary);
	json_decref(summary);
	return round;
}

static void db_clean(struct e3 *e)
{
	char command[700];

	snprintf(command, sizeof(command), "cd '%s' && rm -rf db out summary",
		 e->live.dir);
	run_shell(command);
}

static json_t *db_variants(struct e3 *e)
{
	json_t *a = json_array();
	unsigned int i;

	for (i = 0; i < e->nr; i++)
		json_array_append_new(a, json_pack("{s:s,s:s,s:b,s:[]}",
			"name", e->variants[i].name, "protocol",
			e->variants[i].protocol, "hung", 0, "rounds"));
	return a;
}

/* Rounds in turn, as live_cell() does; a round is a run of the whole program. */
static int run_db_bench(struct e3 *e, const struct medium *m)
{
	unsigned int rounds = e->opts->repeat ? e->opts->repeat : e->opts->quick ? 2 : 5;
	json_t *variants = db_variants(e), *round;
	unsigned int i, k, nr;
	char path[400];
	int ret = 0;

	for (i = 0; i <= rounds && !ret; i++) {
		for (k = 0; k < e->nr && !ret; k++) {
			nr = (i + k) % e->nr;
			progress("load db_bench: round %u/%u %s", i, rounds,
				 e->variants[nr].name);
			db_clean(e);
			snprintf(path, sizeof(path), "%s/db", e->live.dir);
			round = bench_interrupted || mkdir(path, 0700) ? NULL :
				db_round(e, e->variants[nr].protocol, m->hold);
			if (!round)
				ret = -EIO;
			else if (i)
				json_array_append(json_object_get(json_array_get(
					variants, nr), "rounds"), round);
			json_decref(round);
		}
	}
	if (ret && !bench_interrupted) {
		progress("%s", "");
		fprintf(stderr, "udax-bench: load db_bench, %s: the program failed; its "
			"last line:\n", e->variants[nr].name);
		snprintf(path, sizeof(path), "tail -c 300 %.300s/out >&2", e->live.dir);
		run_shell(path);
	}
	db_clean(e);
	json_array_append_new(e->cells, json_pack("{s:s,s:s,s:s,s:s,s:s,s:b,s:o}",
		"driver", "live", "group", "load", "name", "db_bench", "load",
		"readwhilewriting", "hold", m->hold, "decides", 1,
		"variants", variants));
	return ret;
}

static int run_append(struct e3 *e, const struct medium *m)
{
	struct live_cell cell = {
		.group = "load", .name = "growing files", .hold = m->hold,
		.cfg = { .load = LOAD_APPEND, .processes = 1, .threads = 8,
			 .files = e->opts->quick ? 2 : 4,
			 .steps = e->opts->quick ? 80 : 400 },
		.variants = e->variants, .nr = e->nr, .rounds = e->rounds,
		.decides = true, .log = "/dev/null",
	};

	return live_cell(&e->live, &cell, e->cells);
}

/* Contrast is for faults that are made to meet; a load asks how often they do. */
static void leave_out_buggy(struct e3 *e)
{
	unsigned int i, n = 0;

	for (i = 0; i < e->nr; i++)
		if (strcmp(e->variants[i].name, "buggy"))
			e->variants[n++] = e->variants[i];
	e->nr = n;
}

int e3_load(struct e3 *all)
{
	struct e3 load = *all, *e = &load;
	struct medium m;
	int ret;

	leave_out_buggy(e);
	ret = medium_measure(&m, e->opts->seed, e->opts->quick ? 500 : 3000);

	if (ret) {
		/* What ext4 took on the machine that this was written on. */
		printf("The file system in %s cannot be measured (%s): holds are those "
		       "of an ext4.\n", m.dir, strerror(-ret));
		m = (struct medium){ .alloc_p50 = 6200, .alloc_p99 = 21000,
				     .read_p50 = 300, .read_p99 = 1000,
				     .hold = "alloc=lognorm:6200ns:0.53,"
					     "read=lognorm:300ns:0.5" };
	}
	json_object_set_new(e->report, "medium", medium_json(&m));
	ret = run_append(e, &m);
	if (ret)
		return ret;
	if (run_shell("command -v db_bench >/dev/null")) {
		puts("db_bench is not installed (package rocksdb-tools): left out.");
		return 0;
	}
	return run_db_bench(e, &m);
}
