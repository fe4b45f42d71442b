/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * e9: "We can add that later if we can show it helps": a DAX fault does not honour
 * FAULT_FLAG_RETRY, it sleeps with the mmap lock held. What would mmap() and
 * munmap() gain if it dropped the lock first? Files that grow under readers, with
 * the emulated lock (kernel) and without it (the lock is dropped).
 */
#include "cells.h"
#include "live.h"
#include "results.h"

#define HELD "lock held"
#define DROPPED "lock dropped"

static int body(struct live *l, json_t *cells)
{
	static const struct { const char *name; uint64_t ns; } holds[] = {
		{ "20us", 20000 }, { "200us", 200000 }, { "2ms", 2000000 },
	};
	struct live_variant variants[] = {
		{ .name = HELD, .env = "UDAX_MMAP_LOCK=kernel" },
		{ .name = DROPPED },
	};
	struct live_cell cell = {
		.group = "growing files", .variants = variants, .nr = 2,
		.rounds = l->opts->repeat ? l->opts->repeat : l->opts->quick ? 2 : 7,
	};
	int ret = 0;

	for (int i = 0; i < (l->opts->quick ? 1 : 3) && !ret; i++) {
		cell.name = holds[i].name;
		cell.cfg = (struct faulters_config){ .load = LOAD_APPEND, .processes = 1,
			.threads = 8, .files = 2, .steps = l->opts->quick ? 60 : 160,
			.hold_ns = holds[i].ns };
		ret = live_cell(l, &cell, cells);
	}
	return ret;
}

static json_t *in_us(const json_t *v, const char *figure)
{
	struct spread s = variant_spread(v, figure);

	s.median /= 1e3;
	s.min /= 1e3;
	s.max /= 1e3;
	return spread_cell(s);
}

static void show(json_t *report)
{
	uint64_t seed = json_integer_value(json_object_get(report, "seed"));
	const json_t *cell, *v;
	json_t *table, *ratios;
	size_t i, k;

	table = results_table(report, "mmap", "mmap() and munmap() beside faults",
		"hold|fault sleeps with|mmap/munmap, p50 us|p99 us|fault, p99 us|faults/s"
		"|longest queue");
	ratios = results_table(report, "ratios", "Lock held to lock dropped (95 % intervals)",
			       "hold|mmap/munmap p50|p99|faults/s");
	json_array_foreach((json_t *)(uintptr_t)cells_of(report), i, cell) {
		json_array_foreach(json_object_get(cell, "variants"), k, v)
			results_row(table, json_pack("[s,s,o,o,o,o,O?]",
				cell_string(cell, "name"), cell_string(v, "name"),
				in_us(v, "mmap.p50"), in_us(v, "mmap.p99"),
				in_us(v, "small.p99"),
				spread_cell(variant_spread(v, "rate")),
				json_object_get(json_object_get(json_object_get(v,
					"counters"), "mmap_lock"), "max_queue")));
		results_row(ratios, json_pack("[s,o,o,o]", cell_string(cell, "name"),
			interval_cell(cell_ratio(cell, HELD, DROPPED, "mmap.p50", seed)),
			interval_cell(cell_ratio(cell, HELD, DROPPED, "mmap.p99", seed)),
			interval_cell(cell_ratio(cell, HELD, DROPPED, "rate", seed))));
	}
	results_say(report, "read", "With the lock held, an mmap() or munmap() of the process "
		"waits until every fault that is being served has ended, and faults that "
		"come later wait behind it (udax run --mmap-lock kernel). With the lock "
		"dropped, it waits for none.");
	results_say(report, "not", "Kernels since 6.4 hold a lock of the mapping, not of the "
		"process, while a fault is served; mmap() elsewhere then does not wait. "
		"The figures with the lock dropped are the best that a retry could do: "
		"the fault that is made again is not charged.");
}

int e9_run(const struct bench_opts *opts, json_t *report)
{
	return live_experiment(opts, report, 0, body, show);
}
